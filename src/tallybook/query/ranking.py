"""The most used models, agents, users, or groups of anything else, with what they cost and how they did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from tallybook.query import compare
from tallybook.query.totals import Group, Head, Scope, groups, head, shared, total
from tallybook.store.base import CallStore

MEASURES = ("duration_avg_us", "duration_p50_us", "duration_p95_us", "duration_sum_us", "last_at_us")

Sort = Literal["calls", "cost", "tokens", "errors", "slowest"]
SORTS: dict[str, str] = {
    "calls": "calls", "cost": "cost_nanousd", "tokens": "total_tokens", "errors": "errors",
    "slowest": "duration_p95_us",
}  # fmt: skip


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """Groups in order. `groups_in_all` counts also those beyond the limit; `None` when that was not counted."""

    head: Head
    dimensions: list[str]
    total: Group
    groups: list[Group]
    groups_in_all: int | None = None


def ranking(
    store: CallStore,
    scope: Scope,
    dimensions: Sequence[str],
    *,
    sort: Sort = "calls",
    top: int | None = None,
    is_compared: bool = False,
    measures: Sequence[str] = (),
) -> Ranking:
    """The first `top` groups by `sort`, largest first, with their shares of the whole."""
    whole = total(store, scope, MEASURES)
    compared = compare.before(scope) if is_compared else None
    order = (
        ((SORTS[sort], "desc"), ("calls", "desc")) if sort != "calls" else (("calls", "desc"), ("cost_nanousd", "desc"))
    )
    limit = None if top is None else top + 1
    wanted = (*MEASURES, *(name for name in measures if name not in MEASURES))
    found = groups(store, scope, dimensions, wanted, order=order, limit=limit) if whole.totals.calls else []  # type: ignore[arg-type]
    is_whole = top is None or len(found) <= top
    in_all = len(found) if is_whole else None
    found = found if top is None else found[:top]
    if is_compared:
        whole = compare.beside(store, scope, [whole], ())[0]
        found = compare.beside(store, scope, found, dimensions)
    return Ranking(
        head=head(store, scope, whole.totals, compared),
        dimensions=list(dimensions),
        total=whole,
        groups=shared(found, whole.totals),
        groups_in_all=in_all,
    )
