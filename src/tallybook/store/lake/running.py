"""Answers that go on: a question that is asked again and again is added up once, then only what came since.

A dashboard asks the same things every few seconds while calls arrive. What the files and hot lines say to such a
question is kept here by group, as sums that further calls can be added to; so the next answer takes the time of the new
calls alone, in plain Python, by the very measures of the memory store. Anything but further calls (a sealing, a repeat,
a correction) changes the `state`, and the question is added up anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from tallybook.model.call import Call
from tallybook.model.question import Question
from tallybook.store.check import zone_of
from tallybook.store.lake.grown import Recent
from tallybook.store.lake.summary import LATENCIES, bucket_of, letter_of, percentile_of
from tallybook.store.memory import bucket_of as start_of
from tallybook.store.memory import field_of, in_order, local_of, matches, measure_of

QUESTIONS_MAX = 64
"""Questions remembered. Beyond: the one that was not asked for longest is forgotten."""
GROUPS_MAX = 2_000
"""Groups of one question. Beyond: DuckDB sorts and cuts them faster than they are told here."""
NAMES_MAX = 100_000
"""Users of one question, some ten megabytes."""

_PARTS: dict[str, tuple[str, ...]] = {
    "unpriced_calls": ("calls", "priced_calls"),
    "duration_avg_us": ("duration_sum_us", "duration_count"),
    "users": ("user_ids",),
}
"""Measures that do not add up themselves, and what they follow from."""
FRAGMENTS = {
    "duration_count": "coalesce(sum(duration_count), 0)",
    "user_ids": "list(DISTINCT user_id) FILTER (user_id IS NOT NULL)",
}
"""What is no measure of a question, over rows of summaries."""
_BEST: dict[str, Callable[..., Any]] = {"duration_max_us": max, "last_at_us": max, "first_at_us": min}
_LOCAL = frozenset({"hour_of_day", "day_of_week"})

Key = tuple[Any, ...]


def parts_of(measures: Iterable[str]) -> tuple[str, ...]:
    """What has to be added up for these measures, percentiles aside."""
    return tuple(dict.fromkeys(part for name in measures for part in _PARTS.get(name, (name,))))


class Running:
    """One question's groups, as far as they were added up."""

    def __init__(self, question: Question, percentiles: Sequence[str], state: Any, place: int) -> None:
        """`question` is checked; it holds for `state`, up to the hot row at `place`."""
        self.state = state
        self.place = place
        self._question = question
        self._zone = zone_of(question.zone)
        self._percentiles = tuple(percentiles)
        self._parts = parts_of(name for name in question.measures if name not in percentiles) or ("calls",)
        fields = {*question.dimensions, *(given.field for given in question.filters)}
        self._is_local = question.grain is not None or bool(fields & _LOCAL)
        self._sums: dict[Key, dict[str, Any]] = {}
        self._counts: dict[Key, dict[str, dict[int, int]]] = {}
        self._rows: dict[Key, tuple[Any, ...]] = {}
        self._answer: list[tuple[Any, ...]] | None = None

    def load(self, rows: Iterable[Sequence[Any]], counts: Iterable[Sequence[Any]]) -> bool:
        """Begin with rows of a key and the parts, and rows of a key, what, bucket and number; False: it is too much."""
        at = len(self._question.dimensions) + (self._question.grain is not None)
        for row in rows:
            sums = dict(zip(self._parts, row[at:], strict=True))
            if "user_ids" in sums:
                sums["user_ids"] = set(sums["user_ids"] or ())
            self._sums[tuple(row[:at])] = sums
        for *key, what, bucket, number in counts:
            self._counts.setdefault(tuple(key), {}).setdefault(what, {})[bucket] = int(number)
        names = sum(len(sums.get("user_ids", ())) for sums in self._sums.values())
        if len(self._sums) > GROUPS_MAX or names > NAMES_MAX:
            return False
        self._rows = {key: self._told(key) for key in self._sums}
        return True

    def rows(self, recent: Recent | None = None) -> list[tuple[Any, ...]]:
        """The answer, with the recent calls that are not in it yet."""
        if recent is not None and recent.end > self.place:
            for key, calls in self._grouped(recent.calls[self.place - recent.start :]).items():
                self._add(key, calls)
                self._rows[key] = self._told(key)
                self._answer = None
            self.place = recent.end
        if self._answer is None:
            self._answer = in_order(self._question, list(self._rows.values()))
        return list(self._answer)

    def _grouped(self, calls: Iterable[Call]) -> dict[Key, list[Call]]:
        """The calls that the question is about, by its key."""
        question = self._question
        since_us, until_us = question.since_us, question.until_us
        found: dict[Key, list[Call]] = {}
        for call in calls:
            at_us = call.started_at_us
            if (since_us is not None and at_us < since_us) or (until_us is not None and at_us >= until_us):
                continue
            local = local_of(at_us, self._zone) if self._is_local else datetime.min
            if question.filters and not matches(call, question.filters, local):
                continue
            start = () if question.grain is None else (start_of(local, question.grain),)
            key = (*start, *[field_of(call, name, local) for name in question.dimensions])
            found.setdefault(key, []).append(call)
        return found

    def _add(self, key: Key, calls: Sequence[Call]) -> None:
        sums = self._sums.setdefault(key, {})
        for name in self._parts:
            sums[name] = _joined(name, sums.get(name), _part_of(name, calls))
        for letter in {letter_of(name) for name in self._percentiles}:
            counts = self._counts.setdefault(key, {}).setdefault(letter, {})
            for call in calls:
                value_us = getattr(call, LATENCIES[letter])
                if value_us is not None:
                    bucket = bucket_of(value_us)
                    counts[bucket] = counts.get(bucket, 0) + 1

    def _told(self, key: Key) -> tuple[Any, ...]:
        """A row of the answer."""
        sums, counts = self._sums[key], self._counts.get(key, {})
        return (
            *key,
            *[
                percentile_of(name, counts.get(letter_of(name), {}))
                if name in self._percentiles
                else _whole(name, sums)
                for name in self._question.measures
            ],
        )


