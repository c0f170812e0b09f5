"""Another machine's journal: taken once, whatever happens between the two, by what the key and the settings allow."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import Running, Start
from tests.server.test_app import key

from tallybook.journal.growth import Tail
from tallybook.journal.layout import Kind
from tallybook.journal.ledger import ledger_of
from tallybook.model import codec
from tallybook.model.call import Call, Step, ToolCall
from tallybook.model.ids import uuid7
from tallybook.ship import wire
from tallybook.ship.wire import Part
from tallybook.store.lake.store import LakeStore

NOW_US = 1_767_268_800_000_000
SECONDS = float(os.environ.get("TALLYBOOK_STRESS_S", "6"))


def call(number: int, **given: Any) -> Call:
    return Call(call_id=uuid7(NOW_US // 1000, number), started_at_us=NOW_US + number, **given)


def lines(*calls: Call) -> bytes:
    return b"".join(map(codec.encode, calls))


def part(data: bytes, start: int = 0, segment: str = "s", kind: Kind = "telemetry") -> Part:
    return Part(kind, segment, start, data)


def send(server: Running, *parts: Part, **headers: str) -> Any:
    body = gzip.compress(wire.encode(parts))
    reply = server.post(wire.PATH, body, **{"content-encoding": "gzip", "tallybook-ledger": "elsewhere", **headers})
    assert reply.status == 200, reply.body
    return reply.json()


def kept(server: Running, kind: Kind = "telemetry") -> list[bytes]:
    tail = Tail(server.context.settings.folder, (kind,), is_from_start=True)
    return [line for piece in tail.poll() for _, line in piece.lines()]


def calls(server: Running) -> list[Call]:
    return sorted(map(codec.decode, kept(server)), key=lambda one: one.started_at_us)


def test_lines_are_written_as_they_came_and_acknowledged_to_their_end(server: Running) -> None:
    data = lines(call(1, project="shop"), call(2)).replace(b'"v":1', b'"v":1,"of a later version":[1]')
    step = codec.encode_step(Step(step_id="st", started_at_us=NOW_US))
    answer = send(server, part(data), part(step, segment="t", kind="steps"))
    assert answer["segments"] == {"s": len(data), "t": len(step)}
    assert (answer["calls"], answer["repeated"], answer["refused"]) == (2, 0, [])
    assert b"\n".join(kept(server)) + b"\n" == data and len(kept(server, "steps")) == 1


def test_what_comes_again_is_taken_once_in_whatever_pieces(server: Running) -> None:
    several = [call(number) for number in range(10)]
    data = lines(*several)
    edge = len(lines(*several[:4]))
    send(server, part(data[:edge]))
    assert send(server, part(data[:edge]))["calls"] == 0
    assert send(server, part(data))["segments"] == {"s": len(data)}
    assert send(server, part(data[edge:], edge))["calls"] == 0
    assert calls(server) == several


def test_after_a_restart_the_calls_ids_tell_what_is_there(start: Start, tmp_path: Path) -> None:
    several = [call(number) for number in range(10)]
    first = start(tmp_path / "ledger")
    send(first, part(lines(*several[:6])))
    second = start(tmp_path / "ledger")
    answer = send(second, part(lines(*several)))
    assert (answer["calls"], answer["repeated"]) == (4, 6)
    assert calls(second) == several


def test_other_senders_segments_of_the_same_name_are_others(server: Running) -> None:
    send(server, part(lines(call(1))))
    assert send(server, part(lines(call(2))), **{"tallybook-ledger": "a third"})["calls"] == 1
    assert len(calls(server)) == 2


def test_lines_that_are_no_records_are_refused_one_by_one_with_their_place(server: Running) -> None:
    good = lines(call(1))
    data = good + b"{broken\n" + b'{"timestamp":"yesterday"}\n' + lines(call(2))
    answer = send(server, part(data), part(b"[]\n", segment="p", kind="prompts"))
    assert [(one["segment"], one["offset"], one["code"]) for one in answer["refused"]] == [
        ("s", len(good), "invalid"), ("s", len(good) + 8, "invalid"), ("p", 0, "invalid"),
    ]  # fmt: skip
    assert answer["segments"] == {"s": len(data), "p": 3} and len(calls(server)) == 2


def test_a_record_without_an_id_gets_the_same_one_each_time(start: Start, tmp_path: Path) -> None:
    line = b'{"timestamp":"2026-01-01T12:00:00Z","model":"m"}\n'
    send(start(tmp_path / "ledger"), part(line))
    again = start(tmp_path / "ledger")
    assert send(again, part(line))["repeated"] == 1
    (one,) = calls(again)
    assert one.call_id


def test_a_keys_project_holds_over_the_lines(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    bound, free = key(folder, "ingest", "docs"), key(folder, "ingest")
    server = start(folder, is_open=False)
    assert server.post(wire.PATH, b"").status == 401
    send(server, part(lines(call(1, project="other"), call(2))), authorization=f"Bearer {bound.text}")
    send(server, part(lines(call(3, project="other"), call(4))), authorization=f"Bearer {free.text}")
    assert [one.project for one in calls(server)] == ["docs", "docs", "other", None]
    reader = key(folder, "read")
    assert server.post(wire.PATH, b"", authorization=f"Bearer {reader.text}").status in (401, 403)


def test_texts_are_kept_only_where_this_ledger_keeps_them(start: Start, tmp_path: Path) -> None:
    told = call(
        1, prompt_preview="secret", response_preview="word", tool_calls=(ToolCall(name="f", arguments="{}"),)
    )  # fmt: skip
    prompt = b'{"call_id":"c","timestamp":"2026-01-01T12:00:00Z","prompt":"secret"}\n'
    parts = (part(lines(told)), part(prompt, segment="p", kind="prompts"))
    closed = start(tmp_path / "closed")
    send(closed, *parts)
    (one,) = calls(closed)
    assert one.prompt_preview is None and one.response_preview is None and one.tool_calls == (ToolCall(name="f"),)
    assert kept(closed, "prompts") == []
    whole = start(tmp_path / "whole", settings={"prompts": "full", "responses": "full"})
    send(whole, *parts)
    assert calls(whole) == [told] and len(kept(whole, "prompts")) == 1


def test_a_server_refuses_its_own_journal(server: Running) -> None:
    own = ledger_of(server.context.settings.folder)
    reply = server.post(wire.PATH, wire.encode([part(lines(call(1)))]), **{"tallybook-ledger": own})
    assert reply.status == 409 and reply.json()["error"]["code"] == "same_ledger"


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [(b"{}", "", 400), (b"\x1f\x8b broken", "gzip", 400), (b"x", "br", 415), (b'{"kind":"telemetry"}\n', "", 400)],
)
def test_a_damaged_body_is_refused_whole(server: Running, body: bytes, encoding: str, status: int) -> None:
    assert server.post(wire.PATH, body, **{"content-encoding": encoding}).status == status
    assert server.post(wire.PATH, b"").json()["segments"] == {}


_APPLICATION = """
import os, sys, time, tallybook
from tallybook.capture import recorder
tallybook.configure(project="shop")
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
number = 0
while True:
    for _ in range(20):
        with tallybook.track("load") as call:
            call.usage(model="gpt-4o", provider="openai", input_tokens=1, output_tokens=2)
        number += 1
    os.write(fd, b"%d\\n" % number)
    time.sleep(0.02)
