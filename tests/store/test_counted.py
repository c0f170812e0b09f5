"""Hot lines of other sources, as they come: at every moment the answer is the reference's for the lines so far."""

from __future__ import annotations

import random

import msgspec
import pytest

from contract.records import START_US, Book, random_call
from tallybook.ingest import seal as sealing
from tallybook.model import codec
from tallybook.model.question import Question
from tallybook.model.usage import Usage
from tallybook.store.lake import counted, grown
from tallybook.store.lake.manifest import RealDisk
from tallybook.store.lake.store import LakeStore
from tallybook.store.memory import MemoryStore

DAY = "2026-02-02"
QUESTION = Question(
    measures=("calls", "errors", "input_tokens", "cost_nanousd", "unpriced_calls", "estimated_calls"),
    dimensions=("provider", "model"),
)


class QuickDisk(RealDisk):
    def fsync(self, path):
        assert path.exists()


def lines_of(seed, count):
    """Calls of several sources, of which a third is told again: by id, by response, by both, better or worse."""
    r = random.Random(seed)
    found = []
    for number in range(count):
        call = msgspec.structs.replace(random_call(r, number, days=1), source=r.choice(["sdk", "rest", "otlp"]))
        if found and r.random() < 0.35:
            known = r.choice(found)
            if r.random() < 0.6:
                call = msgspec.structs.replace(call, call_id=known.call_id)
            if r.random() < 0.6:
                call = msgspec.structs.replace(call, provider=known.provider, response_id=known.response_id)
            if r.random() < 0.3:
                call = msgspec.structs.replace(call, usage=Usage())
            if r.random() < 0.3:
                call = msgspec.structs.replace(call, started_at_us=known.started_at_us, may_repeat=True)
        found.append(call)
    return found


def told(store):
    return store.ask(QUESTION).rows, [call.call_id for call in store.calls(limit=10_000)]


@pytest.mark.parametrize("few_bytes", [1_500_000, 0], ids=["priced in Python", "priced by DuckDB"])
@pytest.mark.parametrize("seed", range(6))
def test_lines_that_come_one_by_one_are_counted_as_the_reference_counts_them(tmp_path, monkeypatch, seed, few_bytes):
    monkeypatch.setattr(grown, "_FEW_BYTES", few_bytes)
    r = random.Random(seed)
    calls = lines_of(seed, 120)
    (tmp_path / DAY).mkdir()
    store, reference = LakeStore(tmp_path, Book()), MemoryStore(Book().price)
    at = 0
    while at < len(calls):
        some = calls[at : at + r.randrange(1, 25)]
        at += len(some)
        with (tmp_path / DAY / f"telemetry.w{r.randrange(2)}.jsonl").open("ab") as file:
            file.write(b"".join(map(codec.encode, some)))
        reference.append(some)
        assert told(store) == told(reference)
    assert not store._reader.grown._refused
    store.close()


@pytest.mark.parametrize("keys_max", [4_000_000, 0], ids=["by hashes", "by files"])
@pytest.mark.parametrize("seed", range(6))
def test_sealing_between_two_questions_changes_no_answer(tmp_path, monkeypatch, seed, keys_max):
    monkeypatch.setattr(counted, "KEYS_MAX", keys_max)
    r = random.Random(seed)
    calls = lines_of(100 + seed, 100)
    (tmp_path / DAY).mkdir()
    store = LakeStore(tmp_path, Book())
    at = 0
    while at < len(calls):
        some = calls[at : at + r.randrange(5, 25)]
        at += len(some)
        with (tmp_path / DAY / f"telemetry.w{r.randrange(3)}.jsonl").open("ab") as file:
            file.write(b"".join(map(codec.encode, some)))
        if r.random() < 0.4:
            before = told(store)
            sealing.seal(tmp_path, Book(), disk=QuickDisk(), compact=r.random() < 0.5)
            assert told(store) == before
        anew = LakeStore(tmp_path, Book())
        anew._reader.grown.refresh = lambda *_: False
        assert told(store) == told(anew)
        anew.close()
    store.close()


def test_a_store_that_was_closed_answers_again_when_asked(tmp_path):
    (tmp_path / DAY).mkdir()
    calls = [msgspec.structs.replace(random_call(random.Random(3), n), source="rest") for n in range(9)]
    (tmp_path / DAY / "telemetry.jsonl").write_bytes(b"".join(map(codec.encode, calls)))
    store = LakeStore(tmp_path, Book())
    first = told(store)
    store.close()
    assert told(store) == first
    store.close()


def test_a_line_of_another_source_is_read_once_and_not_at_every_question(tmp_path, monkeypatch):
    (tmp_path / DAY).mkdir()
    calls = [msgspec.structs.replace(random_call(random.Random(3), n), source="rest") for n in range(40)]
    store = LakeStore(tmp_path, Book())
    path = tmp_path / DAY / "telemetry.jsonl"
    path.write_bytes(b"".join(map(codec.encode, calls[:20])))
    count = Question(measures=("calls",), since_us=START_US - 1)
    assert store.ask(count).rows == [(len({call.call_id for call in calls[:20]}),)]
    monkeypatch.setattr(store._reader.lines, "load", lambda *_: pytest.fail("all lines are read anew"))
    with path.open("ab") as file:
        file.write(b"".join(map(codec.encode, calls[20:])))
    assert store.ask(count).rows == [(len({call.call_id for call in calls}),)]
    store.close()
