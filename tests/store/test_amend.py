"""Amended costs: a whole cost with its parts, or an amount alone; the last line holds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from contract.records import START_US, Book, random_calls
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Cost
from tallybook.model.question import Question
from tallybook.store.lake.store import LakeStore

CALLS = random_calls(5, 12, days=1)
COST = Cost(
    status="partial", total_nanousd=60, input_nanousd=10, cache_read_nanousd=20, cache_write_nanousd=0,
    output_nanousd=25, tools_nanousd=5, price="prices.toml: price 1", reasons=("no_price_for:web_search", 'odd "one"'),
)  # fmt: skip


def whole(cost: Cost) -> dict[str, object]:
    return {name: getattr(cost, name) for name in cost.__struct_fields__}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    writer = Writer(tmp_path, "telemetry", segment_bytes_max=1 << 25)
    for call in CALLS:
        writer.append(codec.encode(call), START_US)
    writer.close()
    return tmp_path


def amend(folder: Path, *lines: dict[str, object]) -> LakeStore:
    writer = Writer(folder, "amendments", segment_bytes_max=1 << 25)
    for number, line in enumerate(lines):
        stamp = f"2026-02-03T10:00:{number:02d}Z"
        full = {"call_id": CALLS[2].call_id, "timestamp": stamp, "kind": "cost", **line}
        writer.append(msgspec.json.encode(full) + b"\n", START_US)
    writer.close()
    return LakeStore(folder, Book())


def test_a_whole_cost_takes_the_place_of_every_part(folder: Path) -> None:
    store = amend(folder, {"cost_usd": 6e-8, "cost": whole(COST), "repricing": "x"})
    found = store.call(CALLS[2].call_id)
    assert found is not None and found.cost == COST
    by_status = store.ask(Question(measures=("calls",), dimensions=("cost_status",))).rows
    assert ("partial", 1) in by_status or any(status == "partial" for status, _ in by_status)


def test_a_cost_can_become_unknown(folder: Path) -> None:
    gone = Cost(status="unpriced", reasons=("unknown_model",))
    found = amend(folder, {"cost_usd": None, "cost": whole(gone)}).call(CALLS[2].call_id)
    assert found is not None and found.cost == gone


def test_the_last_line_holds_of_either_form(folder: Path) -> None:
    store = amend(folder, {"cost_usd": 1.5}, {"cost_usd": 6e-8, "cost": whole(COST)})
    assert store.call(CALLS[2].call_id).cost == COST  # type: ignore[union-attr]
    store = amend(folder, {"cost": whole(COST), "timestamp": "2026-02-03T11:00:00Z"},
                  {"cost_usd": 2.5, "timestamp": "2026-02-03T12:00:00Z"})  # fmt: skip
    assert store.call(CALLS[2].call_id).cost == Cost(status="reported", total_nanousd=2_500_000_000)  # type: ignore[union-attr]


def test_a_line_without_a_cost_changes_nothing(folder: Path) -> None:
    before = LakeStore(folder, Book()).call(CALLS[2].call_id)
    assert amend(folder, {"note": "x"}, {"kind": "feedback"}).call(CALLS[2].call_id) == before
