"""A manifest made up from the files found, because the real one was damaged, put in order.

The manifest alone says which files count, so what is found may hold calls twice: files that were merged, or written
anew, and not removed yet. Days in which that is so are written again, each call once; their summaries are made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.manifest import SUMMARIES, File, FileKind, Manifest
from tallybook.store.lake.output import Output, merged
from tallybook.store.lake.probe import KEY, told
from tallybook.store.lake.rewrite import Rewriter
from tallybook.store.lake.schema import files_sql
from tallybook.store.told import once_sql

_TWICE = {
    "calls": "count(*) - least(count(DISTINCT call_id), "
    "count(DISTINCT coalesce(provider || chr(31) || response_id, call_id)))",
    "tools": "count(*) - count(DISTINCT (call_id, started_at, position, tool_call_id, is_step))",
    "steps": "count(*) - count(DISTINCT (run_id, step_id))",
}
_ONCE = {
    # A use that was asked for belongs to a call of this day; that of a record that was replaced has none any more.
    "tools": "SELECT DISTINCT * FROM {files} WHERE is_step OR call_id IN (SELECT call_id FROM {calls})"
    " ORDER BY started_at, call_id",
    "steps": once_sql("{files}") + " ORDER BY started_at, step_id",
}


class Rebuilder:
    """Puts a rebuilt manifest in order. `merge_calls` writes files of calls of a day as one, each call once."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        folder: Path,
        output: Output,
        merge_calls: Callable[[Sequence[File], int], File],
    ) -> None:
        self._con = con
        self._folder = folder
        self._output = output
        self._merge_calls = merge_calls

    def ordered(self, manifest: Manifest) -> tuple[Manifest, list[File]]:
        """The manifest with each call in one file, and the files that it names no more."""
        sequence = manifest.sequence + 1
        files: list[File] = []
        gone: list[File] = []
        removed: list[str] = []
        aside = {one.path for one in manifest.damaged}
        for day in sorted({file.day for file in manifest.files}):
            of_day = [
                file if file.path in aside else told(self._con, self._folder, file)
                for file in manifest.files if file.day == day
            ]  # fmt: skip
            kept = self._day(of_day, sequence)
            files += kept
            paths = {file.path for file in kept}
            gone += [file for file in of_day if file.path not in paths]
            if any(file.kind == "summary" for file in kept) and not any(file.kind == "calls" for file in kept):
                removed.append(day)
        return (
            msgspec.structs.replace(
                manifest, sequence=sequence, files=tuple(files), removed=tuple(removed), is_rebuilt=False
            ),
            gone,
        )

    def _day(self, of_day: Sequence[File], sequence: int) -> list[File]:
        """Files of a day with nothing in them twice. What cannot be read stays, for readers to report."""
        calls = [file for file in of_day if file.kind == "calls" and file.rows >= 0]
        if not calls:
            return list(of_day)
        kept = [file for file in of_day if file.kind not in SUMMARIES and not (file.kind in KEY and file.rows >= 0)]
        calls = self._once("calls", calls, calls, sequence)
        kept += calls
        for kind in ("tools", "steps"):
            own = [file for file in of_day if file.kind == kind and file.rows >= 0]
            kept += self._once(kind, own, calls, sequence)
        facts = [file for file in kept if file.rows >= 0]
        rewriter = Rewriter(self._con, self._folder, self._output, sequence)
        return kept + rewriter.summaries(facts, calls[0].day).files

    def _once(self, kind: FileKind, own: Sequence[File], calls: Sequence[File], sequence: int) -> list[File]:
        """The files as they are when nothing in them is twice, else one file with each row once."""
        if len(own) < 2:
            return list(own)
        row = self._con.execute(f"SELECT {_TWICE[kind]} FROM {self._source(own)}").fetchone()
        if row is not None and row[0] == 0:
            return list(own)
        if kind == "calls":
            return [self._merge_calls(own, sequence)]
        sql = _ONCE[kind].format(files=self._source(own), calls=self._source(calls))
        return [merged(self._output.write(kind, own[0].day, sql, sequence), own)]

    def _source(self, files: Sequence[File]) -> str:
        return f"read_parquet({files_sql([str(self._folder / file.path) for file in files])}, union_by_name=true)"
