"""Tool uses as rows: those that models asked for, and their executions by the application.

A use that was asked for and executed (same tool call id) is one use: the execution's row says so and takes over
the dimensions of the call that asked. An execution that was told when it began and again when it ended, or twice
because an answer was lost, is one too, in however many sealings it came.
"""

from __future__ import annotations

from collections.abc import Sequence

from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.schema import TOOL_COLUMNS, files_sql, us_sql
from tallybook.store.told import FULLEST_SQL

_NAMES = ", ".join(name for name, _ in TOOL_COLUMNS)
_KEY = "coalesce(tool_call_id, step_id)"
_TOLD = "told_before"
_EMPTY = ", ".join(f"CAST(NULL AS {type_}) AS {name}" for name, type_ in TOOL_COLUMNS)


def asked_sql(calls: str) -> str:
    """One row for each tool use in the lists `tool_calls` of the table `calls`."""
    return f"""
SELECT call_id, day, started_at, position, t.name AS tool, t.id AS tool_call_id,
    coalesce(t.server_side, false) AS server_side, {us_sql("t.duration_ms")} AS duration_us, t.error AS error,
    t.arguments AS arguments, t.result AS result, project, provider, model, agent_name, user_id, run_id,
    true AS is_use, false AS is_step
FROM (SELECT call_id, day, started_at, project, provider, model, agent_name, user_id,
        coalesce(run_id, session_id) AS run_id, unnest(tool_calls) AS t,
        CAST(generate_subscripts(tool_calls, 1) - 1 AS INTEGER) AS position
    FROM {calls} WHERE len(tool_calls) > 0)
WHERE t.name IS NOT NULL
"""


def _load_told(con: duckdb.DuckDBPyConnection, steps: str, sealed: Sequence[str]) -> None:
    """Make the table of executions among `steps` that are sealed already, and whether their end is."""
    if not sealed:
        con.execute(f"CREATE OR REPLACE TEMP TABLE {_TOLD} (key VARCHAR, run_id VARCHAR, is_ended BOOLEAN)")
        return
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {_TOLD} AS SELECT {_KEY} AS key, run_id, "
        f"bool_or(duration_us IS NOT NULL) AS is_ended FROM read_parquet({files_sql(list(sealed))}) "
        f"WHERE kind = 'tool' AND {_KEY} IN (SELECT {_KEY} FROM {steps} WHERE kind = 'tool') GROUP BY ALL"
    )


def executed_sql(steps: str, asked: str) -> str:
    """One row for each execution of a tool in the table `steps`, matched with the rows of `asked` by tool call id."""
    return f"""
SELECT a.call_id, coalesce(a.day, s.day) AS day, coalesce(a.started_at, s.started_at) AS started_at, a.position,
    coalesce(a.tool, s.name) AS tool, s.tool_call_id, coalesce(a.server_side, false) AS server_side, s.duration_us,
    CASE WHEN s.status = 'error' THEN coalesce(s.error_message, 'error') END AS error,
    CAST(NULL AS VARCHAR) AS arguments, CAST(NULL AS VARCHAR) AS result, a.project, a.provider, a.model, a.agent_name,
    a.user_id, CASE WHEN a.call_id IS NULL THEN s.run_id ELSE a.run_id END AS run_id,
    a.call_id IS NULL AND b.key IS NULL AS is_use, true AS is_step
FROM (SELECT *, {_KEY} AS key FROM {steps} WHERE kind = 'tool' QUALIFY row_number() OVER
        (PARTITION BY run_id, {_KEY} ORDER BY {FULLEST_SQL}) = 1) s
LEFT JOIN {_TOLD} b ON b.key = s.key AND b.run_id IS NOT DISTINCT FROM s.run_id
LEFT JOIN (SELECT * FROM ({asked}) WHERE tool_call_id IS NOT NULL AND NOT is_step
        QUALIFY row_number() OVER (PARTITION BY tool_call_id ORDER BY started_at) = 1) a
    ON a.tool_call_id = s.tool_call_id
WHERE b.key IS NULL OR (NOT b.is_ended AND s.duration_us IS NOT NULL)
"""


def hot_tools(
    con: duckdb.DuckDBPyConnection,
    calls: str | None,
    steps: str | None,
    table: str,
    sealed: Sequence[str],
    sealed_steps: Sequence[str],
) -> None:
    """Make the temporary table `table` from hot calls and steps; `sealed` are the files of older uses and steps."""
    asked = asked_sql(calls) if calls else f"SELECT {_EMPTY} WHERE false"
    con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {asked}")
    if steps is None:
        return
    row = con.execute(f"SELECT count(*) FROM {steps} WHERE kind = 'tool'").fetchone()
    if not row or not row[0]:
        return
    _load_told(con, steps, sealed_steps)
    known = f"SELECT {_NAMES} FROM {table}"
    if sealed:
        known += (
            f" UNION ALL SELECT {_NAMES} FROM read_parquet({files_sql(list(sealed))}) WHERE tool_call_id IN "
            f"(SELECT tool_call_id FROM {steps} WHERE kind = 'tool')"
        )
    con.execute(f"INSERT INTO {table} SELECT {_NAMES} FROM ({executed_sql(steps, known)})")
