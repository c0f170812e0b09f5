"""Percentiles of long spans from counts by bucket: within 2.5 % of the exact value, at a fraction of the reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from tallybook.model.question import Question
from tallybook.store.check import columns_of
from tallybook.store.lake.kept import NO_TIME, has_time
from tallybook.store.lake.manifest import File
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.render import (
    DAY_US,
    Local,
    bucket_sql,
    bucket_text_sql,
    field_sql,
    order_sql,
    question_sql,
    where_sql,
)
from tallybook.store.lake.schema import files_sql, name_sql
from tallybook.store.lake.span import Span, call_parts, inner_of, time_sql
from tallybook.store.lake.summary import BUCKET_RATIO, LATENCIES, letter_of, percent_of
from tallybook.store.lake.summary import bucket_sql as latency_bucket_sql


def _counts(reader: Reader, view: View, question: Question, fields: Iterable[str], letters: Iterable[str]) -> str:
    """Relation of counts by bucket: from the summaries for whole days, from calls for the rest."""
    inner: Span = inner_of(question, DAY_US)
    names = sorted(fields)
    parts: list[str] = []
    files: list[File] = view.manifest.of("summary_latency", inner.low, inner.high)
    if files and inner.low < inner.high:
        marks = ", ".join(f"'{letter}'" for letter in letters)
        where = " AND ".join([f"what IN ({marks})", *time_sql("day", inner)])
        columns = ", ".join([*names, "what", "bucket", "CAST(sum(calls) AS BIGINT) AS calls"])
        sealed = f"read_parquet({files_sql([reader.path(one) for one in files])}) WHERE {where} GROUP BY ALL"
        if has_time(question):
            kept = reader.keep(view, f"SELECT CAST(day AS TIMESTAMP) AS started_at, day, {columns} FROM {sealed}")
            parts.append(kept)
        else:
            kept = reader.keep(view, f"SELECT {columns} FROM {sealed}")
            parts.append(f"SELECT {NO_TIME}, {', '.join([*names, 'what', 'bucket', 'calls'])} FROM ({kept})")
    for letter in letters:
        column = LATENCIES[letter]
        for relation in call_parts(reader, view, question, inner, {*names, column}):
            columns = ", ".join(["started_at", "day", *names, f"'{letter}'", latency_bucket_sql(column), "1"])
            parts.append(f"SELECT {columns} FROM ({relation}) WHERE {column} IS NOT NULL")
    return " UNION ALL ".join(parts)


class Counts(NamedTuple):
    """A SELECT of counts by bucket: `names` of the key's columns, then `what`, `bucket` and `n`."""

    sql: str
    names: list[str]
    heads: list[str]
    """The key as an answer tells it."""


def counts_of(
    reader: Reader, view: View, question: Question, fields: Iterable[str], local: Local, percentiles: Iterable[str],
    params: list[Any],
) -> Counts:  # fmt: skip
    """Counts by bucket of a question's groups; values of its filters are appended to `params`."""
    letters = sorted({letter_of(name) for name in percentiles})
    where = where_sql(question.filters, None, None, local, params)
    keys = [f"{bucket_sql(question.grain, local)} AS b"] if question.grain else []
    keys += [f"{field_sql(name, local)} AS d{number}" for number, name in enumerate(question.dimensions)]
    names = [*(["b"] if question.grain else []), *(f"d{number}" for number in range(len(question.dimensions)))]
    heads = [f"{bucket_text_sql(question.grain)} AS time"] if question.grain else []
    heads += [f"d{number} AS {name_sql(name)}" for number, name in enumerate(question.dimensions)]
    counts = f"SELECT {', '.join([*keys, 'what', 'bucket', 'sum(calls) AS n'])} FROM " \
             f"({_counts(reader, view, question, fields, letters)}) WHERE {where} GROUP BY ALL"  # fmt: skip
    return Counts(counts, names, heads)


def with_percentiles(
    reader: Reader,
    view: View,
    question: Question,
    rows: str,
    fields: Iterable[str],
    local: Local,
    fragments: Mapping[str, str],
    percentiles: list[str],
) -> list[tuple[Any, ...]]:
    """Rows of the whole question: its other measures over `rows`, its percentiles over counts by bucket."""
    others = tuple(name for name in question.measures if name not in percentiles)
    plain = msgspec.structs.replace(question, measures=others or ("calls",), order=(), limit=None)
    main, params = question_sql(plain, rows, local, fragments.__getitem__, with_span=False)
    counts = counts_of(reader, view, question, fields, local, percentiles, params)
    names = counts.names
    by = ", ".join([*names, "what"])
    values = [
        f"CAST(round(pow({BUCKET_RATIO}, min(bucket) FILTER (what = '{letter_of(name)}' AND cum * 100 >= "
        f"total * {percent_of(name)}))) AS BIGINT) AS {name}"
        for name in percentiles
    ]
    sums = (
        f"SELECT *, sum(n) OVER (PARTITION BY {by} ORDER BY bucket) AS cum, sum(n) OVER (PARTITION BY {by}) AS total "
        f"FROM ({counts.sql})"
    )
    group = f" GROUP BY {', '.join(names)}" if names else ""
    found = f"SELECT {', '.join([*names, *values])} FROM ({sums}){group}"
    found = f"SELECT {', '.join([*counts.heads, *percentiles])} FROM ({found})"
    columns = columns_of(question)
    on = [*(["time"] if question.grain else []), *question.dimensions]
    same = " AND ".join(f"m.{name_sql(name)} IS NOT DISTINCT FROM p.{name_sql(name)}" for name in on) or "true"
    select = ", ".join(
        f"{'p' if name in percentiles else 'm'}.{name_sql(name)} AS {name_sql(name)}" for name in columns
    )
    sql = f"SELECT * FROM (SELECT {select} FROM ({main}) m LEFT JOIN ({found}) p ON {same})"
    return reader.con.execute(sql + order_sql(question), params).fetchall()
