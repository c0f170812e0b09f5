"""Writing one Parquet file of the lake: under a temporary name, durable, then under its own.

Which files count is said by the manifest alone. What a file holds is the business of `sealing` and `rewrite`.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tallybook.model.limits import ROW_GROUP_ROWS
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.manifest import Disk, File, FileKind
from tallybook.store.lake.schema import text_sql

MANY_DAYS = 4
"""From so many small days on, all files of a kind come from one pass: a statement a day costs ten times its rows."""
_SMALL_DAY_ROWS = 1_500
_DAY = "partition_day"
_ZSTD_LEVEL = 1
"""On columns that are encoded already it is faster than 3 and smaller: by 1 % of the calls, 3 % of the tools."""


_FORMAT = (
    f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {_ZSTD_LEVEL}, ROW_GROUP_SIZE {ROW_GROUP_ROWS}, "
    "PARQUET_VERSION v2"
)


def in_one_pass(days: int, rows: int) -> bool:
    """Whether the files of these days are better written in one pass: a pass costs as much as some statements."""
    return days >= MANY_DAYS and rows < days * _SMALL_DAY_ROWS


class Output:
    """Writes what a connection selects into files of one folder."""

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path, disk: Disk) -> None:
        self._con = con
        self._folder = folder
        self._disk = disk

    def write(self, kind: FileKind, day: str, sql: str, sequence: int, part: str = "") -> File:
        """Write the rows of a SELECT to a file of that day, durably, under its own name.

        `part` tells files of one kind, day and sequence apart.
        """
        place = self._folder / day
        place.mkdir(mode=0o700, exist_ok=True)
        path = place / f"{kind}-{sequence:06d}{part}.parquet"
        temporary = place / f".{path.name}.tmp"
        row = self._con.execute(f"COPY ({sql}) TO {text_sql(str(temporary))} ({_FORMAT})").fetchone()
        return self._named(kind, day, temporary, path, int(row[0]) if row else 0)

    def write_days(self, kind: FileKind, sql: str, day_sql: str, order: str, sequence: int) -> list[File]:
        """Write the rows of a SELECT to one file for each day, in one pass: `day_sql` tells a row's day, `order` the
        order in a file (empty: any). A day that has no folder yet gets one.
        """
        beside = self._folder / f".{kind}-{sequence:06d}.tmp"
        shutil.rmtree(beside, ignore_errors=True)
        threads = self._con.execute("SELECT current_setting('threads')").fetchone()
        # With several threads each would write a file of its own for each day.
        self._con.execute("SET threads=1")
        ordered = f" ORDER BY {order}" if order else ""
        try:
            rows = self._con.execute(
                f"COPY (SELECT *, CAST({day_sql} AS VARCHAR) AS {_DAY} FROM ({sql}){ordered}) "
                f"TO {text_sql(str(beside))} ({_FORMAT}, PARTITION_BY ({_DAY}), RETURN_STATS)"
            ).fetchall()
            files = []
            for name, count, *_ in rows:
                temporary = Path(name)
                day = temporary.parent.name.removeprefix(f"{_DAY}=")
                place = self._folder / day
                place.mkdir(mode=0o700, exist_ok=True)
                files.append(self._named(kind, day, temporary, place / f"{kind}-{sequence:06d}.parquet", int(count)))
        finally:
            if threads is not None:
                self._con.execute(f"SET threads={int(threads[0])}")
            shutil.rmtree(beside, ignore_errors=True)
        return sorted(files, key=lambda file: file.day)

    def _named(self, kind: FileKind, day: str, temporary: Path, path: Path, rows: int) -> File:
        """Make what was written durable and give it its name."""
        self._disk.fsync(temporary)
        crc = 0
        with temporary.open("rb") as file:
            while chunk := file.read(1 << 20):
                crc = zlib.crc32(chunk, crc)
        size = temporary.stat().st_size
        self._disk.replace(temporary, path)
        self._disk.fsync(path.parent)
        return File(path=f"{day}/{path.name}", kind=kind, day=day, rows=rows, bytes=size, crc32=crc)

    def write_summary(self, kind: Any, unit: str, sequence: int, but: Collection[str] = ()) -> list[File]:
        """Write the table `made` by day, without the days `but`."""
        day = "day" if unit == "day" else "CAST(hour AS DATE)"
        # Buckets in order take half the bytes; of the other summaries a file is as small in any order.
        order = "ALL" if kind == "summary_latency" else ""
        ordered = f" ORDER BY {order}" if order else ""
        found = self._con.execute(f"SELECT CAST({day} AS VARCHAR), count(*) FROM made GROUP BY 1 ORDER BY 1").fetchall()
        names = [name for name, _ in found if name not in but]
        if in_one_pass(len(names), sum(count for _, count in found)):
            left = f" WHERE CAST({day} AS VARCHAR) IN ({', '.join(map(text_sql, names))})" if but else ""
            files = self.write_days(kind, f"SELECT * FROM made{left}", day, order, sequence)
        else:
            files = [
                self.write(kind, name, f"SELECT * FROM made WHERE {day} = DATE {text_sql(name)}{ordered}", sequence)
                for name in names
            ]
        if kind == "summary_runs" and files:
            row = self._con.execute("SELECT min(run), max(run) FROM made").fetchone() or ("", "")
            files = [msgspec.structs.replace(file, min_id=row[0], max_id=row[1]) for file in files]
        return [spanning_day(file) for file in files]


def day_us(day: str) -> int:
    """Microseconds since 1970 of a day's start."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000


def spanning_day(file: File) -> File:
    """The file with its day as its span, for records that have no start of their own."""
    start = day_us(file.day)
    return msgspec.structs.replace(file, min_us=start, max_us=start + 86_400_000_000 - 1)


def merged(file: File, files: Sequence[File], promoted: dict[str, str] | None = None) -> File:
    """The new file with the ranges of those it replaces."""
    return msgspec.structs.replace(
        file,
        min_us=min(one.min_us for one in files),
        max_us=max(one.max_us for one in files),
        min_id=min(one.min_id for one in files),
        max_id=max(one.max_id for one in files),
        promoted=promoted or {},
        is_mixed=any(one.is_mixed for one in files),
    )
