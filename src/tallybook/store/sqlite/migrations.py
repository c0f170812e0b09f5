"""The schema of `state.db`, as numbered steps that are applied once each, in order, each in one transaction.

`PRAGMA user_version` holds how many were applied. A step is never edited once released; a change is a further step.
"""

from __future__ import annotations

import sqlite3

from tallybook.model.errors import StorageError
from tallybook.store.sqlite import managed
from tallybook.store.tally import response_key

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            run_id TEXT PRIMARY KEY, name TEXT, source_type TEXT NOT NULL DEFAULT 'custom',
            status TEXT NOT NULL DEFAULT 'active', project TEXT, user_id TEXT, session_id TEXT, agent_name TEXT,
            created_at_us INTEGER NOT NULL DEFAULT 0, updated_at_us INTEGER NOT NULL DEFAULT 0,
            call_count INTEGER NOT NULL DEFAULT 0, error_count INTEGER NOT NULL DEFAULT 0,
            input_tokens INTEGER NOT NULL DEFAULT 0, output_tokens INTEGER NOT NULL DEFAULT 0,
            cost_nanousd INTEGER NOT NULL DEFAULT 0, unpriced_count INTEGER NOT NULL DEFAULT 0,
            tags TEXT NOT NULL DEFAULT '[]'
        ) STRICT""",
        "CREATE INDEX runs_by_activity ON runs (updated_at_us DESC, run_id DESC)",
        "CREATE TABLE offsets (path TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    ),
    (
        """CREATE TABLE keys (
            key_id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, role TEXT NOT NULL, project TEXT, name TEXT,
            created_at_us INTEGER NOT NULL, revoked_at_us INTEGER, last_used_at_us INTEGER
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE projects (
            project TEXT PRIMARY KEY, name TEXT, created_at_us INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE idempotency (
            key TEXT PRIMARY KEY, value TEXT NOT NULL, at_us INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX idempotency_by_age ON idempotency (at_us)",
    ),
    (
        """CREATE TABLE parts (
            scope TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, group_id TEXT, data BLOB NOT NULL,
            touched_us INTEGER NOT NULL, due_us INTEGER
        ) STRICT""",
        "CREATE UNIQUE INDEX parts_by_key ON parts (scope, kind, id)",
        "CREATE INDEX parts_by_group ON parts (group_id, scope, kind) WHERE group_id IS NOT NULL",
        "CREATE INDEX parts_due ON parts (due_us) WHERE due_us IS NOT NULL",
        "CREATE INDEX parts_by_age ON parts (touched_us)",
    ),
    (  # Totals are what is sealed and the records that are not: those of before are made anew.
        *(
            f"ALTER TABLE runs ADD COLUMN sealed_{name} INTEGER NOT NULL DEFAULT 0"
            for name in ("calls", "errors", "input_tokens", "output_tokens", "cost_nanousd", "unpriced")
        ),
        "UPDATE runs SET call_count = 0, error_count = 0, input_tokens = 0, output_tokens = 0, cost_nanousd = 0, "
        "unpriced_count = 0",
        "DELETE FROM offsets",
        """CREATE TABLE records (
            number INTEGER PRIMARY KEY AUTOINCREMENT, call_id TEXT NOT NULL, response TEXT, segment TEXT NOT NULL,
            run_id TEXT, quality INTEGER NOT NULL, started_at_us INTEGER NOT NULL, errors INTEGER NOT NULL,
            input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_nanousd INTEGER,
            is_sealed INTEGER NOT NULL, weight INTEGER NOT NULL, has_repeat INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        "CREATE INDEX records_by_call ON records (call_id)",
        "CREATE INDEX records_by_response ON records (response) WHERE response IS NOT NULL",
        "CREATE INDEX records_by_segment ON records (segment) WHERE is_sealed = 0",
        "CREATE TABLE stale (number INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL) STRICT",
        "CREATE TABLE reflected (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL) STRICT",
        "INSERT INTO reflected VALUES (1, 0)",
    ),
    managed.RUNS,
    (  # Totals on their way to another manifest, in portions.
        "ALTER TABLE reflected ADD COLUMN from_sequence INTEGER",
        "ALTER TABLE reflected ADD COLUMN to_sequence INTEGER",
        "ALTER TABLE reflected ADD COLUMN stale INTEGER",
        "ALTER TABLE reflected ADD COLUMN past TEXT",
    ),
    (  # A response is known by a number, not by its text.
        "DROP INDEX records_by_response",
        "ALTER TABLE records RENAME COLUMN response TO told",
        "ALTER TABLE records ADD COLUMN response INTEGER",
        "UPDATE records SET response = response_key(told) WHERE told IS NOT NULL",
        "ALTER TABLE records DROP COLUMN told",
        "CREATE INDEX records_by_response ON records (response) WHERE response IS NOT NULL",
    ),
)


def migrate(con: sqlite3.Connection, path: str) -> None:
    """Bring the schema up to date. Raises StorageError when the file is of a later version of the program."""
    (version,) = con.execute("PRAGMA user_version").fetchone()
    if version > len(STEPS):
        raise StorageError(
            f"{path}: schema {version} is newer than this program's {len(STEPS)}", hint="upgrade tallybook"
        )
    con.create_function("response_key", 1, response_key, deterministic=True)
    while version < len(STEPS):
        con.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been first while this one waited for the lock.
            (version,) = con.execute("PRAGMA user_version").fetchone()
            if version < len(STEPS):
                for statement in STEPS[version]:
                    con.execute(statement)
                version += 1
                con.execute(f"PRAGMA user_version = {version}")
            con.execute("COMMIT")
        except BaseException:
            con.execute("ROLLBACK")
            raise
