"""Calls as they are written: the growing ends of the journal's segments, priced and filtered.

Promises: each call once, in the order its line became whole, within one poll of it; memory stays bounded. A line that
is no record is told with file and offset and passed over. Knows no store: sealed history is not read here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tallybook.journal.layout import segments
from tallybook.model import codec
from tallybook.model.call import Call, Cost
from tallybook.model.errors import InputError
from tallybook.model.question import Filter
from tallybook.store.memory import MemoryStore

SEEN_MAX = 20_000
"""Ids remembered against showing a call twice. Beyond: the oldest are forgotten; repeats come within seconds."""

READ_BYTES = 4 * 1024 * 1024
"""Read from one segment in one poll. Beyond: the rest at the next poll, so that one writer does not starve others."""

_LINE_MAX = 2 * 1024 * 1024


class News(NamedTuple):
    """What one poll brought."""

    calls: list[Call]
    complaints: list[str]


class Follower:
    """The journal of a folder from now on."""

    def __init__(self, folder: Path, price: Callable[[Call], Cost], filters: Sequence[Filter] = ()) -> None:
        """Begins at the present end of every segment; `price` gives the cost of a call that states none."""
        self._folder = folder
        self._price = price
        self._filters = tuple(filters)
        self._at: dict[tuple[int, int], int] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()
        for path, key, size in self._sizes():
            self._at[key] = _line_start(path, size)

    def mark(self, calls: Sequence[Call]) -> None:
        """Remember calls that were shown already."""
        for call in calls:
            self._is_new(call)

    def poll(self) -> News:
        """Calls whose lines became whole since the last poll."""
        found: list[Call] = []
        complaints: list[str] = []
        present = set()
        for path, key, size in self._sizes():
            present.add(key)
            start = self._at.setdefault(key, 0)
            if size < start:
                start = 0  # Another file under the number of one that was removed.
            if size > start:
                self._read(path, key, start, found, complaints)
        for key in self._at.keys() - present:
            del self._at[key]
        return News(self._matching([call for call in found if self._is_new(call)]), complaints)

    def _sizes(self) -> list[tuple[Path, tuple[int, int], int]]:
        found = []
        for segment in segments(self._folder):
            try:
                status = segment.path.stat()
            except FileNotFoundError:
                continue  # Sealed and removed since it was listed.
            found.append((segment.path, (status.st_dev, status.st_ino), status.st_size))
        return found

    def _read(self, path: Path, key: tuple[int, int], start: int, found: list[Call], complaints: list[str]) -> None:
        try:
            with path.open("rb") as file:
                file.seek(start)
                data = file.read(READ_BYTES)
        except FileNotFoundError:
            return
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) >= _LINE_MAX:
            complaints.append(f"{path}: no end of line within {_LINE_MAX} bytes of byte {start}")
            end = len(data)
        offset = start
        for line in data[:end].split(b"\n")[:-1] if end else ():
            if line.strip(b"\x00 \t\r"):
                try:
                    found.append(codec.decode(line.strip(b"\x00")))
                except InputError as error:
                    complaints.append(f"{path}: set aside at byte {offset}: {error}")
            offset += len(line) + 1
        self._at[key] = start + end

    def _is_new(self, call: Call) -> bool:
        keys = [key for key in (call.call_id, call.response_id and f"{call.provider}\n{call.response_id}") if key]
        is_new = not any(key in self._seen for key in keys)
        for key in keys:
            self._seen[key] = None
            self._seen.move_to_end(key)
        while len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        return is_new

    def _matching(self, calls: list[Call]) -> list[Call]:
        """Those that the filters let through, with their costs, by the rules of the reference store."""
        found = []
        for call in calls:
            store = MemoryStore(price=self._price)
            store.append([call])
            found.extend(store.calls(self._filters))
        return found


def _line_start(path: Path, size: int) -> int:
    """Where the line begins that a writer may be in the middle of."""
    try:
        with path.open("rb") as file:
            begin = max(0, size - _LINE_MAX)
            file.seek(begin)
            data = file.read(size - begin)
    except FileNotFoundError:
        return size
    end = data.rfind(b"\n") + 1
    return begin + end if end else size if begin else 0
