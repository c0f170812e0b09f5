"""Usage of a day, week or month at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tallybook.model.question import Grain, Question
from tallybook.query import compare
from tallybook.query.cube import sections
from tallybook.query.series import filled
from tallybook.query.totals import Group, Head, Scope, groups, head, shared, total
from tallybook.store.base import CallStore

TOP = 5
MEASURES = ("duration_avg_us", "duration_p95_us", "tool_calls", "last_at_us")
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
    whole = total(store, scope, (*MEASURES, "users", "runs") if is_short else MEASURES)
    if not is_short:
        whole = msgspec.structs.replace(whole, more={**whole.more, "users": _users(store, scope)})
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


def _users(store: CallStore, scope: Scope) -> int:
    """Number of users, asked alone: the stores keep a summary of users that holds little else."""
    span = scope.span
    answer = store.ask(
        Question(
            measures=("users",), filters=scope.filters, since_us=span.since_us, until_us=span.until_us, zone=span.zone
        )
    )
    scope.hear(answer.warnings)
    return int(answer.rows[0][0])
