"""What the server does on its own costs little while nothing happens, and misses nothing when something does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.server.conftest import Running

from tallybook.ingest.follow import Followed
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.server import upkeep
from tallybook.server.upkeep import LOOK_S, Upkeep

SOON_S = 2.0


def until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + SOON_S
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def test_a_folder_in_which_nothing_changes_is_left_alone_and_the_next_line_is_followed_at_once(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    original: Any = upkeep.follow

    def follow(*given: Any) -> Followed:
        followed: Followed = original(*given)
        passes.append(followed.calls)
        return followed

    monkeypatch.setattr(upkeep, "follow", follow)
    writer = Writer(server.context.settings.folder, "telemetry", segment_bytes_max=1 << 25)
    now_us = time.time_ns() // 1000
    line = codec.encode(Call(call_id="019c2ef0-91a4-79b2-95f2-598d6ffe3041", started_at_us=now_us, operation="chat"))
    writer.append(line, now_us)
    one = Upkeep(server.context)
    one.start()
    try:
        assert until(lambda: passes[-1:] == [0] and sum(passes) == 1)
        before = len(passes)
        time.sleep(1.5)
        assert LOOK_S > 1.5
        assert len(passes) == before
        writer.append(line.replace(b"3041", b"3042"), now_us)
        assert until(lambda: sum(passes) == 2)
    finally:
        one.stop()
        writer.close()
