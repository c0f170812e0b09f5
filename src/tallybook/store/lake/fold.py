"""A question answered from digests of whole hours and the hot calls beside them, in plain Python.

It gives the figures that the lake gives from the files themselves, or refuses: other dimensions, filters or measures,
spans or zones that part an hour.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tallybook.model.call import Call
from tallybook.model.question import Question
from tallybook.store.check import zone_of
from tallybook.store.lake.digest import DIMENSIONS, HOUR_US, MEASURES, Day
from tallybook.store.lake.plain import Refused
from tallybook.store.memory import bucket_of, field_of, holds, in_order, local_of, measure_of, run_of

_AT = {name: place for place, name in enumerate(MEASURES)}
_PERCENTILES = ("duration_p50_us", "duration_p95_us", "duration_p99_us")
_WHOLE = frozenset({"users", "runs", *_PERCENTILES})
"""Measures that a digest knows only of all calls of an hour."""
_DERIVED = frozenset({"unpriced_calls", "duration_avg_us"})
_COUNTS = frozenset({"calls", "errors", "priced_calls", "estimated_calls", "tool_calls"})
_BEST: dict[str, Callable[..., Any]] = {"duration_max_us": max, "last_at_us": max, "first_at_us": min}


class Held(NamedTuple):
    """A day's digest, and the first and last start of its calls."""

    day: Day
    min_us: int
    max_us: int


class Group:
    """Calls of one key: rows of digests, and hot calls."""

    def __init__(self) -> None:
        self.rows: list[tuple[Day, list[int]]] = []
        self.calls: list[Call] = []


def check(question: Question) -> None:
    """Raise Refused unless digests hold all that the question asks."""
    is_whole = not question.dimensions and not question.filters and question.grain is None
    known = _AT.keys() | _DERIVED | (_WHOLE if is_whole else set())
    fields = {*question.dimensions, *(given.field for given in question.filters)}
    if question.source != "calls" or not known.issuperset(question.measures) or not fields.issubset(DIMENSIONS):
        raise Refused


