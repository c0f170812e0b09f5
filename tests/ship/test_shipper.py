"""Whatever the server does, each line arrives, in order, once; nothing is removed that it has not got."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallybook.ingest.seal import seal
from tallybook.journal.acknowledged import Needed
from tallybook.journal.layout import segments
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.ids import uuid7
from tallybook.ship.post import Connection
from tallybook.ship.shipper import Shipper, Step

from .double import Double

NOW_US = 1_767_268_800_000_000


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def server() -> Iterator[Double]:
    with Double() as double:
        yield double


def call(number: int) -> bytes:
    return codec.encode(Call(call_id=uuid7(NOW_US // 1000, number), started_at_us=NOW_US + number, model="m" * 40))


def write(folder: Path, *lines: bytes, kind: Any = "telemetry", keeps: bool = False) -> Writer:
    writer = Writer(folder, kind, segment_bytes_max=1 << 20)
    for line in lines:
        writer.append(line, NOW_US)
    if not keeps:
        writer.close()
    return writer


_made: list[Shipper] = []


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    yield
    while _made:
        _made.pop().release()


def shipper(folder: Path, server: Double, **given: Any) -> Shipper:
    made = Shipper(folder, server.url, None, connection=Connection(server.url, "key-1", timeout_s=2), **given)
    _made.append(made)
    return made


def all_of(shipping: Shipper, clock: Clock | None = None, steps: int = 200) -> list[Step]:
    """Steps until nothing is left; waits pass at once."""
    assert shipping.hold()
    done = []
    for _ in range(steps):
        done.append(shipping.step())
        if done[-1].wait_s is None:
            return done
        if clock is not None:
            clock.now_s += done[-1].wait_s
    raise AssertionError(f"not done after {steps} steps: {done[-1]}")


def arrived(server: Double, kind: str = "telemetry") -> list[bytes]:
    assert server.twice() == []
    return [line.split(b" ", 1)[1] + b"\n" for line in server.lines if line.startswith(kind.encode())]


def test_every_kind_but_what_is_no_business_of_the_server_arrives(tmp_path: Path, server: Double) -> None:
    for kind in ("telemetry", "steps", "messages", "prompts", "responses", "amendments", "started"):
        write(tmp_path, f'{{"of":"{kind}"}}\n'.encode(), kind=kind)
    all_of(shipper(tmp_path, server))
    assert sorted(line.split(b" ")[0] for line in server.lines) == [
        b"messages", b"prompts", b"responses", b"steps", b"telemetry"
    ]  # fmt: skip
    ((_, headers),) = server.requests
    assert headers["authorization"] == "Bearer key-1" and headers["content-encoding"] == "gzip"


def test_what_was_acknowledged_is_not_sent_again_by_the_next_process(tmp_path: Path, server: Double) -> None:
    writer = write(tmp_path, *map(call, range(10)), keeps=True)
    first = shipper(tmp_path, server)
    all_of(first)
    assert not shipper(tmp_path, server).hold(), "one at a time"
    first.release()
    writer.append(call(10), NOW_US)
    all_of(shipper(tmp_path, server))
    assert arrived(server) == [call(number) for number in range(11)]
    assert len(server.requests) == 2
    assert server.requests[1][0] < server.requests[0][0]


def test_a_line_that_is_being_written_waits_until_it_is_whole(tmp_path: Path, server: Double) -> None:
    write(tmp_path, call(1))
    (segment,) = segments(tmp_path)
    whole = call(2)
    with segment.path.open("ab") as file:
        file.write(whole[:30])
    shipping = shipper(tmp_path, server)
    all_of(shipping)
    assert arrived(server) == [call(1)] and shipping.waiting() == 30
    with segment.path.open("ab") as file:
        file.write(whole[30:])
    all_of(shipping)
    assert arrived(server) == [call(1), whole]


def test_whatever_the_server_answers_each_line_arrives_once(tmp_path: Path, server: Double) -> None:
    seed = random.randrange(1 << 30)
    r = random.Random(seed)
    clock = Clock()
    shipping = shipper(tmp_path, server, monotonic=clock)
    wanted: list[bytes] = []
    for _ in range(40):
        lines = [call(len(wanted) + number) for number in range(r.randrange(1, 30))]
        wanted += lines
        write(tmp_path, *lines)
        server.script += r.sample(
            ["ok", "garbage", "page", "cut", "half", "nothing", 500, 502, 429, (429, 7), (503, 30), 401, 400, 302], 4
        )
        all_of(shipping, clock)
    assert sorted(arrived(server)) == sorted(wanted), f"seed {seed}"


def test_retry_after_is_obeyed_and_other_failures_wait_longer_each_time(tmp_path: Path, server: Double) -> None:
    clock = Clock()
    shipping = shipper(tmp_path, server, monotonic=clock)
    write(tmp_path, call(1))
    assert shipping.hold()
    server.script = [(429, 7), *[500] * 20]
    assert shipping.step().wait_s == 7
    clock.now_s += 6.9
    step = shipping.step()
    assert step.wait_s == pytest.approx(0.1) and len(server.requests) == 1, "not before"
    waits = []
    for _ in range(12):
        clock.now_s += 60
        waits.append(shipping.step().wait_s or 0)
    assert waits[0] <= 0.5 and waits[-1] > 20 and max(waits) <= 30
    server.script.clear()
    clock.now_s += 60
    assert shipping.step().sent and shipping.step() == Step(0, 0, None)


def test_a_server_that_is_down_is_found_again(tmp_path: Path) -> None:
    clock = Clock()
    with Double() as first:
        port = first.port
        shipping = shipper(tmp_path, first, monotonic=clock)
        write(tmp_path, call(1))
        all_of(shipping)
    write(tmp_path, *map(call, range(2, 2_000)))
    for _ in range(50):
        step = shipping.step()
        assert step.sent == 0 and (step.problem or step.wait_s)
        clock.now_s += 30
    with Double(port) as second:
        all_of(shipping, clock)
        assert len(arrived(second)) == 1_998


def test_batches_that_are_too_large_become_smaller_and_a_line_that_is_alone_is_told(
    tmp_path: Path, server: Double
) -> None:
    server.body_max = 6_000
    lines = [
        codec.encode(Call(call_id=f"c{n}", started_at_us=NOW_US, metadata={"x": os.urandom(800).hex()}))
        for n in range(100)
    ]
    huge = codec.encode(Call(call_id="huge", started_at_us=NOW_US, metadata={"x": os.urandom(20_000).hex()}))
    write(tmp_path, *lines[:50], huge, *lines[50:])
    shipping = shipper(tmp_path, server)
    all_of(shipping, steps=400)
    assert sorted(arrived(server)) == sorted(lines)
    assert shipping.refused == 1
    (told,) = (shipping.destination.place / "refused.jsonl").read_text().splitlines()
    assert '"too_large"' in told


def test_a_sealed_segment_stays_until_the_server_has_it(tmp_path: Path, server: Double) -> None:
    shipping = shipper(tmp_path, server)
    assert shipping.hold()
    write(tmp_path, *map(call, range(20)))
    for ahead_s in (0, 100, 200):
        seal(tmp_path, None, now_s=NOW_US / 1e6 + ahead_s)
    (segment,) = segments(tmp_path)
    assert ".sealing-" in segment.path.name and Needed(tmp_path)(segment.path)
    all_of(shipping)
    assert len(arrived(server)) == 20 and not Needed(tmp_path)(segment.path)
    seal(tmp_path, None, now_s=time.time() + 1_000)
    assert segments(tmp_path) == []
    write(tmp_path, call(20))
    all_of(shipping)
    assert len(arrived(server)) == 21


def test_a_server_that_nobody_asks_for_any_more_keeps_nothing(tmp_path: Path, server: Double) -> None:
    shipping = shipper(tmp_path, server)
    shipping.hold()
    write(tmp_path, call(1))
    (segment,) = segments(tmp_path)
    assert Needed(tmp_path)(segment.path)
    assert not Needed(tmp_path, now_s=time.time() + 8 * 86_400)(segment.path)


def test_shipped_segments_go_only_where_that_was_asked_for_and_nobody_writes_them(
    tmp_path: Path, server: Double
) -> None:
    kept = write(tmp_path, call(1), keeps=True)
    all_of(shipper(tmp_path, server, keep=False))
    assert len(segments(tmp_path)) == 1, "its writer lives"
    kept.close()
    write(tmp_path / "other", call(2))
    first = shipper(tmp_path / "other", server)
    all_of(first)
    first.release()
    assert len(segments(tmp_path / "other")) == 1, "kept by default"
    all_of(shipper(tmp_path / "other", server, keep=False))
    assert segments(tmp_path / "other") == []


def test_another_file_under_an_old_name_and_number_is_sent_whole(tmp_path: Path, server: Double) -> None:
    write(tmp_path, call(1), call(2), kind="telemetry")
    shipping = shipper(tmp_path, server)
    all_of(shipping)
    (segment,) = segments(tmp_path)
    segment.path.write_bytes(call(1) + call(3) + call(4))  # The same first line and number, another content.
    all_of(shipping)
    assert {call(3), call(4)} <= {line.split(b" ", 1)[1] + b"\n" for line in server.lines}


def test_marks_that_are_lost_or_damaged_cost_a_second_sending_and_nothing_else(tmp_path: Path, server: Double) -> None:
    write(tmp_path, *map(call, range(5)))
    first = shipper(tmp_path, server)
    all_of(first)
    first.release()
    for damage in (b"", b"{", b'{"url":"x","segments":{"a":[1]}}'):
        (first.destination.place / "offsets.json").write_bytes(damage)
        again = shipper(tmp_path, server)
        all_of(again)
        again.release()
    assert len(arrived(server)) == 5 and len(server.requests) == 4
