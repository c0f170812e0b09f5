"""What a listener missed longer ago than the hub remembers, from the ledger itself.

Ids of events are times, so an id leads to the calls that ended after it, whichever process told it. Only ends of calls
come back so: run totals and tasks are asked for as they now are. Calls that ended close to the border may come twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from tallybook.live.event import Event, Wanted, of_call, placed
from tallybook.model.call import Call
from tallybook.store.base import CallStore

LONGEST_US = 3_600_000_000
"""Calls that took longer than this are not looked for: the ledger is sorted by their starts."""
MARGIN_US = 2_000_000
"""A call's line may be seen so long after its end."""
CALLS_MAX = 10_000
"""Calls given back at once. Beyond: the latest, and the listener is told that there were more."""


class Replayed(NamedTuple):
    """What the ledger says."""

    events: list[Event]
    is_whole: bool
    """False when there were more than are given."""


def ended_at_us(call: Call) -> int:
    """When a call ended, in microseconds since 1970."""
    return call.started_at_us + (call.duration_us or 0)


def replay(
    store: CallStore, wanted: Wanted, after: int, show: Callable[[Call], dict[str, Any]],
    known: Collection[str] = (), until: int | None = None,
) -> Replayed:  # fmt: skip
    """Ends of calls after an event's id, in their order; `known` ids of calls are left out. Raises what the store does.

    `until` is the id of the first event that the hub still has: ids given here stay below it.
    """
    since_us = after - MARGIN_US
    calls: list[Call] = []
    for batch in store.scan(wanted.filters, since_us=since_us - LONGEST_US):
        calls += [call for call in batch if ended_at_us(call) >= since_us and call.call_id not in known]
        if len(calls) > 4 * CALLS_MAX:
            calls = sorted(calls, key=ended_at_us)[-2 * CALLS_MAX :]
    calls.sort(key=ended_at_us)
    is_whole = len(calls) <= CALLS_MAX
    events: list[Event] = []
    last = after
    for call in calls[-CALLS_MAX:]:
        fresh = of_call(call, show(call))
        if call.source.startswith("import:") or not wanted.takes(fresh):
            continue
        last = max(last + 1, ended_at_us(call))
        if until is not None and last >= until:
            last = until - 1
        events.append(placed(fresh, last))
    return Replayed(events, is_whole)
