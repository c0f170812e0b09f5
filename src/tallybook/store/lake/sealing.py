"""Journal segments to sorted, priced Parquet with summaries, and many files of a day to one.

It writes new files under temporary names, makes them durable and gives them their names; which files count is
said by the manifest alone, which the caller (`ingest.seal`) swaps afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from tallybook.model.limits import PROMOTED_KEYS, ROW_GROUP_ROWS
from tallybook.store.lake import amend, summary
from tallybook.store.lake.bodies import source_sql
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.lines import Bad, Lines, merge
from tallybook.store.lake.manifest import BODIES, Disk, File, FileKind, Manifest
from tallybook.store.lake.output import Output, in_one_pass, merged, spanning_day
from tallybook.store.lake.price import Prices
from tallybook.store.lake.reader import column_sql, connect
from tallybook.store.lake.rebuild import Rebuilder
from tallybook.store.lake.repeat import REPEAT_WITHIN_US, settle
from tallybook.store.lake.rewrite import Rewriter, Rewritten
from tallybook.store.lake.schema import (
    BODY_COLUMNS,
    CALL_COLUMNS,
    COST_COLUMNS,
    STEP_FIELDS,
    TOOL_COLUMNS,
    files_sql,
    name_sql,
    pointer,
    text_sql,
)
from tallybook.store.lake.tools import hot_tools
from tallybook.store.lake.usage_raw import encoded_sql, learnt
from tallybook.store.told import once_sql

BATCH = "batch"
WHOLE_DAY = "whole_day"
SUPERSEDED = "superseded"
UNSORTED_ROWS = 3 * ROW_GROUP_ROWS
"""A new file of up to so many calls is not sorted, whoever wrote them."""
_PROMOTE_SAMPLE_ROWS = 5_000
_TOOL_NAMES = ", ".join(name for name, _ in TOOL_COLUMNS)
_SUMMARIES = (summary.HOURS, summary.USERS, summary.RUNS)


class Batch(NamedTuple):
    """What sealing some segments gave: new files, calls in them, what was no record, and files that go for others."""

    files: list[File]
    calls: int
    bad: dict[str, list[Bad]]
    gone: list[File]
    left_runs: tuple[str, ...] = ()
    """Runs of sealed calls of which a better record was sealed, which may be of another run."""


class Folded(NamedTuple):
    """What folding amendments in gave: new files, files that go for them, segments that are in them."""

    files: list[File]
    gone: list[File]
    segments: list[str]


class Sealer:
    """A connection that writes Parquet into one folder."""

    def __init__(self, folder: Path, prices: Prices | None, disk: Disk) -> None:
        self._folder = folder
        self.prices = prices
        self._con = connect()
        self._con.execute(f"SET preserve_insertion_order=true; SET threads={_cores()}")
        self._in_order: set[str] = set()
        self._lines = Lines(self._con, folder)
        self._output = Output(self._con, folder, disk)

    def close(self) -> None:
        """Release connection and scratch files."""
        self._lines.close()
        self._con.close()

    def seal(self, manifest: Manifest, segments: dict[str, list[str]], sequence: int) -> Batch:
        """Files for the lines of segments by kind (relative paths).

        Calls in `manifest` already are left out, or take the place of a worse record there.
        """
        files: list[File] = []
        gone: list[File] = []
        superseded = False
        left_runs: tuple[str, ...] = ()
        count = 0
        telemetry = segments.get("telemetry", [])
        steps = segments.get("steps", [])
        if telemetry:
            self._lines.load(BATCH, telemetry, {*CALL_COLUMNS, "tool_calls"})
            superseded = self._without_sealed(manifest)
            count = self._int(f"SELECT count(*) FROM {BATCH}")
            promoted = promotable(self._con, BATCH)
            select = self._calls_select(BATCH, promoted)
            self._lines.price(BATCH, self.prices)
            files += self._write_calls(select, promoted, sequence)
        if steps:
            self._lines.load_steps("steps", steps)
            files += self._write_by_day("steps", "steps", ", ".join(STEP_FIELDS), "step_id", sequence)
        if telemetry or steps:
            old = [str(self._folder / file.path) for file in manifest.of("tools")] if steps else []
            near = self._lines.steps_near("steps", manifest) if steps else []
            hot_tools(self._con, BATCH if telemetry else None, "steps" if steps else None, "tools", old, near)
            files += self._write_by_day("tools", "tools", _TOOL_NAMES, "call_id", sequence)
        if telemetry or steps:
            anew: list[str] = []
            if superseded:
                left_runs = self._superseded_runs(manifest)
                rewriter = Rewriter(self._con, self._folder, self._output, sequence)
                rewritten = rewriter.without(manifest, SUPERSEDED)
                left = [file for file in manifest.files if file not in rewritten.gone]
                anew = sorted({file.day for file in rewritten.gone})
                made = [rewriter.summaries([*left, *rewritten.files, *files], day) for day in anew]
                gone += [*rewritten.gone, *(file for one in made for file in one.gone)]
                files += [*rewritten.files, *(file for one in made for file in one.files)]
            facts = [file for file in files if file.kind == "calls" and file.day not in anew]
            files += self._write_summaries(sequence, facts, anew)
        for kind in BODIES:
            if segments.get(kind):
                files += self._write_bodies(kind, segments[kind], sequence)
        return Batch(files, count, dict(self._lines.bad), gone, left_runs)

    def fold(self, manifest: Manifest, paths: Sequence[str], others: Sequence[str], sequence: int) -> Folded:
        """Put the amended costs of segments (`paths`) into the files of their calls; `others` stay in the journal."""
        calls = [file for file in manifest.of("calls") if file.day not in manifest.removed]
        sealed = [str(self._folder / file.path) for file in calls]
        done = amend.foldable(self._con, self._folder, paths, others, sealed)
        if not done or not amend.load(self._con, self._folder, done):
            return Folded([], [], [])
        costs = ", ".join(name for name, _ in COST_COLUMNS)
        self._con.execute(
            f"CREATE OR REPLACE TEMP TABLE before AS SELECT call_id, day, {costs} "
            f"FROM read_parquet({files_sql(sealed)}) SEMI JOIN {amend.AMENDED} USING (call_id)"
        )
        self._con.execute(f"CREATE OR REPLACE TEMP TABLE folding AS SELECT a.*, b.day FROM {amend.AMENDED} a "
                          "JOIN before b USING (call_id)")  # fmt: skip
        rewriter = Rewriter(self._con, self._folder, self._output, sequence)
        facts = rewriter.amended(calls, "folding")
        left = [file for file in manifest.files if file not in facts.gone]
        made = [rewriter.summaries([*left, *facts.files], day) for day in sorted({file.day for file in facts.gone})]
        self._con.execute(f"CREATE OR REPLACE TEMP TABLE made AS {amend.history_sql(self._folder, done, 'before')}")
        files = [*facts.files, *(file for one in made for file in one.files)]
        files += self._output.write_summary("amendments", "day", sequence)
        return Folded(files, [*facts.gone, *(file for one in made for file in one.gone)], done)

    def _int(self, sql: str) -> int:
        row = self._con.execute(sql).fetchone()
        return int(row[0]) if row and row[0] is not None else 0

    def _without_sealed(self, manifest: Manifest) -> bool:
        """Leave out what is sealed already; True when a better record takes the place of a sealed one."""
        row = self._con.execute(
            f"SELECT epoch_us(min(started_at)), epoch_us(max(started_at)), min(call_id), max(call_id), "
            f"count(*) FILTER (may_repeat OR source NOT IN ('sdk', 'track')) FROM {BATCH}"
        ).fetchone()
        if row is None or row[0] is None:
            return False
        low, high, min_id, max_id, mixed = row
        near = manifest.of("calls", low - REPEAT_WITHIN_US, high + REPEAT_WITHIN_US)
        if not mixed and not any(file.is_mixed for file in near):
            # Of our own capture a call's id alone tells a repeat, and it begins with the time.
            same = [file for file in manifest.of("calls", low, high + 1) if _ids_meet(file, min_id, max_id)]
            near = same if same and self._has_any_of(same, low, high) else []
        if not near:
            return False
        paths = [str(self._folder / file.path) for file in near]
        return settle(self._con, BATCH, paths, SUPERSEDED, manifest.removed) > 0

    def _superseded_runs(self, manifest: Manifest) -> tuple[str, ...]:
        """Runs of the sealed calls that a better record takes the place of."""
        found = self._con.execute(f"SELECT DISTINCT CAST(day AS VARCHAR) FROM {SUPERSEDED}").fetchall()
        days = {day for (day,) in found}
        paths = files_sql([str(self._folder / file.path) for file in manifest.of("calls") if file.day in days])
        rows = self._con.execute(
            f"SELECT DISTINCT {summary.KEY} FROM read_parquet({paths}) SEMI JOIN {SUPERSEDED} USING (call_id) "
            f"WHERE {summary.KEY} IS NOT NULL"
        ).fetchall()
        return tuple(run_id for (run_id,) in rows)

    def _has_any_of(self, files: Sequence[File], low: int, high: int) -> bool:
        """Whether a call of the batch is in the files."""
        paths = files_sql([str(self._folder / file.path) for file in files])
        return bool(
            self._int(
                f"SELECT count(*) FROM {BATCH} SEMI JOIN (SELECT call_id FROM read_parquet({paths}) "
                f"WHERE started_at >= make_timestamp({low}) AND started_at <= make_timestamp({high})) USING (call_id)"
            )
        )

    def _write_calls(self, select: str, promoted: dict[str, str], sequence: int) -> list[File]:
        def of_day(day: str) -> str:
            return extracted_sql(self._lines.of_day(BATCH, day), promoted)

        files = self._write_by_day("calls", extracted_sql(BATCH, promoted), select, "call_id", sequence, of_day)
        return [msgspec.structs.replace(file, promoted=promoted) for file in files]

    def _calls_select(self, table: str, promoted: dict[str, str]) -> str:
        return calls_select(promoted, encoded_sql(learnt(self._con, table)))

    def _write_by_day(
        self,
        kind: FileKind,
        table: str,
        select: str,
        id_column: str,
        sequence: int,
        of_day: Callable[[str], str] | None = None,
    ) -> list[File]:
        """One sorted file for each UTC day of the rows' start; `of_day` gives the rows of one where that is quicker."""
        mixed = "bool_or(may_repeat OR source NOT IN ('sdk', 'track'))" if kind == "calls" else "false"
        segments = "count(DISTINCT filename)" if kind == "calls" else "0"
        days = self._con.execute(
            f"SELECT CAST(day AS VARCHAR), epoch_us(min(started_at)), epoch_us(max(started_at)), "
            f"coalesce(min({id_column}), ''), coalesce(max({id_column}), ''), {mixed}, count(*), {segments} "
            f"FROM {table} GROUP BY day ORDER BY 1"
        ).fetchall()
        at_once: dict[str, File] = {}
        if in_one_pass(len(days), sum(row[6] for row in days)):
            is_near = kind != "steps" and max(row[6] for row in days) <= UNSORTED_ROWS
            order = "" if is_near else f"started_at, {id_column}"
            made = self._output.write_days(kind, f"SELECT {select} FROM {table}", "day", order, sequence)
            at_once = {file.day: file for file in made}
        files = []
        if kind == "calls":
            # What was imported lies by session, whoever wrote it.
            self._in_order = {row[0] for row in days if row[7] == 1 and not row[5]}
        for day, low, high, min_id, max_id, is_mixed, rows, _ in days:
            source = table if len(days) == 1 else f"{table} WHERE day = DATE {text_sql(day)}"
            if of_day is not None and len(days) > 1:
                source = of_day(day)
            # Sorting costs a tenth of the whole. One writer's lines are in the order of their ends, which is near
            # enough, and of a few row groups a search reads most anyway; merging sorts them.
            is_near = kind != "steps" and (rows <= UNSORTED_ROWS or day in self._in_order)
            order = "" if is_near else f" ORDER BY started_at, {id_column}"
            sql = f"SELECT {select} FROM {source}{order}"
            files.append(
                msgspec.structs.replace(
                    at_once[day] if at_once else self._output.write(kind, day, sql, sequence),
                    min_us=low,
                    max_us=high,
                    min_id=min_id,
                    max_id=max_id,
                    is_mixed=bool(is_mixed),
                )
            )
        return files  # fmt: skip

    def _write_summaries(self, sequence: int, calls: list[File], but: Sequence[str]) -> list[File]:
        """Summaries of the batch, without the days `but`: of its files `calls`, and of the table of tool uses."""
        files: list[File] = []
        source = BATCH
        if not in_one_pass(len(calls), sum(file.rows for file in calls)):
            # Files are grouped a third faster than the table: their texts come as places in a dictionary.
            source = f"read_parquet({files_sql([str(self._folder / file.path) for file in calls])})"
        for table, made in (*(((source, one) for one in _SUMMARIES) if calls else ()), ("tools", summary.TOOLS)):
            self._con.execute(f"CREATE OR REPLACE TEMP TABLE made AS {summary.made_sql(made, table)}")
            files += self._output.write_summary(made.kind, made.unit, sequence, but)
        if calls:
            self._con.execute(f"CREATE OR REPLACE TEMP TABLE made AS {summary.latency_sql(source)}")
            files += self._output.write_summary("summary_latency", "day", sequence, but)
        return files

    def _write_bodies(self, kind: FileKind, segments: Sequence[str], sequence: int) -> list[File]:
        """Bodies go to the day of their segment: they have no start of their own."""
        files = []
        for day in sorted({path.split("/")[0] for path in segments}):
            paths = [str(self._folder / path) for path in segments if path.startswith(day + "/")]
            columns = ", ".join(BODY_COLUMNS[kind])
            key = next(iter(BODY_COLUMNS[kind]))
            if kind != "messages":
                columns = "call_id, " + ", ".join(
                    name if name == "messages" else f"CAST({name} AS VARCHAR) AS {name}"
                    for name in BODY_COLUMNS[kind] if name != "call_id"
                )  # fmt: skip
            self._con.execute(
                f"CREATE OR REPLACE TEMP TABLE bodies AS SELECT DISTINCT ON ({key}) {columns} "
                f"FROM {source_sql(kind, paths)} WHERE {key} IS NOT NULL"
            )
            row = self._con.execute(f"SELECT count(*), min({key}), max({key}) FROM bodies").fetchone()
            if not row or not row[0]:
                continue
            file = spanning_day(self._output.write(kind, day, f"SELECT * FROM bodies ORDER BY {key}", sequence))
            files.append(msgspec.structs.replace(file, min_id=row[1], max_id=row[2]))
        return files

    def compact(self, files: Sequence[File], sequence: int) -> File:
        """One file in place of several of the same kind and day."""
        kind, day = files[0].kind, files[0].day
        source = f"read_parquet({files_sql([str(self._folder / file.path) for file in files])})"
        if kind == "calls":
            return self._compact_calls(files, sequence)
        if kind == "summary_latency":
            return spanning_day(
                self._output.write(kind, day, f"{summary.latency_combined_sql(source)} ORDER BY ALL", sequence)
            )
        for one in (*_SUMMARIES, summary.TOOLS):
            if one.kind == kind:
                rows = summary.rows_sql([str(self._folder / file.path) for file in files], kind)
                sql = f"SELECT * FROM ({summary.combined_sql(one, rows)}) ORDER BY ALL"
                return spanning_day(merged(self._output.write(kind, day, sql, sequence), files))
        key = {
            "messages": "hash",
            "prompts": "call_id",
            "responses": "call_id",
            "steps": "started_at, step_id",
            "amendments": "told_at, call_id",
        }.get(kind, "started_at, call_id")
        rows = once_sql(source) if kind == "steps" else f"SELECT * FROM {source}"
        file = self._output.write(kind, day, f"{rows} ORDER BY {key}", sequence)
        return merged(file, files)

    def summaries(self, manifest: Manifest, day: str, sequence: int) -> Rewritten:
        """All summaries of a day, made from its facts, and those that they take the place of."""
        return Rewriter(self._con, self._folder, self._output, sequence).summaries(manifest.files, day)

    def ordered(self, manifest: Manifest) -> tuple[Manifest, list[File]]:
        """A rebuilt manifest with each call in one file, and the files that it names no more."""
        merge_calls = partial(self._compact_calls, may_repeat=True)
        return Rebuilder(self._con, self._folder, self._output, merge_calls).ordered(manifest)

    def _compact_calls(self, files: Sequence[File], sequence: int, may_repeat: bool = False) -> File:
        parts = []
        for file in files:
            columns = [column_sql(name, file.promoted) for name in CALL_COLUMNS]
            parts.append(f"SELECT {', '.join(columns)} FROM read_parquet({text_sql(str(self._folder / file.path))})")
        self._con.execute(f"CREATE OR REPLACE TEMP TABLE {WHOLE_DAY} AS {' UNION ALL '.join(parts)}")
        if may_repeat:
            merge(self._con, WHOLE_DAY)
        promoted = promotable(self._con, WHOLE_DAY)
        select = self._calls_select(WHOLE_DAY, promoted)
        sql = f"SELECT {select} FROM {extracted_sql(WHOLE_DAY, promoted)} ORDER BY started_at, call_id"
        file = self._output.write("calls", files[0].day, sql, sequence)
        self._con.execute(f"DROP TABLE {WHOLE_DAY}")
        return merged(file, files, promoted)


