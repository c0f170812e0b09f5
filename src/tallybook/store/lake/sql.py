"""One read-only SELECT by the user, on a connection that can reach nothing but the folder's own files.

The connection may open exactly the files of the manifest, and its settings are locked before the text runs.
"""

from __future__ import annotations

from typing import Any

from tallybook.model.errors import InputError
from tallybook.model.question import Answer
from tallybook.store.lake.bodies import source_sql
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.schema import (
    BODY_COLUMNS,
    CALL_COLUMNS,
    STEP_FIELDS,
    TOOL_COLUMNS,
    files_sql,
)
from tallybook.store.lake.summary import ENDED, KEY
from tallybook.store.told import once_sql

VIEWS = ("calls", "tool_calls", "runs", "prompts", "steps")
_BODY_TYPES = {"messages": "VARCHAR[]"}
RUN_COLUMNS = f"""{KEY} AS run_id, any_value(project) AS project, any_value(user_id) AS user_id,
    any_value(session_id) AS session_id, any_value(agent_name) AS agent_name, min(started_at) AS created_at,
    make_timestamp(max({ENDED})) AS updated_at, count(*) AS call_count,
    count(*) FILTER (status = 'error') AS error_count, sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens, sum(cost_nanousd) AS cost_nanousd,
    count(*) - count(cost_nanousd) AS unpriced_count"""


def check(text: str) -> None:
    """Raise InputError unless `text` is one SELECT."""
    try:
        statements = duckdb.extract_statements(text)
    except duckdb.Error as error:
        raise InputError(f"not SQL: {error}", field="sql") from error
    if len(statements) != 1:
        raise InputError(f"one SELECT is allowed, not {len(statements)} statements", field="sql")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise InputError(
            f"only SELECT is allowed, not {statements[0].type.name}", field="sql", hint=f"views: {', '.join(VIEWS)}"
        )


def run(reader: Reader, view: View, text: str, limit: int | None, memory_mb: int | None = None) -> Answer:
    """The answer to a checked SELECT."""
    apart = Reader(reader.folder, reader.prices)
    con = apart.con
    try:
        _make_views(apart, view)
        con.execute("SET allowed_paths=" + files_sql([reader.path(file) for file in view.manifest.files]))
        con.execute("SET python_enable_replacements=false")
        if memory_mb is not None:
            con.execute(f"SET memory_limit='{int(memory_mb)}MB'; SET temp_directory=''; SET threads=2")
        con.execute("SET enable_external_access=false")
        con.execute("SET lock_configuration=true")
        try:
            cursor = con.execute(text)
            columns = tuple(item[0] for item in cursor.description or ())
            return Answer(columns, cursor.fetchall() if limit is None else cursor.fetchmany(limit))
        except duckdb.IOException:
            raise
        except duckdb.Error as error:
            raise InputError(str(error), field="sql", hint=f"views: {', '.join(VIEWS)}") from error
    finally:
        apart.close()


def _make_views(reader: Reader, view: View) -> None:
    con = reader.con
    con.execute(f"CREATE VIEW calls AS SELECT {', '.join(CALL_COLUMNS)} FROM ({reader.calls(view, CALL_COLUMNS)})")
    names = [name for name, _ in TOOL_COLUMNS]
    con.execute(f"CREATE VIEW tool_calls AS SELECT {', '.join(names)} FROM ({reader.tools(view, names)})")
    con.execute(f"CREATE VIEW runs AS SELECT {RUN_COLUMNS} FROM calls WHERE {KEY} IS NOT NULL GROUP BY 1")
    steps = [f"SELECT {', '.join(STEP_FIELDS)} FROM read_parquet({files_sql(files)})"
             for files in [reader.files(view, "steps")] if files]  # fmt: skip
    if reader.hot_steps(view):
        steps.append(f"SELECT {', '.join(STEP_FIELDS)} FROM hot_steps")
    nothing = ", ".join(f"CAST(NULL AS VARCHAR) AS {name}" for name in STEP_FIELDS)
    told = once_sql(f"({' UNION ALL '.join(steps)})") if steps else f"SELECT {nothing} WHERE false"
    con.execute(f"CREATE VIEW steps AS {told}")
    for kind in ("prompts", "responses", "messages"):
        con.execute(f"CREATE VIEW stored_{kind} AS {_bodies_sql(reader, view, kind)}")
    con.execute(
        """CREATE VIEW prompts AS
        SELECT coalesce(p.call_id, r.call_id) AS call_id, p.prompt, r.response FROM
        (SELECT call_id, coalesce(any_value(prompt), '[' || string_agg(message, ',' ORDER BY i) || ']') AS prompt
            FROM (SELECT call_id, prompt, unnest(coalesce(messages, [NULL])) AS hash,
                    generate_subscripts(coalesce(messages, [NULL]), 1) AS i FROM stored_prompts)
            LEFT JOIN (SELECT hash, any_value(message) AS message FROM stored_messages GROUP BY hash) USING (hash)
            GROUP BY call_id) p
        FULL JOIN stored_responses r ON r.call_id = p.call_id"""
    )


def _bodies_sql(reader: Reader, view: View, kind: Any) -> str:
    columns = ", ".join(f"CAST({name} AS {_BODY_TYPES.get(name, 'VARCHAR')}) AS {name}" for name in BODY_COLUMNS[kind])
    parts = []
    files = reader.files(view, kind)
    if files:
        parts.append(f"SELECT {columns} FROM read_parquet({files_sql(files)})")
    hot = [str(reader.folder / path) for path in view.hot.get(kind, [])]
    if hot:
        reader.con.execute(f"CREATE TABLE hot_{kind} AS SELECT {columns} FROM {source_sql(kind, hot)}")
        parts.append(f"SELECT * FROM hot_{kind}")
    empty = ", ".join(f"CAST(NULL AS {_BODY_TYPES.get(name, 'VARCHAR')}) AS {name}" for name in BODY_COLUMNS[kind])
    return " UNION ALL ".join(parts) or f"SELECT {empty} WHERE false"
