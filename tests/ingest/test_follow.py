"""Following: run totals are those of the lake after every step, whoever follows, repeats or seals in between."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from contract.records import Book, random_calls
from tallybook.ingest.follow import follow
from tallybook.ingest.seal import seal
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call, Step
from tallybook.model.usage import Usage
from tallybook.store.lake.store import LakeStore
from tallybook.store.memory_state import MemoryState
from tallybook.store.sqlite.state import SqliteState

NAMES = ("call_count", "error_count", "input_tokens", "output_tokens", "cost_nanousd", "unpriced_count")


def write(folder: Path, calls: list[Call], writer: Writer | None = None) -> None:
    own = writer or Writer(folder, "telemetry", segment_bytes_max=1 << 25)
    for call in calls:
        own.append(codec.encode(call), call.started_at_us)
    if writer is None:
        own.close()


def of_state(state) -> dict:
    return {run.run_id: tuple(getattr(run, name) for name in NAMES) for run in state.runs(limit=10_000)}


def of_lake(folder: Path) -> dict:
    store = LakeStore(folder, Book())
    try:
        return {run.run_id: tuple(getattr(run, name) for name in NAMES) for run in store.runs(limit=10_000)}
    finally:
        store.close()


def call(number: int, **fields) -> Call:
    at = 1_770_000_000_000_000 + number * 1_000_000
    told = {
        "call_id": f"{at // 1000:012x}"[:8] + "-" + f"{at // 1000:012x}"[8:] + f"-7000-8000-{number:012x}",
        "started_at_us": at, "provider": "acme", "model": "m1", "run_id": "r", "source": "otlp",
        "usage": Usage(input_tokens=100, output_tokens=10),
    }  # fmt: skip
    return Call(**{**told, **fields})


def variant(call: Call, rng: random.Random) -> Call:
    """Another record of the same call, as another source would tell it."""
    fields = {}
    if rng.random() < 0.5:
        fields["call_id"] = call.call_id[:-6] + f"{rng.getrandbits(24):06x}"
    if rng.random() < 0.4:
        fields["usage"] = Usage()
    if rng.random() < 0.4:
        fields["run_id"] = rng.choice(["run-x", "run-y", None])
    if rng.random() < 0.3:
        fields["may_repeat"] = True
    fields["started_at_us"] = call.started_at_us + rng.randrange(-5_000_000, 5_000_000)
    return msgspec.structs.replace(call, **fields)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("seed", range(3))
def test_totals_are_the_lakes_after_every_step(tmp_path, seed, kind):
    """Lines of two writers, with repeats of every kind, followed and sealed at random."""
    rng = random.Random(seed)
    folder = tmp_path / "ledger"
    base = [msgspec.structs.replace(one, source="otlp") for one in random_calls(seed, 60, days=1)]
    base = [
        msgspec.structs.replace(one, response_id=one.response_id or f"resp-{number}") for number, one in enumerate(base)
    ]
    state = MemoryState() if kind == "memory" else SqliteState(tmp_path / "state.db")
    writers = [Writer(folder, "telemetry", segment_bytes_max=1 << 25) for _ in range(2)]
    told: list[Call] = []
    for step in range(14):
        for writer in writers:
            some = [base.pop() for _ in range(min(len(base), rng.randrange(3)))]
            again = [variant(rng.choice(told), rng) for _ in range(rng.randrange(3)) if told]
            same = [rng.choice(told)] if told and rng.random() < 0.3 else []
            write(folder, [*some, *again, *same], writer)
            told += some
        if rng.random() < 0.7:
            follow(folder, state, Book())
        if rng.random() < 0.3:
            chosen = rng.randrange(2)
            writers[chosen].close()
            seal(folder, Book(), state)
            writers[chosen] = Writer(folder, "telemetry", segment_bytes_max=1 << 25)
        follow(folder, state, Book())
        assert of_state(state) == of_lake(folder), step
    for writer in writers:
        writer.close()
    state.close()


def test_a_repeated_line_counts_once_in_run_totals(tmp_path):
    state = SqliteState(tmp_path / "state.db")
    folder = tmp_path / "ledger"
    write(folder, [call(1), call(1), call(2, response_id="x")])
    follow(folder, state, Book())
    assert state.run("r").call_count == 2
    write(folder, [call(1), call(2, response_id="x"), call(3, response_id="x")])
    follow(folder, state, Book())
    assert state.run("r").call_count == 2
    state.close()


def test_two_segments_that_begin_with_the_same_line_are_both_read(tmp_path):
    state = MemoryState()
    folder = tmp_path / "ledger"
    first = Writer(folder, "telemetry", segment_bytes_max=1 << 25)
    second = Writer(folder, "telemetry", segment_bytes_max=1 << 25)
    write(folder, [call(1), call(2), call(3)], first)
    write(folder, [call(1), call(4)], second)
    follow(folder, state, Book())
    assert state.run("r").call_count == 4
    first.close()
    second.close()


def test_a_lost_state_is_made_anew_from_lake_and_journal(tmp_path):
    folder = tmp_path / "ledger"
    calls = random_calls(5, 60, days=3)
    write(folder, calls[:40])
    first = SqliteState(tmp_path / "first.db")
    seal(folder, Book(), first)
    write(folder, calls[40:])
    follow(folder, first, Book())
    second = SqliteState(tmp_path / "second.db")
    follow(folder, second, Book())
    assert second.runs(limit=1000) == first.runs(limit=1000)
    assert of_state(second) == of_lake(folder)
    first.close()
    second.close()


def test_a_crash_between_sealing_and_telling_the_state_is_made_good_by_who_follows_next(tmp_path):
    folder = tmp_path / "ledger"
    state = SqliteState(tmp_path / "state.db")
    write(folder, [call(number) for number in range(5)])
    follow(folder, state, Book())
    seal(folder, Book(), None)  # The state is not told.
    write(folder, [call(number) for number in range(3, 8)])
    follow(folder, state, Book())
    assert of_state(state) == of_lake(folder)
    assert state.run("r").call_count == 8
    state.close()


def test_a_run_has_the_name_that_its_own_step_tells(tmp_path):
    folder = tmp_path / "ledger"
    for name in ("live", "late"):
        write(folder, [call(1 if name == "live" else 2, run_id=name)])
        steps = Writer(folder, "steps", segment_bytes_max=1 << 25)
        step = Step(step_id=name, run_id=name, started_at_us=1_770_000_000_000_000, kind="run", name=f"The {name} run")
        steps.append(codec.encode_step(step), step.started_at_us)
        steps.close()
        state = SqliteState(tmp_path / f"{name}.db")
        if name == "late":
            seal(folder, Book(), None)
        follow(folder, state, Book())
        assert state.run(name).name == f"The {name} run"
        state.close()


def test_whoever_watches_is_told_every_line_once(tmp_path):
    folder = tmp_path / "ledger"
    state = SqliteState(tmp_path / "state.db")
    told: list[str] = []

    def on_calls(calls, costs) -> None:
        assert len(costs) == len(calls)
        told.extend(one.call_id for one in calls)

    write(folder, [call(1), call(2)])
    follow(folder, state, Book(), on_calls)
    write(folder, [call(3)])
    seal(folder, Book(), None)
    follow(folder, state, Book(), on_calls)
    follow(folder, state, Book(), on_calls)
    assert told == [call(number).call_id for number in (1, 2, 3)]
    assert state.run("r").call_count == 3
    state.close()
