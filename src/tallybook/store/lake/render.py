"""A question in DuckDB's SQL: about twenty-five fragments, values bound as parameters.

It renders over a relation `t` with the columns of `schema.CALL_COLUMNS` (or of the tool table) that `needs` names;
where these rows come from, files or hot lines, it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tallybook.model.question import Filter, Question
from tallybook.store.check import BOOL_FIELDS, INT_FIELDS, METADATA
from tallybook.store.lake.schema import name_sql

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
TAGS = "CAST(CAST(tags AS JSON) AS VARCHAR[])"

_DIMENSIONS = {
    "task": "coalesce(name, operation)",
    "run_id": "coalesce(run_id, session_id)",
    "total_tokens": "CASE WHEN input_tokens IS NULL AND output_tokens IS NULL THEN NULL "
    "ELSE coalesce(input_tokens, 0) + coalesce(output_tokens, 0) END",
    "cache_write_tokens": "CASE WHEN cache_write_5m_tokens IS NULL AND cache_write_1h_tokens IS NULL THEN NULL "
    "ELSE coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0) END",
}
_INPUTS = {
    "task": ("name", "operation"),
    "run_id": ("run_id", "session_id"),
    "tag": ("tags",),
    "operation_or_name": ("operation", "name"),
    "total_tokens": ("input_tokens", "output_tokens"),
    "cache_write_tokens": ("cache_write_5m_tokens", "cache_write_1h_tokens"),
    "hour_of_day": ("started_at",),
    "day_of_week": ("started_at",),
}

_MEASURES = {
    "calls": "count(*)",
    "errors": "count(*) FILTER (status = 'error')",
    "priced_calls": "count(cost_nanousd)",
    "unpriced_calls": "count(*) - count(cost_nanousd)",
    "estimated_calls": "count(*) FILTER (cost_status = 'estimated')",
    "users": "count(DISTINCT user_id)",
    "runs": "count(DISTINCT coalesce(run_id, session_id))",
    "sessions": "count(DISTINCT session_id)",
    "duration_avg_us": "sum(duration_us) // count(duration_us)",
    "duration_max_us": "max(duration_us)",
    "duration_sum_us": "sum(duration_us)",
    "timed_output_tokens": "sum(output_tokens) FILTER (duration_us IS NOT NULL)",
    "timed_output_us": "sum(duration_us) FILTER (output_tokens IS NOT NULL)",
    "tool_calls": "CAST(coalesce(sum(tool_call_count), 0) AS BIGINT)",
    "first_at_us": "epoch_us(min(started_at))",
    "last_at_us": "epoch_us(max(started_at))",
    "total_tokens": "CASE WHEN count(input_tokens) + count(output_tokens) > 0 "
    "THEN coalesce(sum(input_tokens), 0) + coalesce(sum(output_tokens), 0) END",
    "cache_write_tokens": "CASE WHEN count(cache_write_5m_tokens) + count(cache_write_1h_tokens) > 0 "
    "THEN coalesce(sum(cache_write_5m_tokens), 0) + coalesce(sum(cache_write_1h_tokens), 0) END",
}
_MEASURE_INPUTS = {
    "calls": (),
    "errors": ("status",),
    "priced_calls": ("cost_nanousd",),
    "unpriced_calls": ("cost_nanousd",),
    "estimated_calls": ("cost_status",),
    "users": ("user_id",),
    "runs": ("run_id", "session_id"),
    "sessions": ("session_id",),
    "timed_output_tokens": ("output_tokens", "duration_us"),
    "timed_output_us": ("output_tokens", "duration_us"),
    "tool_calls": ("tool_call_count",),
    "first_at_us": ("started_at",),
    "last_at_us": ("started_at",),
    "total_tokens": _INPUTS["total_tokens"],
    "cache_write_tokens": _INPUTS["cache_write_tokens"],
}

_TOOL_MEASURES = {
    "uses": "count(*) FILTER (is_use)",
    "failures": "count(error)",
    "duration_avg_us": "sum(duration_us) // count(duration_us)",
    "duration_p95_us": "quantile_disc(duration_us, 0.95)",
    "calls": "count(DISTINCT call_id)",
    "runs": "count(DISTINCT run_id)",
    "last_at_us": "epoch_us(max(started_at))",
}
_TOOL_INPUTS = {
    "uses": ("is_use",), "failures": ("error",), "duration_avg_us": ("duration_us",),
    "duration_p95_us": ("duration_us",), "calls": ("call_id",), "runs": ("run_id",), "last_at_us": ("started_at",),
}  # fmt: skip


class Local(NamedTuple):
    """A zone as the few offsets it had within a span: pairs of (from this UTC microsecond on, offset in µs)."""

    steps: tuple[tuple[int, int], ...]

    def sql(self, time: str = "started_at") -> str:
        """Local microseconds of a naive UTC time."""
        micros = f"epoch_us({time})"
        offset = str(self.steps[0][1])
        for since, value in self.steps[1:]:
            offset = f"CASE WHEN {micros} >= {since} THEN {value} ELSE {offset} END"
        return micros if offset == "0" else f"({micros} + {offset})"

    @property
    def is_utc(self) -> bool:
        """Whether local time is UTC all along."""
        return all(offset == 0 for _, offset in self.steps)

    @property
    def whole_hours(self) -> bool:
        """Whether local hours begin when UTC's do."""
        return all(offset % HOUR_US == 0 for _, offset in self.steps)


