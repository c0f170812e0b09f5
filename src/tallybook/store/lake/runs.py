"""Runs with their totals: grouped from the calls of the runs that have a matching call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tallybook.model.call import Run
from tallybook.model.question import Filter
from tallybook.store.lake.find import UTC_ONLY, columns_of_filters
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.render import where_sql
from tallybook.store.lake.schema import files_sql, text_sql

KEY = "coalesce(run_id, session_id)"
ENDED = "epoch_us(started_at) + coalesce(duration_us, 0)"
COLUMNS = (
    "started_at", "duration_us", "run_id", "session_id", "project", "environment", "user_id", "agent_name", "status",
    "input_tokens", "output_tokens", "cost_nanousd", "tags",
)  # fmt: skip


def _first(name: str) -> str:
    return f"arg_min({name}, (started_at, call_id)) FILTER ({name} IS NOT NULL)"


_TOTALS = f"""
SELECT {KEY} AS k, {_first("project")}, {_first("user_id")}, {_first("session_id")}, {_first("agent_name")},
    epoch_us(min(started_at)), max({ENDED}) AS updated, count(*), count(*) FILTER (status = 'error'),
    coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(cost_nanousd), 0),
    count(*) - count(cost_nanousd), list(DISTINCT tags) FILTER (tags IS NOT NULL)
"""


def listed(
    reader: Reader,
    view: View,
    filters: Sequence[Filter],
    *,
    since_us: int | None,
    until_us: int | None,
    limit: int,
    before: tuple[int, str] | None,
) -> list[Run]:
    """Runs with at least one call that matches, latest activity first; totals are over all their calls."""
    columns, keys = columns_of_filters(filters)
    params: list[Any] = []
    where = where_sql(filters, since_us, until_us, UTC_ONLY, params)
    relation = reader.calls(view, {*COLUMNS, *columns}, keys)
    having = ""
    if before is not None:
        having = " HAVING (updated, k) < (?, ?)"
        params.extend(before)
    cursor = reader.con.execute(
        f"WITH t AS ({relation}), m AS (SELECT DISTINCT {KEY} AS k FROM t WHERE {where} AND {KEY} IS NOT NULL) "
        f"{_TOTALS} FROM t WHERE {KEY} IN (SELECT k FROM m) GROUP BY k{having} "
        f"ORDER BY updated DESC, k DESC LIMIT {int(limit)}",
        params,
    )
    rows = cursor.fetchall()
    names = _names(reader, view, [row[0] for row in rows])
    return [_run(row, names.get(row[0])) for row in rows]


def _names(reader: Reader, view: View, run_ids: Sequence[str]) -> dict[str, str]:
    """Names of runs: a step whose id is the run's tells it."""
    found: dict[str, str] = {}
    if not run_ids:
        return found
    ids = ", ".join(text_sql(one) for one in run_ids)
    parts = []
    files = reader.files(view, "steps")
    if files:
        parts.append(f"SELECT step_id, name FROM read_parquet({files_sql(files)}) WHERE step_id IN ({ids})")
    if reader.hot_steps(view):
        parts.append(f"SELECT step_id, name FROM hot_steps WHERE step_id IN ({ids})")
    for part in parts:
        found.update({step: name for step, name in reader.con.execute(part).fetchall() if name})
    return found


def _run(row: tuple[Any, ...], name: str | None) -> Run:
    tags = {tag for text in (row[13] or ()) for tag in msgspec.json.decode(text)}
    return Run(
        run_id=row[0], name=name, project=row[1], user_id=row[2], session_id=row[3], agent_name=row[4],
        created_at_us=row[5], updated_at_us=row[6], call_count=row[7], error_count=row[8], input_tokens=int(row[9]),
        output_tokens=int(row[10]), cost_nanousd=int(row[11]), unpriced_count=row[12], tags=tuple(sorted(tags)),
    )  # fmt: skip
