"""Several sections of a report from one question: totals by all their dimensions at once, folded afterwards.

A question costs some 10 to 20 ms whatever it asks, and a short command line should not wait for five. Only dimensions
with few values are folded (`SMALL`); others, and amounts in another currency, are asked one by one as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tallybook.model.question import Question
from tallybook.query.totals import FIGURES, Coverage, Group, Scope, Totals, groups
from tallybook.store.base import CallStore

SMALL = frozenset({"project", "environment", "operation", "provider", "model", "agent_name", "status", "task"})
ROWS_MAX = 4_000
"""Rows folded at most. Beyond: one question a dimension, since folding in Python would take longer than asking."""

_STATES = ("model", "status", "cost_status")
"""What coverage needs."""


class Cube(NamedTuple):
    """The largest groups of each dimension, and what the whole lacks (`None`: not known from this)."""

    sections: dict[str, list[Group]]
    coverage: Coverage | None


def sections(store: CallStore, scope: Scope, dimensions: Sequence[str], top: int | None) -> Cube:
    """The `top` dearest groups of each dimension, and the coverage where the same question gave it."""
    if scope.rates is None and dimensions and SMALL.issuperset(dimensions):
        keys = tuple(dict.fromkeys((*dimensions, *_STATES)))
        answer = store.ask(
            Question(
                measures=FIGURES, dimensions=keys, filters=scope.filters, since_us=scope.span.since_us,
                until_us=scope.span.until_us, zone=scope.span.zone, limit=ROWS_MAX + 1,
            )
        )  # fmt: skip
        scope.hear(answer.warnings)
        if len(answer.rows) <= ROWS_MAX:
            found = {name: _folded(answer.rows, keys.index(name), name, len(keys), top) for name in dimensions}
            return Cube(found, _coverage(answer.rows, keys))
    order: Any = (("cost_nanousd", "desc"), ("calls", "desc"))
    return Cube({name: groups(store, scope, (name,), order=order, limit=top) for name in dimensions}, None)


def _folded(rows: Sequence[tuple[Any, ...]], at: int, name: str, keys: int, top: int | None) -> list[Group]:
    by_value: dict[Any, list[tuple[Any, ...]]] = {}
    for row in rows:
        by_value.setdefault(row[at], []).append(row[keys:])
    found = [Group(by={name: value}, totals=added(figures)) for value, figures in by_value.items()]
    # As the stores order: unknown costs last, then by calls, then by name with the unnamed last.
    found.sort(
        key=lambda group: (
            group.totals.cost_nanousd is None,
            -(group.totals.cost_nanousd or 0),
            -group.totals.calls,
            group.by[name] is None,
            group.by[name] or "",
        )
    )
    return found if top is None else found[:top]


def added(figures: Iterable[tuple[Any, ...]]) -> Totals:
    """The sum of rows of `FIGURES`; what no row knows stays unknown."""
    sums: dict[str, Any] = {}
    for name, values in zip(FIGURES, zip(*figures, strict=True), strict=True):
        known = [value for value in values if value is not None]
        sums[name] = sum(known) if known else None
    return Totals(**sums, cost_nano=sums["cost_nanousd"])


def _coverage(rows: Sequence[tuple[Any, ...]], keys: tuple[str, ...]) -> Coverage:
    model, status, cost_status = (keys.index(name) for name in _STATES)
    calls, priced, estimated = (
        len(keys) + FIGURES.index(name) for name in ("calls", "priced_calls", "estimated_calls")
    )
    unpriced: dict[str | None, int] = {}
    failed = partial = 0
    for row in rows:
        lacks = row[calls] - row[priced]
        if row[cost_status] == "partial":
            partial += row[calls]
        if lacks and row[status] == "ok":
            unpriced[row[model]] = unpriced.get(row[model], 0) + lacks
        else:
            failed += lacks
    whole = sum(row[calls] for row in rows)
    known = sum(row[priced] for row in rows)
    return Coverage(
        calls=whole,
        priced_calls=known,
        unpriced_calls=whole - known,
        estimated_calls=sum(row[estimated] for row in rows),
        unpriced_failed_calls=failed,
        partial_calls=partial,
        unpriced=sorted(unpriced.items(), key=lambda item: (-item[1], item[0] is None, item[0] or "")),
    )
