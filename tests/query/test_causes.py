"""Likely causes: each is said when its evidence is there, and not otherwise."""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.query.bills.base import Bill, Line
from tallybook.query.causes import explain
from tallybook.query.reconcile import Cause, Tolerance, compare
from tallybook.store.memory import MemoryStore

from .test_reconcile import DAY_US, LIMITS, START_US, bill, ledger, line

USD = 1_000_000_000


def causes(store: MemoryStore, export: Bill, *, zones: tuple[str, ...] = (), **given: Any) -> dict[str, Cause]:
    found = compare(store, export, tolerance=LIMITS, **given)
    return {cause.code: cause for cause in explain(store, export, found, zones)}


def test_where_all_agrees_there_is_no_cause() -> None:
    assert causes(ledger({}), bill(line(input_tokens=1_000, output_tokens=100))) == {}


def test_a_ledger_without_the_provider_is_said_first() -> None:
    found = causes(ledger({"provider": "anthropic"}), bill(line(cost_nanousd=USD)))
    assert next(iter(found)) == "not_recorded" and found["not_recorded"].cost_nanousd == USD


def test_the_key_that_the_ledger_agrees_with_is_named() -> None:
    lines = (line(key="a", input_tokens=1_000, cost_nanousd=USD), line(key="b", input_tokens=700, cost_nanousd=3 * USD))
    found = causes(ledger({}), bill(*lines))
    assert "agrees with key a alone" in found["other_keys"].text
    assert found["other_keys"].cost_nanousd == 3 * USD


def test_the_key_that_is_not_recorded_is_named() -> None:
    lines = [line(key=name, input_tokens=tokens) for name, tokens in (("a", 600), ("b", 400), ("c", 5_000))]
    assert "without key c" in causes(ledger({}), bill(*lines))["other_keys"].text


def test_days_outside_the_ledger_are_told_with_their_cost() -> None:
    lines = [line(day, input_tokens=1_000, cost_nanousd=USD) for day in (0, 1, 2)]
    before = causes(ledger({"at": 49}), bill(*lines))["outside_ledger"]
    assert "begins only on 2026-11-04: 2 days" in before.text and before.cost_nanousd == 2 * USD
    after = causes(ledger({"at": 1}), bill(*lines))["outside_ledger"]
    assert "ends on 2026-11-02: 2 days" in after.text and "--until" in (after.remedy or "")


def test_days_that_are_cut_elsewhere_are_found_by_trying() -> None:
    """Calls of the evening in California lie on the next day in UTC."""
    store = ledger({"at": 20}, {"at": 28}, {"at": 44, "tokens": 5_000})
    lines = (line(0, input_tokens=2_000), line(1, input_tokens=5_000))
    found = causes(store, bill(*lines), zones=("UTC", "America/Los_Angeles"))
    assert found["day_zone"].remedy == "--day-zone America/Los_Angeles"
    assert "day_zone" not in causes(ledger({"at": 1}, {"at": 30}), bill(*lines), zones=("UTC", "America/Los_Angeles"))


def test_models_that_one_side_lacks_are_named() -> None:
    found = causes(ledger({}), bill(line(input_tokens=1_000), line(model="gpt-5.2", input_tokens=9_000)))
    assert "gpt-5.2" in found["models_not_recorded"].text
    found = causes(ledger({}, {"model": "text-embedding-3-small"}), bill(line(input_tokens=1_000)))
    assert "text-embedding-3-small" in found["not_in_export"].text
    assert "by endpoint" in (found["not_in_export"].remedy or "")


def test_fees_are_added_up() -> None:
    fee = line(model=None, item="web search", cost_nanousd=2 * USD)
    found = causes(ledger({}), bill(line(cost_nanousd=USD), fee, fee))
    assert found["fees"].cost_nanousd == 4 * USD and "web search" in found["fees"].text


def test_unpriced_calls_are_a_cause_where_the_export_has_more() -> None:
    found = causes(ledger({"model": "new-1"}), bill(line(model="new-1", cost_nanousd=USD)))
    assert "1 calls" in found["unpriced"].text and found["unpriced"].cost_nanousd == USD
    assert "unpriced" not in causes(ledger({"model": "new-1"}, {}), bill(line(cost_nanousd=3 * USD)))


def test_half_the_cost_at_the_same_tokens_is_a_batch() -> None:
    found = causes(ledger({}), bill(line(input_tokens=1_000, cost_nanousd=USD // 2)))
    assert "gpt-5.4" in found["batch"].text and "discount" not in found


def test_the_same_factor_on_all_models_is_a_discount() -> None:
    store = ledger({}, {"model": "gpt-5.1", "tokens": 3_000})
    lines = (line(cost_nanousd=USD * 85 // 100), line(model="gpt-5.1", cost_nanousd=3 * USD * 85 // 100))
    found = causes(store, bill(*lines))
    assert "2 models cost 15% less" in found["discount"].text and "not_billed_yet" not in found


def test_cached_tokens_that_differ_are_told() -> None:
    found = causes(ledger({"tokens": 9_000}), bill(line(input_tokens=5_000, cache_read_tokens=4_000)))
    assert "4,000 tokens read from the cache in the export, 0 in the ledger" in found["cached_tokens"].text


def test_more_calls_or_more_money_than_was_billed() -> None:
    found = causes(ledger(*[{}] * 10), bill(line(input_tokens=5_000, requests=5)))
    assert "the ledger has 10 calls, the export 5" in found["recorded_more"].text
    found = causes(ledger({}), bill(line(cost_nanousd=USD * 8 // 10)))
    assert list(found) == ["not_billed_yet"]


def test_what_nothing_explains_says_so() -> None:
    assert list(causes(ledger({}), bill(line(input_tokens=1_300)))) == ["unexplained"]


def test_pages_that_are_missing_are_a_cause() -> None:
    export = bill(line(0, input_tokens=900), form="OpenAI usage, JSON", remarks=("the last page says has_more: …",))
    assert "pages_missing" in causes(ledger({}), export)


def test_causes_are_plain_data() -> None:
    found = compare(ledger({}), bill(Line(START_US, START_US + DAY_US, input_tokens=5)), tolerance=Tolerance())
    assert msgspec.json.encode(found)
