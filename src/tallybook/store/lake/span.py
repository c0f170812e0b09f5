"""Which part of a question's span summaries serve, and which calls are read beside them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from tallybook.model.question import Question
from tallybook.store.lake.manifest import File
from tallybook.store.lake.reader import Reader, View

FAR_US = 1 << 60


class Span(NamedTuple):
    """The part that summaries serve: [low, high) on whole hours or days, in microseconds."""

    low: int
    high: int


def inner_of(question: Question, unit_us: int) -> Span:
    """Whole units within the question's span."""
    low = -FAR_US if question.since_us is None else -(-question.since_us // unit_us) * unit_us
    high = FAR_US if question.until_us is None else question.until_us // unit_us * unit_us
    return Span(low, max(low, high))


def time_sql(column: str, span: Span) -> list[str]:
    """Conditions that keep a column within the span."""
    found = [f"{column} >= make_timestamp({span.low})"] if span.low > -FAR_US else []
    return found + ([f"{column} < make_timestamp({span.high})"] if span.high < FAR_US else [])


def _edges(view: View, kind: Any, question: Question, inner: Span) -> list[File]:
    """Files of facts that can hold calls of the span outside whole units."""
    if inner.low >= inner.high:
        return view.manifest.of(kind, question.since_us, question.until_us)
    found: dict[str, File] = {}
    if question.since_us is not None and question.since_us < inner.low:
        found.update((file.path, file) for file in view.manifest.of(kind, question.since_us, inner.low))
    if question.until_us is not None and question.until_us > inner.high:
        found.update((file.path, file) for file in view.manifest.of(kind, inner.high, question.until_us))
    return list(found.values())


def _outside(question: Question, inner: Span) -> str:
    """Calls in the span but in no whole unit; with an empty inner span, all of the span."""
    parts = []
    if question.since_us is not None:
        parts.append(f"started_at >= make_timestamp({question.since_us})")
    if question.until_us is not None:
        parts.append(f"started_at < make_timestamp({question.until_us})")
    if inner.low < inner.high:
        sides = [f"started_at < make_timestamp({inner.low})"] if inner.low > -FAR_US else []
        sides += [f"started_at >= make_timestamp({inner.high})"] if inner.high < FAR_US else []
        parts.append(f"({' OR '.join(sides)})" if sides else "false")
    return " AND ".join(parts) or "true"


def call_parts(reader: Reader, view: View, question: Question, inner: Span, columns: Iterable[str]) -> list[str]:
    """Relations of single calls (or uses) to be added to the summaries: those at the edges, and hot ones."""
    names = {"started_at", "day", *columns}
    is_tools = question.source == "tool_calls"
    read = reader.tools if is_tools else reader.calls
    found = []
    edges = _edges(view, "tools" if is_tools else "calls", question, inner)
    if edges:
        sealed = read(view, names, files=edges, with_hot=False)
        found.append(f"SELECT * FROM ({sealed}) WHERE {_outside(question, inner)}")
    if reader.hot_tools(view) if is_tools else reader.hot(view, names):
        hot = read(view, names, files=[])
        found.append(f"SELECT * FROM ({hot}) WHERE {_outside(question, Span(0, 0))}")
    return found