class Runnings:
    """Questions of one reader that were asked before. Not safe for several threads at once."""

    def __init__(self) -> None:
        self._known: dict[bytes, Running | None] = {}

    def known(self, question: Question) -> tuple[bool, Running | None]:
        """Whether a question was asked before and may be added up, and what is kept of it."""
        key = _encode(question)
        if key not in self._known:
            self._put(key, None)
            return False, None
        found = self._known[key]
        self._put(key, found)
        return True, found

    def keep(self, question: Question, running: Running) -> None:
        """Keep what was added up."""
        self._put(_encode(question), running)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()

    def _put(self, key: bytes, value: Running | None) -> None:
        self._known.pop(key, None)
        self._known[key] = value
        while len(self._known) > QUESTIONS_MAX:
            del self._known[next(iter(self._known))]


_encode = msgspec.msgpack.Encoder().encode


def _part_of(name: str, calls: Sequence[Call]) -> Any:
    match name:
        case "duration_count":
            return sum(call.duration_us is not None for call in calls)
        case "user_ids":
            return {call.user_id for call in calls} - {None}
    return measure_of(name, calls)


def _joined(name: str, one: Any, other: Any) -> Any:
    """Two values of a part together; what is unknown adds nothing."""
    if one is None or other is None:
        return other if one is None else one
    if name == "user_ids":
        one |= other
        return one
    return _BEST[name](one, other) if name in _BEST else one + other


def _whole(name: str, sums: dict[str, Any]) -> Any:
    """A measure from its parts."""
    match name:
        case "unpriced_calls":
            return sums["calls"] - sums["priced_calls"]
        case "duration_avg_us":
            return sums["duration_sum_us"] // sums["duration_count"] if sums["duration_count"] else None
        case "users":
            return len(sums["user_ids"])
    return sums[name]
