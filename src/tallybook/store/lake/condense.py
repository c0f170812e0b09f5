"""Making the digest (`digest`) of the newest days from their files, by DuckDB, after a sealing."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import Any

import msgspec

from tallybook.store.lake import digest
from tallybook.store.lake.answer import OF_HOURS
from tallybook.store.lake.digest import DIMENSIONS, HOUR_US, MEASURES, Day, Digest, Entry
from tallybook.store.lake.manifest import File
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.summary import HOURS, KEY, rows_sql

DAYS = 2
"""A local day lies in two days of UTC."""
CALLS_MAX = 150_000
"""Calls of a day. Beyond: no digest of it; making one after every sealing would slow sealing down."""
GROUPS_MAX = 20_000
"""Rows of a day's table. Beyond: no digest of it; DuckDB is the faster reader."""
_RUN = ("run_id", "session_id")
_TABLE = "condensing"
_COUNT = {"duration_count": "sum(duration_count)"}


def condensed(reader: Reader, view: View, known: dict[str, Entry]) -> Digest:
    """The digest of the newest days; those of `known` that still hold are kept."""
    entries: list[Entry] = []
    days = sorted({file.day for file in view.manifest.files if file.kind == "calls"}, reverse=True)
    for day in () if view.manifest.is_rebuilt else days[:DAYS]:
        files = digest.files_of(view.manifest, day)
        if day in known and digest.is_of(known[day], files):
            entries.append(known[day])
        elif sum(file.rows for file in files) <= CALLS_MAX:
            content = _day(reader, view, files)
            if content is not None:
                paths = tuple(file.path for file in files)
                entries.append(Entry(day, paths, msgspec.Raw(msgspec.msgpack.encode(content))))
    return Digest(byte_order=sys.byteorder, entries=tuple(entries))


def _day(reader: Reader, view: View, files: Sequence[File]) -> Day | None:
    """One day; `None` when it has too many groups, or no summary."""
    rows = _rows(reader, view, files[0].day)
    if not rows or len(rows) > GROUPS_MAX:
        return None
    relation = reader.calls(view, ("started_at", "duration_us", "user_id", *_RUN), files=files, with_hot=False)
    columns = f"epoch_us(started_at) // {HOUR_US} AS hour, duration_us, user_id, {KEY} AS run"
    reader.con.execute(f"CREATE OR REPLACE TEMP TABLE {_TABLE} AS SELECT {columns} FROM ({relation})")
    try:
        durations = reader.con.execute(
            f"SELECT hour, list(duration_us) FROM {_TABLE} WHERE duration_us IS NOT NULL GROUP BY hour ORDER BY hour"
        ).fetchall()
        hours, *others = list(zip(*rows, strict=True))
        dimensions = others[: len(DIMENSIONS)]
        values = [list(dict.fromkeys(column)) for column in dimensions]
        known = [{value: at for at, value in enumerate(found)} for found in values]
        return Day(
            hours=list(hours),
            values=values,
            places=[[place[value] for value in column] for place, column in zip(known, dimensions, strict=True)],
            measures=[list(column) for column in others[len(DIMENSIONS) :]],
            durations=[(hour, array("q", sorted(found)).tobytes()) for hour, found in durations],
            users=_named(reader, "user_id"),
            runs=_named(reader, "run"),
        )
    finally:
        reader.con.execute(f"DROP TABLE {_TABLE}")


def _rows(reader: Reader, view: View, day: str) -> list[tuple[Any, ...]]:
    """The day's table, from its summary by hour."""
    files = [reader.path(file) for file in view.manifest.files if file.kind == "summary" and file.day == day]
    if not files:
        return []
    measures = ", ".join(_COUNT.get(name) or OF_HOURS[name] for name in MEASURES)
    keys = ", ".join(map(str, range(1, len(DIMENSIONS) + 2)))
    return reader.con.execute(
        f"SELECT epoch_us(hour) // {HOUR_US}, {', '.join(DIMENSIONS)}, {measures} "
        f"FROM {rows_sql(files, HOURS.kind)} GROUP BY {keys} ORDER BY 1 LIMIT {GROUPS_MAX + 1}"
    ).fetchall()


def _named(reader: Reader, column: str) -> tuple[list[str], list[int]]:
    rows = reader.con.execute(
        f"SELECT {column}, bit_or(CAST(1 AS BIGINT) << CAST(hour % 24 AS INTEGER)) FROM {_TABLE} "
        f"WHERE {column} IS NOT NULL GROUP BY 1"
    ).fetchall()
    return [name for name, _ in rows], [hours for _, hours in rows]
