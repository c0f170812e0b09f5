"""The summaries: what each holds and how it is made from calls, or from smaller summaries of the same day.

Every summary is additive: rows of the same key in several files add up, so a late call is one more small row.
They answer the usual questions without the facts, and outlive them.

| kind | one row for each | answers |
|---|---|---|
| summary | hour and what a call was (project … status) | counts, tokens, cost, averages |
| summary_users | day and user | top users, number of users |
| summary_latency | day, what was called, bucket of duration | percentiles, within 2.5 % |
| summary_tools | hour and tool | uses, failures, averages |
| summary_runs | day and run | the list of runs |
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from tallybook.model.usage import TOKEN_FIELDS
from tallybook.store.lake.schema import files_sql

KEY = "coalesce(run_id, session_id)"
"""The run that a call belongs to: its own, else its session."""
ENDED = "epoch_us(started_at) + coalesce(duration_us, 0)"

BUCKET_RATIO = 1.05
"""Buckets of durations grow by this factor: a percentile is off by at most its square root, 2.5 %."""
_LOG_RATIO = math.log(BUCKET_RATIO)


class Measure(NamedTuple):
    """A column that adds up: how it follows from calls, and how from rows of summaries."""

    name: str
    of_calls: str
    combine: str = "sum"
    type: str = "BIGINT"
    of_row: str = ""
    """The same of a single call, where calls stand beside summary rows in one relation."""


class Summary(NamedTuple):
    """One kind of summary: its key, and what it measures."""

    kind: str
    unit: str
    """hour or day: the span of one row, and the column of its start."""
    dimensions: tuple[tuple[str, str], ...]
    """Name and expression over calls."""
    measures: tuple[Measure, ...]
    source: str = "calls"


_USAGE = tuple(Measure(name, f"sum({name})", of_row=name) for name in TOKEN_FIELDS)
_COUNTS = (
    Measure("calls", "count(*)", of_row="1"),
    Measure("cost_nanousd", "sum(cost_nanousd)", of_row="cost_nanousd"),
    Measure("priced_calls", "count(cost_nanousd)", of_row="CASE WHEN cost_nanousd IS NULL THEN 0 ELSE 1 END"),
)
_DURATION = (
    Measure("duration_sum_us", "sum(duration_us)", of_row="duration_us"),
    Measure("duration_count", "count(duration_us)", of_row="CASE WHEN duration_us IS NULL THEN 0 ELSE 1 END"),
    Measure("duration_max_us", "max(duration_us)", "max", of_row="duration_us"),
)
_TIMED = tuple(
    Measure(name, f"sum({of}) FILTER ({known} IS NOT NULL)", of_row=f"CASE WHEN {known} IS NOT NULL THEN {of} END")
    for name, of, known in (
        ("timed_output_tokens", "output_tokens", "duration_us"),
        ("timed_output_us", "duration_us", "output_tokens"),
    )
)
_TIMES = (
    Measure("first_at", "min(started_at)", "min", "TIMESTAMP", "started_at"),
    Measure("last_at", "max(started_at)", "max", "TIMESTAMP", "started_at"),
)
_ERRORS = Measure("errors", "count(*) FILTER (status = 'error')", of_row="CASE WHEN status = 'error' THEN 1 ELSE 0 END")

_TOOL_CALLS = Measure("tool_calls", "sum(tool_call_count)", of_row="tool_call_count")

HOUR_DIMENSIONS = (
    "project", "environment", "operation", "name", "provider", "model", "agent_name", "status", "error_type",
    "cost_status", "service_tier", "source", "is_stream", "is_batch",
)  # fmt: skip

HOURS = Summary(
    "summary",
    "hour",
    tuple((name, name) for name in HOUR_DIMENSIONS),
    (*_COUNTS, *_USAGE, *_DURATION, *_TIMED, *_TIMES, _TOOL_CALLS),
)

USERS = Summary(
    "summary_users",
    "day",
    tuple((name, name) for name in ("user_id", "project", "environment")),
    (*_COUNTS, _ERRORS, *_USAGE, *_DURATION, *_TIMED, *_TIMES, _TOOL_CALLS),
)


def bucket_sql(column: str) -> str:
    """The bucket of a positive number of microseconds; zero and below go to the lowest."""
    return f"CAST(round(ln(greatest({column}, 1)) / ln({BUCKET_RATIO})) AS SMALLINT)"


def bucket_of(value_us: int) -> int:
    """The same of a number."""
    return round(math.log(max(value_us, 1)) / _LOG_RATIO)


LATENCIES = {"d": "duration_us", "t": "ttft_us"}
"""What is counted under each `what` of the summary of latencies."""


def letter_of(name: str) -> str:
    """Under which `what` the counts of a percentile stand."""
    return name[0]


def percent_of(name: str) -> int:
    """Which percentile a measure is."""
    return int(name.split("_p")[1][:2])


def percentile_of(name: str, counts: Mapping[int, int]) -> int | None:
    """A percentile in microseconds from counts by bucket; `None` where nothing is counted."""
    total, found = sum(counts.values()), 0
    for bucket in sorted(counts):
        found += counts[bucket]
        if found * 100 >= total * percent_of(name):
            return round(BUCKET_RATIO**bucket)
    return None


LATENCY_DIMENSIONS = ("project", "environment", "operation", "name", "provider", "model", "agent_name", "status")

TOOLS = Summary(
    "summary_tools",
    "hour",
    tuple((name, name) for name in ("tool", "server_side", "project", "provider", "model", "agent_name")),
    (
        Measure("uses", "count(*) FILTER (is_use)", of_row="CASE WHEN is_use THEN 1 ELSE 0 END"),
        Measure("failures", "count(error)", of_row="CASE WHEN error IS NULL THEN 0 ELSE 1 END"),
        *_DURATION[:2],
        Measure("last_at", "max(started_at)", "max", "TIMESTAMP", "started_at"),
    ),
    "tools",
)

RUNS = Summary(
    "summary_runs",
    "day",
    (("run", KEY), *((name, name) for name in ("project", "environment", "user_id", "session_id"))),
    (
        Measure("agent_name", "arg_min(agent_name, started_at)", "any_value", "VARCHAR"),
        *_COUNTS, _ERRORS, *_USAGE[:2], *_TIMES[:1],
        Measure("ended_us", f"max({ENDED})", "max"),
        Measure("tags", "nullif(string_agg(DISTINCT tags, chr(10)), '')", "lines", "VARCHAR"),
    ),
)  # fmt: skip


def rows_sql(files: list[str], kind: str) -> str:
    """The rows of a kind's files, also of those that were written before `_TIMED`, which are unknown there."""
    if kind not in (HOURS.kind, USERS.kind):
        return f"read_parquet({files_sql(files)})"
    later = ", ".join(f"CAST(NULL AS {one.type}) AS {one.name}" for one in _TIMED)
    rows = f"SELECT * FROM read_parquet({files_sql(files)}, union_by_name=true)"
    return f"({rows} UNION ALL BY NAME SELECT {later} WHERE false)"


