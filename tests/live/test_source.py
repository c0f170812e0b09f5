"""From the folder to the hub, whichever process writes, each thing once and within a second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tallybook.journal.writer import Writer
from tallybook.live.event import Event, Fresh, of_run
from tallybook.live.hub import Hub
from tallybook.live.source import Source
from tallybook.model import codec
from tallybook.model.call import Call, Cost, Run
from tallybook.model.started import encode_started

NOW_US = 1_767_268_800_000_000


def price(call: Call) -> Cost:
    return Cost(status="priced", total_nanousd=7)


def show(call: Call) -> dict[str, Any]:
    assert call.cost is not None
    return {"call_id": call.call_id, "cost_nanousd": call.cost.total_nanousd}


def source(folder: Path, **given: Any) -> Source:
    return Source(folder, Hub(lambda: time.time_ns() // 1000), price=price, show=show, **given)


def call(number: int, **given: Any) -> Call:
    return Call(call_id=f"c{number}", started_at_us=NOW_US + number, **given)


def add(folder: Path, kind: Any, *lines: bytes) -> Writer:
    writer = Writer(folder, kind, segment_bytes_max=1 << 20)
    for line in lines:
        writer.append(line, NOW_US)
    return writer


def told(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.subject) for event in events]


def heard(source: Source, listener: Any) -> list[tuple[str, str]]:
    source.poll()
    return told([event for batch in listener.take() for event in batch.events])


def test_calls_end_completed_or_failed_with_their_cost(tmp_path: Path) -> None:
    watching = source(tmp_path)
    listener = watching.hub.listen()
    add(
        tmp_path, "telemetry", codec.encode(call(1)), codec.encode(call(2, status="error")),
        codec.encode(call(3, status="cancelled")), codec.encode(call(4, status="incomplete")),
    )  # fmt: skip
    watching.poll()
    ((batch),) = listener.take()
    assert told(batch.events) == [("completed", "c1"), ("failed", "c2"), ("failed", "c3"), ("completed", "c4")]
    assert b'"cost_nanousd":7' in batch.events[0].frame
    assert watching.poll() == 0


def test_a_call_is_under_way_until_its_record_comes(tmp_path: Path) -> None:
    watching = source(tmp_path)
    listener = watching.hub.listen()
    kept = add(tmp_path, "started", encode_started(call(1, model="gpt-4o"), "w"))
    assert heard(watching, listener) == [("started", "c1")]
    assert [one.model for one in watching.under_way.calls] == ["gpt-4o"]
    add(tmp_path, "telemetry", codec.encode(call(1)))
    assert heard(watching, listener) == [("completed", "c1")]
    assert len(watching.under_way) == 0
    kept.append(encode_started(call(2), "w"), NOW_US)
    kept.append(encode_started(call(2), "w", is_withdrawn=True), NOW_US)
    assert heard(watching, listener) == [], "no request went out"


def test_a_call_whose_process_died_is_lost_and_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallybook.live.source._LOST_EVERY_S", 0)
    watching = source(tmp_path)
    listener = watching.hub.listen()
    kept = add(tmp_path, "started", encode_started(call(1), "w"), encode_started(call(2), "w"))
    assert heard(watching, listener) == [("started", "c1"), ("started", "c2")]
    assert heard(watching, listener) == []
    add(tmp_path, "telemetry", codec.encode(call(2)))
    kept.close()
    assert heard(watching, listener) == [("completed", "c2"), ("lost", "c1")]
    assert heard(watching, listener) == []
    add(tmp_path, "telemetry", codec.encode(call(1)))
    assert heard(watching, listener) == [("completed", "c1")], "it was there after all"


def test_what_was_under_way_before_is_known_and_what_has_its_record_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallybook.live.source._LOST_EVERY_S", 0)
    kept = add(tmp_path, "started", *[encode_started(call(number), "w") for number in range(3)])
    asked: list[str] = []

    def recorded(calls: Sequence[Call]) -> list[str]:
        asked.extend(one.call_id for one in calls)
        return ["c1"]

    watching = source(tmp_path, recorded=recorded)
    listener = watching.hub.listen()
    assert heard(watching, listener) == [], "they began before"
    assert asked == ["c0", "c1", "c2"] and [one.call_id for one in watching.under_way.calls] == ["c0", "c2"]
    kept.close()
    assert heard(watching, listener) == [("lost", "c0"), ("lost", "c2")]


def test_an_import_of_the_past_is_no_news_but_its_runs_are(tmp_path: Path) -> None:
    def totals(calls: Sequence[Call]) -> list[Fresh]:
        return [of_run(Run(run_id="r", call_count=len(calls), project="shop"), {})] if calls else []

    watching = source(tmp_path, totals=totals)
    listener = watching.hub.listen()
    add(tmp_path, "telemetry", *[codec.encode(call(n, source="import:codex", run_id="r")) for n in range(5)])
    assert heard(watching, listener) == [("run", "r")]
    assert watching.hub.counters["imported"] == 5


def test_what_fails_beside_the_journal_is_counted_and_told_and_the_feed_goes_on(tmp_path: Path) -> None:
    complaints: list[str] = []

    def locked(calls: Sequence[Call]) -> list[Fresh]:
        raise OSError("state.db is locked")

    watching = source(tmp_path, totals=locked, changes=[lambda: 1 / 0], tell=complaints.append)  # type: ignore[list-item,return-value]
    listener = watching.hub.listen()
    add(tmp_path, "telemetry", codec.encode(call(1)), b"{broken\n")
    assert heard(watching, listener) == [("completed", "c1")]
    assert watching.hub.counters["failures"] == 2 and watching.hub.counters["bad_lines"] == 1
    assert [text.split(":")[0] for text in complaints][1:] == ["run totals", "changes of tasks"]


_WRITER = """
import os, sys, time
from pathlib import Path
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.ids import uuid7
writer = Writer(Path(sys.argv[1]), "telemetry", segment_bytes_max=20_000)
for number in range(int(sys.argv[2])):
    now = time.time_ns()
    call_id = uuid7(now // 1_000_000, int.from_bytes(os.urandom(9), "big"))
    writer.append(codec.encode(Call(call_id=call_id, started_at_us=now // 1000)), now // 1000)
    time.sleep(0.002)
os.kill(os.getpid(), 9)
"""


def test_from_any_process_within_a_second_each_once(tmp_path: Path) -> None:
    watching = source(tmp_path)
    listener = watching.hub.listen()
    stop = threading.Event()
    thread = threading.Thread(target=watching.run, args=(stop,))
    thread.start()
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), "300"]) for _ in range(3)]
    events: list[Event] = []
    end = time.monotonic() + 30
    while len(events) < 900 and time.monotonic() < end:
        events += [event for batch in listener.take() for event in batch.events]
        time.sleep(0.02)
    assert [writer.wait() for writer in writers] == [-signal.SIGKILL] * 3
    stop.set()
    thread.join()
    assert len({event.subject for event in events}) == len(events) == 900
    delays = sorted(event.id - event.facts.started_at_us for event in events)
    assert delays[int(len(delays) * 0.98)] < 1_000_000, f"{delays[-1] / 1e6:.2f} s"


def test_idle_it_costs_next_to_nothing(tmp_path: Path) -> None:
    for day in range(1, 29):
        path = tmp_path / f"2026-10-{day:02d}" / "telemetry.jsonl"
        path.parent.mkdir(parents=True)
        path.write_bytes(codec.encode(call(day)))
        os.utime(path.parent, (1, 1))
    os.utime(tmp_path, (1, 1))
    watching = source(tmp_path)
    watching.poll()
    begun = time.process_time()
    for _ in range(200):
        watching.poll()
    assert (time.process_time() - begun) / 200 < 0.005