def _cores() -> int:
    """Processors that this process may use: DuckDB counts all there are, and more threads than these cost a sixth."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ids_meet(file: File, low: str, high: str) -> bool:
    return file.min_id <= high and file.max_id >= low


def promotable(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The most used metadata keys that can be a column of their own without loss, with its type.

    A key can when all its values are texts, or all whole numbers, or all true or false: then the JSON can be
    put together again from the columns.
    """
    names = con.execute(
        f"SELECT key FROM (SELECT unnest(json_keys(metadata)) AS key FROM (SELECT metadata FROM {table} "
        f"WHERE metadata IS NOT NULL LIMIT {_PROMOTE_SAMPLE_ROWS})) GROUP BY key "
        f"ORDER BY count(*) DESC, key LIMIT {PROMOTED_KEYS}"
    ).fetchall()
    keys = [name for (name,) in names if name and len(name) <= 64 and '"' not in name]
    if not keys:
        return {}
    # All keys at once: each would read every text anew.
    pointers = ", ".join(text_sql(pointer(key)) for key in keys)
    seen = con.execute(
        f"SELECT DISTINCT json_type(metadata, [{pointers}]) FROM {table} WHERE metadata IS NOT NULL"
    ).fetchall()
    kinds = {"VARCHAR": "VARCHAR", "BIGINT": "BIGINT", "UBIGINT": "BIGINT", "BOOLEAN": "BOOLEAN"}
    found: dict[str, str] = {}
    for number, key in enumerate(keys):
        wanted = {kinds.get(types[number], "") for (types,) in seen if types[number] is not None}
        if len(wanted) == 1 and "" not in wanted:
            found[key] = wanted.pop()
    for key in [key for key, type_ in found.items() if type_ == "BIGINT"]:
        text = f"json_extract_string(metadata, {text_sql(pointer(key))})"
        row = con.execute(
            f"SELECT count(*) FROM {table} WHERE {text} IS NOT NULL AND TRY_CAST({text} AS BIGINT) IS NULL"
        ).fetchone()
        if row and row[0]:  # Numbers beyond 64 bits stay as they are.
            del found[key]
    return found


