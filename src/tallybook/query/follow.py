"""Calls as they are written, filtered: what `tallybook tail` shows. See `store.arriving` for what it promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tallybook.model.call import Call, Cost
from tallybook.model.question import Filter
from tallybook.store.arriving import Arriving, News, matching
from tallybook.store.check import checked_filters


class Follower:
    """The journal of a folder from now on."""

    def __init__(self, folder: Path, price: Callable[[Call], Cost], filters: Sequence[Filter] = ()) -> None:
        """Begins at the present end of every segment; `price` gives the cost of a call that states none.

        Raises InputError that names a filter which cannot be used.
        """
        self._arriving = Arriving(folder, price)
        self._filters = checked_filters(filters)

    def mark(self, calls: Sequence[Call]) -> None:
        """Remember calls that were shown already."""
        self._arriving.mark(calls)

    def poll(self) -> News:
        """Matching calls whose lines became whole since the last poll."""
        news = self._arriving.poll()
        return News(matching(news.calls, self._filters), news.complaints)
