"""What the journal's segments grow by: whole lines, each once, whichever process writes them.

One look costs a `stat` a segment: folders that have not changed since are not listed again. A segment is known by its
inode, because the sealer renames it; its names tell a segment that went from another that got its number.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from tallybook.journal.layout import Kind, is_day, kind_of
from tallybook.journal.writer import SEALING

READ_BYTES = 4 * 1024 * 1024
"""Read from one segment at one look. Beyond: the rest at the next, so that one writer does not starve others."""

LINE_BYTES = 64 * 1024 * 1024
"""The longest line that is waited for (a stored body may be 8 MB before it is escaped). Beyond: given up and told."""

_SETTLED_NS = 2_000_000_000
"""What changed less long ago may change again within the same tick of the file system's clock."""
_BACK_BYTES = 65_536

_CALLS: tuple[Kind, ...] = ("telemetry",)

Key = tuple[int, int]
"""Device and inode of a segment."""


class Found(NamedTuple):
    """A segment as it stands now."""

    path: Path
    kind: Kind
    key: Key
    size: int


class Lister:
    """The segments of some kinds in a folder, again and again. Not safe for threads."""

    def __init__(self, folder: Path, kinds: Collection[Kind]) -> None:
        self._folder = folder
        self._kinds = frozenset(kinds)
        self._days: tuple[int, int, list[str]] | None = None
        self._names: dict[str, tuple[int, int, list[tuple[str, Kind]]]] = {}
        self.is_whole = True
        """Whether the last look saw all: no segment was renamed or removed in its midst."""

    def look(self) -> list[Found]:
        """All segments with their sizes, by day and name."""
        self.is_whole = True
        found: list[Found] = []
        days = self._list_days()
        for day in days:
            for name, kind in self._list_names(day):
                path = f"{self._folder}/{day}/{name}"
                try:
                    status = os.stat(path)  # noqa: PTH116  (a path object a segment costs as much as the rest)
                except FileNotFoundError:
                    self.is_whole = False
                    self._names.pop(day, None)
                    continue
                found.append(Found(Path(path), kind, (status.st_dev, status.st_ino), status.st_size))
        for day in self._names.keys() - set(days):
            del self._names[day]
        return found

    def _list_days(self) -> list[str]:
        try:
            status = self._folder.stat()
        except FileNotFoundError:
            self._days = None
            return []
        known = self._days
        if known is not None and known[:2] == (status.st_ino, status.st_mtime_ns):
            return known[2]
        now_ns = time.time_ns()
        days = sorted(entry.name for entry in os.scandir(self._folder) if is_day(entry.name))
        settled = now_ns - status.st_mtime_ns > _SETTLED_NS
        self._days = (status.st_ino, status.st_mtime_ns, days) if settled else None
        return days

    def _list_names(self, day: str) -> list[tuple[str, Kind]]:
        place = f"{self._folder}/{day}"
        try:
            status = os.stat(place)  # noqa: PTH116  (as above)
            known = self._names.get(day)
            if known is not None and known[:2] == (status.st_ino, status.st_mtime_ns):
                return known[2]
            now_ns = time.time_ns()
            names = sorted(
                (entry.name, kind)
                for entry in os.scandir(place)
                if (kind := kind_of(entry.name)) is not None and kind in self._kinds
            )
        except (FileNotFoundError, NotADirectoryError):
            self._names.pop(day, None)
            return []
        self._names.pop(day, None)
        if now_ns - status.st_mtime_ns > _SETTLED_NS:
            self._names[day] = (status.st_ino, status.st_mtime_ns, names)
        return names


class Grown(NamedTuple):
    """Whole lines of one segment, not seen before."""

    path: Path
    kind: Kind
    start: int
    """Where the first of them begins in the file, in bytes."""
    data: bytes

    def lines(self) -> list[tuple[int, bytes]]:
        """Offset and content of each line that holds something, without its newline."""
        found: list[tuple[int, bytes]] = []
        offset = self.start
        for line in self.data.split(b"\n"):
            content = line.strip(b"\x00 \t\r")
            if content:
                found.append((offset, content))
            offset += len(line) + 1
        return found


class Tail:
    """What a folder's segments grow by from now on, or from their beginnings. Not safe for threads."""

    def __init__(self, folder: Path, kinds: Collection[Kind] = _CALLS, *, is_from_start: bool = False) -> None:
        """Begins at the present end of every segment, at the beginning of a line that is being written just now."""
        self._lister = Lister(folder, kinds)
        self._at: dict[Key, tuple[int, str]] = {}
        if not is_from_start:
            for path, _, key, size in self._lister.look():
                self._at[key] = (line_start(path, size), path.name)

    def poll(self) -> list[Grown]:
        """Lines that became whole since the last look, in the order of segments and places."""
        grown: list[Grown] = []
        present: set[Key] = set()
        for path, kind, key, size in self._lister.look():
            present.add(key)
            start, name = self._at.get(key, (0, path.name))
            if size < start or (name != path.name and f".{SEALING}" in name):
                start = 0  # Another file under the number of one that was removed.
            self._at[key] = (start, path.name)
            if size > start:
                data = whole_lines(path, start)
                if data:
                    self._at[key] = (start + len(data), path.name)
                    grown.append(Grown(path, kind, start, data))
        if self._lister.is_whole:
            for key in self._at.keys() - present:
                del self._at[key]
        return grown


def whole_lines(path: Path, start: int, limit: int = READ_BYTES) -> bytes:
    """Whole lines from `start` on, about `limit` bytes at most but one line at least; empty where none is whole.

    What is longer than `LINE_BYTES` without an end counts as a line. A segment that is gone holds none.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(limit)
            end = data.rfind(b"\n") + 1
            if not end and len(data) == limit:  # One line longer than what is read at once.
                data += file.readline(LINE_BYTES)
                end = data.rfind(b"\n") + 1 or (len(data) if len(data) >= LINE_BYTES else 0)
    except FileNotFoundError:
        return b""
    return data[:end]


def line_start(path: Path, size: int) -> int:
    """Where the line begins that a writer may be in the middle of."""
    try:
        with path.open("rb") as file:
            until = size
            while until > 0:
                begin = max(0, until - _BACK_BYTES)
                file.seek(begin)
                end = file.read(until - begin).rfind(b"\n")
                if end >= 0:
                    return begin + end + 1
                until = begin
    except FileNotFoundError:
        return size
    return 0
