"""`SqliteState`: the embedded `StateStore`, one SQLite file in WAL mode.

Several processes may have it open: a writer waits for another up to 30 seconds. Run totals and the follower's
offsets change in one transaction, so a line counts exactly once, whatever crashes. For one thread at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tallybook.model.call import Run
from tallybook.model.errors import StorageError
from tallybook.store.base import UNREFLECTED, Building, Stale
from tallybook.store.sqlite.access import SqliteAccess
from tallybook.store.sqlite.migrations import migrate
from tallybook.store.sqlite.part import SqliteParts
from tallybook.store.sqlite.runs import SqliteRuns
from tallybook.store.sqlite.tasks import SqliteTasks, record_tasks
from tallybook.store.sqlite.totals import Totals, name_runs
from tallybook.store.tally import Entry

_WAIT_S = 30.0
_CACHE_KB = 32_000
_CHECKPOINT_PAGES = 8_000
"""Pages of 4 kB in the log before they are copied to the file; SQLite's own 1,000 are one pass of a busy server."""
_BUILDING = "SELECT from_sequence, to_sequence, stale, past FROM reflected WHERE from_sequence IS NOT NULL"


class SqliteState(SqliteRuns, SqliteTasks, SqliteAccess, SqliteParts):
    """The state in one file. Raises StorageError, naming the file, for what SQLite cannot do."""

    def __init__(self, path: Path) -> None:
        """Open the file, made when absent."""
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._con = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
            try:
                self._con.execute("PRAGMA journal_mode = WAL")
                # What the server acknowledges of tasks and of records in parts is here alone: it survives power loss.
                self._con.execute("PRAGMA synchronous = FULL")
                # Records of a flood change pages all over their indexes: kept in memory, and copied to the file less
                # often, they cost less (`bench/totals.py`).
                self._con.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
                self._con.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
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
        """See `TotalStore.offsets`."""
        return dict(self._all("SELECT path, bytes FROM offsets"))

    def sequence(self) -> int:
        """See `TotalStore.sequence`."""
        return int(self._all("SELECT sequence FROM reflected")[0][0])

    def segments(self) -> set[str]:
        """See `TotalStore.segments`."""
        return {segment for (segment,) in self._all("SELECT DISTINCT segment FROM records WHERE is_sealed = 0")}

    def follow(
        self, entries: Sequence[Entry], segment: str, offset: int, *, sequence: int, is_sealed: bool = False
    ) -> bool:
        """See `TotalStore.follow`."""
        with self._transaction() as con:
            if con.execute("SELECT sequence FROM reflected").fetchone() != (sequence,):
                return False
            totals = Totals(con)
            totals.add(entries, segment, is_sealed=is_sealed)
            totals.write()
            if entries:
                record_tasks(con, [entry.call_id for entry in entries])
            con.execute(
                "INSERT INTO offsets VALUES (?, ?) ON CONFLICT (path) DO UPDATE SET bytes = max(bytes, excluded.bytes)",
                (segment, offset),
            )
        return True

    def reflect(
        self,
        runs: Iterable[Run],
        gone: Collection[str],
        *,
        before: int,
        after: int,
        stale: int = 0,
        is_whole: bool = False,
    ) -> bool:
        """See `TotalStore.reflect`."""  # fmt: skip
        with self._transaction() as con:
            if con.execute("SELECT sequence FROM reflected").fetchone() != (before,):
                return False
            totals = Totals(con)
            totals.sealed(gone)
            totals.base(runs, is_whole=is_whole)
            totals.write()
            _reflected(con, after, stale)
        return True

    def building(self) -> Building | None:
        """See `TotalStore.building`."""
        rows = self._all(_BUILDING)
        return Building(*rows[0]) if rows else None

    def begin(self, gone: Collection[str], *, before: int, after: int, stale: int = 0) -> bool:
        """See `TotalStore.begin`."""
        with self._transaction() as con:
            if con.execute("SELECT sequence FROM reflected").fetchone() != (before,):
                return False
            totals = Totals(con)
            totals.sealed(gone)
            totals.write()
            con.execute(
                "UPDATE reflected SET sequence = ?, from_sequence = ?, to_sequence = ?, stale = ?, past = ''",
                (UNREFLECTED, before, after, stale),
            )
        return True

    def advance(self, runs: Iterable[Run], building: Building, *, upto: str | None) -> bool:
        """See `TotalStore.advance`."""
        with self._transaction() as con:
            if con.execute(_BUILDING).fetchone() != building:
                return False
            Totals(con).base(runs, is_whole=building.is_whole, past=building.past, upto=upto)
            if upto is None:
                _reflected(con, building.after, building.stale)
            else:
                con.execute("UPDATE reflected SET past = ?", (upto,))
        return True

    def forget(self, segments: Collection[str]) -> None:
        """See `TotalStore.forget`."""
        with self._transaction() as con:
            con.executemany("DELETE FROM offsets WHERE path = ?", [(segment,) for segment in segments])

    def name_runs(self, names: Mapping[str, str]) -> None:
        """See `TotalStore.name_runs`."""
        with self._transaction() as con:
            name_runs(con, names)

    def mark_stale(self, run_ids: Collection[str]) -> None:
        """See `TotalStore.mark_stale`."""
        with self._transaction() as con:
            con.executemany("INSERT INTO stale (run_id) VALUES (?)", [(run_id,) for run_id in run_ids])

    def stale(self) -> Stale:
        """See `TotalStore.stale`."""
        rows = self._all("SELECT number, run_id FROM stale ORDER BY number")
        return Stale(rows[-1][0] if rows else 0, tuple(dict.fromkeys(run_id for _, run_id in rows)))

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


def _reflected(con: sqlite3.Connection, sequence: int, stale: int) -> None:
    """The totals hold this manifest from now on."""
    con.execute(
        "UPDATE reflected SET sequence = ?, from_sequence = NULL, to_sequence = NULL, stale = NULL, past = NULL",
        (sequence,),
    )
    con.execute("DELETE FROM stale WHERE number <= ?", (stale,))
