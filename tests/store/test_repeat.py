"""A better record of a call that is sealed already takes its place: at once for who asks, and for good when sealed."""

from __future__ import annotations

import json

import msgspec
import pytest

from contract.records import DAY_US, START_US, Book, random_calls
from tallybook.ingest import seal as sealing
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call, ToolCall
from tallybook.model.question import Filter, Question
from tallybook.model.usage import Usage
from tallybook.store.lake import answer
from tallybook.store.lake.light import LightStore
from tallybook.store.lake.manifest import RealDisk
from tallybook.store.lake.store import LakeStore
from tallybook.store.memory import MemoryStore
from tallybook.store.quality import revised

OTHERS = random_calls(23, 40, days=2)
SUBMITTED = Call(
    call_id="submitted", started_at_us=START_US + 5, provider="openai", model="m-large", response_id="resp_1",
    run_id="run-bg", user_id="u9", project="alpha", duration_us=200_000, status="incomplete", name="research",
)  # fmt: skip
POLLED = msgspec.structs.replace(
    SUBMITTED, call_id="polled", started_at_us=START_US + 700_000_000, usage=Usage(input_tokens=50, output_tokens=700),
    may_repeat=True, status="ok", duration_us=400_000, tool_calls=(ToolCall(name="bash", id="t1"),),
)  # fmt: skip
MEASURES = (
    "calls", "errors", "input_tokens", "output_tokens", "cost_nanousd", "unpriced_calls", "duration_max_us",
    "tool_calls",
)  # fmt: skip
QUESTIONS = [
    *(Question(measures=MEASURES, dimensions=names) for names in ((), ("status",), ("user_id",), ("project", "model"))),
    Question(measures=("calls", "first_at_us", "last_at_us"), dimensions=("name",), grain="hour"),
    Question(measures=("calls", "duration_p50_us"), dimensions=("status",)),
    Question(measures=("calls",), filters=(Filter("status", "eq", "incomplete"),)),
    Question(source="tool_calls", measures=("uses",), dimensions=("tool", "project")),
]


class QuickDisk(RealDisk):
    def fsync(self, path):
        assert path.exists()


@pytest.fixture(autouse=True)
def _always_by_summaries(monkeypatch):
    monkeypatch.setattr(answer, "SUMMARY_ROWS", 0)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ledger"


def seal(folder, **more):
    return sealing.seal(folder, Book(), disk=QuickDisk(), **more)


def write(folder, *calls):
    writer = Writer(folder, "telemetry", segment_bytes_max=1 << 25)
    writer.append(b"".join(codec.encode(call) for call in calls), START_US)
    writer.close()


def check(folder, *lines):
    """Everything that the store says of these lines is what the reference says."""
    reference = MemoryStore(Book().price)
    reference.append(lines)
    store = LakeStore(folder, Book())
    try:
        for question in QUESTIONS:
            assert store.ask(question).rows == reference.ask(question).rows, question
        assert [c.call_id for c in store.calls(limit=999)] == [c.call_id for c in reference.calls(limit=999)]
        assert store.runs(limit=999) == reference.runs(limit=999)
        for name in ("submitted", "polled"):
            wanted = reference.call(name)
            assert (store.call(name) is None) == (wanted is None)
            if wanted is not None:
                assert store.call(name) == wanted
        assert store.run_calls("run-bg") == reference.run_calls("run-bg")
    finally:
        store.close()


def test_a_background_response_polled_to_its_end_after_sealing_keeps_its_usage(folder):
    write(folder, *OTHERS, SUBMITTED)
    seal(folder)
    check(folder, *OTHERS, SUBMITTED)
    write(folder, POLLED)
    check(folder, *OTHERS, SUBMITTED, POLLED)
    seal(folder, compact=False)
    check(folder, *OTHERS, SUBMITTED, POLLED)
    seal(folder)
    check(folder, *OTHERS, SUBMITTED, POLLED)


def test_a_worse_record_of_a_sealed_call_changes_nothing(folder):
    write(folder, *OTHERS, POLLED)
    seal(folder)
    write(folder, SUBMITTED)
    check(folder, *OTHERS, SUBMITTED, POLLED)
    assert seal(folder).calls == 0
    check(folder, *OTHERS, SUBMITTED, POLLED)


