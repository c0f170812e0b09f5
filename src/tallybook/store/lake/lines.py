"""Journal segments as DuckDB tables: only the columns that a question needs, each whole line once.

The fast way is `read_json` alone. A segment with a line that is no record (a torn tail, zeros after a power cut, a
line of another program without an id) is looked at by the codec, line by line: what is a record is served, what
is not is reported with its offset, and a torn tail at the very end is passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from tallybook.model import codec
from tallybook.model.errors import InputError
from tallybook.model.ids import uuid7
from tallybook.store import quality
from tallybook.store.base import Warned
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.manifest import Manifest
from tallybook.store.lake.price import Prices, load_cells, needed, priced_sql
from tallybook.store.lake.repeat import REPEAT_WITHIN_US
from tallybook.store.lake.schema import (
    COLUMN_SQL,
    COST_COLUMNS,
    LINE_COLUMNS,
    PRICE_INPUTS,
    STEP_COLUMNS,
    files_sql,
    name_sql,
    steps_sql,
    struct_sql,
    text_sql,
    time_sql,
)
from tallybook.store.lake.scratch import Scratch
from tallybook.store.told import once_sql

COSTS = frozenset(name for name, _ in COST_COLUMNS)
_STATED = "CAST(round_even(cost_usd * 1000000000, 0) AS BIGINT)"
_LINE_BYTES_MAX = 4 * 1024 * 1024
"""Above `RECORD_BYTES`; DuckDB takes two buffers of twice this size for each thread."""
BETTER = ", ".join((*quality.SQL, "started_at", "call_id"))
"""Of two records of one call the first in this order stays."""

REPEAT_COLUMNS = ", ".join(("call_id", "provider", *quality.COLUMNS, "started_at"))
"""Columns that tell which call a record is of, and which of two records stays."""

NUMBER = "segment_number"
"""Key of a line that says which segment it came from, where lines of several stand in one scratch file."""
PRICED = "priced"
"""Key of a line of a scratch file that holds its cost, worked out already: the columns of the cost."""


_COSTS_DAY = "costs_day"
"""The day of a row of costs, by which the costs of one day's lines are told."""


class Bad(NamedTuple):
    """A stretch of a segment that is no record."""

    offset: int
    data: bytes
    reason: str


class Looked(NamedTuple):
    """What looking at a segment line by line found."""

    lines: list[bytes]
    """Its records in our own form, each with an id."""
    bad: list[Bad]


def whole_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and content of each line that ends in a newline, and of a last one without."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        stop = len(data) if end < 0 else end
        yield start, data[start:stop]
        start = stop + 1


