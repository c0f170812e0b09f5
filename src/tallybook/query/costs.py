"""What was spent: in all, by model with shares, by project, by day."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tallybook.query import compare
from tallybook.query.cube import sections
from tallybook.query.series import filled
from tallybook.query.totals import Group, Head, Scope, groups, head, shared, total
from tallybook.store.base import CallStore

TOP = 10


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of a scope and what it is made of."""

    head: Head
    total: Group
    sections: dict[str, list[Group]]
    """The dearest groups of each dimension, with shares."""
    days: list[Group]
    """By local day, without gaps."""


def costs(
    store: CallStore,
    scope: Scope,
    by: Sequence[str] = ("model", "project"),
    *,
    is_compared: bool = False,
    top: int | None = TOP,
) -> Costs:
    """The report; each of `by` is a section. A section with nothing but calls without that dimension is left out."""
    whole = total(store, scope)
    compared = compare.before(scope) if is_compared else None
    if is_compared:
        whole = compare.beside(store, scope, [whole], ())[0]
    cube = sections(store, scope, by if whole.totals.calls else (), top)
    found = {}
    for dimension, largest in cube.sections.items():
        if is_compared:
            largest = compare.beside(store, scope, largest, (dimension,))
        found[dimension] = shared(largest, whole.totals)
    days = filled(groups(store, scope, (), grain="day"), scope, "day") if whole.totals.calls else []
    return Costs(head=head(store, scope, whole.totals, compared, cube.coverage), total=whole, sections=found, days=days)
