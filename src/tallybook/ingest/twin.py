"""Calls of spans counted once, in whatever order, batch and process they come: the memory behind `dialects.twin`.

Two spans of one request may come in one payload, minutes apart, or a day late after a restart. What was recorded is
in the ledger already, so nothing else is kept on disk: the OTLP calls of an hour are read from the store when a span of
that hour first comes, and from then on what is recorded is remembered. The span that comes second is written under
the id that the first one got, and the store merges the two.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from tallybook.ingest.dialects import ident, twin
from tallybook.ingest.dialects.spans import Seen
from tallybook.ingest.dialects.twin import Known
from tallybook.model.call import Call, Step
from tallybook.model.question import Filter

HOUR_US = 3_600_000_000
BEFORE_US = 600_000_000
"""How long before its inner span an outer one may have begun."""
REMEMBERED_MAX = 200_000
"""Calls remembered, some 500 bytes each. Beyond: the hours not used for longest are forgotten, and read again when
needed; of one hour with more, the oldest calls are forgotten, and a twin of such a one is counted apart."""


class Ledger(Protocol):
    """The part of a `CallStore` that is needed here."""

    def scan(
        self, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> Iterator[list[Call]]:
        """See `CallStore.scan`."""
        ...


class _Hour:
    """OTLP calls of one hour, by what finds them."""

    def __init__(self) -> None:
        self.by_parent: dict[str, Known] = {}
        """By the parent's tail, the last one of each parent: of an outer span, its inner one."""
        self.by_tail: dict[str, Known] = {}
        """By the tail of the span itself."""

    def __len__(self) -> int:
        return len(self.by_parent) + len(self.by_tail)


class Counted(NamedTuple):
    """Calls to record, each request once as far as is known, and the steps that outer spans become."""

    calls: list[Call]
    steps: list[Step]
    renamed: dict[str, str]
    """Ids under which twins would have been recorded, and those under which they are."""