def calls_select(promoted: dict[str, str], usage_raw: str) -> str:
    """All columns of a file of calls: promoted keys leave the JSON text and stand as `metadata.<key>`."""
    own = {"usage_raw": f"{usage_raw} AS usage_raw"}
    if not promoted:
        return ", ".join(own.get(name, name_sql(name)) for name in CALL_COLUMNS)
    nothing = "{" + ", ".join(f"{_quoted(key)}: null" for key in promoted) + "}"
    present = " + ".join(f"CAST(values[{number + 1}] IS NOT NULL AS INTEGER)" for number in range(len(promoted)))
    # A text as long as its promoted pairs holds nothing else; what is odd in it (escapes, spaces) makes it only longer.
    # Counting its keys would read it again.
    pairs = " + ".join(
        f"coalesce(strlen(values[{number + 1}]) + {len(_quoted(key).encode()) + (4 if type_ == 'VARCHAR' else 2)}, 0)"
        for number, (key, type_) in enumerate(promoted.items())
    )
    rest = (
        f"CASE WHEN metadata IS NULL OR strlen(metadata) = 1 + {pairs} "
        f"OR len(json_keys(metadata)) = {present} THEN NULL "
        f"ELSE CAST(json_merge_patch(metadata, {text_sql(nothing)}) AS VARCHAR) END AS metadata"
    )
    own["metadata"] = rest
    columns = [own.get(name, name_sql(name)) for name in CALL_COLUMNS]
    columns += [
        f"TRY_CAST(values[{number + 1}] AS {type_}) AS {name_sql('metadata.' + key)}"
        for number, (key, type_) in enumerate(promoted.items())
    ]
    return ", ".join(columns)


def extracted_sql(table: str, promoted: dict[str, str]) -> str:
    """`table` with the values of the promoted keys as a list, taken out in one pass over the JSON."""
    if not promoted:
        return table
    pointers = ", ".join(text_sql(pointer(key)) for key in promoted)
    return f"(SELECT *, json_extract_string(metadata, [{pointers}]) AS values FROM {table})"


def _quoted(key: str) -> str:
    return msgspec.json.encode(key).decode()
