"""Totals are exact and carry their coverage; unknown is never 0."""

from __future__ import annotations

from tallybook.model.question import Answer, Filter, Question
from tallybook.query.compare import beside, change
from tallybook.query.span import between, current, everything, last_days
from tallybook.query.totals import Scope, groups, head, shared, total
from tallybook.store.base import Warned
from tallybook.store.memory import MemoryStore

from .company import NOW_US, call, company


def scope(*filters: Filter, days: int = 30) -> Scope:
    return Scope(span=last_days(days, NOW_US, "UTC"), filters=filters)


def test_a_total_is_the_sum_of_its_calls() -> None:
    found = total(company(), scope()).totals
    assert (found.calls, found.priced_calls, found.unpriced_calls, found.errors) == (293, 289, 4, 2)
    assert found.cost_nanousd == 14 * (15 * 10_000_000 + 5 * 90_000_000) + 3_100 + 30_000_000
    assert found.cost_nano == found.cost_nanousd


def test_no_calls_cost_exactly_nothing_and_calls_without_a_price_are_unknown() -> None:
    store = MemoryStore()
    nothing = total(store, scope()).totals
    assert (nothing.calls, nothing.cost_nanousd, nothing.cost_nano, nothing.input_tokens) == (0, 0, 0, 0)
    store.append([call("2026-11-22T10:00", "x", None)])
    unknown = total(store, scope()).totals
    assert (unknown.calls, unknown.cost_nanousd, unknown.unpriced_calls) == (1, None, 1)


def test_coverage_names_models_without_a_price_and_counts_failures_apart() -> None:
    store = company()
    found = head(store, scope(), total(store, scope()).totals).coverage
    assert found.unpriced == [("mystery-1", 2), ("mystery-2", 1)]
    assert (found.calls, found.unpriced_calls, found.unpriced_failed_calls) == (293, 4, 1)


def test_shares_are_of_the_known_cost() -> None:
    store = company()
    whole = total(store, scope()).totals
    found = {group.by["model"]: group for group in shared(groups(store, scope(), ("model",)), whole)}
    assert found["mystery-1"].share_of_cost is None
    assert abs(sum(group.share_of_cost or 0 for group in found.values()) - 1) < 1e-9
    assert abs(sum(group.share_of_calls or 0 for group in found.values()) - 1) < 1e-9


def test_filters_and_spans_narrow_a_total() -> None:
    store = company()
    assert total(store, scope(Filter("project", "eq", "mimir"))).totals.calls == 70
    assert total(store, scope(days=1)).totals.calls == 33
    assert total(store, Scope(span=everything(NOW_US, "UTC"))).totals.calls == 293
    assert total(store, Scope(span=between("yesterday", "yesterday", NOW_US, "UTC"))).totals.calls == 20


def test_a_group_that_was_not_there_before_is_compared_with_zeros() -> None:
    store = company()
    today = Scope(span=current("day", NOW_US, "UTC"))
    found = {group.by["model"]: group for group in beside(store, today, groups(store, today, ("model",)), ("model",))}
    new, old = found["mystery-1"].previous, found["claude-haiku"].previous
    assert new is not None and old is not None
    assert (new.calls, new.cost_nanousd) == (0, 0)
    assert old.calls == 15


def test_change_is_relative_and_unknown_without_a_base() -> None:
    assert change(150, 100) == 0.5
    assert change(None, 100) is None
    assert change(5, 0) is None


def test_what_the_store_remarks_is_told_once_with_the_report() -> None:
    class Forgetful(MemoryStore):
        def ask(self, question: Question) -> Answer:
            return super().ask(question)._replace(warnings=("the calls of 2026-01-01 were removed",))

        def warnings(self) -> list[Warned]:
            return [Warned("2026-11-20/telemetry.jsonl", 17, "zero bytes")]

    store = Forgetful()
    store.append([call("2026-11-22T10:00", "x", None)])
    month = scope()
    whole = total(store, month.within(Filter("model", "eq", "x")))
    assert head(store, month, whole.totals).warnings == [
        "2026-11-20/telemetry.jsonl: set aside at byte 17: zero bytes",
        "the calls of 2026-01-01 were removed",
    ]


def test_costs_that_are_lower_bounds_are_counted() -> None:
    from msgspec.structs import replace

    one = call("2026-11-22T10:00", "x", 5)
    assert one.cost is not None
    store = MemoryStore()
    store.append([replace(one, cost=replace(one.cost, status="partial")), call("2026-11-22T10:01", "x", 5)])
    found = head(store, scope(), total(store, scope()).totals).coverage
    assert (found.partial_calls, found.unpriced_calls, found.priced_calls) == (1, 0, 2)
