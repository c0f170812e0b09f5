"""Amended costs go into the files of their calls when sealing; what was before stays on record."""

from __future__ import annotations

import json

import duckdb
import msgspec
import pytest

from contract.records import START_US, Book, random_calls
from store.test_repeat import QuickDisk, write
from tallybook.ingest import seal as sealing
from tallybook.journal.writer import Writer
from tallybook.model.call import Cost
from tallybook.model.question import Question
from tallybook.store.lake import answer
from tallybook.store.lake.store import LakeStore

CALLS = random_calls(5, 30, days=2)
LINE = {"kind": "cost", "timestamp": "2026-02-03T10:00:00Z"}


def seal(folder, **more):
    return sealing.seal(folder, Book(), disk=QuickDisk(), **more)


def amend(folder, *lines):
    writer = Writer(folder, "amendments", segment_bytes_max=1 << 25)
    writer.append(b"".join(msgspec.json.encode(LINE | line) + b"\n" for line in lines), START_US)
    writer.close()


def hot_amendments(folder):
    sealed = json.loads((folder / "manifest.json").read_bytes())["sealed"]
    return [path for path in folder.glob("*/amendments*.jsonl") if f"{path.parent.name}/{path.name}" not in sealed]


def total(folder):
    store = LakeStore(folder, Book())
    try:
        by_call = {call.call_id: call.cost for batch in store.scan() for call in batch}
        (row,) = store.ask(Question(measures=("cost_nanousd", "calls"))).rows
        runs = sum(run.cost_nanousd for run in store.runs(limit=999))
        assert row == (sum(cost.total_nanousd or 0 for cost in by_call.values()), len(CALLS))
        return by_call, runs
    finally:
        store.close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(answer, "SUMMARY_ROWS", 0)
    write(tmp_path / "ledger", *CALLS)
    seal(tmp_path / "ledger")
    return tmp_path / "ledger"


def test_an_amended_cost_is_folded_into_the_file_and_the_summaries_of_its_day(folder):
    before, runs_before = total(folder)
    a, b = CALLS[3].call_id, CALLS[20].call_id
    amend(folder, {"call_id": a, "cost_usd": 1.5}, {"call_id": b, "cost_usd": 2.5},
          {"call_id": a, "cost_usd": 1.25, "timestamp": "2026-02-03T11:00:00Z"})  # fmt: skip
    amended, _ = total(folder)
    assert amended[a] == Cost(status="reported", total_nanousd=1_250_000_000)
    seal(folder, now_s=1.9e9)
    assert not hot_amendments(folder)
    folded, runs = total(folder)
    assert folded == amended
    moved = sum((folded[one].total_nanousd or 0) - (before[one].total_nanousd or 0) for one in (a, b))
    assert runs - runs_before == moved
    rows = duckdb.sql(
        f"SELECT call_id, line->>'cost_usd', previous_cost_nanousd, previous_cost_status "
        f"FROM read_parquet('{folder}/*/amendments-*.parquet') ORDER BY told_at, call_id"
    ).fetchall()
    assert sorted(rows[:2]) == sorted([
        (a, "1.5", before[a].total_nanousd, before[a].status), (b, "2.5", before[b].total_nanousd, before[b].status)
    ])  # fmt: skip
    assert rows[2][:3] == (a, "1.25", before[a].total_nanousd)
    amend(folder, {"call_id": a, "cost_usd": 3.0, "timestamp": "2026-02-04T11:00:00Z"})
    seal(folder, now_s=1.9e9)
    again, _ = total(folder)
    assert again[a].total_nanousd == 3_000_000_000


def test_an_amendment_of_a_call_that_is_not_sealed_waits_for_it(folder):
    late = random_calls(6, 1)[0]
    amend(folder, {"call_id": late.call_id, "cost_usd": 1.5})
    seal(folder)
    assert hot_amendments(folder)
    write(folder, late)
    seal(folder)
    assert not hot_amendments(folder)
    store = LakeStore(folder, Book())
    assert store.call(late.call_id).cost.total_nanousd == 1_500_000_000
    store.close()


def test_what_is_no_cost_stays_in_the_journal(folder):
    a = CALLS[3].call_id
    amend(folder, {"call_id": a, "kind": "feedback", "score": 1}, {"call_id": a, "cost_usd": 1.5})
    seal(folder)
    assert hot_amendments(folder)
    assert total(folder)[0][a].total_nanousd == 1_500_000_000


def test_an_older_amendment_that_stays_does_not_overrule_a_newer_one(folder):
    a = CALLS[3].call_id
    amend(folder, {"call_id": a, "kind": "feedback"}, {"call_id": a, "cost_usd": 1.5})
    seal(folder)
    amend(folder, {"call_id": a, "cost_usd": 2.5, "timestamp": "2026-02-05T10:00:00Z"})
    seal(folder)
    assert total(folder)[0][a].total_nanousd == 2_500_000_000
