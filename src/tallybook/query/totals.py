"""Totals with their coverage: of everything in a scope, or by group.

Every figure of cost stands beside the number of calls it covers. A cost is `None` where no call of the group has one,
and exactly 0 where there was no call. Amounts in a currency other than USD are converted day by day, each at its own
day's rate, and then added; only this file knows how.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal

import msgspec

from tallybook.model.question import Filter, Grain, Question
from tallybook.query.currency import Rates
from tallybook.query.filters import told
from tallybook.query.span import Span, local
from tallybook.store.base import CallStore

FIGURES = (
    "calls", "errors", "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "cost_nanousd", "priced_calls", "unpriced_calls", "estimated_calls",
)  # fmt: skip
"""Measures of every `Totals`. All are in the stores' summaries, so that they need not read the calls."""

Order = tuple[tuple[str, Literal["asc", "desc"]], ...]


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of a number of calls. `None` is unknown; with no call at all everything is 0."""

    calls: int = 0
    errors: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_nanousd: int | None = None
    cost_nano: int | None = None
    """In billionths of the report's currency."""
    priced_calls: int = 0
    unpriced_calls: int = 0
    estimated_calls: int = 0


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One group of calls: what it is grouped by, its totals, and further measures asked for."""

    by: dict[str, Any]
    totals: Totals
    more: dict[str, Any] = {}
    share_of_cost: float | None = None
    """0 to 1 of the report's known cost."""
    share_of_calls: float | None = None
    previous: Totals | None = None
    """The same group in the span compared with; no calls there gives zeros."""
    parts: list[Group] = []
    """Finer groups, where a breakdown was asked for."""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a report covers: a span in a zone, filters, and the currency of its amounts (`None`: USD)."""

    span: Span
    filters: tuple[Filter, ...] = ()
    rates: Rates | None = None
    heard: list[str] = []
    """What the store remarked on its answers (days it no longer knows …), shared by all scopes made of this one."""

    def hear(self, remarks: Sequence[str]) -> None:
        """Keep remarks of the store, each once."""
        self.heard.extend(remark for remark in remarks if remark not in self.heard)

    @property
    def currency(self) -> str:
        """Code of the currency of `cost_nano`."""
        return "USD" if self.rates is None else self.rates.currency

    def within(self, *filters: Filter) -> Scope:
        """This scope with further filters."""
        return Scope(span=self.span, filters=(*self.filters, *filters), rates=self.rates, heard=self.heard)

    def during(self, span: Span) -> Scope:
        """This scope over another span."""
        return Scope(span=span, filters=self.filters, rates=self.rates, heard=self.heard)

    def day_of(self, unix_us: int) -> date:
        """The reporting zone's day of a moment, whose rate a single amount is converted at."""
        return local(unix_us, self.span.zone).date()

    def amount(self, nanousd: int | None, unix_us: int) -> int | None:
        """One amount in billionths of the scope's currency; `None` stays unknown."""
        return nanousd if nanousd is None or self.rates is None else self.rates.convert(nanousd, self.day_of(unix_us))


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a total is known."""

    calls: int
    priced_calls: int
    unpriced_calls: int
    estimated_calls: int
    unpriced_failed_calls: int = 0
    """Of the unpriced ones those that failed or broke off, and so told no tokens."""
    partial_calls: int = 0
    """Priced, but for something they used there is no price: their cost is a lower bound."""
    unpriced: list[tuple[str | None, int]] = []
    """Models of the other unpriced calls, with their number, most calls first."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What every report says of itself."""

    span: Span
    filters: list[str]
    currency: str
    coverage: Coverage
    compared: Span | None = None
    warnings: list[str] = []


def total(store: CallStore, scope: Scope, measures: Sequence[str] = ()) -> Group:
    """Figures of the whole scope, with further measures in `more`."""
    return groups(store, scope, (), measures)[0]


def groups(
    store: CallStore,
    scope: Scope,
    dimensions: Sequence[str],
    measures: Sequence[str] = (),
    *,
    grain: Grain | None = None,
    order: Order = (),
    limit: int | None = None,
) -> list[Group]:
    """Figures by group. `by` holds `time` first where a grain is given. Raises InputError on unknown names."""
    question = Question(
        measures=(*FIGURES, *(name for name in measures if name not in FIGURES)),
        dimensions=tuple(dimensions),
        filters=scope.filters,
        since_us=scope.span.since_us,
        until_us=scope.span.until_us,
        grain=grain,
        zone=scope.span.zone,
        order=order,
        limit=limit,
    )
    keys = len(dimensions) + (grain is not None)
    answer = store.ask(question)
    scope.hear(answer.warnings)
    amounts = None if scope.rates is None else _amounts(store, scope, question, keys, answer.rows)
    found = []
    for row in answer.rows:
        by = dict(zip(answer.columns[:keys], row[:keys], strict=True))
        figures = dict(zip(answer.columns[keys:], row[keys:], strict=True))
        more = {name: figures.pop(name) for name in measures if name not in FIGURES}
        found.append(Group(by=by, totals=_totals(figures, amounts, row[:keys]), more=more))
    return found


