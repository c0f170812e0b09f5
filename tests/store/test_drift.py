"""Calls whose stored cost the prices known now would not give: the same as asking the reference for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from contract.records import START_US, Book, random_calls
from tallybook.ingest.seal import seal
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.question import Filter
from tallybook.prices.base import Key, Rate
from tallybook.store.base import Drift
from tallybook.store.lake import drift
from tallybook.store.lake.store import LakeStore
from tallybook.store.memory import MemoryStore

CALLS = random_calls(21, 120, days=3)


class Dearer(Book):
    """The same prices for some models, no longer any for others, and dearer ones for the rest."""

    def rates(self, keys: Sequence[Key]) -> dict[Key, tuple[Rate, ...]]:
        found = super().rates(keys)
        for key in keys:
            kind = len(key.model) % 3
            if kind == 1:
                found[key] = ()
            elif kind == 2:
                found[key] = tuple(
                    msgspec.structs.replace(rate, input_picousd=(rate.input_picousd or 0) + 1_000_000, price="new")
                    for rate in found[key]
                )
        return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drift")
    writer = Writer(folder, "telemetry", segment_bytes_max=1 << 25)
    for call in CALLS:
        writer.append(codec.encode(call), START_US)
    writer.close()
    assert seal(folder, Book()) is not None
    return folder


def found(store: LakeStore | MemoryStore, *filters: Filter, **span: int) -> list[Drift]:
    return [one for batch in store.drifted(filters, **span) for one in batch]


def expected(folder: Path) -> dict[str, tuple[object, object]]:
    """By the reference arithmetic, call by call."""
    prices, changed = Dearer(), {}
    for calls in LakeStore(folder, Book()).scan():
        for call in calls:
            before = call.cost
            assert before is not None
            after = prices.price(msgspec.structs.replace(call, cost=None))
            if before.status != "reported" and (before.total_nanousd, before.status) != (
                after.total_nanousd, after.status,
            ):  # fmt: skip
                changed[call.call_id] = before, after
    return changed


def test_the_same_prices_find_nothing(folder: Path) -> None:
    assert found(LakeStore(folder, Book())) == []
    assert found(LakeStore(folder, None)) == []


def test_other_prices_find_what_the_reference_does_with_both_costs_whole(folder: Path) -> None:
    drifts = found(LakeStore(folder, Dearer()))
    assert {one.call_id: (one.before, one.after) for one in drifts} == expected(folder)
    assert len(drifts) > 20
    assert [one.started_at_us for one in drifts] == sorted(one.started_at_us for one in drifts)


def test_days_are_taken_in_portions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = found(LakeStore(folder, Dearer()))
    monkeypatch.setattr(drift, "ROWS", 1)
    assert len(list(LakeStore(folder, Dearer()).drifted())) > 1
    assert found(LakeStore(folder, Dearer())) == whole


def test_span_and_filters_narrow_it(folder: Path) -> None:
    whole = found(LakeStore(folder, Dearer()))
    middle = whole[len(whole) // 2].started_at_us
    assert found(LakeStore(folder, Dearer()), since_us=middle) == [one for one in whole if one.started_at_us >= middle]
    assert found(LakeStore(folder, Dearer()), until_us=middle) == [one for one in whole if one.started_at_us < middle]
    model = whole[0].model
    assert found(LakeStore(folder, Dearer()), Filter("model", "eq", model)) == [
        one for one in whole if one.model == model
    ]


def test_where_costs_are_worked_out_at_each_reading_nothing_drifts() -> None:
    store = MemoryStore(Book().price)
    store.append(CALLS[:5])
    assert found(store) == []
