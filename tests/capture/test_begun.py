"""Calls that begin are told where that is asked for, under the id that their record has; and not at all elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai")
import openai

import tallybook
from tallybook.ingest.seal import seal
from tallybook.journal.layout import segments
from tallybook.live.hub import Hub
from tallybook.live.source import Source
from tallybook.model.call import Cost
from tallybook.model.started import Started, decode_started
from tallybook.testing import ReplayServer, TemporaryLedger, temporary_ledger

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

ASK: list[Any] = [{"role": "user", "content": "Mars?"}]


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as running:
        yield running


@pytest.fixture
def watched() -> Iterator[TemporaryLedger]:
    with temporary_ledger(project="shop", started=True) as ledger:
        yield ledger


def told(ledger: TemporaryLedger) -> list[Started]:
    return [decode_started(line) for line in ledger.lines("started")]


def test_a_call_that_began_and_its_record_have_one_id_by_every_way(
    server: ReplayServer, watched: TemporaryLedger
) -> None:
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        with tallybook.run("r", user="u1"):
            for _ in range(3):  # From the third on by the short way.
                client.chat.completions.create(model="gpt-4o", messages=ASK)
        for _ in client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True):
            pass
        with pytest.raises(openai.APIStatusError):
            client.chat.completions.create(model="gpt-4o", messages=ASK, extra_headers={"X-Replay": "status=500"})
    begun = told(watched)
    assert [one.call.call_id for one in begun] == [call.call_id for call in watched.calls()] and len(begun) == 5
    first = begun[0].call
    assert (first.project, first.user_id, first.model, first.provider) == ("shop", "u1", "gpt-4o", "openai")
    assert first.run_id == watched.calls()[0].run_id is not None
    assert begun[3].call.is_stream and len({one.by for one in begun}) == 1


def test_it_is_there_while_the_call_is_under_way(server: ReplayServer, watched: TemporaryLedger) -> None:
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        stream = client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
        next(iter(stream))
        assert len(told(watched)) == 1 and watched.calls() == []
        stream.close()
    assert len(watched.calls()) == 1


def test_off_it_writes_nothing(server: ReplayServer) -> None:
    with temporary_ledger() as ledger, openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
        client.chat.completions.create(model="gpt-4o", messages=ASK)
        assert ledger.lines("started") == [] and len(ledger.calls()) == 1


_DYING = """
import os, sys, threading, openai, tallybook
tallybook.instrument(started=True)
client = openai.OpenAI(base_url=sys.argv[1], api_key="k", max_retries=0)
ask = [{"role": "user", "content": "Mars?"}]
client.chat.completions.create(model="gpt-4o", messages=ask)
stream = iter(client.chat.completions.create(model="gpt-5", messages=ask, stream=True))
next(stream)
print("under way", flush=True)
sys.stdin.read()
"""


def test_a_call_of_a_killed_process_is_lost_in_live_views_and_in_no_total(server: ReplayServer, tmp_path: Path) -> None:
    source = Source(tmp_path, Hub(lambda: time.time_ns() // 1000), price=lambda _: Cost(), show=lambda call: {})
    listener = source.hub.listen()
    environment = {**os.environ, "TALLYBOOK_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _DYING, server.openai_url], env=environment, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "under way\n"
    stop = threading.Event()
    thread = threading.Thread(target=source.run, args=(stop,))
    thread.start()
    try:
        found = _until(listener, 3)
        assert sorted(kind for kind, _ in found) == ["completed", "started", "started"]
        seal(tmp_path, None)
        assert len(segments(tmp_path, "started")) == 1, "its writer lives"
        process.kill()
        process.communicate()
        assert _until(listener, 1) == [("lost", "gpt-5")]
    finally:
        process.kill()
        process.communicate()
        stop.set()
        thread.join()
    seal(tmp_path, None)
    assert segments(tmp_path, "started") == []


def _until(listener: Any, count: int) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    end = time.monotonic() + 20
    while len(found) < count and time.monotonic() < end:
        found += [(event.kind, event.facts.model) for batch in listener.take() for event in batch.events]
        time.sleep(0.02)
    return found
