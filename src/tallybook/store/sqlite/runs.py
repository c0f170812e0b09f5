"""Runs and their links in `state.db`. See `store.run_store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from tallybook.model.call import Run
from tallybook.model.run import Share
from tallybook.store.run_store import RunQuery
from tallybook.store.sqlite.column import Rows

RUNS: Rows[Run] = Rows(
    Run, ("tags", "settings", "variable_values", "broker_values", "metadata"), ("is_starred", "is_managed")
)
SHARES: Rows[Share] = Rows(Share)
IS_RUN = "(call_count > 0 OR is_managed = 1) AND purged_at_us IS NULL"
"""A row may be left of calls that were found to belong to another run, or of a run that was purged."""

_SORTS = {
    "updated_at": "updated_at_us",
    "created_at": "created_at_us",
    "last_message_at": "coalesce(last_message_at_us, 0)",
    "name": "lower(coalesce(name, ''))",
    "cost": "cost_nanousd",
    "tokens": "(input_tokens + output_tokens)",
    "calls": "call_count",
}
_FILL = ("name", "description", "source_id", "project", "user_id", "session_id", "agent_name")
_ANY = "SELECT value FROM json_each(?)"


def listed(values: Collection[Any]) -> str:
    """Values as the text that `json_each` reads."""
    return msgspec.json.encode(list(values)).decode()


def make_run(con: sqlite3.Connection, run_id: str, at_us: int, project: str | None, user_id: str | None) -> None:
    """A managed run, where there is none of that id."""
    con.execute(
        "INSERT INTO runs (run_id, created_at_us, updated_at_us, project, user_id, is_managed) "
        "VALUES (?, ?, ?, ?, ?, 1) "
        "ON CONFLICT (run_id) DO UPDATE SET is_managed = 1, project = coalesce(project, excluded.project), "
        "user_id = coalesce(user_id, excluded.user_id)",
        (run_id, at_us, at_us, project, user_id),
    )


class SqliteRuns:
    """Runs and links, a part of `SqliteState`, which brings the connection."""

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    def _all(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def create_run(self, run: Run) -> bool:
        """See `RunStore.create_run`."""
        row = msgspec.structs.replace(run, is_managed=True)
        with self._transaction() as con:
            known = con.execute(
                "SELECT is_managed OR purged_at_us IS NOT NULL FROM runs WHERE run_id = ?", (run.run_id,)
            ).fetchone()
            if known is None:
                con.execute(f"INSERT INTO runs ({RUNS.columns}) VALUES ({RUNS.marks})", RUNS.row(row))
                return True
            if known[0]:
                return False
            fill = ", ".join(f"{name} = coalesce(?, {name})" for name in _FILL)
            given = {
                name: getattr(run, name)
                for name in ("source_type", "status", "visibility", "is_starred", "settings", "variable_values",
                             "broker_values", "metadata")
            }  # fmt: skip
            sets, values = RUNS.sets(given)
            con.execute(
                f"UPDATE runs SET {fill}, {sets}, is_managed = 1, revision = revision + 1, {_MERGED_TAGS} "
                "WHERE run_id = ?",
                (*(getattr(run, name) for name in _FILL), *values, listed(run.tags), run.run_id),
            )
            return True

    def change_run(self, run_id: str, changes: Mapping[str, Any], *, revision: int | None = None) -> Run | None:
        """See `RunStore.change_run`."""
        sets, values = RUNS.sets(changes)
        with self._transaction() as con:
            if changes:
                con.execute(
                    f"UPDATE runs SET {sets}, is_managed = 1, revision = revision + 1 WHERE run_id = ? AND {IS_RUN} "
                    "AND deleted_at_us IS NULL AND (? IS NULL OR revision = ?)",
                    (*values, run_id, revision, revision),
                )
            row = con.execute(
                f"SELECT {RUNS.columns} FROM runs WHERE run_id = ? AND {IS_RUN} AND deleted_at_us IS NULL", (run_id,)
            ).fetchone()
        return None if row is None else RUNS.struct(row)

    def date_run(self, run_id: str, at_us: int) -> None:
        """See `RunStore.date_run`."""
        with self._transaction() as con:
            con.execute(
                "UPDATE runs SET updated_at_us = ?, completed_at_us = CASE WHEN completed_at_us IS NOT NULL THEN ? END "
                "WHERE run_id = ?",
                (at_us, at_us, run_id),
            )

    def bin_runs(self, run_ids: Collection[str], at_us: int | None) -> list[str]:
        """See `RunStore.bin_runs`."""
        with self._transaction() as con:
            rows = con.execute(
                f"UPDATE runs SET deleted_at_us = ?, is_managed = 1, revision = revision + 1 WHERE run_id IN ({_ANY}) "
                f"AND {IS_RUN} AND (deleted_at_us IS NULL) = (? IS NOT NULL) RETURNING run_id",
                (at_us, listed(run_ids), at_us),
            ).fetchall()
        return [run_id for (run_id,) in rows]

    def purge_runs(self, run_ids: Collection[str] = (), *, before_us: int | None = None) -> list[str]:
        """See `RunStore.purge_runs`."""
        with self._transaction() as con:
            rows = con.execute(
                f"SELECT run_id FROM runs WHERE purged_at_us IS NULL AND deleted_at_us IS NOT NULL AND "
                f"(run_id IN ({_ANY}) OR deleted_at_us < ?)",
                (listed(run_ids), before_us),
            ).fetchall()
            gone = listed([run_id for (run_id,) in rows])
            for table in ("tasks", "messages", "shares"):
                con.execute(f"DELETE FROM {table} WHERE run_id IN ({_ANY})", (gone,))
            con.execute(
                "UPDATE runs SET purged_at_us = deleted_at_us, name = NULL, description = NULL, source_id = NULL, "
                "tags = '[]', settings = '{}', variable_values = '{}', broker_values = '{}', metadata = '{}', "
                f"user_id = NULL, session_id = NULL, agent_name = NULL WHERE run_id IN ({_ANY})",
                (gone,),
            )
        return [run_id for (run_id,) in rows]

    def deleted_runs(self, run_ids: Collection[str]) -> set[str]:
        """See `RunStore.deleted_runs`."""
        rows = self._all(
            f"SELECT run_id FROM runs WHERE run_id IN ({_ANY}) AND (deleted_at_us IS NOT NULL OR "
            "purged_at_us IS NOT NULL)",
            (listed(run_ids),),
        )
        return {run_id for (run_id,) in rows}

    def run(self, run_id: str) -> Run | None:
        """See `StateStore.run`."""
        run = self.any_run(run_id)
        return None if run is None or run.deleted_at_us is not None else run

    def any_run(self, run_id: str) -> Run | None:
        """See `RunStore.any_run`."""
        rows = self._all(f"SELECT {RUNS.columns} FROM runs WHERE run_id = ? AND {IS_RUN}", (run_id,))
        return RUNS.struct(rows[0]) if rows else None

    def runs(self, *, limit: int = 50, before: tuple[int, str] | None = None) -> list[Run]:
        """See `StateStore.runs`."""
        return self.find_runs(RunQuery(limit=limit, after=before))

    def find_runs(self, query: RunQuery) -> list[Run]:
        """See `RunStore.find_runs`."""
        where, params = _where(query)
        key = _SORTS[query.sort]
        direction, beyond = ("ASC", ">") if query.is_ascending else ("DESC", "<")
        if query.after is not None:
            where.append(f"({key}, run_id) {beyond} (?, ?)")
            params += query.after
        rows = self._all(
            f"SELECT {RUNS.columns} FROM runs WHERE {' AND '.join(where)} "
            f"ORDER BY {key} {direction}, run_id {direction} LIMIT ?",
            (*params, query.limit),
        )
        return [RUNS.struct(row) for row in rows]

    def add_share(self, share: Share) -> None:
        """See `RunStore.add_share`."""
        with self._transaction() as con:
            con.execute(f"INSERT INTO shares ({SHARES.columns}) VALUES ({SHARES.marks})", SHARES.row(share))

    def shares(self, run_id: str) -> list[Share]:
        """See `RunStore.shares`."""
        rows = self._all(
            f"SELECT {SHARES.columns} FROM shares WHERE run_id = ? ORDER BY created_at_us, share_id", (run_id,)
        )
        return [SHARES.struct(row) for row in rows]

    def share(self, hash: str) -> Share | None:
        """See `RunStore.share`."""
        rows = self._all(f"SELECT {SHARES.columns} FROM shares WHERE hash = ?", (hash,))
        return SHARES.struct(rows[0]) if rows else None

    def revoke_share(self, share_id: str, at_us: int) -> Share | None:
        """See `RunStore.revoke_share`."""
        with self._transaction() as con:
            con.execute(
                "UPDATE shares SET revoked_at_us = ? WHERE share_id = ? AND revoked_at_us IS NULL", (at_us, share_id)
            )
            row = con.execute(f"SELECT {SHARES.columns} FROM shares WHERE share_id = ?", (share_id,)).fetchone()
        return None if row is None else SHARES.struct(row)


_MERGED_TAGS = """tags = (SELECT json_group_array(value) FROM (SELECT value FROM json_each(tags)
    UNION SELECT value FROM json_each(?) ORDER BY value))"""


def _where(query: RunQuery) -> tuple[list[str], list[Any]]:
    where = [IS_RUN, f"deleted_at_us IS {'NOT ' if query.in_bin else ''}NULL"]
    params: list[Any] = []
    for column, values in (
        ("source_type", query.source_types), ("status", query.statuses), ("project", query.projects),
        ("user_id", query.user_ids), ("agent_name", query.agent_names), ("session_id", query.session_ids),
        ("run_id", query.run_ids),
    ):  # fmt: skip
        if values:
            where.append(f"{column} IN ({_ANY})")
            params.append(listed(values))
    for condition, value in (
        ("source_id = ?", query.source_id), ("is_starred = ?", query.is_starred), ("is_managed = ?", query.is_managed),
        ("updated_at_us >= ?", query.since_us), ("updated_at_us < ?", query.until_us),
        ("created_at_us >= ?", query.created_since_us), ("created_at_us < ?", query.created_until_us),
    ):  # fmt: skip
        if value is not None:
            where.append(condition)
            params.append(value)
    for tag in query.tags:
        where.append("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)")
        params.append(tag)
    if query.text:
        pattern = f"%{query.text.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
        where.append(
            "(name LIKE ? ESCAPE '!' OR description LIKE ? ESCAPE '!' OR tags LIKE ? ESCAPE '!' OR EXISTS "
            "(SELECT 1 FROM messages WHERE messages.run_id = runs.run_id AND content LIKE ? ESCAPE '!'))"
        )
        params += [pattern] * 4
    if query.viewer is not None:
        project, user_id = query.viewer
        where.append("(? IS NULL OR project = ?)")
        params += [project, project]
        where.append("(is_managed = 0 OR visibility <> 'private' OR user_id IS NULL OR user_id IS ?)")
        params.append(user_id)
    return where, params
