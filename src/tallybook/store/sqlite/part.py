"""Parts in SQLite: see `store.part`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import msgspec

from tallybook.store.part import Box, Key, Part

T = TypeVar("T")
_COLUMNS = "parts.scope, parts.kind, parts.id, parts.group_id, parts.data, parts.touched_us, parts.due_us"
_FIELDS = "scope, kind, id, group_id, data, touched_us, due_us"
_encode = msgspec.json.encode


def _part(row: tuple[Any, ...]) -> Part:
    scope, kind, ident, group, data, touched_us, due_us = row
    return Part(scope=scope, kind=kind, id=ident, group=group, data=data, touched_us=touched_us, due_us=due_us)


class SqliteParts:
    """A `PartStore` over the connection of a state store."""

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    def _all(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def rework(self, work: Callable[[Box], T]) -> T:
        """See `PartStore.rework`."""
        with self._transaction() as con:
            return work(_SqliteBox(con))

    def due_parts(self, scope: str, before_us: int, limit: int) -> list[Part]:
        """See `PartStore.due_parts`."""
        rows = self._all(
            f"SELECT {_COLUMNS} FROM parts WHERE due_us < ? AND substr(scope, 1, ?) = ? "
            "ORDER BY due_us, scope, kind, id LIMIT ?",
            (before_us, len(scope), scope, limit),
        )
        return [_part(row) for row in rows]

    def forget_parts(self, before_us: int) -> int:
        """See `PartStore.forget_parts`."""
        with self._transaction() as con:
            return con.execute("DELETE FROM parts WHERE touched_us < ? AND due_us IS NULL", (before_us,)).rowcount


class _SqliteBox:
    def __init__(self, con: sqlite3.Connection) -> None:
        self._con = con

    def get(self, keys: Sequence[Key]) -> dict[Key, Part]:
        rows = self._con.execute(
            f"SELECT {_COLUMNS} FROM json_each(?) AS k JOIN parts ON parts.scope = k.value->>0 "
            "AND parts.kind = k.value->>1 AND parts.id = k.value->>2",
            (_encode(list(keys)).decode(),),
        ).fetchall()
        return {part.key: part for part in map(_part, rows)}

    def members(self, scope: str, kind: str, groups: Sequence[str]) -> list[Part]:
        rows = self._con.execute(
            f"SELECT {_COLUMNS} FROM parts WHERE scope = ? AND kind = ? "
            "AND group_id IN (SELECT value FROM json_each(?)) ORDER BY scope, kind, id",
            (scope, kind, _encode(list(groups)).decode()),
        ).fetchall()
        return [_part(row) for row in rows]

    def put(self, parts: Sequence[Part]) -> None:
        self._con.executemany(
            f"INSERT OR REPLACE INTO parts ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(p.scope, p.kind, p.id, p.group, p.data, p.touched_us, p.due_us) for p in parts],
        )
