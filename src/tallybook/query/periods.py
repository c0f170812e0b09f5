"""Tables by day, week or month, with the models used and, if asked, a breakdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from tallybook.query import compare
from tallybook.query.totals import Group, Head, Scope, groups, head, shared, total
from tallybook.store.base import CallStore

Period = Literal["day", "week", "month"]


class Periods(msgspec.Struct, frozen=True, kw_only=True):
    """One group a period that has calls; each tells its models, and its parts when there is a breakdown."""

    head: Head
    period: Period
    total: Group
    groups: list[Group]


def periods(
    store: CallStore,
    scope: Scope,
    period: Period,
    *,
    by: Sequence[str] = (),
    is_newest_first: bool = False,
    is_compared: bool = False,
) -> Periods:
    """The report. `more["models"]` of a period lists its models, most calls first."""
    whole = total(store, scope)
    compared = compare.before(scope) if is_compared else None
    if is_compared:
        whole = compare.beside(store, scope, [whole], ())[0]
    found = groups(store, scope, (), grain=period) if whole.totals.calls else []
    parts: dict[str, list[Group]] = {}
    dimensions = tuple(by) or ("model",)
    order = (("time", "asc"), ("cost_nanousd", "desc"), ("calls", "desc"))
    for part in groups(store, scope, dimensions, grain=period, order=order) if found else ():  # type: ignore[arg-type]
        by_rest = {name: value for name, value in part.by.items() if name != "time"}
        parts.setdefault(part.by["time"], []).append(msgspec.structs.replace(part, by=by_rest))
    models = parts if dimensions == ("model",) else _models(store, scope, period)
    full = [
        msgspec.structs.replace(
            group,
            more={"models": _names(models.get(group.by["time"], []))},
            parts=shared(parts.get(group.by["time"], []), group.totals) if by else [],
        )
        for group in shared(found, whole.totals)
    ]
    if is_newest_first:
        full.reverse()
    return Periods(head=head(store, scope, whole.totals, compared), period=period, total=whole, groups=full)


def _models(store: CallStore, scope: Scope, period: Period) -> dict[str, list[Group]]:
    found: dict[str, list[Group]] = {}
    for group in groups(store, scope, ("model",), grain=period):
        found.setdefault(group.by["time"], []).append(group)
    return found


def _names(found: Sequence[Group]) -> list[str]:
    ordered = sorted(found, key=lambda group: -group.totals.calls)
    return [group.by["model"] or "unknown" for group in ordered]