def _offset_us(zone: ZoneInfo, at_us: int) -> int:
    offset = datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset / timedelta(microseconds=1))


def local_of(zone: ZoneInfo, since_us: int, until_us: int) -> Local:
    """The offsets of a zone in a span, with the moments of their changes to the second."""
    steps = [(since_us, _offset_us(zone, since_us))]
    if zone.key == "UTC":
        return Local(tuple(steps))
    at = since_us
    while at < until_us:
        after = min(at + 7 * DAY_US, until_us)
        if _offset_us(zone, after) != steps[-1][1]:
            low, high = at // 1_000_000, -(-after // 1_000_000)
            while high - low > 1:
                middle = (low + high) // 2
                if _offset_us(zone, middle * 1_000_000) == steps[-1][1]:
                    low = middle
                else:
                    high = middle
            after = high * 1_000_000
            steps.append((after, _offset_us(zone, after)))
        at = after
    return Local(tuple(steps))


class Needs(NamedTuple):
    """Columns and metadata keys that a question reads."""

    columns: frozenset[str]
    keys: frozenset[str]


def needs(question: Question) -> Needs:
    """What the relation must hold for a question."""
    columns: set[str] = set()
    keys: set[str] = set()
    if question.grain or question.since_us is not None or question.until_us is not None:
        columns.add("started_at")
    if question.grain:
        columns.add("day")
    for name in (*question.dimensions, *(given.field for given in question.filters)):
        if name.startswith(METADATA):
            keys.add(name.removeprefix(METADATA))
        elif question.source == "tool_calls":
            columns.add(name)
        else:
            columns.update(_INPUTS.get(name, (name,)))
    for name in question.measures:
        if question.source == "tool_calls":
            columns.update(_TOOL_INPUTS[name])
        elif name.startswith(("duration_", "ttft_")):
            columns.add("duration_us" if name.startswith("duration_") else "ttft_us")
        else:
            columns.update(_MEASURE_INPUTS.get(name, (name,)))
    return Needs(frozenset(columns), frozenset(keys))


def _percentile(name: str) -> str | None:
    for prefix in ("duration_p", "ttft_p"):
        if name.startswith(prefix):
            return f"quantile_disc({prefix[:-2]}_us, 0.{name[len(prefix) : len(prefix) + 2]})"
    return None


def measure_sql(name: str, source: str = "calls") -> str:
    """One measure as an aggregate."""
    if source == "tool_calls":
        return _TOOL_MEASURES[name]
    if name in _MEASURES:
        return _MEASURES[name]
    return _percentile(name) or f"sum({name})"


def field_sql(name: str, local: Local, source: str = "calls") -> str:
    """One dimension or field as an expression."""
    if name == "hour_of_day":
        return f"({local.sql()} // {HOUR_US} % 24)"
    if name == "day_of_week":
        return f"(({local.sql()} // {DAY_US} + 3) % 7)"
    if source == "tool_calls":
        return name_sql(name)
    return _DIMENSIONS.get(name) or name_sql(name)


def _several(given: Filter, texts: str, params: list[Any]) -> str:
    """A filter on a field of several values (tags): it holds when it holds for any of them; its negation for none."""
    match given.op:
        case "exists":
            return f"len({texts}) > 0"
        case "missing":
            return f"coalesce(len({texts}), 0) = 0"
        case "eq" | "ne":
            params.append(given.value)
            sql = f"coalesce(list_contains({texts}, ?), false)"
        case "in" | "not_in":
            params.append(list(given.value))
            sql = f"coalesce(list_has_any({texts}, CAST(? AS VARCHAR[])), false)"
        case "contains":
            params.append(given.value)
            sql = f"coalesce(list_bool_or(list_transform({texts}, lambda x: contains(lower(x), lower(?)))), false)"
        case _:
            params.append(given.value)
            sign = ">=" if given.op == "gte" else "<"
            sql = f"coalesce(list_bool_or(list_transform({texts}, lambda x: x {sign} ?)), false)"
    return f"NOT {sql}" if given.op in ("ne", "not_in") else sql