def test_a_better_record_with_the_same_id_takes_the_place_of_the_first(folder):
    better = msgspec.structs.replace(POLLED, call_id=SUBMITTED.call_id)
    write(folder, *OTHERS, SUBMITTED)
    seal(folder)
    write(folder, better)
    check(folder, *OTHERS, SUBMITTED, better)
    seal(folder)
    check(folder, *OTHERS, SUBMITTED, better)


def test_a_better_record_of_the_next_day_takes_the_place_of_the_first(folder):
    late = msgspec.structs.replace(POLLED, started_at_us=SUBMITTED.started_at_us + DAY_US - 1_000_000)
    write(folder, *OTHERS, SUBMITTED)
    seal(folder)
    write(folder, late, *OTHERS[:3])
    check(folder, *OTHERS, SUBMITTED, late)
    seal(folder)
    check(folder, *OTHERS, SUBMITTED, late)
    files = json.loads((folder / "manifest.json").read_bytes())["files"]
    assert sum(file["rows"] for file in files if file["kind"] == "calls") == len(OTHERS) + 1
    on_disk = {str(path.relative_to(folder)) for path in folder.glob("*/*.parquet")}
    assert on_disk == {file["path"] for file in files}


def test_a_file_of_which_the_only_call_was_replaced_goes(folder):
    write(folder, SUBMITTED)
    seal(folder)
    late = msgspec.structs.replace(POLLED, started_at_us=SUBMITTED.started_at_us + DAY_US - 1_000_000)
    write(folder, late)
    check(folder, SUBMITTED, late)
    seal(folder)
    check(folder, SUBMITTED, late)


def test_a_file_without_a_replaced_call_says_so_of_its_span(folder):
    newest = msgspec.structs.replace(SUBMITTED, started_at_us=START_US + 3 * DAY_US)
    kept = msgspec.structs.replace(newest, call_id="kept", response_id="kept", started_at_us=newest.started_at_us - 9)
    write(folder, newest, kept)
    seal(folder)
    write(folder, msgspec.structs.replace(POLLED, started_at_us=newest.started_at_us - 5))
    seal(folder, compact=False)
    assert LightStore(folder, Book()).latest_us() == newest.started_at_us - 5


def test_appending_a_better_record_of_a_sealed_call_stores_it(folder):
    write(folder, SUBMITTED)
    seal(folder)
    store = LakeStore(folder, Book())
    assert store.append([SUBMITTED, POLLED]).written == 1
    assert store.append([POLLED, SUBMITTED]).written == 0
    store.close()
    check(folder, SUBMITTED, POLLED)


def revision(number, **changes):
    """One of several records of a call that is corrected as more is told of it."""
    first = msgspec.structs.replace(
        SUBMITTED, response_id=None, source="langfuse", usage=Usage(input_tokens=10, output_tokens=number),
        flags=revised((), START_US + number), status="ok",
    )  # fmt: skip
    return msgspec.structs.replace(first, **changes)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
@pytest.mark.parametrize("sealed", [0, 1, 2, 3])
def test_of_several_revisions_of_a_call_the_latest_stays_wherever_they_are(folder, order, sealed):
    lines = [revision(number, user_id=f"u{number}", session_id="s", tags=(f"t{number}",)) for number in order]
    write(folder, *OTHERS)
    for count, line in enumerate(lines):
        write(folder, line)
        if count < sealed:
            seal(folder)
    check(folder, *OTHERS, *lines)
    store = LakeStore(folder, Book())
    assert store.call("submitted").user_id == "u3"
    store.close()
    seal(folder)
    check(folder, *OTHERS, *lines)


def test_a_revision_that_is_there_already_is_not_stored_again(folder):
    write(folder, *OTHERS, revision(2))
    seal(folder)
    store = LakeStore(folder, Book())
    assert store.append([revision(1), revision(2)]).written == 0
    assert store.append([revision(3, user_id="u3")]).written == 1
    assert store.call("submitted").user_id == "u3"
    store.close()
