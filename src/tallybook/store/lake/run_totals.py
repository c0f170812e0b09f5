"""What the lake holds of runs, for the state to keep: read again for the runs that a sealing touched.

Totals of all calls in files, with costs that were amended since; lines that are not sealed are not in them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tallybook.model.call import Run
from tallybook.store.lake.manifest import File, sequence_of
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.runs import run_from, sealed_rows, totals_sql
from tallybook.store.lake.schema import files_sql, text_sql
from tallybook.store.lake.summary import KEY

TOUCHED = "touched_runs"
_AMENDED_COLUMNS = ("call_id", "run_id", "session_id", "cost_nanousd", "day")
_BATCH = 1_000


def run_totals(reader: Reader, view: View, since: int | None, also: Collection[str], past: str = "") -> Iterator[Run]:
    """Totals of the runs `also` and of those in files of sealings after `since` (`None`: of all runs), by id.

    Of a run of `also` that the lake does not hold, or not any more, all figures are 0. `past` leaves out ids up to it.
    """
    files = view.manifest.of("summary_runs")
    rows = sealed_rows(reader, view)
    if since is not None:
        fresh = [file for file in files if sequence_of(file.path) > since]
        _make_touched(reader, fresh, also)
        rows = f"SELECT * FROM ({rows}) SEMI JOIN {TOUCHED} USING (run)"
    if reader.amended(view) and view.manifest.of("calls") and not view.manifest.is_rebuilt:
        within = "" if since is None else f" SEMI JOIN {TOUCHED} USING (run)"
        rows += f" UNION ALL BY NAME SELECT * FROM ({_amended_sql(reader, view)}){within}"
    if past:
        rows = f"SELECT * FROM ({rows}) WHERE run > {text_sql(past)}"
    names = _names(reader, view, since is not None)
    left = sorted({run_id for run_id in also if run_id > past}, reverse=True)
    found = reader.con.execute(f"SELECT * FROM ({totals_sql(rows)}) ORDER BY run")
    while batch := found.fetchmany(_BATCH):
        for row in batch:
            while left and left[-1] <= row[0]:
                absent = left.pop()
                if absent != row[0]:
                    yield Run(run_id=absent)
            yield run_from(row, names.get(row[0]))
    yield from (Run(run_id=run_id) for run_id in reversed(left))


def _make_touched(reader: Reader, files: list[File], also: Collection[str]) -> None:
    parts = [f"SELECT unnest([{', '.join(map(text_sql, also))}]) AS run"] if also else []
    if files:
        parts.append(f"SELECT run FROM read_parquet({files_sql([reader.path(file) for file in files])})")
    chosen = " UNION ".join(parts) or "SELECT CAST(NULL AS VARCHAR) AS run WHERE false"
    reader.con.execute(f"CREATE OR REPLACE TEMP TABLE {TOUCHED} AS SELECT DISTINCT run FROM ({chosen})")


def _amended_sql(reader: Reader, view: View) -> str:
    """By how much amendments that are not folded in yet change the costs of runs."""
    sealed = " UNION ALL ".join(
        f"SELECT {', '.join(_AMENDED_COLUMNS)} FROM read_parquet({files_sql([reader.path(file)])})"
        for file in view.manifest.of("calls")
    )
    return (
        f"SELECT {KEY} AS run, c.day, 0 AS calls, 0 AS errors, 0 AS input_tokens, 0 AS output_tokens, "
        "coalesce(a.cost_nanousd, 0) - coalesce(c.cost_nanousd, 0) AS cost_nanousd, "
        "CAST(a.cost_nanousd IS NOT NULL AS INTEGER) - CAST(c.cost_nanousd IS NOT NULL AS INTEGER) AS priced_calls "
        f"FROM ({sealed}) c JOIN amended a USING (call_id) WHERE {KEY} IS NOT NULL"
    )


def _names(reader: Reader, view: View, is_some: bool) -> dict[str, str]:
    """Names of runs: a step whose id is the run's tells it."""
    files = view.manifest.of("steps")
    if not files:
        return {}
    steps = f"read_parquet({files_sql([reader.path(file) for file in files])})"
    within = f" SEMI JOIN {TOUCHED} ON run = step_id" if is_some else ""
    rows = reader.con.execute(
        f"SELECT step_id, any_value(name) FROM {steps}{within} WHERE step_id = run_id AND name <> '' GROUP BY step_id"
    ).fetchall()
    return dict(rows)
