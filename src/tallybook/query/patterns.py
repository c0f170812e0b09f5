"""When the ledger's calls are made and what for: peak hours, most active day, common operations, a week's heat map."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tallybook.model.question import Question
from tallybook.query.series import days_between
from tallybook.query.totals import Group, Head, Scope, groups, head, shared, total
from tallybook.store.base import CallStore

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PEAK_SHARE = 0.75
"""An hour is a peak when it has at least this share of the busiest hour's calls."""
PEAKS_MAX = 3
TOP = 5


class Patterns(msgspec.Struct, frozen=True, kw_only=True):
    """Habits of a scope, in the reporting zone."""

    head: Head
    total: Group
    hours: list[int]
    """Calls by hour of day, 24 figures."""
    days: list[float]
    """Calls on an average Monday … Sunday of the span: a span has more of some weekdays than of others."""
    heat: list[list[int]]
    """Calls by weekday (Monday first) and hour."""
    peaks: list[tuple[int, int]]
    """Peak hours as [start, end), busiest first; the end may be 24, or below the start when it runs past midnight."""
    busiest_day: str | None
    operations: list[Group]


def patterns(store: CallStore, scope: Scope, *, top: int = TOP, by: str = "task") -> Patterns:
    """The report. `by` is what the common operations are: the caller's words, unless another dimension is wanted."""
    whole = total(store, scope, ("first_at_us", "last_at_us"))
    answer = store.ask(
        Question(
            measures=("calls",), dimensions=("day_of_week", "hour_of_day"), filters=scope.filters,
            since_us=scope.span.since_us, until_us=scope.span.until_us, zone=scope.span.zone,
        )
    )  # fmt: skip
    scope.hear(answer.warnings)
    heat = [[0] * 24 for _ in range(7)]
    for day, hour, calls in answer.rows:
        heat[int(day)][int(hour)] += calls
    hours = [sum(day[hour] for day in heat) for hour in range(24)]
    days = _average_days(scope, whole, heat)
    common = groups(store, scope, (by,), order=(("calls", "desc"),), limit=top) if whole.totals.calls else []
    return Patterns(
        head=head(store, scope, whole.totals),
        total=whole,
        hours=hours,
        days=days,
        heat=heat,
        peaks=peaks(hours),
        busiest_day=DAYS[max(range(7), key=days.__getitem__)] if whole.totals.calls else None,
        operations=shared(common, whole.totals),
    )


def _average_days(scope: Scope, whole: Group, heat: Sequence[Sequence[int]]) -> list[float]:
    first_us, last_us = whole.more["first_at_us"], whole.more["last_at_us"]
    if first_us is None:
        return [0.0] * 7
    since_us = first_us if scope.span.since_us is None else max(scope.span.since_us, 0)
    until_us = last_us + 1
    if scope.span.until_us is not None:
        until_us = max(until_us, min(scope.span.until_us, scope.span.now_us))
    occurrences = [0] * 7
    for day in days_between(since_us, until_us, scope.span.zone):
        occurrences[day.weekday()] += 1
    return [sum(row) / max(1, count) for row, count in zip(heat, occurrences, strict=True)]


def peaks(hours: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of hours near the busiest one, busiest run first; a run may go past midnight."""
    top = max(hours)
    if not top:
        return []
    high = [calls >= PEAK_SHARE * top for calls in hours]
    if all(high):
        return [(0, 24)]
    runs: list[tuple[int, int]] = []
    start = high.index(False)
    hour = start
    while hour < start + 24:
        if not high[hour % 24]:
            hour += 1
            continue
        first = hour
        while high[hour % 24]:
            hour += 1
        end = hour % 24
        runs.append((first % 24, end or 24))
    runs.sort(
        key=lambda run: -sum(hours[hour % 24] for hour in range(run[0], run[1] if run[1] > run[0] else run[1] + 24))
    )
    return runs[:PEAKS_MAX]
