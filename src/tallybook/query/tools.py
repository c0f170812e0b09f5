"""Uses of tools: how often, how long, how often they failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tallybook.model.errors import InputError
from tallybook.model.question import TOOL_DIMENSIONS, Question
from tallybook.query.filters import OPTIONS, told
from tallybook.query.span import Span
from tallybook.query.totals import Scope
from tallybook.store.base import CallStore

MEASURES = ("uses", "failures", "duration_avg_us", "last_at_us")
"""Measures that the stores' summaries hold."""
SHORT_MEASURES = (*MEASURES, "runs", "duration_p95_us")
SHORT_US = 7 * 86_400 * 1_000_000
"""Spans up to this also tell runs and percentiles, which only the single uses know."""


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
    names = {field: option for option, field in OPTIONS.items()}
    for filter_ in scope.filters:
        if filter_.field not in TOOL_DIMENSIONS:
            option = names.get(filter_.field, filter_.field)
            known = ", ".join(f"--{option}" for option, field in OPTIONS.items() if field in TOOL_DIMENSIONS)
            raise InputError(
                f"tool uses cannot be filtered by {option}", field=f"--{option}", hint=f"they can by {known}"
            )

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


def _rated(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the share of uses that did not fail, 0 to 1; `None` where the tool was not used."""
    uses = row["uses"]
    return {**row, "success_rate": max(0.0, round(1 - row["failures"] / uses, 4)) if uses else None}
