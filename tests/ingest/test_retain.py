"""Retention: what goes and when, and that totals outlive the calls."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from contract.records import DAY_US, START_US, Book, random_calls
from tallybook.ingest import seal as sealing
from tallybook.ingest.retain import retain
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.question import Filter, Question
from tallybook.store.lake.manifest import RealDisk
from tallybook.store.lake.store import LakeStore

CALLS = random_calls(5, 200, days=5)
NOW_S = (START_US + 6 * DAY_US) / 1_000_000
TOTALS = ("calls", "errors", "input_tokens", "output_tokens", "cost_nanousd", "unpriced_calls", "duration_avg_us")
SURVIVE = [
    Question(measures=TOTALS),
    Question(measures=TOTALS, dimensions=("model", "project"), grain="day"),
    Question(measures=TOTALS, dimensions=("task",), grain="hour", zone="Europe/Berlin"),
    Question(measures=TOTALS, dimensions=("user_id",)),
    Question(measures=TOTALS, filters=(Filter("agent_name", "eq", "coder"), Filter("operation_or_name", "ne", "chat"))),
    Question(source="tool_calls", measures=("uses", "failures"), dimensions=("tool",)),
]


class QuickDisk(RealDisk):
    def fsync(self, path):
        assert path.exists()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "ledger"
    writer = Writer(place, "telemetry", segment_bytes_max=1 << 25)
    prompts = Writer(place, "prompts", segment_bytes_max=1 << 25)
    for call in CALLS:
        writer.append(codec.encode(call), START_US)
        prompts.append(json.dumps({"call_id": call.call_id, "prompt": "hello"}).encode() + b"\n", START_US)
    writer.close()
    prompts.close()
    sealing.seal(place, Book(), disk=QuickDisk(), now_s=NOW_S + 100)
    return place


def _answers(folder):
    store = LakeStore(folder, Book())
    try:
        return (
            [store.ask(question).rows for question in SURVIVE],
            len(store.calls(limit=1000)),
            len(store.runs(limit=999)),
        )
    finally:
        store.close()


def test_totals_outlive_the_calls_they_were_made_from(folder):
    before, _, runs = _answers(folder)
    removed = retain(folder, days=3, now_s=NOW_S)
    first = datetime.fromtimestamp(START_US / 1e6, UTC).date().isoformat()
    assert removed.days[0] == first
    assert len(removed.days) == 3
    after, left, runs_after = _answers(folder)
    assert left == len(CALLS) - removed.calls < len(CALLS)
    assert after == before
    assert runs_after == runs
    assert not list((folder / first).glob("calls-*"))
    assert list((folder / first).glob("summary-*"))


def test_a_question_that_needs_what_was_removed_says_so(folder):
    retain(folder, days=3, now_s=NOW_S)
    store = LakeStore(folder, Book())
    answer = store.ask(Question(measures=("calls",), dimensions=("metadata.customer",)))
    assert any("were removed by retention" in warning for warning in answer.warnings)
    later = store.ask(Question(measures=("calls",), dimensions=("metadata.customer",), since_us=START_US + 4 * DAY_US))
    assert later.warnings == ()
    store.close()


def test_bodies_have_a_clock_of_their_own(folder):
    store = LakeStore(folder, Book())
    assert store.body(CALLS[0].call_id) == {"prompt": "hello", "response": None}
    store.close()
    removed = retain(folder, days=None, body_days=2, now_s=NOW_S)
    assert (removed.calls, removed.files) == (0, 1)
    store = LakeStore(folder, Book())
    assert store.body(CALLS[0].call_id) is None
    assert len(store.calls(limit=1000)) == len(CALLS)
    store.close()


def test_by_size_the_oldest_days_go_first(folder):
    sizes = {}
    for file in json.loads((folder / "manifest.json").read_bytes())["files"]:
        sizes.setdefault((file["kind"], file["day"]), 0)
        sizes[file["kind"], file["day"]] += file["bytes"]
    total = sum(sizes.values())
    bodies = sum(size for (kind, _), size in sizes.items() if kind == "prompts")
    assert retain(folder, days=None, bytes_max=total, now_s=NOW_S).files == 0
    removed = retain(folder, days=None, bytes_max=total - bodies, now_s=NOW_S)
    assert (removed.calls, removed.bytes) == (0, bodies)
    removed = retain(folder, days=None, bytes_max=total - bodies - 1, now_s=NOW_S)
    assert removed.days == (min(day for _, day in sizes),)


def test_a_dry_run_tells_and_removes_nothing(folder):
    before = _answers(folder)
    told = retain(folder, days=3, now_s=NOW_S, dry_run=True)
    assert told.calls > 0
    assert _answers(folder) == before
    assert retain(folder, days=3, now_s=NOW_S) == told


def test_the_rolling_summary_keeps_what_was_removed(folder):
    retain(folder, days=3, now_s=NOW_S)
    sealing.write_summary(folder, START_US, QuickDisk())
    summary = json.loads((folder / "summary.json").read_bytes())
    assert summary["total"]["calls"] == len(CALLS)
    assert sum(day["calls"] for day in summary["days"].values()) == len(CALLS)
    assert summary["total"]["tokens"]["input"] == sum(call.usage.input_tokens or 0 for call in CALLS)
