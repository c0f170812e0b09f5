"""Making the digest (`digest`) of the newest days from their files, by DuckDB, after a sealing."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence

import msgspec

from tallybook.store.lake import digest
from tallybook.store.lake.digest import DIMENSIONS, HOUR_US, MEASURES, Day, Digest, Entry
from tallybook.store.lake.manifest import File
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.render import measure_sql
from tallybook.store.lake.summary import KEY

DAYS = 2
"""A local day lies in two days of UTC."""
CALLS_MAX = 300_000
"""Calls of a day. Beyond: no digest of it; making one after every sealing would slow sealing down."""
GROUPS_MAX = 20_000
"""Rows of a day's table. Beyond: no digest of it; DuckDB is the faster reader."""
_COLUMNS = (
    "started_at", *DIMENSIONS, "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "cost_nanousd", "duration_us", "tool_call_count", "user_id",
    "run_id", "session_id",
)  # fmt: skip
_TABLE = "condensing"
_COUNT = {"duration_count": "count(duration_us)"}


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
    """One day; `None` when it has too many groups."""
    relation = reader.calls(view, _COLUMNS, files=files, with_hot=False)
    hour = f"epoch_us(started_at) // {HOUR_US} AS hour"
    reader.con.execute(f"CREATE OR REPLACE TEMP TABLE {_TABLE} AS SELECT *, {hour} FROM ({relation})")
    try:
        measures = ", ".join(_COUNT.get(name) or measure_sql(name) for name in MEASURES)
        rows = reader.con.execute(
            f"SELECT hour, {', '.join(DIMENSIONS)}, {measures} FROM {_TABLE} GROUP BY hour, {', '.join(DIMENSIONS)} "
            f"ORDER BY hour LIMIT {GROUPS_MAX + 1}"
        ).fetchall()
        if not rows or len(rows) > GROUPS_MAX:
            return None
        durations = reader.con.execute(
            f"SELECT hour, list(duration_us ORDER BY duration_us) FROM {_TABLE} WHERE duration_us IS NOT NULL "
            "GROUP BY hour ORDER BY hour"
        ).fetchall()
        columns = list(zip(*rows, strict=True))
        values = [list(dict.fromkeys(column)) for column in columns[1 : 1 + len(DIMENSIONS)]]
        places = [
            [place[value] for value in column]
            for place, column in zip(
                [{value: at for at, value in enumerate(found)} for found in values], columns[1:], strict=False
            )
        ]
        return Day(
            hours=list(columns[0]),
            values=values,
            places=places,
            measures=[list(column) for column in columns[1 + len(DIMENSIONS) :]],
            durations=[(hour, array("q", found).tobytes()) for hour, found in durations],
            users=_named(reader, "user_id"),
            runs=_named(reader, KEY),
        )
    finally:
        reader.con.execute(f"DROP TABLE {_TABLE}")


def _named(reader: Reader, column: str) -> tuple[list[str], list[int]]:
    rows = reader.con.execute(
        f"SELECT {column}, bit_or(CAST(1 AS BIGINT) << CAST(hour % 24 AS INTEGER)) FROM {_TABLE} "
        f"WHERE {column} IS NOT NULL GROUP BY 1"
    ).fetchall()
    return [name for name, _ in rows], [hours for _, hours in rows]
