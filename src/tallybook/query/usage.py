"""What a dashboard of usage asks (S1 5.1). The same functions serve the command line.

`summary` is the report of `tallybook stats` (`query.stats`), `models` and `operations` that of `tallybook models`
(`query.ranking`), `tools` that of `tallybook tools` (`query.tools`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tallybook.model.question import Grain, Question
from tallybook.query.series import filled
from tallybook.query.stats import SHORT_US
from tallybook.query.totals import Group, Head, Scope, groups, head, total
from tallybook.store.base import CallStore

SERIES_MAX = 50
"""Lines of a chart. Beyond: the largest are told, and how many there are not."""
MEASURES = ("duration_avg_us", "tool_calls")


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what it is of, and its figures by time without gaps."""

    by: dict[str, Any]
    total: Group
    points: list[Group]


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over time, in all or by group."""

    head: Head
    interval: Grain
    total: Group
    series: list[Series]


def interval_of(scope: Scope) -> Grain:
    """Hours for spans of two days at most, else days."""
    span = scope.span
    is_short = span.since_us is not None and (span.until_us or span.now_us) - span.since_us <= SHORT_US
    return "hour" if is_short else "day"


def course(store: CallStore, scope: Scope, interval: Grain | None = None, by: Sequence[str] = ()) -> Course:
    """Figures by time; with `by` one line for each of the dearest groups."""
    grain = interval or interval_of(scope)
    whole = total(store, scope, MEASURES)
    lines: list[Series] = []
    if not by:
        points = groups(store, scope, (), MEASURES, grain=grain) if whole.totals.calls else []
        lines.append(Series(by={}, total=whole, points=filled(points, scope, grain)))
    elif whole.totals.calls:
        largest = groups(store, scope, by, order=(("cost_nanousd", "desc"), ("calls", "desc")), limit=SERIES_MAX)
        found: dict[tuple[Any, ...], list[Group]] = {}
        for point in groups(store, scope, by, MEASURES, grain=grain):
            key = tuple(point.by[name] for name in by)
            found.setdefault(key, []).append(msgspec.structs.replace(point, by={"time": point.by["time"]}))
        for group in largest:
            points = found.get(tuple(group.by.values()), [])
            lines.append(Series(by=group.by, total=group, points=filled(points, scope, grain)))
    return Course(head=head(store, scope, whole.totals), interval=grain, total=whole, series=lines)


def tool_course(store: CallStore, scope: Scope, interval: Grain | None = None) -> list[dict[str, Any]]:
    """Uses and failures of each tool by time, as rows; buckets without a use are left out."""
    span = scope.span
    question = Question(
        source="tool_calls", measures=("uses", "failures", "duration_avg_us"), dimensions=("tool",),
        filters=scope.filters, since_us=span.since_us, until_us=span.until_us, grain=interval or interval_of(scope),
        zone=span.zone,
    )  # fmt: skip
    answer = store.ask(question)
    scope.hear(answer.warnings)
    return answer.dicts()


def success_rate(group: Group) -> float | None:
    """The share of calls that did not fail, 0 to 1."""
    totals = group.totals
    return round(1 - totals.errors / totals.calls, 4) if totals.calls else None
