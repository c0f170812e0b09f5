"""Calls as they are written: the growing ends of the journal's segments, decoded, each call once, with its cost.

Promises: each call once, in the order its line became whole, within one poll of it; memory stays bounded. A line that
is no record is told with file and offset and passed over. Sealed history is not read here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from tallybook.journal.growth import Grown, Tail
from tallybook.model import codec
from tallybook.model.call import Call, Cost
from tallybook.model.errors import InputError
from tallybook.model.question import Filter
from tallybook.store.memory import local_of, matches

SEEN_MAX = 20_000
"""Ids remembered against giving a call twice. Beyond: the oldest are forgotten; repeats come within seconds."""

_UTC = ZoneInfo("UTC")


class News(NamedTuple):
    """What one poll brought."""

    calls: list[Call]
    complaints: list[str]


class Arriving:
    """The calls of a folder from now on. Not safe for threads."""

    def __init__(self, folder: Path, price: Callable[[Call], Cost]) -> None:
        """Begins at the present end of every segment; `price` gives the cost of a call."""
        self._tail = Tail(folder)
        self._price = price
        self._seen: OrderedDict[str, None] = OrderedDict()

    def mark(self, calls: Iterable[Call]) -> None:
        """Remember calls that were given already."""
        for call in calls:
            self._is_new(call)

    def poll(self) -> News:
        """Calls whose lines became whole since the last poll, with their costs."""
        return self.read(self._tail.poll())

    def read(self, grown: Iterable[Grown]) -> News:
        """The new calls of lines of telemetry."""
        news = News([], [])
        for piece in grown:
            for offset, line in piece.lines():
                try:
                    call = codec.decode(line)
                except InputError as error:
                    news.complaints.append(f"{piece.path}: set aside at byte {offset}: {error}")
                    continue
                if self._is_new(call):
                    news.calls.append(msgspec.structs.replace(call, cost=self._price(call)))
        return news

    def _is_new(self, call: Call) -> bool:
        keys = [key for key in (call.call_id, call.response_id and f"{call.provider}\n{call.response_id}") if key]
        is_new = not any(key in self._seen for key in keys)
        for key in keys:
            self._seen[key] = None
            self._seen.move_to_end(key)
        while len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        return is_new


def matching(calls: Iterable[Call], filters: Sequence[Filter]) -> list[Call]:
    """Those that checked filters let through, by the rules of the reference store; hours and weekdays are UTC's."""
    if not filters:
        return list(calls)
    return [call for call in calls if matches(call, filters, local_of(call.started_at_us, _UTC))]
