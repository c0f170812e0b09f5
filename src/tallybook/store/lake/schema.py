"""The columns: how a journal line's keys are read, and what becomes of them in the table `calls`.

One list, used by reading hot lines and by sealing alike, so that a call looks the same before and after.
Rules and their reasons (each was measured): time is naive UTC (time zones make DuckDB several times slower),
money is whole nano-USD, the day is a column of its own, texts that few questions read stay JSON text,
128 bits of each hash are kept (the journal keeps the whole).
"""

from __future__ import annotations

from typing import NamedTuple

from tallybook.model.usage import TOKEN_FIELDS

LINE_COLUMNS: dict[str, str] = {
    "v": "INTEGER", "timestamp": "VARCHAR", "call_id": "VARCHAR", "agent_name": "VARCHAR", "operation": "VARCHAR",
    "model": "VARCHAR", "session_id": "VARCHAR", "user_id": "VARCHAR", "duration_ms": "DOUBLE",
    "tokens": "STRUCT(" + "".join(f'"{name.removesuffix("_tokens")}" BIGINT, ' for name in TOKEN_FIELDS)
              + "total BIGINT)",
    "cost_usd": "DOUBLE", "success": "BOOLEAN", "prompt_hash": "VARCHAR", "response_hash": "VARCHAR",
    "metadata": "JSON", "name": "VARCHAR", "provider": "VARCHAR", "response_model": "VARCHAR",
    "response_id": "VARCHAR", "run_id": "VARCHAR", "parent_id": "VARCHAR", "ttft_ms": "DOUBLE", "status": "VARCHAR",
    "error_type": "VARCHAR", "http_status": "INTEGER", "environment": "VARCHAR", "tags": "JSON",
    "attributes": "JSON",
    "tool_calls": "STRUCT(name VARCHAR, id VARCHAR, arguments VARCHAR, result VARCHAR, duration_ms DOUBLE, "
                  "error VARCHAR, server_side BOOLEAN)[]",
    "finish_reasons": "JSON", "service_tier": "VARCHAR", "base_url": "VARCHAR", "is_stream": "BOOLEAN",
    "is_batch": "BOOLEAN", "may_repeat": "BOOLEAN", "retries": "INTEGER", "source": "VARCHAR", "requests": "JSON",
    "quantities": "JSON", "usage_raw": "JSON", "parameters": "JSON", "prompt_chars": "BIGINT",
    "response_chars": "BIGINT", "prompt_preview": "VARCHAR", "response_preview": "VARCHAR", "flags": "JSON",
}  # fmt: skip
"""Keys of a telemetry line and the types they are read as. A value of another type is read as unknown.

All keys that we write are named, also those that no column follows from: DuckDB takes longest for keys it is not told.
"""

STEP_COLUMNS: dict[str, str] = {
    "timestamp": "VARCHAR", "step_id": "VARCHAR", "kind": "VARCHAR", "name": "VARCHAR", "run_id": "VARCHAR",
    "parent_id": "VARCHAR", "duration_ms": "DOUBLE", "status": "VARCHAR", "error": "VARCHAR",
    "tool_call_id": "VARCHAR", "input_preview": "VARCHAR", "output_preview": "VARCHAR", "attributes": "JSON",
}  # fmt: skip

MESSAGE_COLUMNS = {"hash": "VARCHAR", "message": "VARCHAR"}
BODY_COLUMNS = {
    "prompts": {"call_id": "VARCHAR", "prompt": "JSON", "messages": "VARCHAR[]"},
    "responses": {"call_id": "VARCHAR", "response": "JSON"},
    "messages": MESSAGE_COLUMNS,
}


class Column(NamedTuple):
    """One column of the table `calls`: its name, type, and how it follows from a line's keys."""

    name: str
    type: str
    sql: str


def time_sql(key: str) -> str:
    """A text time as naive UTC. Ours end in `Z` and are cast directly; others may carry an offset."""
    return (
        f"CASE WHEN ends_with({key}, 'Z') THEN try_cast({key} AS TIMESTAMP) "
        f"ELSE make_timestamp(epoch_us(try_cast({key} AS TIMESTAMPTZ))) END"
    )


def us_sql(key: str) -> str:
    """Milliseconds as whole microseconds, rounded half to even as the codec does."""
    return f"CAST(round_even({key} * 1000, 0) AS BIGINT)"


