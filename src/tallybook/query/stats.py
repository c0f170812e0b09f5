"""Usage of a day, week or month at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tallybook.model.question import Grain
from tallybook.query import compare
from tallybook.query.cube import sections
from tallybook.query.series import filled
from tallybook.query.totals import Group, Head, Scope, groups, head, shared, total
from tallybook.store.base import CallStore

TOP = 5
MEASURES = ("users", "duration_avg_us", "duration_p95_us", "tool_calls", "last_at_us")
SHORT_US = 2 * 86_400 * 1_000_000
"""Spans up to this are drawn by hour and tell the number of runs, which only the calls themselves know."""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Totals, their course over time, and what they are made of."""

    head: Head
    total: Group
    series: list[Group]
    """By hour for spans of two days at most, else by day; without gaps."""
    sections: dict[str, list[Group]]
    """The largest groups by dimension, by cost."""


def stats(
    store: CallStore,
    scope: Scope,
    by: Sequence[str] = ("model", "project"),
    *,
    is_compared: bool = False,
    top: int = TOP,
) -> Stats:
    """The report; each of `by` is a section of its own."""
    span = scope.span
    is_short = span.since_us is not None and (span.until_us or span.now_us) - span.since_us <= SHORT_US
    whole = total(store, scope, (*MEASURES, "runs") if is_short else MEASURES)
    compared = compare.before(scope) if is_compared else None
    if is_compared:
        whole = compare.beside(store, scope, [whole], ())[0]
    grain: Grain = "hour" if is_short else "day"
    series = groups(store, scope, (), grain=grain) if whole.totals.calls else []
    cube = sections(store, scope, by if whole.totals.calls else (), top)
    found = {}
    for dimension, largest in cube.sections.items():
        if is_compared:
            largest = compare.beside(store, scope, largest, (dimension,))
        found[dimension] = shared(largest, whole.totals)
    return Stats(
        head=head(store, scope, whole.totals, compared, cube.coverage),
        total=whole,
        series=filled(series, scope, grain),
        sections=found,
    )
