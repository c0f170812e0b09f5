"""Keys and projects in `state.db`. See `store.access`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from tallybook.store.access import Key, Project, taken

_KEY = ", ".join(Key.__struct_fields__)
_PROJECT = ", ".join(Project.__struct_fields__)


class SqliteAccess:
    """The `AccessStore` part of `SqliteState`, which brings the connection."""

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    def _all(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def add_key(self, key: Key) -> None:
        """See `AccessStore.add_key`."""
        marks = ", ".join("?" * len(Key.__struct_fields__))
        values = [getattr(key, name) for name in Key.__struct_fields__]
        with self._transaction() as con:
            if con.execute("SELECT 1 FROM keys WHERE key_id = ? OR hash = ?", (key.key_id, key.hash)).fetchone():
                raise taken(key)
            con.execute(f"INSERT INTO keys ({_KEY}) VALUES ({marks})", values)

    def access_keys(self) -> list[Key]:
        """See `AccessStore.access_keys`."""
        rows = self._all(f"SELECT {_KEY} FROM keys ORDER BY created_at_us, key_id")
        return [Key(**dict(zip(Key.__struct_fields__, row, strict=True))) for row in rows]

    def revoke_key(self, key_id: str, at_us: int) -> bool:
        """See `AccessStore.revoke_key`."""
        with self._transaction() as con:
            con.execute("UPDATE keys SET revoked_at_us = ? WHERE key_id = ? AND revoked_at_us IS NULL", (at_us, key_id))
            return con.execute("SELECT 1 FROM keys WHERE key_id = ?", (key_id,)).fetchone() is not None

    def used_keys(self, used: dict[str, int]) -> None:
        """See `AccessStore.used_keys`."""
        with self._transaction() as con:
            con.executemany(
                "UPDATE keys SET last_used_at_us = max(?, coalesce(last_used_at_us, 0)) WHERE key_id = ?",
                [(at_us, key_id) for key_id, at_us in used.items()],
            )

    def add_project(self, project: Project) -> bool:
        """See `AccessStore.add_project`."""
        with self._transaction() as con:
            made = con.execute(
                f"INSERT INTO projects ({_PROJECT}) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (project.project, project.name, project.created_at_us),
            )
            return made.rowcount == 1

    def projects(self) -> list[Project]:
        """See `AccessStore.projects`."""
        rows = self._all(f"SELECT {_PROJECT} FROM projects ORDER BY project")
        return [Project(**dict(zip(Project.__struct_fields__, row, strict=True))) for row in rows]

    def remember(self, values: dict[str, str], at_us: int, forget_before_us: int) -> dict[str, str]:
        """See `AccessStore.remember`."""
        with self._transaction() as con:
            con.execute("DELETE FROM idempotency WHERE at_us < ?", (forget_before_us,))
            con.executemany(
                "INSERT INTO idempotency VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [(key, value, at_us) for key, value in values.items()],
            )
            find = "SELECT value FROM idempotency WHERE key = ?"
            return {key: str(con.execute(find, (key,)).fetchone()[0]) for key in values}