class Twins:
    """Finds the recorded twin of a span's call. For one thread at a time."""

    def __init__(self, ledger: Ledger | None, remembered_max: int = REMEMBERED_MAX) -> None:
        """`ledger` is where earlier calls are read from; without one only this process's are known."""
        self._ledger = ledger
        self._max = remembered_max
        self._hours: OrderedDict[int, _Hour] = OrderedDict()
        self._size = 0

    def settle(self, seen: Sequence[Seen]) -> Counted:
        """Calls of a payload's spans, with twins made one: those of the payload itself, then those recorded before."""
        renamed: dict[str, str] = {}
        kept, steps = _within(seen, renamed)
        calls: list[Call] = []
        for one in kept:
            call = self._against_recorded(one, steps, calls)
            if call.call_id != one.call.call_id:
                renamed[one.call.call_id] = call.call_id
            calls.append(call)
        return Counted(calls, steps, renamed)

    def _against_recorded(self, one: Seen, steps: list[Step], calls: list[Call]) -> Call:
        call = one.call
        inner = self._inner_of(one)
        outer = self._outer_of(one) if one.parent_tail is not None else None
        if inner is not None:
            steps.append(twin.outer_step(twin.known_of(call)))
            call = _as_inner(call, inner)
            if outer is not None and outer.call_id != call.call_id and call.response_id is not None:
                # Recorded apart, as this one was missing between them: by the id the store makes them one.
                calls.append(_under_outer(call, outer))
        elif outer is not None:
            steps.append(twin.outer_step(outer))
            call = _under_outer(call, outer)
        if call.response_id is None or one.parent_tail is not None or call is not one.call:
            self._remember(call, one)
        return call

    def _inner_of(self, one: Seen) -> Known | None:
        """The recorded call whose span this one is around: it lies within it in time."""
        call = one.call
        end_us = call.started_at_us + min(call.duration_us or 0, 24 * HOUR_US)
        for hour in range(call.started_at_us // HOUR_US, end_us // HOUR_US + 1):
            known = self._hour(hour).by_parent.get(one.tail)
            if known is not None and known.call_id != call.call_id and twin.are_one(call, known):
                return known
        return None

    def _outer_of(self, one: Seen) -> Known | None:
        """The recorded call whose span is around this one."""
        call = one.call
        first = (call.started_at_us - BEFORE_US) // HOUR_US
        for hour in range(call.started_at_us // HOUR_US, first - 1, -1):
            by_tail = self._hour(hour).by_tail
            for tail in (one.parent_tail, *one.outer_tails):
                known = by_tail.get(tail) if tail is not None else None
                if known is not None and known.call_id != call.call_id and twin.are_one(known, call):
                    return known
        return None

    def _remember(self, call: Call, one: Seen) -> None:
        hour = self._hour(call.started_at_us // HOUR_US)
        self._size -= len(hour)
        known = twin.known_of(call)
        _put(hour, known)
        hour.by_tail[one.tail] = known
        for tail in (one.parent_tail, *one.outer_tails):
            if tail is not None:
                hour.by_parent[tail] = known
        while len(hour) > self._max:
            fullest = max((hour.by_parent, hour.by_tail), key=len)
            del fullest[next(iter(fullest))]
        self._size += len(hour)
        while self._size > self._max and len(self._hours) > 1:
            oldest = next(iter(self._hours))
            self._size -= len(self._hours.pop(oldest))

    def _hour(self, number: int) -> _Hour:
        known = self._hours.get(number)
        if known is not None:
            self._hours.move_to_end(number)
            return known
        hour = self._hours[number] = _Hour()
        if self._ledger is not None:
            since_us = max(number, 0) * HOUR_US
            batches = self._ledger.scan(_OTLP, since_us=since_us, until_us=since_us + HOUR_US)
            for batch in batches:
                for call in batch:
                    _put(hour, twin.known_of(call))
                if len(hour) > self._max:
                    break
        self._size += len(hour)
        return hour


_OTLP = (Filter("source", "eq", "otlp"),)


def _put(hour: _Hour, known: Known) -> None:
    hour.by_tail[ident.tail_of(known.call_id)] = known
    if known.parent_id is not None:
        hour.by_parent[ident.tail_of(known.parent_id)] = known


def _within(seen: Sequence[Seen], renamed: dict[str, str]) -> tuple[list[Seen], list[Step]]:
    """Twins of one payload made one: the inner span stays, and takes what the outer ones know."""
    steps: list[Step] = []
    if len(seen) < 2:
        return list(seen), steps
    places = {one.tail: place for place, one in enumerate(seen)}
    kept: dict[int, Seen] = dict(enumerate(seen))
    inner_of: dict[int, int] = {}
    for place, one in enumerate(seen):
        outer = places.get(one.parent_tail) if one.parent_tail is not None else None
        if outer is not None and outer != place and outer not in inner_of and twin.are_one(seen[outer].call, one.call):
            inner_of[outer] = place
    _beside(seen, inner_of)
    for outer, first in inner_of.items():
        place, steps_up = first, 0
        while place in inner_of and steps_up < len(seen):
            place, steps_up = inner_of[place], steps_up + 1
        if place == outer or place not in kept or outer not in kept:
            continue
        found = kept.pop(outer)
        steps.append(twin.outer_step(twin.known_of(found.call)))
        inner = kept[place]
        renamed[found.call.call_id] = inner.call.call_id
        kept[place] = inner._replace(
            call=twin.filled(inner.call, twin.known_of(found.call)), outer_tails=(*inner.outer_tails, found.tail)
        )
    return _by_response(list(kept.values()), renamed), steps


_SLACK_US = 20_000
"""Two clocks of one request, read by two libraries, differ by less."""


def _beside(seen: Sequence[Seen], inner_of: dict[int, int]) -> None:
    """Pair spans without a response id with the SDK's own that are not their children: in a stream's manager the outer
    span is not the current one when the request goes out. Each takes one that lies within it and agrees with it.
    """
    free = [place for place, one in enumerate(seen) if one.is_sdks and place not in inner_of.values()]
    if not free:
        return
    for place, one in enumerate(seen):
        if one.call.response_id is not None or one.is_sdks or place in inner_of or one.call.usage.total_tokens is None:
            continue
        for other in free:
            if _lies_within(seen[other].call, one.call) and twin.are_one(one.call, seen[other].call):
                inner_of[place] = other
                free.remove(other)
                break


def _lies_within(inner: Call, outer: Call) -> bool:
    begin, end = outer.started_at_us - _SLACK_US, outer.started_at_us + (outer.duration_us or 0) + _SLACK_US
    return begin <= inner.started_at_us and inner.started_at_us + (inner.duration_us or 0) <= end


def _by_response(seen: list[Seen], renamed: dict[str, str]) -> list[Seen]:
    """One of each response id of a payload: a library's root span beside the SDK's own, in another trace."""
    first: dict[tuple[str, str], int] = {}
    kept: list[Seen] = []
    for one in seen:
        call = one.call
        if call.response_id is None:
            kept.append(one)
            continue
        key = (call.provider, call.response_id)
        place = first.get(key)
        if place is None:
            first[key] = len(kept)
            kept.append(one)
        else:
            better, other = kept[place], one
            if call.started_at_us < better.call.started_at_us:
                better, other = one, better
            renamed[other.call.call_id] = better.call.call_id
            kept[place] = better._replace(call=twin.filled(better.call, twin.known_of(other.call)))
    return kept


def _as_inner(outer: Call, inner: Known) -> Call:
    """An outer span's call under the id of its inner one, which was recorded before."""
    call = twin.filled(outer, inner)
    return msgspec.structs.replace(
        call,
        call_id=inner.call_id,
        started_at_us=max(outer.started_at_us, inner.started_at_us // _DAY_US * _DAY_US),
        parent_id=inner.parent_id,
        response_id=inner.response_id or call.response_id,
        response_model=inner.response_model or call.response_model,
    )


_DAY_US = 86_400_000_000


def _under_outer(inner: Call, outer: Known) -> Call:
    """An inner span's call under the id of its outer one, which was recorded before."""
    call = twin.filled(inner, outer)
    # Of two records without the provider's id the earlier stays: this one is the later.
    started_at_us = inner.started_at_us if call.response_id is None else outer.started_at_us
    return msgspec.structs.replace(call, call_id=outer.call_id, started_at_us=started_at_us)
