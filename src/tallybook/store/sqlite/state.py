"""`SqliteState`: the embedded `StateStore`, one SQLite file in WAL mode.

Several processes may have it open: a writer waits for another up to 30 seconds. Run totals and the follower's
offsets change in one transaction, so a line counts exactly once, whatever crashes. For one thread at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tallybook.model.call import Run
from tallybook.model.errors import StorageError
from tallybook.store.sqlite.access import SqliteAccess
from tallybook.store.sqlite.migrations import migrate
from tallybook.store.sqlite.part import SqliteParts

_WAIT_S = 30.0
_FIELDS = Run.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_UPSERT = f"""
INSERT INTO runs ({_COLUMNS}) VALUES ({", ".join("?" * len(_FIELDS))})
ON CONFLICT (run_id) DO UPDATE SET
    name = coalesce(name, excluded.name),
    project = coalesce(project, excluded.project),
    user_id = coalesce(user_id, excluded.user_id),
    session_id = coalesce(session_id, excluded.session_id),
    agent_name = coalesce(agent_name, excluded.agent_name),
    created_at_us = CASE WHEN created_at_us = 0 THEN excluded.created_at_us
        WHEN excluded.created_at_us = 0 THEN created_at_us ELSE min(created_at_us, excluded.created_at_us) END,
    updated_at_us = max(updated_at_us, excluded.updated_at_us),
    call_count = call_count + excluded.call_count,
    error_count = error_count + excluded.error_count,
    input_tokens = input_tokens + excluded.input_tokens,
    output_tokens = output_tokens + excluded.output_tokens,
    cost_nanousd = cost_nanousd + excluded.cost_nanousd,
    unpriced_count = unpriced_count + excluded.unpriced_count,
    tags = (SELECT json_group_array(value) FROM (SELECT value FROM json_each(tags)
        UNION SELECT value FROM json_each(excluded.tags) ORDER BY value))
"""


def _row(run: Run) -> tuple[Any, ...]:
    return tuple(
        msgspec.json.encode(run.tags).decode() if name == "tags" else getattr(run, name) for name in _FIELDS
    )  # fmt: skip


def _run(row: tuple[Any, ...]) -> Run:
    values = dict(zip(_FIELDS, row, strict=True))
    values["tags"] = tuple(msgspec.json.decode(values["tags"]))
    return Run(**values)


class SqliteState(SqliteAccess, SqliteParts):
    """The state in one file. Raises StorageError, naming the file, for what SQLite cannot do."""

    def __init__(self, path: Path) -> None:
        """Open the file, made when absent."""
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._con = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
            try:
                self._con.execute("PRAGMA journal_mode = WAL")
                self._con.execute("PRAGMA synchronous = NORMAL")
                migrate(self._con, str(path))
            except BaseException:
                self._con.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StorageError:
        return StorageError(
            f"{self._path}: {error}", hint="run totals are rebuilt from the journal and the lake if the file is removed"
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._con.execute("BEGIN IMMEDIATE")
            try:
                yield self._con
            except BaseException:
                self._con.execute("ROLLBACK")
                raise
            self._con.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _all(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._con.execute(sql, params).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def offsets(self) -> dict[str, int]:
        """See `StateStore.offsets`."""
        return dict(self._all("SELECT path, bytes FROM offsets"))

    def follow(self, runs: Sequence[Run], offsets: dict[str, int]) -> None:
        """See `StateStore.follow`. An offset below zero forgets the segment."""
        with self._transaction() as con:
            con.executemany(_UPSERT, [_row(run) for run in runs])
            con.executemany(
                "INSERT INTO offsets VALUES (?, ?) ON CONFLICT (path) DO UPDATE SET bytes = excluded.bytes",
                [(path, size) for path, size in offsets.items() if size >= 0],
            )
            con.executemany(
                "DELETE FROM offsets WHERE path = ?", [(path,) for path, size in offsets.items() if size < 0]
            )

    def run(self, run_id: str) -> Run | None:
        """See `StateStore.run`."""
        rows = self._all(f"SELECT {_COLUMNS} FROM runs WHERE run_id = ?", (run_id,))
        return _run(rows[0]) if rows else None

    def runs(self, *, limit: int = 50, before: tuple[int, str] | None = None) -> list[Run]:
        """See `StateStore.runs`."""
        where, params = ("", []) if before is None else ("WHERE (updated_at_us, run_id) < (?, ?)", list(before))
        rows = self._all(
            f"SELECT {_COLUMNS} FROM runs {where} ORDER BY updated_at_us DESC, run_id DESC LIMIT ?", (*params, limit)
        )
        return [_run(row) for row in rows]

    def setting(self, key: str) -> str | None:
        """See `StateStore.setting`."""
        rows = self._all("SELECT value FROM settings WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    def set_setting(self, key: str, value: str | None) -> None:
        """See `StateStore.set_setting`."""
        with self._transaction() as con:
            if value is None:
                con.execute("DELETE FROM settings WHERE key = ?", (key,))
            else:
                con.execute(
                    "INSERT INTO settings VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    (key, value),
                )

    def close(self) -> None:
        """See `StateStore.close`."""
        self._con.close()