def filter_sql(given: Filter, local: Local, params: list[Any], source: str = "calls") -> str:
    """One condition; its values are appended to `params` in the order of their places."""
    if given.field == "tag":
        return _several(given, TAGS, params)
    if given.field == "operation_or_name":
        return _several(given, "CASE WHEN name IS NULL THEN [operation] ELSE [operation, name] END", params)
    sql = field_sql(given.field, local, source)
    match given.op:
        case "exists":
            return f"{sql} IS NOT NULL"
        case "missing":
            return f"{sql} IS NULL"
        case "eq":
            params.append(given.value)
            return f"{sql} = ?"
        case "ne":
            params.append(given.value)
            return f"{sql} IS DISTINCT FROM ?"
        case "in" | "not_in":
            values = [value for value in given.value if value is not None]
            params.extend(values)
            inside = f"{sql} IN ({', '.join('?' * len(values))})" if values else "false"
            return inside if given.op == "in" else f"({sql} IS NULL OR NOT {inside})"
        case "contains":
            params.append(given.value)
            text = f"CAST({sql} AS VARCHAR)" if given.field in INT_FIELDS | BOOL_FIELDS else sql
            return f"contains(lower({text}), lower(?))"
    params.append(given.value)
    if given.field.startswith(METADATA) and isinstance(given.value, int | float):
        sql = f"try_cast({sql} AS DOUBLE)"
    return f"{sql} {'>=' if given.op == 'gte' else '<'} ?"


def where_sql(
    filters: Sequence[Filter],
    since_us: int | None,
    until_us: int | None,
    local: Local,
    params: list[Any],
    source: str = "calls",
) -> str:
    """The WHERE clause of a span and filters; `true` when there is none."""
    parts: list[str] = []
    if since_us is not None:
        parts.append(f"started_at >= make_timestamp({int(since_us)})")
    if until_us is not None:
        parts.append(f"started_at < make_timestamp({int(until_us)})")
    parts.extend(filter_sql(given, local, params, source) for given in filters)
    return " AND ".join(parts) or "true"  # fmt: skip


def bucket_sql(grain: str, local: Local) -> str:
    """The local bucket of a row as a number: hours, or days, since 1970 at the bucket's start."""
    if grain == "hour":
        return f"{local.sql()} // {HOUR_US}"
    day = "(day - DATE '1970-01-01')" if local.is_utc else f"{local.sql()} // {DAY_US}"
    if grain == "week":
        return f"{day} - ({day} + 3) % 7"
    if grain == "month":
        return f"CAST(date_trunc('month', DATE '1970-01-01' + CAST({day} AS INTEGER)) AS DATE) - DATE '1970-01-01'"
    return day


def bucket_text_sql(grain: str) -> str:
    """The bucket's number `b` as ISO text."""
    if grain == "hour":
        return f"strftime(make_timestamp(b * {HOUR_US}), '%Y-%m-%dT%H')"
    return f"strftime(make_timestamp(CAST(b AS BIGINT) * {DAY_US}), '%Y-%m-%d')"


def order_sql(question: Question) -> str:
    """ORDER BY and LIMIT of a checked question; unknown values last in either direction."""
    keys = [f"{name_sql(name)} {direction.upper()} NULLS LAST" for name, direction in question.order]
    limit = "" if question.limit is None else f" LIMIT {int(question.limit)}"
    return (f" ORDER BY {', '.join(keys)}" if keys else "") + limit


Fragments = Callable[[str], str]


def question_sql(
    question: Question, relation: str, local: Local, measure: Fragments | None = None, with_span: bool = True
) -> tuple[str, list[Any]]:
    """The whole SELECT over the rows of `relation`, and its parameters. `measure` renders other rows than calls."""
    params: list[Any] = []
    since_us, until_us = (question.since_us, question.until_us) if with_span else (None, None)
    where = where_sql(question.filters, since_us, until_us, local, params, question.source)
    rows = f"SELECT * FROM ({relation}) WHERE {where}"
    if "tag" in question.dimensions:
        rows = (
            f"SELECT *, unnest(coalesce(nullif(list_distinct({TAGS}), []), [NULL])) AS tag FROM ({rows})"
        )  # fmt: skip
    inner: list[str] = []
    outer: list[str] = []
    groups: list[str] = []
    if question.grain:
        inner.append(f"{bucket_sql(question.grain, local)} AS b")
        outer.append(f"{bucket_text_sql(question.grain)} AS time")
        groups.append("b")
    for index, name in enumerate(question.dimensions):
        sql = "tag" if name == "tag" else field_sql(name, local, question.source)
        inner.append(f"{sql} AS d{index}")
        outer.append(f"d{index} AS {name_sql(name)}")
        groups.append(f"d{index}")
    for index, name in enumerate(question.measures):
        inner.append(f"{measure(name) if measure else measure_sql(name, question.source)} AS m{index}")
        outer.append(f"m{index} AS {name_sql(name)}")
    group = f" GROUP BY {', '.join(groups)}" if groups else ""
    sql = f"SELECT {', '.join(outer)} FROM (SELECT {', '.join(inner)} FROM ({rows}){group})"
    return sql + order_sql(question), params
