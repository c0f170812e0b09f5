"""Uses of tools: how often, how long, how often they failed, and of what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tallybook.model.errors import InputError
from tallybook.model.question import FAILURE_MEASURES, TOOL_DIMENSIONS, Filter, Question
from tallybook.query.filters import OPTIONS, told
from tallybook.query.span import Span
from tallybook.query.totals import Scope
from tallybook.store.base import CallStore

MEASURES = ("uses", "failures", "duration_avg_us", "last_at_us")
"""Measures that the stores' summaries hold."""
SHORT_MEASURES = (*MEASURES, "runs", "duration_p95_us")
SHORT_US = 7 * 86_400 * 1_000_000
"""Spans up to this also tell runs and percentiles, which only the single uses know."""


EXAMPLES = 3
"""Calls named as examples of one failure, the latest."""
LATEST = 500
"""Failed uses looked through for examples at once. What is not among them is asked for by itself."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a tool failed: `error` is what it told."""

    tool: str
    error: str
    failures: int
    calls: int
    runs: int
    last_at_us: int | None
    call_ids: list[str]
    """The latest calls that asked for such a use; none where the use was told without its call."""


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    """Failures by tool and error, most first. `failures` counts also those beyond the limit."""

    span: Span
    filters: list[str]
    failures: int
    rows: list[Failure]
    is_cut: bool
    warnings: list[str] = []


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by dimension, most uses first; each has the dimensions and the measures that the span allows."""

    span: Span
    filters: list[str]
    dimensions: list[str]
    total: dict[str, Any]
    tools: list[dict[str, Any]]
    warnings: list[str] = []


def tools(store: CallStore, scope: Scope, by: Sequence[str] = ("tool",), *, top: int | None = None) -> Tools:
    """The report. Raises InputError for a filter or dimension that tool uses do not have."""
    _check(scope)
    span = scope.span
    is_short = span.since_us is not None and (span.until_us or span.now_us) - span.since_us <= SHORT_US + 3_600_000_000

    def ask(dimensions: tuple[str, ...], limit: int | None = None) -> list[dict[str, Any]]:
        question = Question(
            source="tool_calls", measures=SHORT_MEASURES if is_short else MEASURES, dimensions=dimensions,
            filters=scope.filters, since_us=span.since_us, until_us=span.until_us, zone=span.zone, limit=limit,
        )  # fmt: skip
        answer = store.ask(question)
        scope.hear(answer.warnings)
        return answer.dicts()

    total, rows = _rated(ask(())[0]), [_rated(row) for row in ask(tuple(by), top)]
    return Tools(
        span=scope.span,
        filters=told(scope.filters),
        dimensions=list(by),
        total=total,
        tools=rows,
        warnings=[warned.reason for warned in store.warnings()] + scope.heard,
    )


def failures(store: CallStore, scope: Scope, *, top: int = 20) -> Failures:
    """Why uses failed. Raises InputError for a filter that tool uses do not have."""
    _check(scope)
    failed = Filter("error", "exists")

    def ask(dimensions: tuple[str, ...], limit: int | None, *filters: Filter, latest: bool = False) -> list[Any]:
        question = Question(
            source="tool_calls", measures=("last_at_us",) if latest else FAILURE_MEASURES, dimensions=dimensions,
            filters=(*scope.filters, failed, *filters), since_us=scope.span.since_us, until_us=scope.span.until_us,
            zone=scope.span.zone, order=((("last_at_us" if latest else "failures"), "desc"),), limit=limit,
        )  # fmt: skip
        answer = store.ask(question)
        scope.hear(answer.warnings)
        return answer.dicts()

    by = ("tool", "error")
    rows = ask(by, top + 1)
    known: dict[tuple[str, str], list[str]] = {}
    for row in ask((*by, "call_id"), LATEST, Filter("call_id", "exists"), latest=True) if rows else []:
        known.setdefault((row["tool"], row["error"]), []).append(row["call_id"])
    found = []
    for row in rows[:top]:
        of = (row["tool"], row["error"])
        if of not in known and row["calls"]:
            own = (Filter("tool", "eq", of[0]), Filter("error", "eq", of[1]), Filter("call_id", "exists"))
            known[of] = [one["call_id"] for one in ask(("call_id",), EXAMPLES, *own, latest=True)]
        found.append(Failure(**row, call_ids=known.get(of, [])[:EXAMPLES]))
    return Failures(
        span=scope.span, filters=told(scope.filters), failures=ask((), None)[0]["failures"], rows=found,
        is_cut=len(rows) > top, warnings=[warned.reason for warned in store.warnings()] + scope.heard,
    )  # fmt: skip


def _check(scope: Scope) -> None:
    names = {field: option for option, field in OPTIONS.items()}
    for filter_ in scope.filters:
        if filter_.field not in TOOL_DIMENSIONS:
            option = names.get(filter_.field, filter_.field)
            known = ", ".join(f"--{option}" for option, field in OPTIONS.items() if field in TOOL_DIMENSIONS)
            raise InputError(
                f"tool uses cannot be filtered by {option}", field=f"--{option}", hint=f"they can by {known}"
            )


def _rated(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the share of uses that did not fail, 0 to 1; `None` where the tool was not used."""
    uses = row["uses"]
    return {**row, "success_rate": max(0.0, round(1 - row["failures"] / uses, 4)) if uses else None}
