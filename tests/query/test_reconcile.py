"""The export beside the ledger, by day, model and key: agreement is by tolerance, and what is not told is none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tallybook.model.call import Call, Cost
from tallybook.model.errors import InputError
from tallybook.model.usage import Usage
from tallybook.query.bills.base import Bill, Line
from tallybook.query.reconcile import Figures, Tolerance, canonical, compare
from tallybook.store.memory import MemoryStore
from tallybook.testing import FrozenClock, SequentialIds

DAY_US = 86_400_000_000
START_US = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp()) * 1_000_000
LIMITS = Tolerance()


def cost_of(call: Call) -> Cost:
    """A dollar per thousand input tokens, except for models called new."""
    if "new" in (call.model or ""):
        return Cost(status="unpriced", reasons=("unknown_model",))
    return Cost(status="priced", total_nanousd=(call.usage.input_tokens or 0) * 1_000_000)


def ledger(*calls: dict[str, Any]) -> MemoryStore:
    """A store with calls; `at` is hours after the start."""
    store = MemoryStore(cost_of)
    clock = FrozenClock(START_US)
    ids = SequentialIds(clock)
    made = []
    for fields in calls:
        given = {"at": 1, "model": "gpt-5.4", "provider": "openai", "tokens": 1_000, "cached": 0, **fields}
        at_us = START_US + int(given.pop("at") * 3_600_000_000)
        usage = Usage(
            input_tokens=given.pop("tokens"), output_tokens=given.pop("output", 100),
            cache_read_tokens=given.pop("cached"),
        )  # fmt: skip
        made.append(Call(call_id=ids(), started_at_us=at_us, usage=usage, **given))
    store.append(made)
    return store


def line(day: int = 0, **fields: Any) -> Line:
    """A line of one whole day."""
    start = START_US + day * DAY_US
    return Line(start, start + DAY_US, **{"model": "gpt-5.4", **fields})


def bill(*lines: Line, **fields: Any) -> Bill:
    return Bill(**{"provider": "openai", "form": "OpenAI usage, CSV", "lines": lines, **fields})


def test_equal_figures_are_within_by_day_and_model() -> None:
    store = ledger({"at": 1}, {"at": 30}, {"at": 2, "provider": "anthropic", "model": "claude-opus-5"})
    found = compare(
        store, bill(line(0, input_tokens=1_000, output_tokens=100), line(1, input_tokens=1_000, output_tokens=100)),
        tolerance=LIMITS,
    )  # fmt: skip
    assert found.is_within
    assert [(pair.by["day"], pair.ledger.requests) for pair in found.days] == [("2026-11-02", 1), ("2026-11-03", 1)]
    assert [(pair.by["model"], pair.ledger.input_tokens) for pair in found.models] == [("gpt-5.4", 2_000)]
    assert (found.total.bill.input_tokens, found.total.ledger.input_tokens) == (2_000, 2_000)


def test_a_day_that_differs_is_outside_though_the_whole_agrees() -> None:
    store = ledger({"at": 1, "tokens": 2_000}, {"at": 30, "tokens": 2_000})
    found = compare(store, bill(line(0, input_tokens=1_000), line(1, input_tokens=3_000)), tolerance=LIMITS)
    assert found.total.is_within and not found.is_within
    assert [pair.is_within for pair in found.days] == [False, False]


def test_money_is_compared_where_the_export_tells_it() -> None:
    store = ledger({"tokens": 1_000})
    assert compare(store, bill(line(cost_nanousd=1_000_000_000)), tolerance=LIMITS).is_within
    assert not compare(store, bill(line(cost_nanousd=1_020_000_000)), tolerance=LIMITS).is_within
    assert compare(store, bill(line(cost_nanousd=1_020_000_000)), tolerance=Tolerance(share=0.02)).is_within


def test_small_amounts_do_not_count() -> None:
    store = ledger({"tokens": 5})
    assert compare(store, bill(line(cost_nanousd=14_000_000)), tolerance=LIMITS).is_within
    assert not compare(store, bill(line(cost_nanousd=14_000_000)), tolerance=Tolerance(floor_nanousd=0)).is_within


def test_models_are_the_same_by_snapshot_maker_and_name_for_people() -> None:
    assert canonical("gpt-4o-2024-08-06") == canonical("openai/gpt-4o") == "gpt-4o"
    assert canonical("Claude Haiku 4.5") == canonical("claude-haiku-4-5-20251001") == "claude-haiku-4-5"
    assert canonical("anthropic/claude-4.7-opus-20260416") == canonical("claude-opus-4-7")
    assert canonical("Claude 3.5 Sonnet 2024-10-22") == "claude-3-5-sonnet"
    assert canonical("Acme-1-20260101") == "acme-1"
    assert canonical(None) is None


def test_models_of_one_side_alone_stand_with_nothing_on_the_other() -> None:
    found = compare(
        ledger({"model": "gpt-5.1"}), bill(line(model="gpt-5.2", input_tokens=500), line(input_tokens=0)),
        tolerance=LIMITS,
    )  # fmt: skip
    sides = {pair.by["model"]: (pair.bill.input_tokens, pair.ledger.input_tokens) for pair in found.models}
    assert sides == {"gpt-5.1": (0, 1_000), "gpt-5.2": (500, None), "gpt-5.4": (0, None)}
    assert not found.is_within


def test_days_are_cut_where_the_export_cuts_them() -> None:
    store = ledger({"at": 1})  # 2 November 01:00 UTC is still the 1st in Los Angeles.
    pacific = bill(
        Line(START_US - 16 * 3_600_000_000, START_US + 8 * 3_600_000_000, model="gpt-5.4", input_tokens=1_000),
        zone="America/Los_Angeles",
    )
    found = compare(store, pacific, tolerance=LIMITS)
    assert found.is_within and found.days[0].by == {"day": "2026-11-01"}


def test_an_export_without_models_says_so_and_compares_days() -> None:
    found = compare(ledger({}), bill(line(model=None, input_tokens=1_000)), tolerance=LIMITS)
    assert found.is_within and found.models == [] and "not grouped by model" in found.remarks[0]


def test_keys_are_shown_and_compared_only_where_something_stands_for_them() -> None:
    store = ledger({"project": "shop"}, {"project": "bot"})
    lines = (line(key="shop", input_tokens=1_000), line(key="bot", input_tokens=4_000))
    alone = compare(store, bill(*lines), tolerance=LIMITS)
    assert {pair.by["key"]: pair.ledger.requests for pair in alone.keys} == {"shop": None, "bot": None}
    beside = compare(store, bill(*lines), tolerance=LIMITS, key_by="project")
    assert {pair.by["key"]: pair.is_within for pair in beside.keys} == {"shop": True, "bot": False}


def test_a_span_narrows_both_sides() -> None:
    store = ledger({"at": 1}, {"at": 30, "tokens": 9_999})
    lines = (line(0, input_tokens=1_000), line(1, input_tokens=5))
    assert compare(store, bill(*lines), tolerance=LIMITS, until_us=START_US + DAY_US).is_within
    with pytest.raises(InputError, match="no line"):
        compare(store, bill(*lines), tolerance=LIMITS, since_us=START_US + 9 * DAY_US)


def test_single_moments_cover_their_whole_day() -> None:
    store = ledger({"at": 1}, {"at": 20})
    moments = bill(*(Line(START_US + at, START_US + at + 1, model="gpt-5.4", input_tokens=1_000) for at in (5, 9)))
    assert compare(store, moments, tolerance=LIMITS).is_within


def test_what_is_not_told_is_no_difference() -> None:
    assert LIMITS.within(Figures(requests=3), Figures(requests=3, input_tokens=5_000, cost_nanousd=10**10))
    assert not LIMITS.within(Figures(requests=30), Figures(requests=3))
    assert not LIMITS.within(Figures(cost_nanousd=10**9), Figures())