def folded(question: Question, held: Sequence[Held], calls: Iterable[Call]) -> list[tuple[Any, ...]]:
    """The rows of a checked question; `calls` are the hot ones that match it. Raises Refused."""
    bucket = _Buckets(question)
    groups: dict[tuple[Any, ...], Group] = {}
    if not question.dimensions and question.grain is None:
        groups[()] = Group()
    spans: list[tuple[Day, int, int]] = []
    for one in held:
        low, high = _hours(question, one)
        spans.append((one.day, low, high))
        for key, rows in _keyed(question, one.day, low, high, bucket).items():
            groups.setdefault(key, Group()).rows.append((one.day, rows))
    for call in calls:
        start = () if question.grain is None else (bucket[call.started_at_us // HOUR_US],)
        key = (*start, *(field_of(call, name, datetime.min) for name in question.dimensions))
        groups.setdefault(key, Group()).calls.append(call)
    answer = [(*key, *(_measure(name, group, spans) for name in question.measures)) for key, group in groups.items()]
    return in_order(question, answer)


class _Buckets:
    """Local buckets by hours since 1970, each looked up once."""

    def __init__(self, question: Question) -> None:
        self._zone = zone_of(question.zone)
        self._grain = question.grain or "hour"
        self._known: dict[int, str] = {}

    def __getitem__(self, hour: int) -> str:
        """The bucket of an hour of UTC. Raises Refused where local hours begin within such hours."""
        if hour not in self._known:
            local = local_of(hour * HOUR_US, self._zone)
            if local.minute or local.second:
                raise Refused
            self._known[hour] = bucket_of(local, self._grain)
        return self._known[hour]


def _hours(question: Question, one: Held) -> tuple[int, int]:
    """The hours [low, high) of a day in the question's span. Raises Refused when the span parts an hour with calls."""
    low, high = one.min_us // HOUR_US, one.max_us // HOUR_US + 1
    if question.since_us is not None and question.since_us > one.min_us:
        if question.since_us % HOUR_US:
            raise Refused
        low = question.since_us // HOUR_US
    if question.until_us is not None and question.until_us <= one.max_us:
        if question.until_us % HOUR_US:
            raise Refused
        high = question.until_us // HOUR_US
    return low, max(low, high)


def _keyed(question: Question, day: Day, low: int, high: int, bucket: _Buckets) -> dict[tuple[Any, ...], list[int]]:
    """Rows of a day by the question's key, those that match its span and filters."""
    rows: Sequence[int] = range(bisect_left(day.hours, low), bisect_left(day.hours, high))
    for given in question.filters:
        at = DIMENSIONS.index(given.field)
        allowed = {place for place, value in enumerate(day.values[at]) if holds(value, given)}
        places = day.places[at]
        rows = [row for row in rows if places[row] in allowed]
    columns = [day.places[DIMENSIONS.index(name)] for name in question.dimensions]
    values: list[Any] = [day.values[DIMENSIONS.index(name)] for name in question.dimensions]
    if question.grain:
        columns, values = [day.hours, *columns], [bucket, *values]
    if not columns:
        return {(): list(rows)} if rows else {}
    found: dict[tuple[int, ...], list[int]] = {}
    for row, key in zip(rows, zip(*(map(column.__getitem__, rows) for column in columns), strict=True), strict=True):
        found.setdefault(key, []).append(row)
    named: dict[tuple[Any, ...], list[int]] = {}
    for key, members in found.items():
        own = tuple([value[place] for value, place in zip(values, key, strict=True)])
        named.setdefault(own, []).extend(members)
    return named


def _measure(name: str, group: Group, spans: Sequence[tuple[Day, int, int]]) -> Any:
    match name:
        case "unpriced_calls":
            return _measure("calls", group, spans) - _measure("priced_calls", group, spans)
        case "duration_avg_us":
            total, count = (_measure(part, group, spans) for part in ("duration_sum_us", "duration_count"))
            return total // count if count else None
        case "users":
            return _distinct([(day.users, low, high) for day, low, high in spans], [c.user_id for c in group.calls])
        case "runs":
            return _distinct([(day.runs, low, high) for day, low, high in spans], [run_of(c) for c in group.calls])
        case "duration_count":
            hot: Any = sum(call.duration_us is not None for call in group.calls)
        case _ if name in _PERCENTILES:
            return _percentile(_durations(spans, group.calls), int(name[10:12]))
        case _:
            hot = measure_of(name, group.calls)
    column = _AT[name]
    known = [] if hot is None else [hot]
    for day, rows in group.rows:
        found = list(map(day.measures[column].__getitem__, rows))
        known += [value for value in found if value is not None] if None in found else found
    if name in _BEST:
        return _BEST[name](known, default=None)
    return sum(known) if known or name in _COUNTS else None


def _distinct(parts: Sequence[tuple[tuple[list[str], list[int]], int, int]], hot: Sequence[str | None]) -> int:
    """The number of different names with calls in the hours."""
    masked = []
    for (names, hours), low, high in parts:
        mask = sum(1 << hour % 24 for hour in range(low, high))
        masked.append((names, hours, mask))
    others = {name for name in hot if name is not None}
    if len(masked) == 1 and not others:
        return sum(1 for bits in masked[0][1] if bits & masked[0][2])
    for names, hours, mask in masked:
        others.update(name for name, bits in zip(names, hours, strict=True) if bits & mask)
    return len(others)


def _durations(spans: Sequence[tuple[Day, int, int]], calls: Sequence[Call]) -> list[Sequence[int]]:
    found: list[Sequence[int]] = [sorted(call.duration_us for call in calls if call.duration_us is not None)]
    for day, low, high in spans:
        for hour, data in day.durations:
            if low <= hour < high:
                values = array("q")
                values.frombytes(data)
                found.append(values)
    return found


def _percentile(parts: Sequence[Sequence[int]], percent: int) -> int | None:
    """Nearest rank over sorted parts, by halving the range of values: nothing is merged."""
    parts = [part for part in parts if part]
    if not parts:
        return None
    rank = -(-sum(map(len, parts)) * percent // 100)
    low, high = min(part[0] for part in parts), max(part[-1] for part in parts)
    while low < high:
        middle = (low + high) // 2
        if sum(bisect_right(part, middle) for part in parts) >= rank:
            high = middle
        else:
            low = middle + 1
    return low