def _unit(summary: Summary, of_calls: bool) -> str:
    if summary.unit == "day":
        return "day"
    return "date_trunc('hour', started_at) AS hour" if of_calls else "hour"


def made_sql(summary: Summary, table: str, where: str = "true") -> str:
    """The summary of calls (or tool uses) in `table`."""
    dimensions = [f"{sql} AS {name}" if sql != name else name for name, sql in summary.dimensions]
    measures = [f"CAST({one.of_calls} AS {one.type}) AS {one.name}" for one in summary.measures]
    if summary.kind == "summary_runs":
        where += f" AND {KEY} IS NOT NULL"
    groups = ", ".join(str(number + 1) for number in range(len(dimensions) + 1))
    columns = ", ".join([_unit(summary, True), *dimensions, *measures])
    return f"SELECT {columns} FROM {table} WHERE {where} GROUP BY {groups}"


def combined_sql(summary: Summary, table: str) -> str:
    """Rows of the same key in `table` (rows of this summary) added up."""
    names = [summary.unit, *(name for name, _ in summary.dimensions)]
    measures = [
        f"nullif(string_agg(DISTINCT {one.name}, chr(10)), '') AS {one.name}"
        if one.combine == "lines"
        else f"CAST({one.combine}({one.name}) AS {one.type}) AS {one.name}"
        for one in summary.measures
    ]
    return f"SELECT {', '.join([*names, *measures])} FROM {table} GROUP BY {', '.join(names)}"


def latency_sql(table: str, where: str = "true") -> str:
    """Counts by bucket of duration (`d`) and of time to first token (`t`)."""
    names = ", ".join(LATENCY_DIMENSIONS)
    parts = [
        f"SELECT day, {names}, '{letter}' AS what, {bucket_sql(column)} AS bucket, CAST(count(*) AS BIGINT) AS calls "
        f"FROM {table} WHERE {column} IS NOT NULL AND {where} GROUP BY ALL"
        for letter, column in LATENCIES.items()
    ]
    return " UNION ALL ".join(parts)


def latency_combined_sql(table: str) -> str:
    """Latency rows of the same key added up."""
    names = ", ".join(("day", *LATENCY_DIMENSIONS, "what", "bucket"))
    return f"SELECT {names}, CAST(sum(calls) AS BIGINT) AS calls FROM {table} GROUP BY {names}"
