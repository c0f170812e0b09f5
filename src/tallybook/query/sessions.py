"""Totals by session, the latest active first."""

from __future__ import annotations

from typing import Literal

import msgspec

from tallybook.model.question import Filter
from tallybook.query.totals import Group, Head, Scope, groups, head, total
from tallybook.store.base import CallStore

LIMIT = 50
Sort = Literal["last", "cost", "tokens", "calls"]
_ORDER = {"last": "last_at_us", "cost": "cost_nanousd", "tokens": "total_tokens", "calls": "calls"}


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions in order. `total` is over all sessions of the scope, also those beyond the limit."""

    head: Head
    total: Group
    sessions: list[Group]
    sessions_in_all: int
    calls_without_session: int


def sessions(store: CallStore, scope: Scope, *, sort: Sort = "last", limit: int | None = LIMIT) -> Sessions:
    """The report. `more` of a session holds its first and last call, its models and its project."""
    with_session = scope.within(Filter("session_id", "exists"))
    whole = total(store, with_session, ("sessions",))
    everything = total(store, scope).totals.calls
    found = (
        groups(
            store, with_session, ("session_id",), ("first_at_us", "last_at_us", "duration_sum_us"),
            order=((_ORDER[sort], "desc"), ("session_id", "asc")), limit=limit,
        )
        if whole.totals.calls
        else []
    )  # fmt: skip
    shown = tuple(group.by["session_id"] for group in found)
    models = _names(store, with_session, "model", shown)
    projects = _names(store, with_session, "project", shown)
    full = [
        msgspec.structs.replace(
            group,
            more={
                **group.more,
                "models": models.get(group.by["session_id"], []),
                "project": ", ".join(projects.get(group.by["session_id"], [])) or None,
            },
        )
        for group in found
    ]
    return Sessions(
        head=head(store, with_session, whole.totals),
        total=whole,
        sessions=full,
        sessions_in_all=whole.more["sessions"],
        calls_without_session=everything - whole.totals.calls,
    )


def _names(store: CallStore, scope: Scope, dimension: str, shown: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if shown:
        of_shown = scope.within(Filter("session_id", "in", shown))
        for group in groups(store, of_shown, ("session_id", dimension), order=(("calls", "desc"),)):
            if group.by[dimension] is not None:
                found.setdefault(group.by["session_id"], []).append(group.by[dimension])
    return found
