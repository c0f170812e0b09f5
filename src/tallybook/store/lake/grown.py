"""Hot lines as a table that grows: each question reads only the lines written since the last one.

A segment is known by its inode and its first bytes, so the sealer's renaming costs nothing; rows of segments that were
sealed are taken out. All lines are kept, also repeats: `counted` marks those that do not count. Where a line is no
record it refuses, and the caller reads all of these segments anew (`lines.Lines.load`).

Few new lines are priced in Python and put into the table by one statement: DuckDB takes longer to plan the pricing in
SQL than a thousand calls take there. Many are priced by DuckDB. Both ways give the same costs.

Of few new lines the calls themselves are told too (`recent`), so that what was added up of the rows can go on from
there (`running`); they wait to be put into the table until it is asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from tallybook.model import codec
from tallybook.model.call import Call, Cost
from tallybook.model.errors import InputError
from tallybook.prices.pricer import Pricer
from tallybook.store.lake.counted import MARKS, Counted
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.lines import NUMBER, PRICED, Lines, numbered_source
from tallybook.store.lake.manifest import Manifest
from tallybook.store.lake.price import Prices
from tallybook.store.lake.schema import COST_COLUMNS
from tallybook.store.lake.scratch import Scratch

TABLE = "grown"
_FRESH = "grown_fresh"
_HEAD_BYTES = 512
_CHUNK_BYTES = 8 * 1024 * 1024
_GROUP_BYTES = 32 * 1024 * 1024
"""Read at once, so that memory does not grow with what is new."""
_FEW_BYTES = 1_500_000
"""New lines up to this are priced in Python, at 14 µs each. Beyond: by DuckDB, which takes 45 ms to begin."""
RECENT_MAX = 4_000
"""Calls told at least, two megabytes or so. Who comes later than that adds the rows up anew."""
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


class Recent(NamedTuple):
    """The last rows as calls: those behind the place `start`."""

    changes: tuple[int, ...]
    """Changes when something other than further rows has become of the table."""
    start: int
    calls: Sequence[Call]

    @property
    def end(self) -> int:
        """The place of the last row."""
        return self.start + len(self.calls)


class Grown:
    """The table `grown` of one connection. Not safe for several threads at once."""

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path, lines: Lines, counted: Counted) -> None:
        """`counted` looks after this very table."""
        self._con = con
        self._folder = folder
        self._lines = lines
        self._counted = counted
        self._pricer: tuple[Prices | None, Pricer] | None = None
        self._place = 0
        self._has_removed = False
        self._known: dict[Inode, Known] = {}
        self._columns: frozenset[str] = frozenset()
        self._refused: set[Inode] = set()
        self._next = 0
        self._exists = False
        self._spare = 0
        self._scratch: Scratch | None = None
        self._waiting: list[bytes] = []
        """Priced lines that are taken in and not yet in the table."""
        self._recent: list[Call] = []
        self._changes = 0

    def advance(self, paths: Sequence[str], columns: frozenset[str], manifest: Manifest, prices: Prices | None) -> bool:
        """Take in what the segments hold now, where that is few lines that count beyond doubt; False when not, and
        nothing is taken in then. The table lacks them until `flush`.
        """
        if not self._exists or self._refused or self._has_removed or not columns <= self._columns:
            return False
        if not self._counted.is_current(manifest):
            return False
        alive, changed, gone = self._looked(paths)
        if gone is not None or self._known.keys() - alive:
            return False
        pieces: list[tuple[int, bytes]] = []
        pending: dict[Inode, Known] = {}
        for path, inode in changed:
            try:
                for known, data in self._fresh(self._folder / path, inode):
                    if known is None or len(data) > _FEW_BYTES:
                        return False
                    pieces.append((known.number, data))
                    pending[inode] = known
            except FileNotFoundError:
                return False
        if self._has_removed or sum(len(data) for _, data in pieces) > _FEW_BYTES:
            return False
        found = self._priced(pieces, prices)
        if found is None or (found and not self._counted.accept([call for _, call in found], manifest)):
            return False
        self._known |= pending
        self._waiting += [line for line, _ in found]
        self._recent += [call for _, call in found]
        if len(self._recent) > 2 * RECENT_MAX:
            del self._recent[:-RECENT_MAX]
        return True

    @property
    def recent(self) -> Recent:
        """The last rows that `advance` took in."""
        end = self._place + len(self._waiting)
        return Recent((self._changes, self._counted.changes), end - len(self._recent), self._recent)

    @property
    def place(self) -> int:
        """The place of the table's last row."""
        return self._place

    def flush(self) -> bool:
        """Put what `advance` took in into the table; False when the table cannot serve these segments."""
        if not self._waiting:
            return True
        scratch = self._scratch_path()
        try:
            scratch.write_bytes(b"".join(self._waiting))
            is_good = self._put(scratch, True, None)
        except Exception:
            self.forget()
            raise
        finally:
            scratch.unlink(missing_ok=True)
        if not is_good:
            self._refused |= self._known.keys()
            self.forget()
            return False
        self._waiting = []
        self._counted.accepted(self._place)
        return True

    def refresh(self, paths: Sequence[str], columns: frozenset[str], prices: Prices | None) -> bool:
        """Bring the table to what the segments hold now; False when it cannot serve them.

        Raises FileNotFoundError when a segment is gone; what was taken in of the others stays.
        """
        if not columns <= self._columns:
            self.forget()
            self._columns = columns
        elif not self.flush():
            return False
        self._recent = []
        alive, changed, gone = self._looked(paths)
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

    def _looked(self, paths: Sequence[str]) -> tuple[set[Inode], list[tuple[str, Inode]], str | None]:
        """The segments there are, those that have changed, and one that is gone, if there is one."""
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
        return alive, changed, gone

    @property
    def has_rows(self) -> bool:
        """Whether the table exists."""
        return self._exists

    def count(self, manifest: Manifest) -> None:
        """Mark the rows that do not count, after `refresh`."""
        try:
            self._counted.update(manifest, self._has_removed)
        except Exception:
            self.forget()
            raise
        self._has_removed = False

    def forget(self) -> None:
        """Start anew at the next refresh."""
        if self._exists:
            self._con.execute(f"DROP TABLE IF EXISTS {TABLE}")
        self._counted.forget()
        self._has_removed = False
        self._exists = False
        self._changes += 1
        self._waiting = []
        self._recent = []
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
        self._has_removed = True
        self._changes += 1
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
        pieces: list[tuple[int, bytes]] = []
        size = 0
        for path, inode in changed:
            try:
                for known, data in self._fresh(self._folder / path, inode):
                    if known is None:
                        self._refused.add(inode)
                        return None
                    pieces.append((known.number, data))
                    pending[inode] = known
                    size += len(data)
                    if size >= _GROUP_BYTES:
                        if not self._add(pieces, pending, prices):
                            return None
                        pending, pieces, size = {}, [], 0
            except FileNotFoundError:
                missed = path
        if pending:
            self._add(pieces, pending, prices)
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

    def _add(self, pieces: Sequence[tuple[int, bytes]], pending: dict[Inode, Known], prices: Prices | None) -> bool:
        """Put whole lines, by segment, into the table with their costs; False when one of them is no record."""
        size = sum(len(data) for _, data in pieces)
        if size:
            few = (self._priced(pieces, prices) or None) if size <= _FEW_BYTES else None
            scratch = self._scratch_path()
            try:
                with scratch.open("wb") as out:
                    if few is not None:
                        out.writelines(line for line, _ in few)
                    else:
                        out.writelines(_numbered(data, number) for number, data in pieces)
                is_good = self._put(scratch, few is not None, prices)
            finally:
                scratch.unlink(missing_ok=True)
            if not is_good:
                self._refused |= pending.keys()
                self.forget()
                return False
        self._known |= pending
        return True

    def _put(self, scratch: Path, is_priced: bool, prices: Prices | None) -> bool:
        """The lines of the scratch file as rows behind the last one; False when one of them is no record."""
        source = numbered_source(scratch)
        if is_priced:
            rows = self._lines.read_priced(source, self._columns, also=(NUMBER,))
        else:
            if self._lines.read(_FRESH, source, self._columns, also=(NUMBER,)):
                if self._bad(_FRESH):
                    return False
                self._lines.price(_FRESH, prices)
            rows = f"SELECT * FROM {_FRESH}"
        marked = f"SELECT *, {self._place} + row_number() OVER () AS place, {MARKS} FROM ({rows})"
        if self._exists:
            row = self._con.execute(f"INSERT INTO {TABLE} BY NAME {marked}").fetchone()
        else:
            row = self._con.execute(f"CREATE OR REPLACE TEMP TABLE {TABLE} AS {marked}").fetchone()
            self._exists = True
        before, self._place = self._place, self._place + (int(row[0]) if row else 0)
        if not is_priced:
            self._lines.drop(_FRESH)
        return not self._bad(f"{TABLE} WHERE place > {before}")

    def _bad(self, rows: str) -> bool:
        """Whether one of the rows is no record."""
        row = self._con.execute(
            f"SELECT count(*) - count(CASE WHEN started_at IS NOT NULL AND {NUMBER} IS NOT NULL THEN call_id END) "
            f"FROM {rows}"
        ).fetchone()
        return row is not None and row[0] != 0

    def _priced(self, pieces: Sequence[tuple[int, bytes]], prices: Prices | None) -> list[tuple[bytes, Call]] | None:
        """The lines with their number and their costs, and their calls; `None` when one is not plainly a record."""
        if self._pricer is None or self._pricer[0] is not prices:
            self._pricer = (prices, Pricer(prices))
        price = self._pricer[1].cost
        found: list[tuple[bytes, Call]] = []
        for number, data in pieces:
            start = b'{"%s":%d,"%s":' % (NUMBER.encode(), number, PRICED.encode())
            for line in data.split(b"\n"):
                if not line:
                    continue
                try:
                    call = codec.decode(line)
                except InputError:
                    return None
                if not call.call_id or line[:1] != b"{" or len(line) < 3:
                    return None
                cost = price(call)
                found.append(
                    (start + _encode(_cells(cost)) + b"," + line[1:] + b"\n", msgspec.structs.replace(call, cost=cost))
                )
        return found

    def _scratch_path(self) -> Path:
        if self._scratch is None:
            self._scratch = Scratch()
        return self._scratch.path / "fresh.jsonl"


_encode = msgspec.json.Encoder().encode
_NAMES = tuple(name for name, _ in COST_COLUMNS)


def _cells(cost: Cost) -> dict[str, object]:
    """A cost as the columns of `COST_COLUMNS`."""
    values = (
        cost.total_nanousd, cost.input_nanousd, cost.cache_read_nanousd, cost.cache_write_nanousd, cost.output_nanousd,
        cost.tools_nanousd, cost.status, cost.price, _encode(cost.reasons).decode() if cost.reasons else None,
    )  # fmt: skip
    return dict(zip(_NAMES, values, strict=True))


def _numbered(data: bytes, number: int) -> bytes:
    """Lines with their segment's number as a first key. A text in JSON holds no newline, so none is touched inside."""
    return (b"\n" + data).replace(b"\n{", b'\n{"%s":%d,' % (NUMBER.encode(), number)) + b"\n"


def _is_record(line: bytes) -> bool:
    try:
        codec.decode(line)
    except InputError:
        return False
    return True
