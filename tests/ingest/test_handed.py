"""Calls handed to the follower: run totals are those that reading the segments gives, whatever was not handed over."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import msgspec
import pytest

from contract.records import Book, random_calls
from ingest.test_follow import of_lake, of_state, variant
from tallybook.config import Settings
from tallybook.ingest import follow as following
from tallybook.ingest.arrival import Arrival
from tallybook.ingest.follow import follow
from tallybook.ingest.handed import Handed, Piece
from tallybook.ingest.intake import Intake, Lines
from tallybook.ingest.seal import seal
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call, Cost
from tallybook.model.usage import Usage
from tallybook.prices.pricer import Pricer
from tallybook.store.memory_state import MemoryState
from tallybook.store.sqlite.state import SqliteState
from tallybook.store.tally import entry_of


def submit(intake: Intake, calls: list[Call], *, tells: bool = True) -> None:
    """Write calls by an intake and wait for it; without `tells` as lines of which it does not know the calls."""
    done = threading.Event()
    lines = intake.lines(Arrival(calls=tuple(calls)))
    intake.submit_lines(lines if tells else lines._replace(calls=()), lambda _: done.set())
    assert done.wait(10)


def started(folder: Path) -> Intake:
    return Intake(Settings(folder=folder), fsync=False)


def never_read(data: bytes) -> None:
    raise AssertionError("a line was decoded")


@pytest.mark.parametrize("seed", range(4))
def test_totals_are_the_lakes_whatever_was_handed_over(tmp_path, seed):
    """An intake and another writer, lines without their calls, repeats, two followers, sealing, in any order."""
    rng = random.Random(seed)
    folder = tmp_path / "ledger"
    base = [msgspec.structs.replace(one, source="otlp") for one in random_calls(seed, 80, days=1)]
    state, told = SqliteState(tmp_path / "state.db"), list[Call]()
    intake, other = started(folder), Writer(folder, "telemetry", segment_bytes_max=1 << 25)
    for step in range(16):
        for _ in range(rng.randrange(4)):
            some = [base.pop() for _ in range(min(len(base), rng.randrange(1, 3)))]
            again = [variant(rng.choice(told), rng)] if told and rng.random() < 0.4 else []
            if some or again:
                submit(intake, [*some, *again], tells=rng.random() < 0.7)
            told += some
        if base and rng.random() < 0.5:
            told.append(base.pop())
            other.append(codec.encode(told[-1]), told[-1].started_at_us)
        if rng.random() < 0.3:  # A follower that is handed nothing, as the command line's.
            follow(folder, state, Book())
        if rng.random() < 0.2:
            intake.close()
            if rng.random() < 0.5:
                seal(folder, Book(), state)
                follow(folder, state, Book(), None, intake.handed)
            intake = started(folder)  # As after a crash: what was handed over is lost.
        follow(folder, state, Book(), None, intake.handed)
        follow(folder, state, Book(), None, intake.handed)
        assert of_state(state) == of_lake(folder), step
        assert not intake.handed.segments()
    intake.close()
    other.close()
    state.close()


def test_what_was_handed_over_is_not_decoded_again(tmp_path, monkeypatch):
    state, intake = MemoryState(), started(tmp_path)
    calls = random_calls(1, 30, days=1)
    for number in range(0, 30, 5):
        submit(intake, calls[number : number + 5])
    monkeypatch.setattr(following.codec, "decode", never_read)
    followed = follow(tmp_path, state, Book(), None, intake.handed)
    intake.close()
    assert followed.calls == 30


def test_what_lies_between_and_behind_is_read(tmp_path):
    state, intake = MemoryState(), started(tmp_path)
    calls = random_calls(2, 40, days=1)
    for number in range(4):
        submit(intake, calls[10 * number : 10 * number + 10], tells=number % 2 == 0)
    counts = [follow(tmp_path, state, Book(), None, intake.handed).calls for _ in range(3)]
    intake.close()
    assert counts == [30, 10, 0]


def test_a_torn_line_before_what_was_handed_over_is_told_as_one(tmp_path):
    calls = random_calls(3, 4, days=1)
    first = started(tmp_path)
    submit(first, calls[:2])
    first.close()
    (segment,) = tmp_path.glob("*/telemetry*.jsonl")
    with segment.open("ab") as file:
        file.write(b'{"v":1,"timest')
    state, second = MemoryState(), started(tmp_path)
    submit(second, calls[2:])
    followed = follow(tmp_path, state, Book(), None, second.handed)
    second.close()
    assert followed == (4, 1)


def test_beyond_the_bound_calls_are_read_from_the_segment(tmp_path):
    state, intake = MemoryState(), started(tmp_path)
    intake.handed = Handed(bytes_max=3_000)
    calls = random_calls(4, 50, days=1)
    for call in calls:
        submit(intake, [call])
    counts = [follow(tmp_path, state, Book(), None, intake.handed).calls for _ in range(2)]
    intake.close()
    assert 0 < counts[0] < 10
    assert sum(counts) == 50


def test_a_piece_that_is_not_where_it_says_is_let_go():
    handed = Handed()
    handed.put("a", Piece(10, 20, ()))
    handed.put("a", Piece(20, 30, ()))
    handed.taken("a", 15)
    assert [piece.start for piece in handed.pieces("a")] == [20]
    handed.drop({"a"})
    assert not handed.segments()


COSTS = (
    None, Cost(), Cost(status="priced", total_nanousd=0), Cost(status="priced", total_nanousd=123_456_789),
    Cost(status="reported", total_nanousd=999_999_999_999_999), Cost(status="reported", total_nanousd=10**15),
    Cost(status="reported", total_nanousd=3), Cost(status="estimated", total_nanousd=9_007_199_254_740_993),
)  # fmt: skip


@pytest.mark.parametrize("cost", COSTS)
def test_a_call_as_read_counts_as_its_line_does(cost):
    rng = random.Random(6)
    pricer = Pricer(Book())
    for call in random_calls(7, 200, days=2):
        told = msgspec.structs.replace(
            call, cost=cost, provider=rng.choice(("openai", "", "acme")),
            flags=rng.choice(((), ("cost_estimated",), ("revision:7",))),
            duration_us=rng.choice((None, 0, 1, 123_457, 999_999_999_999, 10**12, 2**53 + 1)),
            usage=rng.choice((call.usage, Usage(), Usage(input_tokens=7))),
        )  # fmt: skip
        line = codec.encode(told)
        read, made = codec.decode(line), codec.as_read(told, line)
        assert entry_of(made, pricer.cost(made)) == entry_of(read, pricer.cost(read))


def test_lines_of_an_arrival_come_with_their_calls(tmp_path):
    intake = started(tmp_path)
    lines = intake.lines(Arrival(calls=tuple(random_calls(8, 20, days=1))))
    intake.close()
    assert isinstance(lines, Lines)
    assert [call.call_id for call in lines.calls] == [
        codec.decode(line).call_id for line in lines.of["telemetry"].splitlines()
    ]
