"""Facts of a sealed day written anew: without calls that a better record took the place of, with costs as amended.

A file is immutable: what changes is which files the manifest names. Only files that hold such a call are written
again; the summaries of their day are made anew from all its facts, since sums could be corrected, but maxima could not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from tallybook.store.lake import summary
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.manifest import SUMMARIES, File, Manifest
from tallybook.store.lake.output import Output
from tallybook.store.lake.schema import COST_COLUMNS, files_sql, name_sql, text_sql

_COSTS = tuple(name for name, _ in COST_COLUMNS)
_OF_CALLS = (summary.HOURS, summary.USERS, summary.RUNS)


class Rewritten(NamedTuple):
    """New files, and those of the manifest whose place they take."""

    files: list[File]
    gone: list[File]


class Rewriter:
    """Writes days anew with one connection. `sequence` is that of the sealing that it belongs to."""

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path, output: Output, sequence: int) -> None:
        self._con = con
        self._folder = folder
        self._output = output
        self._sequence = sequence
        self._count = 0

    def without(self, manifest: Manifest, superseded: str) -> Rewritten:
        """Files of calls and tools without the calls in the table `superseded` (`call_id`, `day`, `better`)."""
        done = Rewritten([], [])
        calls = f"SELECT t.* FROM {{}} t WHERE t.call_id NOT IN (SELECT call_id FROM {superseded})"
        tools = (
            f"SELECT t.* REPLACE (coalesce(s.better, t.call_id) AS call_id) FROM {{}} t "
            f"LEFT JOIN {superseded} s ON s.call_id = t.call_id WHERE s.call_id IS NULL OR t.is_step"
        )
        for day in self._days(superseded):
            for file in self._holding(manifest, "calls", day, superseded):
                self._replace(done, file, calls)
            for file in self._holding(manifest, "tools", day, superseded):
                self._replace(done, file, tools)
        return done

    def amended(self, files: Sequence[File], amended: str) -> Rewritten:
        """Files of calls with the costs of the table `amended` (`call_id`, `day` and the columns of the cost)."""
        done = Rewritten([], [])
        replaced = ", ".join(
            f"CASE WHEN a.call_id IS NULL THEN t.{name} ELSE a.{name} END AS {name}" for name in map(name_sql, _COSTS)
        )
        sql = f"SELECT t.* REPLACE ({replaced}) FROM {{}} t LEFT JOIN {amended} a ON a.call_id = t.call_id"
        for day in self._days(amended):
            for file in self._holding(Manifest(files=tuple(files)), "calls", day, amended):
                self._replace(done, file, sql)
        return done

    def summaries(self, files: Sequence[File], day: str) -> Rewritten:
        """All summaries of a day, made from its facts among `files`, in place of those among them."""
        of_day = [file for file in files if file.day == day]
        made: list[File] = []
        for kind, kinds in (("calls", _OF_CALLS), ("tools", (summary.TOOLS,))):
            paths = [str(self._folder / file.path) for file in of_day if file.kind == kind]
            if not paths:
                continue
            facts = f"day_{kind}"
            self._con.execute(f"CREATE OR REPLACE TEMP VIEW {facts} AS SELECT * FROM read_parquet({files_sql(paths)})")
            for one in kinds:
                self._con.execute(f"CREATE OR REPLACE TEMP TABLE made AS {summary.made_sql(one, facts)}")
                made += self._output.write_summary(one.kind, one.unit, self._sequence)
            if kind == "calls":
                self._con.execute(f"CREATE OR REPLACE TEMP TABLE made AS {summary.latency_sql(facts)}")
                made += self._output.write_summary("summary_latency", "day", self._sequence)
            self._con.execute(f"DROP VIEW {facts}")
        return Rewritten(made, [file for file in of_day if file.kind in SUMMARIES])

    def _days(self, table: str) -> list[str]:
        rows = self._con.execute(f"SELECT DISTINCT CAST(day AS VARCHAR) FROM {table} ORDER BY 1").fetchall()
        return [day for (day,) in rows]

    def _holding(self, manifest: Manifest, kind: str, day: str, table: str) -> list[File]:
        """Files of a day in which a call of the table is."""
        of_day = {
            str(self._folder / file.path): file for file in manifest.files if (file.kind, file.day) == (kind, day)
        }
        if not of_day:
            return []
        rows = self._con.execute(
            f"SELECT DISTINCT filename FROM read_parquet({files_sql(list(of_day))}, filename=true) "
            f"WHERE call_id IN (SELECT call_id FROM {table})"
        ).fetchall()
        return [of_day[name] for (name,) in rows]

    def _replace(self, done: Rewritten, file: File, sql: str) -> None:
        """Write what `sql` leaves of a file; an empty rest is no file."""
        done.gone.append(file)
        source = f"read_parquet({text_sql(str(self._folder / file.path))})"
        rest = sql.format(source)
        if self._con.execute(f"SELECT 1 FROM ({rest}) LIMIT 1").fetchone() is None:
            return
        self._count += 1
        new = self._output.write(
            file.kind, file.day, f"{rest} ORDER BY t.started_at, t.call_id", self._sequence, f"r{self._count}"
        )
        span = self._con.execute(
            "SELECT epoch_us(min(started_at)), epoch_us(max(started_at)), min(call_id), max(call_id) "
            f"FROM read_parquet({text_sql(str(self._folder / new.path))})"
        ).fetchone()
        low_us, high_us, low_id, high_id = span or (file.min_us, file.max_us, file.min_id, file.max_id)
        done.files.append(
            msgspec.structs.replace(
                file, path=new.path, rows=new.rows, bytes=new.bytes, crc32=new.crc32, min_us=low_us, max_us=high_us,
                min_id=low_id or "", max_id=high_id or "",
            )
        )  # fmt: skip
