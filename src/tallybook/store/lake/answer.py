"""A question answered: over summaries where they hold what it asks, over the calls themselves otherwise.

Summaries serve whole hours (or days) of long spans and of days whose facts are gone; the rest of the span and hot
lines are read as calls and added on top, so that both give the same figures. Only percentiles differ: over more than
`EXACT_PERCENTILE_ROWS` calls they come from counts by bucket and are within 2.5 % (`summary.BUCKET_RATIO`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from tallybook.model.question import Question
from tallybook.model.usage import TOKEN_FIELDS
from tallybook.store.check import METADATA, zone_of
from tallybook.store.lake import summary
from tallybook.store.lake.amend import touches
from tallybook.store.lake.find import local_for
from tallybook.store.lake.kept import NO_TIME, has_time
from tallybook.store.lake.percentile import counts_of, with_percentiles
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.render import DAY_US, HOUR_US, Local, needs, question_sql
from tallybook.store.lake.running import FRAGMENTS, GROUPS_MAX, Running, parts_of
from tallybook.store.lake.span import FAR_US, call_parts, inner_of, time_sql
from tallybook.store.lake.summary import HOURS, LATENCY_DIMENSIONS, TOOLS, USERS, Summary

SUMMARY_ROWS = 300_000
"""Calls in the span above which summaries are worth two more files a day."""
EXACT_PERCENTILE_ROWS = 1_000_000

_PARTS: dict[str, tuple[str, ...]] = {
    "task": ("name", "operation"), "operation_or_name": ("name", "operation"), "hour_of_day": (), "day_of_week": (),
}  # fmt: skip
_PERCENTILES = ("duration_p50_us", "duration_p95_us", "duration_p99_us", "ttft_p50_us", "ttft_p95_us")
_MEASURES = {
    "calls": "coalesce(sum(calls), 0)",
    "priced_calls": "coalesce(sum(priced_calls), 0)",
    "unpriced_calls": "coalesce(sum(calls), 0) - coalesce(sum(priced_calls), 0)",
    "duration_avg_us": "sum(duration_sum_us) // nullif(sum(duration_count), 0)",
    "duration_max_us": "max(duration_max_us)",
    "tool_calls": "coalesce(sum(tool_calls), 0)",
    "first_at_us": "epoch_us(min(first_at))",
    "last_at_us": "epoch_us(max(last_at))",
    "total_tokens": "CASE WHEN count(input_tokens) + count(output_tokens) > 0 "
    "THEN coalesce(sum(input_tokens), 0) + coalesce(sum(output_tokens), 0) END",
    "cache_write_tokens": "CASE WHEN count(cache_write_5m_tokens) + count(cache_write_1h_tokens) > 0 "
    "THEN coalesce(sum(cache_write_5m_tokens), 0) + coalesce(sum(cache_write_1h_tokens), 0) END",
    "cost_nanousd": "sum(cost_nanousd)",
    "duration_sum_us": "sum(duration_sum_us)",
    "timed_output_tokens": "sum(timed_output_tokens)",
    "timed_output_us": "sum(timed_output_us)",
    **{name: f"sum({name})" for name in TOKEN_FIELDS},
}
OF_HOURS = _MEASURES | {
    "errors": "coalesce(sum(calls) FILTER (status = 'error'), 0)",
    "estimated_calls": "coalesce(sum(calls) FILTER (cost_status = 'estimated'), 0)",
}
"""Measures over rows of the summary by hour."""
_OF_USERS = _MEASURES | {"errors": "coalesce(sum(errors), 0)", "users": "count(DISTINCT user_id)"}
_OF_TOOLS = {
    "uses": "CAST(coalesce(sum(uses), 0) AS BIGINT)",
    "failures": "CAST(coalesce(sum(failures), 0) AS BIGINT)",
    "duration_avg_us": "sum(duration_sum_us) // nullif(sum(duration_count), 0)",
    "last_at_us": "epoch_us(max(last_at))",
}
_FRAGMENTS = {"summary": OF_HOURS, "summary_users": _OF_USERS, "summary_tools": _OF_TOOLS}


_ROW_COLUMNS = {
    "cost_nanousd", "duration_us", "tool_call_count", "started_at", "status", "is_use", "error", *TOKEN_FIELDS,
}  # fmt: skip


class Rows(NamedTuple):
    """Rows of an answer, and what its reader should know."""

    rows: list[tuple[Any, ...]]
    warnings: tuple[str, ...] = ()


def answer(reader: Reader, view: View, question: Question) -> Rows:
    """Rows of a checked question."""
    local = local_for(view, zone_of(question.zone), question.since_us, question.until_us)
    low, high = question.since_us, question.until_us
    kind = "tools" if question.source == "tool_calls" else "calls"
    size = sum(file.rows for file in view.manifest.of(kind, low, high))  # type: ignore[arg-type, misc]
    removed = _removed(view, question)
    if (size > SUMMARY_ROWS or removed) and not view.manifest.is_rebuilt:
        percentiles = [name for name in question.measures if name in _PERCENTILES]
        by_summary = not percentiles or size > EXACT_PERCENTILE_ROWS or removed
        chosen = _chosen(question, local, bool(percentiles)) if by_summary else None
        if touches(needs(question).columns) and not removed and reader.amended(view):
            chosen = None  # Summaries hold the costs as they were when sealed.
        if chosen is not None and not removed:
            going = _going_on(reader, view, question, local, chosen, percentiles)
            if going is not None:
                return going
            if _supersedes(reader, view, question):
                chosen = None  # And calls as they were then.
        if chosen is not None:
            return _by_summary(reader, view, question, local, chosen, percentiles)
    return Rows(_by_calls(reader, view, question, local), _lacking(removed))


def _supersedes(reader: Reader, view: View, question: Question) -> bool:
    """Whether hot lines are better records of sealed calls, so that summaries are not the last word."""
    return reader.supersedes(view, () if question.source == "tool_calls" else needs(question).columns)


def _removed(view: View, question: Question) -> list[str]:
    """Days in the span whose calls retention has removed."""
    low = -FAR_US if question.since_us is None else question.since_us
    high = FAR_US if question.until_us is None else question.until_us
    starts = {file.day: file.min_us for file in view.manifest.files if file.kind == "summary"}
    return [
        day for day in view.manifest.removed if day in starts and starts[day] < high and starts[day] + DAY_US > low
    ]  # fmt: skip


def _lacking(removed: list[str]) -> tuple[str, ...]:
    if not removed:
        return ()
    days = removed[0] if len(removed) == 1 else f"{len(removed)} days ({removed[0]} to {removed[-1]})"
    return (f"the calls of {days} were removed by retention; this question needs them, so it lacks those days",)


def _by_calls(reader: Reader, view: View, question: Question, local: Local) -> list[tuple[Any, ...]]:
    wanted = needs(question)
    if question.source == "tool_calls":
        relation = reader.tools(view, wanted.columns, question.since_us, question.until_us)
    else:
        relation = reader.calls(view, wanted.columns, wanted.keys, question.since_us, question.until_us)
    sql, params = question_sql(question, relation, local)
    return reader.con.execute(sql, params).fetchall()


def _fields(question: Question) -> set[str] | None:
    """Columns that dimensions and filters read; `None` when one of them is in no summary."""
    found: set[str] = set()
    for name in (*question.dimensions, *(given.field for given in question.filters)):
        if name.startswith(METADATA) or name == "tag" or (name == "run_id" and question.source == "calls"):
            return None
        found.update(_PARTS.get(name, (name,)))
    return found


def _chosen(question: Question, local: Local, has_percentiles: bool) -> Summary | None:
    """The summary that holds all that the question asks, if there is one."""
    fields = _fields(question)
    if fields is None:
        return None
    by_hour = {*question.dimensions, *(given.field for given in question.filters)} & {"hour_of_day", "day_of_week"}
    needs_hours = bool(by_hour) or question.grain == "hour" or (question.grain is not None and not local.is_utc)
    measures = {name for name in question.measures if name not in _PERCENTILES}
    if question.source == "tool_calls":
        candidates: tuple[Summary, ...] = (TOOLS,)
    else:
        candidates = (HOURS, USERS)
    if has_percentiles and (needs_hours or not fields <= set(LATENCY_DIMENSIONS)):
        return None
    for one in candidates:
        if not fields <= {name for name, _ in one.dimensions} or not measures <= set(_FRAGMENTS[one.kind]):
            continue
        if needs_hours and (one.unit == "day" or not local.whole_hours):
            continue
        return one
    return None


def _by_summary(
    reader: Reader, view: View, question: Question, local: Local, chosen: Summary, percentiles: list[str]
) -> Rows:
    """Summary rows and single calls in one relation, added up."""
    fragments = _FRAGMENTS[chosen.kind]
    fields = _fields(question) or set()
    others = [name for name in question.measures if name not in percentiles] or ["calls"]
    relation = _relation(reader, view, question, chosen, fields, " ".join(fragments[name] for name in others))
    if relation is None:
        return Rows(_by_calls(reader, view, question, local))
    if not percentiles:
        sql, params = question_sql(question, relation, local, fragments.__getitem__, with_span=False)
        return Rows(reader.con.execute(sql, params).fetchall())
    return Rows(with_percentiles(reader, view, question, relation, fields, local, fragments, percentiles), _WITHIN)


_WITHIN = (f"percentiles are within {(summary.BUCKET_RATIO**0.5 - 1) * 100:.1f} %",)


def _going_on(
    reader: Reader, view: View, question: Question, local: Local, chosen: Summary, percentiles: list[str]
) -> Rows | None:
    """The answer that was given before and what came since; `None` where the question has to be answered in whole."""
    if question.source == "tool_calls":
        return None
    is_known, running = reader.runnings.known(question)
    recent = reader.recent(view) if is_known else None
    if recent is None:
        return None
    state = (view.manifest.sequence, len(view.manifest.files), recent.changes)
    if running is not None and running.state == state and running.place >= recent.start:
        return Rows(running.rows(recent), _WITHIN if percentiles else ())
    fresh = _begun(reader, view, question, local, chosen, percentiles)
    if fresh is None:
        return None
    reader.runnings.keep(question, fresh)
    return Rows(fresh.rows(), _WITHIN if percentiles else ())


def _begun(
    reader: Reader, view: View, question: Question, local: Local, chosen: Summary, percentiles: list[str]
) -> Running | None:
    """The question added up by group, so that calls can be added; `None` where that is too much or nothing holds."""
    fragments = _FRAGMENTS[chosen.kind] | FRAGMENTS
    fields = _fields(question) or set()
    others = [name for name in question.measures if name not in percentiles]
    parts = parts_of(others) or ("calls",)
    relation = _relation(reader, view, question, chosen, fields, " ".join(fragments[name] for name in parts))
    mark = reader.mark(view)
    if relation is None or mark is None:
        return None
    of_parts = msgspec.structs.replace(question, measures=parts, order=(), limit=GROUPS_MAX + 1)
    sql, params = question_sql(of_parts, relation, local, fragments.__getitem__, with_span=False)
    rows = reader.con.execute(sql, params).fetchall()
    counts: list[tuple[Any, ...]] = []
    if percentiles:
        params = []
        found = counts_of(reader, view, question, fields, local, percentiles, params)
        told = ", ".join([*found.heads, "what", "bucket", "n"])
        counts = reader.con.execute(f"SELECT {told} FROM ({found.sql})", params).fetchall()
    if reader.mark(view) != mark:
        return None  # More has come in between.
    state = (view.manifest.sequence, len(view.manifest.files), mark[0])
    running = Running(question, percentiles, state, mark[1])
    return running if running.load(rows, counts) else None


def _relation(
    reader: Reader, view: View, question: Question, chosen: Summary, fields: set[str], fragments: str
) -> str | None:
    """Rows of the summary, and calls in the same columns; `None` when there is neither."""
    dimensions = sorted({*fields, *(name for name in ("status", "cost_status", "user_id") if name in fragments)})
    measures = [one for one in chosen.measures if one.name in fragments]
    inner = inner_of(question, DAY_US if chosen.unit == "day" else HOUR_US)
    parts: list[str] = []
    files = reader.files(view, chosen.kind, inner.low, inner.high)  # type: ignore[arg-type]
    if files and inner.low < inner.high:
        start = (
            "CAST(day AS TIMESTAMP) AS started_at, day"
            if chosen.unit == "day"
            else "hour AS started_at, CAST(hour AS DATE) AS day"
        )
        where = " AND ".join(time_sql(chosen.unit, inner)) or "true"
        sealed = f"{summary.rows_sql(files, chosen.kind)} WHERE {where}"
        added = [f"CAST({one.combine}({one.name}) AS {one.type}) AS {one.name}" for one in measures]
        if has_time(question):
            select = f"SELECT {', '.join([start, *dimensions, *added])} FROM {sealed} GROUP BY ALL"
            parts.append(reader.keep(view, select))
        else:
            select = f"SELECT {', '.join([*dimensions, *added])} FROM {sealed} GROUP BY ALL"
            columns = ", ".join([*dimensions, *(one.name for one in measures)])
            parts.append(f"SELECT {NO_TIME}, {columns} FROM ({reader.keep(view, select)})")
    for relation in call_parts(reader, view, question, inner, {*dimensions, *_row_columns(measures)}):
        rows = [f"CAST({one.of_row} AS {one.type}) AS {one.name}" for one in measures]
        parts.append(f"SELECT {', '.join(['started_at', 'day', *dimensions, *rows])} FROM ({relation})")
    return " UNION ALL ".join(parts) or None


def _row_columns(measures: Iterable[summary.Measure]) -> set[str]:
    """Columns of a single call that its measures follow from."""
    return {name for one in measures for name in _ROW_COLUMNS if name in one.of_row.replace("'error'", "")}
