"""Any slice of the ledger: measures by dimensions, filtered, by time, beside the time before, with its coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal

import msgspec

from tallybook.model.errors import InputError
from tallybook.model.question import MEASURES, Filter, Grain, Question
from tallybook.query.filters import ALIASES, told
from tallybook.query.span import Span, previous
from tallybook.store.base import CallStore

ROWS = 1_000
ROWS_MAX = 10_000
"""Rows of one answer. Beyond: cut, which the answer tells."""
COMPARED_ROWS = 1_000
"""Groups of the time before among which those are looked for that are told now. One that was beyond looks new."""
NAMES_MAX = 8
"""Dimensions of one question: each multiplies the groups."""
FILTERS_MAX = 50
VALUES_MAX = 1_000
"""Values of one filter."""

DEFAULT = {"calls": ("calls", "cost_nanousd"), "tool_calls": ("uses", "failures")}
"""Measures where none is named."""


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One filter: `op` is eq, ne, in, not_in, contains, gte, lt, exists or missing."""

    field: str
    op: str = "eq"
    value: str | int | float | bool | list[str | int | float | bool | None] | None = None


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A question as JSON. `filters` may also be an object of fields and values."""

    measures: tuple[str, ...] = ()
    """Default: calls and cost, or uses and failures of tools."""
    dimensions: tuple[str, ...] = ()
    filters: list[Condition] | dict[str, str | int | float | bool | list[str | int | float | bool | None] | None] = []
    interval: Grain | None = None
    timezone: str | None = None
    since: str | None = None
    until: str | None = None
    days: int | None = None
    period: str | None = None
    compare: Literal["previous"] | None = None
    order: tuple[str, ...] = ()
    """Columns to sort by; `-` before one is descending."""
    limit: int = ROWS
    source: Literal["calls", "tool_calls"] = "calls"


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, and what they cover.

    `previous` are the first rows of the time before, and those of the groups in `rows`, where that was asked for.
    """

    span: Span
    filters: list[str]
    columns: list[str]
    rows: list[dict[str, Any]]
    is_cut: bool
    """There are more rows than were told."""
    coverage: dict[str, Any] | None
    """Over all calls of the question, whatever was told: how many have a price. `None` for tool uses."""
    compared_with: Span | None = None
    previous: list[dict[str, Any]] | None = None
    warnings: list[str] = []


def listed_in(given: Asked) -> list[Condition]:
    """The filters of a question, told as a list or as an object of fields and values."""
    if not isinstance(given.filters, Mapping):
        return list(given.filters)
    return [
        Condition(field, "in" if isinstance(value, list) else "eq", value) for field, value in given.filters.items()
    ]


def conditions(listed: Sequence[Condition]) -> tuple[Filter, ...]:
    """Filters in the ledger's form. Raises InputError."""
    if len(listed) > FILTERS_MAX:
        raise InputError(f"{len(listed)} filters are more than {FILTERS_MAX}", field="filters")
    found: list[Filter] = []
    for one in listed:
        if isinstance(one.value, list) and len(one.value) > VALUES_MAX:
            raise InputError(f"{len(one.value)} values are more than {VALUES_MAX}", field=one.field)
        value: Any = tuple(one.value) if isinstance(one.value, list) else one.value
        found.append(Filter(ALIASES.get(one.field, one.field), one.op, value))  # type: ignore[arg-type]
    return tuple(found)


def question(given: Asked, span: Span, own: Sequence[Filter] = ()) -> Question:
    """The question in the ledger's form; `own` are further filters. The store checks its names. Raises InputError."""
    if len(given.dimensions) > NAMES_MAX or len(given.measures) > len(MEASURES):
        raise InputError(f"at most {NAMES_MAX} dimensions and each measure once", field="dimensions")
    if not 0 <= given.limit <= ROWS_MAX:
        raise InputError(f"limit is from 0 to {ROWS_MAX:,}, not {given.limit}", field="limit")
    dimensions = tuple(dict.fromkeys(ALIASES.get(name, name) for name in given.dimensions))
    order = tuple((name.lstrip("-+"), "desc" if name.startswith("-") else "asc") for name in given.order)
    measures = tuple(dict.fromkeys(given.measures)) or DEFAULT[given.source]
    return Question(
        measures=measures, dimensions=dimensions, filters=(*conditions(listed_in(given)), *own), since_us=span.since_us,
        until_us=span.until_us, grain=given.interval, zone=span.zone, order=order,  # type: ignore[arg-type]
        limit=given.limit + 1, source=given.source,
    )  # fmt: skip


def _before(store: CallStore, then: Question, shown: Sequence[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """Rows of the time before: its first `limit`, and beyond those the groups that are shown now."""
    if not then.dimensions or then.grain is not None:
        return store.ask(then).dicts()[:limit]
    rows = store.ask(msgspec.structs.replace(then, limit=max(limit, COMPARED_ROWS))).dicts()
    group = itemgetter(*then.dimensions)
    known = {group(row) for row in shown}
    return [row for place, row in enumerate(rows) if place < limit or group(row) in known]


def sliced(store: CallStore, asked: Question, span: Span, *, is_compared: bool = False) -> Slice:
    """The answer. Raises InputError that names an unknown word, with near ones."""
    answer = store.ask(asked)
    limit = (asked.limit or 1) - 1
    rows = answer.dicts()
    compared = previous(span) if is_compared else None
    before = None
    if compared is not None:
        then = msgspec.structs.replace(asked, since_us=compared.since_us, until_us=compared.until_us)
        before = _before(store, then, rows[:limit], limit)
    coverage = None
    if asked.source == "calls":
        whole = msgspec.structs.replace(
            asked, measures=("calls", "priced_calls", "unpriced_calls", "estimated_calls"), dimensions=(), grain=None,
            order=(), limit=None,
        )  # fmt: skip
        coverage = store.ask(whole).dicts()[0]
    return Slice(
        span=span, filters=told(asked.filters), columns=list(answer.columns), rows=rows[:limit],
        is_cut=len(rows) > limit, coverage=coverage, compared_with=compared, previous=before,
        warnings=list(answer.warnings),
    )  # fmt: skip