def _totals(figures: dict[str, Any], amounts: dict[tuple[Any, ...], int] | None, key: tuple[Any, ...]) -> Totals:
    if not figures["calls"]:
        figures = dict.fromkeys(FIGURES, 0)
    cost = figures["cost_nanousd"]
    amount = cost if amounts is None or not cost else amounts.get(key)
    return Totals(**figures, cost_nano=amount)


def _amounts(
    store: CallStore, scope: Scope, question: Question, keys: int, rows: list[tuple[Any, ...]]
) -> dict[tuple[Any, ...], int]:
    """Cost by group in the scope's currency, each day at its rate."""
    assert scope.rates is not None
    grain: Grain = "hour" if question.grain == "hour" else "day"
    filters = question.filters
    if question.limit is not None and len(question.dimensions) == 1 and question.grain is None:
        names = tuple(row[0] for row in rows)
        if None not in names:
            filters = (*filters, Filter(question.dimensions[0], "in", names))
    daily = store.ask(
        Question(
            measures=("cost_nanousd",), dimensions=question.dimensions, filters=filters, since_us=question.since_us,
            until_us=question.until_us, grain=grain, zone=question.zone,
        )
    )  # fmt: skip
    sums: dict[tuple[Any, ...], int] = {}
    for row in daily.rows:
        if row[-1] is None:
            continue
        day = date.fromisoformat(row[0][:10])
        key = row[1:-1] if question.grain is None else (_bucket(row[0], day, question.grain), *row[1:-1])
        sums[key] = sums.get(key, 0) + scope.rates.convert(row[-1], day)
    return sums


def _bucket(text: str, day: date, grain: Grain) -> str:
    """The start of the question's bucket that a day (or hour) lies in, as the stores write it."""
    if grain == "week":
        return (day - timedelta(days=day.weekday())).isoformat()
    return day.replace(day=1).isoformat() if grain == "month" else text


def shared(found: Sequence[Group], whole: Totals) -> list[Group]:
    """The groups with their shares of the whole."""
    return [
        msgspec.structs.replace(
            group,
            share_of_cost=group.totals.cost_nano / whole.cost_nano
            if group.totals.cost_nano is not None and whole.cost_nano
            else None,
            share_of_calls=group.totals.calls / whole.calls if whole.calls else None,
        )
        for group in found
    ]


def head(
    store: CallStore, scope: Scope, whole: Totals, compared: Span | None = None, known: Coverage | None = None
) -> Head:
    """What a report says of itself: span, filters, currency, coverage (asked for unless known), what was set aside."""
    return Head(
        span=scope.span,
        filters=told(scope.filters),
        currency=scope.currency,
        coverage=coverage(store, scope, whole) if known is None else known,
        compared=compared,
        warnings=_warnings(store, scope),
    )


def coverage(store: CallStore, scope: Scope, whole: Totals) -> Coverage:
    """What the whole lacks, by model."""
    unpriced: dict[str | None, int] = {}
    partial = 0
    if whole.calls:
        answer = store.ask(
            Question(
                measures=("calls",), dimensions=("model", "status", "cost_status"),
                filters=(*scope.filters, Filter("cost_status", "in", ("unpriced", "partial"))),
                since_us=scope.span.since_us, until_us=scope.span.until_us, zone=scope.span.zone,
            )
        )  # fmt: skip
        scope.hear(answer.warnings)
        for model, status, cost_status, count in answer.rows:
            if cost_status == "partial":
                partial += count
            elif status == "ok":
                unpriced[model] = unpriced.get(model, 0) + count
    return Coverage(
        calls=whole.calls,
        priced_calls=whole.priced_calls,
        unpriced_calls=whole.unpriced_calls,
        estimated_calls=whole.estimated_calls,
        unpriced_failed_calls=whole.unpriced_calls - sum(unpriced.values()),
        partial_calls=partial,
        unpriced=sorted(unpriced.items(), key=lambda item: (-item[1], item[0] is None, item[0] or "")),
    )


def _warnings(store: CallStore, scope: Scope) -> list[str]:
    found = []
    for warned in store.warnings():
        at = "" if warned.offset is None else f" at byte {warned.offset}"
        found.append(f"{warned.path}: set aside{at}: {warned.reason}")
    found.extend(scope.heard)
    if scope.rates is not None:
        end_us = min(scope.span.until_us or scope.span.now_us, scope.span.now_us)
        stale = scope.rates.stale_on(scope.day_of(end_us - 1))
        if stale is not None:
            found.append(f"{scope.rates.where}: the newest {scope.currency} rate used is of {stale}")
    return found