def look(data: bytes) -> Looked:
    """Read a segment's bytes line by line. A line without an id gets one from its place and content."""
    lines: list[bytes] = []
    bad: list[Bad] = []
    first = data[:200]
    for offset, line in whole_lines(data):
        stripped = line.strip(b"\x00 \t\r")
        zeros = line.count(b"\x00") if b"\x00" in line else 0
        if zeros:
            bad.append(Bad(offset, b"" if not stripped else line, f"{zeros} zero bytes"))
        if not stripped:
            continue
        try:
            call = codec.decode(stripped)
        except InputError as error:
            is_tail = offset + len(line) == len(data)
            if not is_tail and not zeros:
                bad.append(Bad(offset, line, str(error)))
            continue
        if not call.call_id:
            digest = hashlib.sha256(first + offset.to_bytes(8, "big") + stripped).digest()
            made_up = uuid7(max(call.started_at_us // 1000, 0), int.from_bytes(digest[:9], "big") & ((1 << 74) - 1))
            call = msgspec.structs.replace(call, call_id=made_up)
        lines.append(codec.encode(call))
    return Looked(lines, bad)


class Lines:
    """Reads telemetry segments of one folder into a table of a connection."""

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._con = con
        self._folder = folder
        self._looked: dict[tuple[str, int], str] = {}
        """The file that stands for a segment of a size: itself, or a cleaned copy."""
        self._scratch: Scratch | None = None
        self.found: dict[tuple[str, int], Warned] = {}
        self.bad: dict[str, list[Bad]] = {}

    def load(self, table: str, paths: Sequence[str], columns: Iterable[str]) -> bool:
        """Make the temporary table `table` of `columns` from segments (relative paths); True when `price` must follow.

        Columns `call_id`, `started_at` and what deduplication needs are always there. Raises FileNotFoundError when a
        segment is gone, so that the caller takes a new view of the folder.
        """
        wanted, is_priced = _with_needed(columns)
        self._read(table, paths, wanted, is_priced)
        doubtful = self._con.execute(
            f"SELECT filename FROM {table} WHERE call_id IS NULL OR started_at IS NULL GROUP BY ALL"
        ).fetchall()
        if doubtful:
            self._look(name for (name,) in doubtful)
            self._read(table, paths, wanted, is_priced)
            self._con.execute(f"DELETE FROM {table} WHERE call_id IS NULL OR started_at IS NULL")
        self._merge(table, paths, wanted, is_priced)
        return is_priced

    def read(self, table: str, source: str, columns: Iterable[str], also: Sequence[str] = ()) -> bool:
        """Make the temporary table `table` of a source's lines as they are; True when `price` must follow."""
        wanted, is_priced = _with_needed(columns)
        self._make(table, source, wanted, is_priced, also)
        return is_priced

    def read_priced(self, source: str, columns: Iterable[str], also: Sequence[str] = ()) -> str:
        """SELECT of a numbered source's lines whose costs stand under `PRICED`, in the columns that `read` and `price`
        give together."""
        wanted, is_priced = _with_needed(columns)
        costs = [f"{PRICED}.{name} AS {name}" for name, _ in COST_COLUMNS] if is_priced else []
        return self._select(source, wanted, is_priced, [*also, *costs])

    def price(self, table: str, prices: Prices | None) -> None:
        """Make `table` a view of its rows with the columns of the cost beside them.

        The costs stand in a table of their own in the same order (copying sixty columns costs more than pricing).
        """
        absent = load_cells(self._con, table, prices)
        inputs = ", ".join(
            (*PRICE_INPUTS, "stated_nanousd", "rowid AS place", f"CAST(started_at AS DATE) AS {_COSTS_DAY}")
        )
        costs = ", ".join(name for name, _ in COST_COLUMNS)
        priced = priced_sql(f"(SELECT {inputs} FROM {table})", f"{costs}, {_COSTS_DAY}, place", needed(prices), absent)
        self._con.execute(
            f"CREATE OR REPLACE TEMP TABLE {table}_costs AS SELECT {costs}, {_COSTS_DAY} FROM ({priced}) ORDER BY place"
        )
        self._con.execute(f"ALTER TABLE {table} RENAME TO {table}_lines")
        self._con.execute(f"CREATE TEMP VIEW {table} AS {_side_by_side(f'{table}_lines', f'{table}_costs')}")

    def of_day(self, table: str, day: str) -> str:
        """The rows of one day of a table that `price` made a view: a filter on the view would read all the others."""
        wanted = f"DATE {text_sql(day)}"
        lines = f"(SELECT * FROM {table}_lines WHERE day = {wanted})"
        return f"({_side_by_side(lines, f'(SELECT * FROM {table}_costs WHERE {_COSTS_DAY} = {wanted})')})"

    def drop(self, table: str) -> None:
        """Remove a table, or the view and the tables that stand for it."""
        for name in (table, f"{table}_lines", f"{table}_costs"):
            self._drop(name)

    def _drop(self, table: str) -> None:
        try:
            self._con.execute(f"DROP TABLE IF EXISTS {table}")
        except duckdb.CatalogException:  # It is a view. Asking the catalogue first takes longer than all the rest.
            self._con.execute(f"DROP VIEW IF EXISTS {table}")

    def _read(self, table: str, paths: Sequence[str], wanted: set[str], is_priced: bool) -> None:
        try:
            self._make(table, self.source(paths), wanted, is_priced, ("filename",))
        except duckdb.IOException as error:
            missing = [path for path in paths if not (self._folder / path).exists()]
            if missing:
                raise FileNotFoundError(missing[0]) from error
            raise

    def _make(self, table: str, source: str, wanted: set[str], is_priced: bool, also: Sequence[str]) -> None:
        """One pass of read_json with just the keys that the wanted columns follow from."""
        self.drop(table)
        self._con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {self._select(source, wanted, is_priced, also)}")

    def _select(self, source: str, wanted: set[str], is_priced: bool, also: Sequence[str]) -> str:
        chosen = [f"{sql} AS {name_sql(name)}" for name, sql in COLUMN_SQL.items() if name in wanted]
        chosen += [f"{_STATED} AS stated_nanousd"] if is_priced else []
        chosen += ["tool_calls"] if "tool_calls" in wanted else []
        return (
            f"SELECT {', '.join([*chosen, *also])} FROM (SELECT *, {time_sql('timestamp')} AS started_at FROM {source})"
        )

    def load_steps(self, table: str, paths: Sequence[str]) -> None:
        """Make the temporary table `table` of the steps in segments, each once. Raises FileNotFoundError as `load`."""
        files = files_sql([str(self._folder / path) for path in paths])
        source = (
            f"read_json({files}, format='newline_delimited', ignore_errors=true, "
            f"maximum_object_size={_LINE_BYTES_MAX}, columns={struct_sql(STEP_COLUMNS)})"
        )
        try:
            self._con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {steps_sql(source)}")
            row = self._con.execute(f"SELECT count(*) - count(DISTINCT (run_id, step_id)) FROM {table}").fetchone()
            if row and row[0]:
                self._con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {once_sql(table)}")
        except duckdb.IOException as error:
            missing = [path for path in paths if not (self._folder / path).exists()]
            if missing:
                raise FileNotFoundError(missing[0]) from error
            raise

    def steps_near(self, table: str, manifest: Manifest) -> list[str]:
        """Sealed files of steps (absolute) in which those of `table` can have been told before."""
        row = self._con.execute(f"SELECT epoch_us(min(started_at)), epoch_us(max(started_at)) FROM {table}").fetchone()
        if row is None or row[0] is None:
            return []
        near = manifest.of("steps", row[0] - REPEAT_WITHIN_US, row[1] + REPEAT_WITHIN_US)
        return [str(self._folder / file.path) for file in near]

    def source(self, paths: Sequence[str]) -> str:
        """The read_json of segments, or of the cleaned copies of those that need it."""
        files = [self._stand_in(path) for path in paths]
        return (
            f"read_json({files_sql(files)}, format='newline_delimited', ignore_errors=true, filename=true, "
            f"maximum_object_size={_LINE_BYTES_MAX}, columns={struct_sql(LINE_COLUMNS)})"
        )

    def _stand_in(self, path: str) -> str:
        full = self._folder / path
        if not self._looked:
            return str(full)
        return self._looked.get((path, full.stat().st_size), str(full))

    def _look(self, names: Iterable[str]) -> None:
        """Look at segments with a doubtful line, and write cleaned copies of those that need it."""
        for name in names:
            full = Path(name)
            if full.parent.parent != self._folder:
                continue  # A cleaned copy already.
            path = f"{full.parent.name}/{full.name}"
            data = full.read_bytes()
            looked = look(data)
            self.bad[path] = looked.bad
            for one in looked.bad:
                self.found[path, one.offset] = Warned(path, one.offset, one.reason)
            if self._scratch is None:
                self._scratch = Scratch()
            copy = self._scratch.path / f"{len(self._looked)}.jsonl"
            copy.write_bytes(b"".join(looked.lines))
            self._looked[path, len(data)] = str(copy)

    def _merge(self, table: str, paths: Sequence[str], wanted: set[str], is_priced: bool) -> None:
        """Leave one record of each call: by `call_id`, and by provider and `response_id` where a repeat can be."""
        row = self._con.execute(
            "SELECT count(*) - count(DISTINCT call_id), "
            f"count(*) FILTER (may_repeat OR source NOT IN ('sdk', 'track')) FROM {table}"
        ).fetchone()
        repeated, may = row if row else (0, 0)
        if not repeated and not may:
            return
        need = {"provider", *quality.COLUMNS}
        if not need <= wanted:
            self._read(table, paths, wanted | need, is_priced)
            self._con.execute(f"DELETE FROM {table} WHERE call_id IS NULL OR started_at IS NULL")
        merge(self._con, table)

    def close(self) -> None:
        """Remove cleaned copies."""
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None
            self._looked.clear()


def _with_needed(columns: Iterable[str]) -> tuple[set[str], bool]:
    """Columns with those that they are worked out from, and whether costs are among them."""
    wanted = {"call_id", "started_at", "may_repeat", "source", *columns}
    is_priced = bool(wanted & COSTS)
    return (wanted | set(PRICE_INPUTS) if is_priced else wanted), is_priced


def _side_by_side(lines: str, costs: str) -> str:
    return f"SELECT * EXCLUDE ({_COSTS_DAY}) FROM {lines} POSITIONAL JOIN {costs}"


def numbered_source(path: Path) -> str:
    """The read_json of a scratch file whose lines say which segment they came from, and may say what they cost."""
    costs = "STRUCT(" + ", ".join(f"{name} {type_}" for name, type_ in COST_COLUMNS) + ")"
    columns = struct_sql({NUMBER: "INTEGER", PRICED: costs} | LINE_COLUMNS)
    return (
        f"read_json({files_sql([str(path)])}, format='newline_delimited', ignore_errors=true, "
        f"maximum_object_size={_LINE_BYTES_MAX}, columns={columns})"
    )


def merge(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Leave the best record of each call in `table`.

    Only what tells repeats is looked at: the table has some sixty columns, and repeats are few.
    """
    con.execute(
        f"DELETE FROM {table} WHERE rowid NOT IN (SELECT place FROM (SELECT * FROM ("
        f"SELECT rowid AS place, {REPEAT_COLUMNS} FROM {table}) "
        f"QUALIFY row_number() OVER (PARTITION BY call_id ORDER BY {BETTER}) = 1) "
        "QUALIFY row_number() OVER (PARTITION BY coalesce(provider || chr(31) || response_id, chr(30) || call_id) "
        f"ORDER BY {BETTER}) = 1)"
    )