def _hash_sql(key: str) -> str:
    """128 bits of a SHA-256, so 16 bytes; another text is kept as it is behind `=` or `==`, never in 16 bytes."""
    text = f"encode(CASE WHEN strlen({key}) = 15 THEN '==' ELSE '=' END || {key})"
    return (
        f"CASE WHEN {key} IS NULL THEN NULL WHEN length({key}) = 71 AND starts_with({key}, 'sha256:') "
        f"THEN coalesce(TRY(unhex(substr({key}, 8, 32))), {text}) ELSE {text} END"
    )


_STATUS = "coalesce(status, CASE WHEN success THEN 'ok' ELSE 'error' END)"
_OWN_METADATA = (  # S5's own tools put the application's keys beside the three; ours has them in `attributes`.
    "nullif(CASE WHEN attributes IS NOT NULL OR metadata IS NULL OR starts_with(metadata, '{\"project\":') "
    'THEN attributes ELSE json_merge_patch(metadata, \'{"project":null,"git_branch":null,"error":null}\') END, \'{}\')'
)


def _token(name: str) -> Column:
    return Column(name, "BIGINT", f'tokens."{name.removesuffix("_tokens")}"')


COLUMNS: tuple[Column, ...] = (
    Column("call_id", "VARCHAR", "call_id"),
    Column("day", "DATE", "CAST(started_at AS DATE)"),
    Column("started_at", "TIMESTAMP", "started_at"),
    Column("duration_us", "BIGINT", us_sql("duration_ms")),
    Column("ttft_us", "BIGINT", us_sql("ttft_ms")),
    Column("project", "VARCHAR", "metadata->>'$.project'"),
    Column("environment", "VARCHAR", "environment"),
    Column("operation", "VARCHAR", "coalesce(operation, 'chat')"),
    Column("name", "VARCHAR", "name"),
    Column("provider", "VARCHAR", "coalesce(provider, 'unknown')"),
    Column("model", "VARCHAR", "coalesce(response_model, model)"),
    Column("requested_model", "VARCHAR", "model"),
    Column("response_model", "VARCHAR", "response_model"),
    Column("response_id", "VARCHAR", "response_id"),
    Column("run_id", "VARCHAR", "run_id"),
    Column("parent_id", "VARCHAR", "parent_id"),
    Column("session_id", "VARCHAR", "session_id"),
    Column("user_id", "VARCHAR", "user_id"),
    Column("agent_name", "VARCHAR", "agent_name"),
    Column("status", "VARCHAR", _STATUS),
    Column("error_type", "VARCHAR", "error_type"),
    Column("error_message", "VARCHAR", "metadata->>'$.error'"),
    Column("http_status", "INTEGER", "http_status"),
    *(_token(name) for name in TOKEN_FIELDS),
    Column("tool_call_count", "INTEGER", "CAST(coalesce(len(tool_calls), 0) AS INTEGER)"),
    Column("tags", "VARCHAR", "nullif(CAST(tags AS VARCHAR), '[]')"),
    Column("metadata", "VARCHAR", f"CAST({_OWN_METADATA} AS VARCHAR)"),
    Column("git_branch", "VARCHAR", "metadata->>'$.git_branch'"),
    Column("finish_reasons", "VARCHAR", "nullif(CAST(finish_reasons AS VARCHAR), '[]')"),
    Column("service_tier", "VARCHAR", "service_tier"),
    Column("base_url", "VARCHAR", "base_url"),
    Column("is_stream", "BOOLEAN", "coalesce(is_stream, false)"),
    Column("is_batch", "BOOLEAN", "coalesce(is_batch, false)"),
    Column("may_repeat", "BOOLEAN", "coalesce(may_repeat, false)"),
    Column("retries", "INTEGER", "coalesce(retries, 0)"),
    Column("source", "VARCHAR", "coalesce(source, 'sdk')"),
    Column("requests", "VARCHAR", "nullif(CAST(requests AS VARCHAR), '{}')"),
    Column("quantities", "VARCHAR", "nullif(CAST(quantities AS VARCHAR), '{}')"),
    Column("usage_raw", "VARCHAR", "CAST(usage_raw AS VARCHAR)"),
    Column("parameters", "VARCHAR", "nullif(CAST(parameters AS VARCHAR), '{}')"),
    Column("prompt_hash", "BLOB", _hash_sql("prompt_hash")),
    Column("response_hash", "BLOB", _hash_sql("response_hash")),
    Column("prompt_chars", "BIGINT", "prompt_chars"),
    Column("response_chars", "BIGINT", "response_chars"),
    Column("prompt_preview", "VARCHAR", "prompt_preview"),
    Column("response_preview", "VARCHAR", "response_preview"),
    Column("flags", "VARCHAR", "nullif(CAST(flags AS VARCHAR), '[]')"),
)
"""All columns but those of the cost. JSON texts are as in the line; empty ones are NULL."""

