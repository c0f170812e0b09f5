"""Hot lines as a table that grows: each question reads only the lines written since the last one.

A segment is known by its inode and its first bytes, so the sealer's renaming costs nothing; rows of segments that were
sealed are taken out. It serves the plain case: records of our own capture, each once. Where a repeat is possible
or a line is no record, it refuses, and the caller reads all of these segments anew (`lines.Lines.load`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tallybook.model import codec
from tallybook.model.errors import InputError
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.lines import NUMBER, Lines, numbered_source
from tallybook.store.lake.price import Prices
from tallybook.store.lake.scratch import Scratch

TABLE = "grown"
_FRESH = "grown_fresh"
_HEAD_BYTES = 512
_CHUNK_BYTES = 8 * 1024 * 1024
_GROUP_BYTES = 64 * 1024 * 1024
"""Read at once, so that memory does not grow with what is new."""
_SPARE_ROWS = 100_000
"""Rows taken out before the table is written anew: DuckDB does not give back the memory of single rows."""

Inode = tuple[int, int]


class Known(NamedTuple):
    """A segment, or what is taken in of it: up to `loaded`, when it had this size and time."""

    number: int
    loaded: int
    size: int
    mtime_ns: int
    head: bytes


class Grown:
    """The table `grown` of one connection. Not safe for several threads at once."""

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path, lines: Lines) -> None:
        self._con = con
        self._folder = folder
        self._lines = lines
        self._known: dict[Inode, Known] = {}
        self._columns: frozenset[str] = frozenset()
        self._refused: set[Inode] = set()
        self._next = 0
        self._exists = False
        self._spare = 0
        self._scratch: Scratch | None = None

    def refresh(self, paths: Sequence[str], columns: frozenset[str], prices: Prices | None) -> bool:
        """Bring the table to what the segments hold now; False when it cannot serve them.

        Raises FileNotFoundError when a segment is gone; what was taken in of the others stays.
        """
        if not columns <= self._columns:
            self.forget()
            self._columns = columns
        alive: set[Inode] = set()
        changed: list[tuple[str, Inode]] = []
        gone: str | None = None
        for path in paths:
            try:
                status = (self._folder / path).stat()
            except FileNotFoundError:
                gone = path
                continue
            inode = (status.st_dev, status.st_ino)
            alive.add(inode)
            known = self._known.get(inode)
            if known is None or (known.size, known.mtime_ns) != (status.st_size, status.st_mtime_ns):
                changed.append((path, inode))
        if gone is None:
            self._refused &= alive
        if self._refused:
            return False
        try:
            if gone is None:
                self._remove(self._known.keys() - alive)
            missed = self._take(changed, prices)
        except FileNotFoundError:
            raise
        except Exception:
            self.forget()
            raise
        if missed or gone is not None:
            raise FileNotFoundError(missed or gone)
        return not self._refused

    @property
    def has_rows(self) -> bool:
        """Whether the table exists."""
        return self._exists

    def forget(self) -> None:
        """Start anew at the next refresh."""
        if self._exists:
            self._con.execute(f"DROP TABLE IF EXISTS {TABLE}")
        self._exists = False
        self._known.clear()
        self._columns = frozenset()
        self._spare = 0

    def close(self) -> None:
        """Remove scratch files."""
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def _remove(self, inodes: Iterable[Inode]) -> None:
        """Take out the rows of segments that are hot no more."""
        numbers = [self._known.pop(inode).number for inode in list(inodes)]
        if not numbers or not self._exists:
            return
        listed = ", ".join(map(str, numbers))
        row = self._con.execute(f"DELETE FROM {TABLE} WHERE {NUMBER} IN ({listed})").fetchone()
        self._spare += int(row[0]) if row else 0
        row = self._con.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
        if self._spare > max(_SPARE_ROWS, int(row[0]) if row else 0):
            self._con.execute(f"CREATE OR REPLACE TEMP TABLE {TABLE} AS SELECT * FROM {TABLE}")
            self._spare = 0

    def _take(self, changed: Sequence[tuple[str, Inode]], prices: Prices | None) -> str | None:
        """Take in what is new; the path of a segment that is gone, if one is."""
        missed: str | None = None
        pending: dict[Inode, Known] = {}
        scratch = self._scratch_path()
        out = scratch.open("wb")
        size = 0
        try:
            for path, inode in changed:
                try:
                    for known, data in self._fresh(self._folder / path, inode):
                        if known is None:
                            self._refused.add(inode)
                            return None
                        out.write(_numbered(data, known.number))
                        pending[inode] = known
                        size += len(data)
                        if size >= _GROUP_BYTES:
                            out.close()
                            if not self._add(scratch, pending, prices):
                                return None
                            out, pending, size = scratch.open("wb"), {}, 0
                except FileNotFoundError:
                    missed = path
            out.close()
            if pending:
                self._add(scratch, pending, prices)
        finally:
            out.close()
            scratch.unlink(missing_ok=True)
        return missed

    def _fresh(self, path: Path, inode: Inode) -> Iterator[tuple[Known | None, bytes]]:
        """Whole lines of a segment that are not taken in yet, in chunks; `None` when it ends in something odd."""
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if (status.st_dev, status.st_ino) != inode:
                raise FileNotFoundError(str(path))
            head = file.read(_HEAD_BYTES)
            known = self._known.get(inode)
            if known is not None and (not head.startswith(known.head) or status.st_size < known.loaded):
                self._remove([inode])
                known = None
            if known is None:
                self._next += 1
                known = Known(self._next, 0, 0, 0, b"")
            number, at = known.number, known.loaded
            while True:
                file.seek(at)
                data = file.read(_CHUNK_BYTES)
                end = data.rfind(b"\n") + 1
                if len(data) == _CHUNK_BYTES:
                    if not end:
                        data += file.readline()
                        end = len(data)
                    is_last = False
                else:
                    tail = data[end:]
                    if b"\x00" in tail:
                        yield None, b""
                    if tail and _is_record(tail):  # Whole but for its newline: other programs leave such.
                        end = len(data)
                    is_last = True
                at += end
                stamp = (status.st_size, status.st_mtime_ns) if is_last else (-1, -1)
                yield Known(number, at, *stamp, head[: min(len(head), at)]), data[:end]
                if is_last:
                    return

    def _add(self, scratch: Path, pending: dict[Inode, Known], prices: Prices | None) -> bool:
        """Put the lines of the scratch file into the table, priced; False when they are not plain."""
        if scratch.stat().st_size:
            is_priced = self._lines.read(_FRESH, numbered_source(scratch), self._columns, also=(NUMBER,))
            if not self._is_plain():
                self._refused |= pending.keys()
                self.forget()
                return False
            if is_priced:
                self._lines.price(_FRESH, prices)
            if self._exists:
                self._con.execute(f"INSERT INTO {TABLE} BY NAME SELECT * FROM {_FRESH}")
            else:
                self._con.execute(f"CREATE OR REPLACE TEMP TABLE {TABLE} AS SELECT * FROM {_FRESH}")
                self._exists = True
            self._lines.drop(_FRESH)
        self._known |= pending
        return True

    def _is_plain(self) -> bool:
        """Whether every new line is a record of our own capture that is not here yet."""
        twice = f" + (SELECT count(*) FROM {_FRESH} SEMI JOIN {TABLE} USING (call_id))" if self._exists else ""
        row = self._con.execute(
            f"SELECT count(*) FILTER (call_id IS NULL OR started_at IS NULL OR {NUMBER} IS NULL OR may_repeat "
            f"OR source NOT IN ('sdk', 'track')) + count(*) - count(DISTINCT call_id){twice} FROM {_FRESH}"
        ).fetchone()
        return row is not None and row[0] == 0

    def _scratch_path(self) -> Path:
        if self._scratch is None:
            self._scratch = Scratch()
        return self._scratch.path / "fresh.jsonl"


def _numbered(data: bytes, number: int) -> bytes:
    """Lines with their segment's number as a first key. A text in JSON holds no newline, so none is touched inside."""
    return (b"\n" + data).replace(b"\n{", b'\n{"%s":%d,' % (NUMBER.encode(), number)) + b"\n"


def _is_record(line: bytes) -> bool:
    try:
        codec.decode(line)
    except InputError:
        return False
    return True
