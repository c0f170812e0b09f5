"""The live feed over HTTP: everything once, from any process, resumable over a restart; the slow are dropped."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.server.conftest import Running, Start
from tests.server.test_app import key

from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.ids import uuid7
from tallybook.model.run import Task
from tallybook.server.upkeep import Upkeep
from tallybook.store.sqlite.state import SqliteState


class Event(NamedTuple):
    id: str | None
    name: str
    data: Any


class Stream:
    """An SSE client that reads as told."""

    def __init__(self, server: Running, query: str = "", *, buffer: int | None = None, **headers: str) -> None:
        self.buffer = b""
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", server.port))
        told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.socket.sendall(f"GET /api/v1/live{query} HTTP/1.1\r\nHost: localhost\r\n{told}\r\n".encode())
        self.file = self.socket.makefile("rb")
        head = b"".join(iter(self.file.readline, b"\r\n")).decode().lower()
        assert " 200 " in head.splitlines()[0], head
        assert "content-type: text/event-stream" in head
        assert self._block() == ["retry: 2000", ": connected"]

    def _block(self) -> list[str]:
        while b"\n\n" not in self.buffer:
            size = int(self.file.readline() or b"0", 16)
            self.buffer += self.file.read(size + 2)[:size]
            if not size:
                raise EOFError
        block, self.buffer = self.buffer.split(b"\n\n", 1)
        return block.decode().split("\n")

    def next(self) -> Event:
        while True:
            block = self._block()
            if all(line.startswith(":") for line in block):
                continue
            fields = dict(line.split(": ", 1) for line in block)
            return Event(fields.get("id"), fields["event"], json.loads(fields["data"]))

    def take(self, count: int) -> list[Event]:
        return [self.next() for _ in range(count)]

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@contextmanager
def stream(server: Running, query: str = "", *, buffer: int | None = None, **headers: str) -> Iterator[Stream]:
    opened = Stream(server, query, buffer=buffer, **headers)
    try:
        yield opened
    finally:
        opened.close()


def call(**given: Any) -> Call:
    now = time.time_ns()
    call_id = uuid7(now // 1_000_000, time.perf_counter_ns())
    return Call(**{"call_id": call_id, "started_at_us": now // 1000, "duration_us": 10, "model": "gpt-4o", **given})


def write(server: Running, *calls: Call) -> None:
    """From outside of the server, as any other process would."""
    writer = Writer(server.context.settings.folder, "telemetry", segment_bytes_max=1 << 20)
    for one in calls:
        writer.append(codec.encode(one), one.started_at_us)
    writer.close()


def test_calls_come_within_a_second_with_their_cost_and_ids_that_rise(server: Running) -> None:
    with stream(server) as feed:
        took: list[float] = []
        while not took or (took[-1] >= 1 and len(took) < 4):  # A busy machine may need more than one try.
            began = time.monotonic()
            sent = [call(user_id=f"u{n}") for n in range(50)]
            write(server, *sent)
            events = feed.take(50)
            took.append(time.monotonic() - began)
    assert took[-1] < 1
    assert [event.data["call_id"] for event in events] == [one.call_id for one in sent]
    assert {event.name for event in events} == {"completed"} and "cost" in events[0].data
    assert events[0].data["about"] == "call"
    ids = [int(event.id or 0) for event in events]
    assert ids == sorted(set(ids))


def test_filters_and_kinds_choose_and_a_mistake_is_told(server: Running) -> None:
    with (
        stream(server, "?project=shop&kind=failed") as failed,
        stream(server, "?user=!u1&model=gpt-4o") as others,
        stream(server, "?id=run-7") as run,
    ):
        write(
            server, call(project="shop", user_id="u1"), call(project="shop", status="error", user_id="u1"),
            call(project="mimir", user_id="u2"), call(run_id="run-7", user_id="u1"),
        )  # fmt: skip
        assert failed.next().data["status"] == "error"
        assert others.next().data["user_id"] == "u2"
        assert run.next().data["run_id"] == "run-7"
    for query in ("?kind=finished", "?status=bad", "?lastEventId=x", "?metadata=x"):
        assert server.get(f"/api/v1/live{query}").status == 400


def test_run_totals_follow(server: Running) -> None:
    upkeep = Upkeep(server.context)
    upkeep.start()
    try:
        with stream(server, "?kind=run") as feed:
            write(server, call(run_id="r1"), call(run_id="r1"))
            event = feed.next()
            while event.data["calls"] < 2:
                event = feed.next()
            assert event.data["run_id"] == event.data["id"] == "r1" and event.data["about"] == "run"
            write(server, call(run_id="r1"))
            assert feed.next().data["calls"] == 3
    finally:
        upkeep.stop()


def test_who_comes_back_gets_what_was_missed_also_after_a_restart(start: Start, tmp_path: Path) -> None:
    first = start(tmp_path / "ledger")
    with stream(first) as feed:
        write(first, call(user_id="1"), call(user_id="2"))
        last = feed.take(2)[0].id or ""
        write(first, call(user_id="3"))
        feed.next()
    write(first, call(user_id="4"))
    time.sleep(0.3)
    with stream(first, **{"last-event-id": last}) as feed:
        assert [event.data["user_id"] for event in feed.take(3)] == ["2", "3", "4"]
    second = start(tmp_path / "ledger")
    write(second, call(user_id="5"))
    with stream(second, f"?lastEventId={last}") as feed:
        seen: list[str] = []
        while "5" not in seen:
            seen.append(feed.next().data["user_id"])
        assert seen[-3:] == ["3", "4", "5"], "those close to the border may come again, before"
        write(second, call(user_id="6"))
        while (event := feed.next()).data["user_id"] != "6":
            pass
    with stream(second, **{"last-event-id": event.id or ""}) as feed:
        write(second, call(user_id="7"))
        assert feed.next().data["user_id"] == "7"


def test_a_slow_listener_is_told_and_ended_and_others_are_not_slowed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start()
    with stream(server, buffer=4096) as slow, stream(server) as quick:
        feed = server.context.live._feed
        assert feed is not None
        feed.hub.pending_events = 50
        total = 0
        while not feed.hub.counters["dropped_listeners"]:
            several = [call(metadata={"x": "y" * 100_000}) for _ in range(30)]
            write(server, *several)
            assert [event.data["call_id"] for event in quick.take(30)] == [one.call_id for one in several]
            total += 30
            assert total < 3_000, "nobody was dropped"
        last = None
        while (event := slow.next()).name != "dropped":
            last = event.id
        assert event.data["events"] > 50 and last is not None
        with pytest.raises(EOFError):
            slow.next()
    with stream(server, **{"last-event-id": last}) as back:
        assert back.next().name == "completed"


def test_a_keys_project_is_all_that_it_hears(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    reader, writer = key(folder, "read", "docs"), key(folder, "ingest")
    server = start(folder, is_open=False)
    assert server.get("/api/v1/live").status == 401
    assert server.get("/api/v1/live", authorization=f"Bearer {writer.text}").status == 403
    with stream(server, authorization=f"Bearer {reader.text}") as feed:
        write(server, call(project="other"), call(project="docs"))
        assert feed.next().data["metadata"]["project"] == "docs"


def test_who_leaves_is_forgotten_and_heartbeats_keep_the_rest(server: Running) -> None:
    with stream(server), stream(server):
        assert server.context.live.listeners == 2
        assert "tallybook_live_listeners 2" in server.get("/metrics").body.decode()
    end = time.monotonic() + 5
    while server.context.live.listeners and time.monotonic() < end:
        time.sleep(0.02)
    assert server.context.live.listeners == 0


def test_a_stop_ends_listeners_at_once(start: Start, tmp_path: Path) -> None:
    server = start(tmp_path / "ledger")
    with stream(server) as feed:
        loop = server.context.live._feed
        assert loop is not None
        loop._loop.call_soon_threadsafe(server.context.live.end)
        with pytest.raises(EOFError):
            feed.next()


def test_tasks_of_any_process_are_told_with_their_text(server: Running) -> None:
    folder = server.context.settings.folder
    with stream(server, "?run=r1") as feed:
        time.sleep(0.3)  # The first look finds where the changes stand.
        state = SqliteState(folder / "state.db")  # As another process has it.
        try:
            now = server.context.now_us()
            state.create_task(Task(task_id="t1", run_id="r1", call_id="c", status="running", created_at_us=now))
            assert (event := feed.next()).name == "started" and event.data["id"] == "t1"
            state.change_task("t1", {"status": "streaming", "response_text": "Hel"})
            assert (event := feed.next()).name == "progress" and event.data["response_text"] == "Hel"
            state.change_task("t1", {"status": "completed", "response_text": "Hello"})
            assert (event := feed.next()).name == "completed" and event.data["about"] == "task"
        finally:
            state.close()