COST_COLUMNS: tuple[tuple[str, str], ...] = (
    ("cost_nanousd", "BIGINT"), ("input_cost_nanousd", "BIGINT"), ("cache_read_cost_nanousd", "BIGINT"),
    ("cache_write_cost_nanousd", "BIGINT"), ("output_cost_nanousd", "BIGINT"), ("tools_cost_nanousd", "BIGINT"),
    ("cost_status", "VARCHAR"), ("price", "VARCHAR"), ("cost_reasons", "VARCHAR"),
)  # fmt: skip

CALL_COLUMNS: tuple[str, ...] = (*(column.name for column in COLUMNS), *(name for name, _ in COST_COLUMNS))
COLUMN_SQL = {column.name: column.sql for column in COLUMNS}

PRICE_INPUTS = (
    "call_id", "started_at", "provider", "model", "requested_model", "service_tier", "is_batch", "base_url", "project",
    "requests", "quantities", "flags", "status", "http_status", *TOKEN_FIELDS,
)  # fmt: skip
"""Columns that a cost is worked out from, besides the cost that the line itself states."""

TOOL_COLUMNS: tuple[tuple[str, str], ...] = (
    ("call_id", "VARCHAR"), ("day", "DATE"), ("started_at", "TIMESTAMP"), ("position", "INTEGER"), ("tool", "VARCHAR"),
    ("tool_call_id", "VARCHAR"), ("server_side", "BOOLEAN"), ("duration_us", "BIGINT"), ("error", "VARCHAR"),
    ("arguments", "VARCHAR"), ("result", "VARCHAR"), ("project", "VARCHAR"), ("provider", "VARCHAR"),
    ("model", "VARCHAR"), ("agent_name", "VARCHAR"), ("user_id", "VARCHAR"), ("run_id", "VARCHAR"),
    ("is_use", "BOOLEAN"), ("is_step", "BOOLEAN"),
)  # fmt: skip
"""The narrow table of tool uses: one row for each use that a model asked for, and one for each execution by the
application (`is_step`). Where both exist, whichever was stored second has `is_use` false, so that uses are not
counted twice; failures and durations are taken from either."""


def steps_sql(source: str) -> str:
    """Steps as columns (`STEP_FIELDS`) from the read_json of their segments."""
    return f"""
SELECT step_id, CAST(started_at AS DATE) AS day, started_at, coalesce(kind, 'chain') AS kind,
    coalesce(name, '') AS name, run_id, parent_id, {us_sql("duration_ms")} AS duration_us,
    coalesce(status, 'ok') AS status, error AS error_message, tool_call_id, input_preview, output_preview,
    nullif(CAST(attributes AS VARCHAR), '{{}}') AS metadata
FROM (SELECT *, {time_sql("timestamp")} AS started_at FROM {source})
WHERE started_at IS NOT NULL AND step_id IS NOT NULL
"""


STEP_FIELDS = (
    "step_id", "day", "started_at", "kind", "name", "run_id", "parent_id", "duration_us", "status", "error_message",
    "tool_call_id", "input_preview", "output_preview", "metadata",
)  # fmt: skip


def struct_sql(columns: dict[str, str]) -> str:
    """The `columns` argument of read_json."""
    return "{" + ", ".join(f"'{name}': '{type_}'" for name, type_ in columns.items()) + "}"


def text_sql(value: str) -> str:
    """A text as an SQL literal, where a bound parameter is not possible (file lists, names)."""
    return "'" + value.replace("'", "''") + "'"


def name_sql(name: str) -> str:
    """A column's name, quoted."""
    return '"' + name.replace('"', '""') + '"'


def files_sql(paths: list[str]) -> str:
    """A list of files as an SQL literal."""
    return "[" + ", ".join(text_sql(path) for path in paths) + "]"


def pointer(key: str) -> str:
    """The JSON pointer to a top-level key."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def restored_sql(promoted: dict[str, str]) -> str:
    """`metadata` put together again from the rest and the promoted columns."""
    pairs = ", ".join(f"{text_sql(key)}, {name_sql('metadata.' + key)}" for key in promoted)
    whole = f"json_merge_patch(coalesce(CAST(metadata AS JSON), '{{}}'), json_object({pairs}))"
    return f"nullif(CAST({whole} AS VARCHAR), '{{}}') AS metadata"
