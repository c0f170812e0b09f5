"""The tables and triggers of managed runs: a step of the schema (`migrations`).

What follows from a change is done by the database, so that it holds whoever writes: `updated_at_us` of a run with its
revision, counts and times with its tasks and messages. A change of run totals by the follower is none of these.
"""

from __future__ import annotations

NOW = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
_ENDED = "('completed', 'failed', 'cancelled')"
_TOUCH = f"updated_at_us = max(updated_at_us, {NOW})"

RUNS = (
    *(
        f"ALTER TABLE runs ADD COLUMN {column}"
        for column in (
            "description TEXT", "source_id TEXT", "visibility TEXT NOT NULL DEFAULT 'private'",
            "is_starred INTEGER NOT NULL DEFAULT 0", "is_managed INTEGER NOT NULL DEFAULT 0",
            "last_message_at_us INTEGER", "completed_at_us INTEGER", "deleted_at_us INTEGER", "purged_at_us INTEGER",
            "message_count INTEGER NOT NULL DEFAULT 0", "task_count INTEGER NOT NULL DEFAULT 0",
            "open_task_count INTEGER NOT NULL DEFAULT 0", "last_task_status TEXT",
            "settings TEXT NOT NULL DEFAULT '{}'", "variable_values TEXT NOT NULL DEFAULT '{}'",
            "broker_values TEXT NOT NULL DEFAULT '{}'", "metadata TEXT NOT NULL DEFAULT '{}'",
            "revision INTEGER NOT NULL DEFAULT 0",
        )
    ),
    "CREATE INDEX runs_by_start ON runs (created_at_us DESC, run_id DESC)",
    """CREATE TABLE tasks (
        task_id TEXT PRIMARY KEY, run_id TEXT NOT NULL, call_id TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
        service TEXT, task_name TEXT, operation TEXT NOT NULL, provider TEXT, endpoint TEXT, model TEXT,
        response_model TEXT, response_id TEXT, parent_id TEXT, project TEXT, user_id TEXT, request_data TEXT,
        response_text TEXT, response_data TEXT, tool_updates TEXT, error_type TEXT, error_message TEXT,
        usage TEXT NOT NULL DEFAULT '{}', total_tokens INTEGER, cost_nanousd INTEGER, finish_reason TEXT,
        ttft_us INTEGER, duration_us INTEGER, metadata TEXT NOT NULL DEFAULT '{}', created_at_us INTEGER NOT NULL,
        started_at_us INTEGER NOT NULL, updated_at_us INTEGER NOT NULL, completed_at_us INTEGER,
        is_recorded INTEGER NOT NULL DEFAULT 0, change INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    "CREATE INDEX tasks_of_run ON tasks (run_id, created_at_us, task_id)",
    "CREATE INDEX tasks_by_change ON tasks (change)",
    f"CREATE INDEX tasks_unrecorded ON tasks (completed_at_us) WHERE is_recorded = 0 AND status IN {_ENDED}",
    """CREATE TABLE messages (
        position INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, run_id TEXT NOT NULL,
        role TEXT NOT NULL, content TEXT, task_id TEXT, name TEXT, attachments TEXT NOT NULL DEFAULT '[]',
        metadata TEXT NOT NULL DEFAULT '{}', created_at_us INTEGER NOT NULL, updated_at_us INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX messages_of_run ON messages (run_id, position)",
    """CREATE TABLE shares (
        share_id TEXT PRIMARY KEY, run_id TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, label TEXT,
        created_at_us INTEGER NOT NULL, expires_at_us INTEGER, revoked_at_us INTEGER
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX shares_of_run ON shares (run_id)",
    "CREATE TABLE changes (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL) STRICT",
    "INSERT INTO changes VALUES (1, 0)",
    f"CREATE TRIGGER runs_changed AFTER UPDATE OF revision ON runs BEGIN "
    f"UPDATE runs SET {_TOUCH} WHERE run_id = NEW.run_id; END",
    f"CREATE TRIGGER runs_completed AFTER UPDATE OF status ON runs WHEN NEW.status IS NOT OLD.status BEGIN "
    f"UPDATE runs SET completed_at_us = CASE NEW.status WHEN 'completed' THEN {NOW} WHEN 'active' THEN NULL "
    "ELSE completed_at_us END WHERE run_id = NEW.run_id; END",
    f"CREATE TRIGGER tasks_added AFTER INSERT ON tasks BEGIN "
    "UPDATE changes SET number = number + 1; "
    "UPDATE tasks SET change = (SELECT number FROM changes) WHERE task_id = NEW.task_id; "
    f"UPDATE runs SET task_count = task_count + 1, open_task_count = open_task_count + (NEW.status NOT IN {_ENDED}), "
    f"last_task_status = NEW.status, {_TOUCH} WHERE run_id = NEW.run_id; END",
    "CREATE TRIGGER tasks_changed AFTER UPDATE OF status, response_text, response_data, tool_updates, usage, metadata "
    "ON tasks BEGIN UPDATE changes SET number = number + 1; "
    f"UPDATE tasks SET change = (SELECT number FROM changes), updated_at_us = max(updated_at_us, {NOW}) "
    "WHERE task_id = NEW.task_id; END",
    f"CREATE TRIGGER tasks_ended AFTER UPDATE OF status ON tasks "
    f"WHEN NEW.status IN {_ENDED} AND OLD.status NOT IN {_ENDED} BEGIN "
    f"UPDATE tasks SET completed_at_us = coalesce(completed_at_us, {NOW}) WHERE task_id = NEW.task_id; "
    f"UPDATE runs SET open_task_count = open_task_count - 1, last_task_status = NEW.status, "
    f"last_message_at_us = max(coalesce(last_message_at_us, 0), {NOW}), {_TOUCH} WHERE run_id = NEW.run_id; END",
    f"CREATE TRIGGER tasks_stay BEFORE UPDATE OF status, response_text, response_data, usage, cost_nanousd ON tasks "
    f"WHEN OLD.status IN {_ENDED} BEGIN SELECT RAISE(ABORT, 'a task that has ended does not change'); END",
    f"CREATE TRIGGER tasks_removed AFTER DELETE ON tasks BEGIN UPDATE runs SET task_count = task_count - 1, "
    f"open_task_count = open_task_count - (OLD.status NOT IN {_ENDED}) WHERE run_id = OLD.run_id; END",
    f"CREATE TRIGGER messages_added AFTER INSERT ON messages BEGIN UPDATE runs SET message_count = message_count + 1, "
    f"last_message_at_us = max(coalesce(last_message_at_us, 0), NEW.created_at_us), {_TOUCH} "
    "WHERE run_id = NEW.run_id; END",
    "CREATE TRIGGER messages_changed AFTER UPDATE OF content, attachments, name, metadata ON messages BEGIN "
    f"UPDATE messages SET updated_at_us = max(updated_at_us, {NOW}) WHERE position = NEW.position; "
    f"UPDATE runs SET {_TOUCH} WHERE run_id = NEW.run_id; END",
    "CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN "
    f"UPDATE runs SET message_count = message_count - 1, {_TOUCH} WHERE run_id = OLD.run_id; END",
)  # fmt: skip