"""


def test_a_server_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Applications that are killed as well; the seed is printed. In full: TALLYBOOK_STRESS_S=120."""
    seed = random.randrange(1 << 30)
    r = random.Random(seed)
    port = _free_port()
    ledger, client = tmp_path / "server", tmp_path / "client"
    environment = {
        **os.environ, "TALLYBOOK_DIR": str(client), "TALLYBOOK_URL": f"http://127.0.0.1:{port}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip

    def application(number: int) -> subprocess.Popen[bytes]:
        acks = tmp_path / f"acks-{number}"
        return subprocess.Popen([sys.executable, "-c", _APPLICATION, str(acks)], env=environment)

    def serve() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tallybook", "serve", "--port", str(port), "--dir", str(ledger), "--quiet"]
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})

    server, started = serve(), 2
    applications = [application(0), application(1)]
    kills = 0
    try:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(r.uniform(0.4, 1.6))
            assert server.poll() is None, "the server stopped by itself"
            server.send_signal(signal.SIGKILL)
            server.wait()
            kills += 1
            if r.random() < 0.4:
                victim = r.randrange(2)
                applications[victim].kill()
                applications[victim].wait()
                applications[victim] = application(started)
                started += 1
            time.sleep(r.uniform(0, 0.3))
            server = serve()
    finally:
        for one in applications:
            one.kill()
            one.wait()
    try:
        from tallybook.ship.background import drain
        from tallybook.ship.shipper import Shipper

        shipper = Shipper(client, f"http://127.0.0.1:{port}", None)
        end = time.monotonic() + 30
        while (problem := drain(shipper, end)) is not None and time.monotonic() < end:
            time.sleep(0.1)
        assert problem is None
        shipper.release()
    finally:
        server.terminate()
        server.wait()
    recorded = [one.call_id for one in _recorded(client)]
    acknowledged = sum(int(path.read_text().split()[-1]) for path in tmp_path.glob("acks-*") if path.stat().st_size)
    assert len(recorded) >= acknowledged > 0
    store = LakeStore(ledger)
    arrived = [call_id for (call_id,) in store.sql("SELECT call_id FROM calls").rows]
    store.close()
    raw = [one.call_id for one in _recorded(ledger)]
    print(f"{len(arrived):,} calls, {kills} kills of the server, seed {seed}")
    assert sorted(arrived) == sorted(recorded), f"seed {seed}"
    assert len(raw) == len(set(raw)), f"a line was written twice (seed {seed})"


def _recorded(folder: Path) -> list[Call]:
    tail = Tail(folder, is_from_start=True)
    found: list[Call] = []
    while grown := tail.poll():
        found += [codec.decode(line) for piece in grown for _, line in piece.lines() if line.endswith(b"}")]
    return found


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
