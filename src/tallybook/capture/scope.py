"""Who is calling, for what: the context that every record carries, in one context variable.

It flows into asyncio tasks by itself and into threads by `patches.threads`. A value is never
changed, only replaced, so a record keeps what was in force when its call began.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any

import msgspec

from tallybook.model.limits import FIELD_CHARS


class Seen:
    """Counts the calls recorded inside a `track` and inside those around it, so that one call is one record."""

    __slots__ = ("_outer", "calls")

    def __init__(self, outer: Seen | None = None) -> None:
        self.calls = 0
        self._outer = outer

    def add(self, calls: int) -> None:
        """Count calls here and further out."""
        self.calls += calls
        if self._outer is not None:
            self._outer.add(calls)


class Scope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What records inherit. `None` and empty mean: not said here, take the process's own."""

    run_id: str | None = None
    parent_id: str | None = None
    name: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    agent_name: str | None = None
    project: str | None = None
    environment: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    seen: Seen | None = None
    is_cut: bool = False
    """Whether a field or tag was longer than its limit: its records say so."""


EMPTY = Scope()
FIELDS = ("run_id", "parent_id", "name", "session_id", "user_id", "agent_name", "project", "environment")
current: ContextVar[Scope] = ContextVar("tallybook_scope", default=EMPTY)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def derive(
    scope: Scope, *, tags: tuple[Any, ...] = (), metadata: dict[str, Any] | None = None, seen: Seen | None = None,
    **fields: Any,
) -> Scope:  # fmt: skip
    """A scope with the given fields replaced (`None` leaves them), tags added and metadata merged."""
    values = {name: getattr(scope, name) for name in FIELDS}
    given = {name: _text(value) for name, value in fields.items() if value is not None}
    added = list(map(_text, tags))
    is_cut = any(len(text) > FIELD_CHARS for text in (*given.values(), *added))
    values.update({name: text[:FIELD_CHARS] for name, text in given.items()})
    merged = scope.tags
    if added:
        merged = tuple(dict.fromkeys((*scope.tags, *(text[:FIELD_CHARS] for text in added))))
    return Scope(
        **values,
        tags=merged,
        metadata={**scope.metadata, **metadata} if metadata else scope.metadata,
        seen=seen or scope.seen,
        is_cut=is_cut or scope.is_cut,
    )


def enter(scope: Scope) -> Token[Scope]:
    """Put a scope in force; give the token to `leave`."""
    return current.set(scope)


def leave(token: Token[Scope]) -> None:
    """Restore what was in force. In another context than `enter` had (another task's) nothing is ours to restore."""
    try:
        current.reset(token)
    except ValueError:
        pass  # What holds in this context was put there by somebody else.
