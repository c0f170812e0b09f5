"""Writing one Parquet file of the lake: under a temporary name, durable, then under its own.

Which files count is said by the manifest alone. What a file holds is the business of `sealing` and `rewrite`.
"""

from __future__ import annotations

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

_ZSTD_LEVEL = 1
"""On columns that are encoded already it is faster than 3 and smaller: by 1 % of the calls, 3 % of the tools."""


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
        row = self._con.execute(
            f"COPY ({sql}) TO {text_sql(str(temporary))} "
            f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {_ZSTD_LEVEL}, ROW_GROUP_SIZE {ROW_GROUP_ROWS}, "
            "PARQUET_VERSION v2)"
        ).fetchone()
        self._disk.fsync(temporary)
        crc = 0
        with temporary.open("rb") as file:
            while chunk := file.read(1 << 20):
                crc = zlib.crc32(chunk, crc)
        size = temporary.stat().st_size
        self._disk.replace(temporary, path)
        self._disk.fsync(place)
        return File(
            path=f"{day}/{path.name}", kind=kind, day=day, rows=int(row[0]) if row else 0, bytes=size, crc32=crc
        )

    def write_summary(self, kind: Any, unit: str, sequence: int, but: Collection[str] = ()) -> list[File]:
        """Write the table `made` by day, without the days `but`."""
        day = "day" if unit == "day" else "CAST(hour AS DATE)"
        files = []
        for (name,) in self._con.execute(f"SELECT DISTINCT CAST({day} AS VARCHAR) FROM made ORDER BY 1").fetchall():
            if name in but:
                continue
            file = self.write(
                kind, name, f"SELECT * FROM made WHERE {day} = DATE {text_sql(name)} ORDER BY ALL", sequence
            )
            if kind == "summary_runs":
                row = self._con.execute("SELECT min(run), max(run) FROM made").fetchone() or ("", "")
                file = msgspec.structs.replace(file, min_id=row[0], max_id=row[1])
            files.append(spanning_day(file))
        return files


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
