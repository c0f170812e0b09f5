"""Calls that began and have not ended: what `started*.jsonl` says, less what ended, less what was lost.

A call is lost when it has no record and nobody holds the latest segment in which its process told of a start. It is
then told once; should its record come after all, that is told as well. Bounded; knows no clock and no store.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path

from tallybook.journal.growth import Grown
from tallybook.journal.lock import is_held
from tallybook.model.call import Call
from tallybook.model.errors import InputError
from tallybook.model.limits import LIVE_UNDER_WAY
from tallybook.model.started import Started, decode_started


def held(path: Path) -> bool:
    """Whether a process holds a segment; False for one that is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return is_held(descriptor)
    finally:
        os.close(descriptor)


class UnderWay:
    """Not safe for threads."""

    def __init__(self, is_alive: Callable[[Path], bool] = held) -> None:
        self._is_alive = is_alive
        self._open: OrderedDict[str, Started] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._places: dict[str, Path] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def calls(self) -> list[Call]:
        """What is under way, oldest first."""
        return [started.call for started in self._open.values()]

    def read(self, grown: Iterable[Grown]) -> tuple[list[Call], list[str]]:
        """Calls that lines of started calls tell of and that have not ended; and complaints about lines that tell
        nothing."""
        begun: dict[str, Call] = {}
        complaints: list[str] = []
        for piece in grown:
            for offset, line in piece.lines():
                try:
                    started = decode_started(line)
                except InputError as error:
                    complaints.append(f"{piece.path}: set aside at byte {offset}: {error}")
                    continue
                self._places[started.by] = piece.path
                call_id = started.call.call_id
                if started.is_withdrawn:
                    self._open.pop(call_id, None)
                    begun.pop(call_id, None)
                elif self._ended.pop(call_id, 0) == 0:
                    self._open[call_id] = started
                    begun[call_id] = started.call
        while len(self._open) > LIVE_UNDER_WAY:
            self._open.popitem(last=False)
        return list(begun.values()), complaints

    def ended(self, call_ids: Iterable[str]) -> None:
        """These have their record. It may be seen before the line that says that they began."""
        for call_id in call_ids:
            if self._open.pop(call_id, None) is None:
                self._ended[call_id] = None
        while len(self._ended) > LIVE_UNDER_WAY:
            self._ended.popitem(last=False)

    def dead(self) -> frozenset[str]:
        """Writers of calls under way that hold no segment any more."""
        writers = {started.by for started in self._open.values()}
        self._places = {by: path for by, path in self._places.items() if by in writers}
        return frozenset(by for by in writers if not self._is_alive(self._places[by]))

    def lost(self, dead: frozenset[str]) -> list[Call]:
        """Calls of dead writers that have not ended; each is told once and then forgotten.

        Read everything between asking for the dead and asking for their calls: who ended well wrote its calls first.
        """
        found = [started.call for started in self._open.values() if started.by in dead]
        for call in found:
            del self._open[call.call_id]
        return found
