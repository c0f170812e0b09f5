"""Tasks and messages of runs in `state.db`. See `store.run_store`."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from tallybook.model.run import Message, Task
from tallybook.store.sqlite.column import Rows
from tallybook.store.sqlite.runs import listed, make_run

TASKS: Rows[Task] = Rows(Task, ("request_data", "response_data", "tool_updates", "usage", "metadata"), ("is_recorded",))
MESSAGES: Rows[Message] = Rows(Message, ("content", "attachments", "metadata"))
_OPEN = "status NOT IN ('completed', 'failed', 'cancelled')"


def record_tasks(con: sqlite3.Connection, call_ids: Collection[str]) -> None:
    """Their calls are in the journal."""
    con.execute(
        "UPDATE tasks SET is_recorded = 1 WHERE call_id IN (SELECT value FROM json_each(?)) AND is_recorded = 0 "
        f"AND NOT {_OPEN}",
        (listed(call_ids),),
    )


class SqliteTasks:
    """Tasks and messages, a part of `SqliteState`, which brings the connection."""

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    def _all(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def create_task(self, task: Task) -> tuple[Task, bool]:
        """See `RunStore.create_task`."""
        with self._transaction() as con:
            known = _task(con, task.task_id)
            if known is not None:
                return known, False
            make_run(con, task.run_id, task.created_at_us, task.project, task.user_id)
            con.execute(f"INSERT INTO tasks ({TASKS.columns}) VALUES ({TASKS.marks})", TASKS.row(task))
            return _task(con, task.task_id) or task, True

    def change_task(self, task_id: str, changes: Mapping[str, Any]) -> Task | None:
        """See `RunStore.change_task`."""
        sets, values = TASKS.sets(changes)
        with self._transaction() as con:
            if changes:
                con.execute(f"UPDATE tasks SET {sets} WHERE task_id = ? AND {_OPEN}", (*values, task_id))
            return _task(con, task_id)

    def task(self, task_id: str) -> Task | None:
        """See `RunStore.task`."""
        return next(iter(self._tasks("task_id = ?", (task_id,))), None)

    def _tasks(self, rest: str, params: Sequence[Any]) -> list[Task]:
        return [TASKS.struct(row) for row in self._all(f"SELECT {TASKS.columns} FROM tasks WHERE {rest}", params)]

    def tasks(self, run_id: str, *, limit: int = 100, after: tuple[int, str] | None = None) -> list[Task]:
        """See `RunStore.tasks`."""
        return self._tasks(
            "run_id = ? AND (created_at_us, task_id) > (?, ?) ORDER BY created_at_us, task_id LIMIT ?",
            (run_id, *(after or (-1, "")), limit),
        )

    def changed_tasks(self, after: int, limit: int = 1000) -> list[Task]:
        """See `RunStore.changed_tasks`."""
        return self._tasks("change > ? ORDER BY change LIMIT ?", (after, limit))

    def last_change(self) -> int:
        """See `RunStore.last_change`."""
        return int(self._all("SELECT number FROM changes")[0][0])

    def unrecorded_tasks(self, before_us: int, limit: int = 1000) -> list[Task]:
        """See `RunStore.unrecorded_tasks`."""
        return self._tasks(
            f"is_recorded = 0 AND NOT {_OPEN} AND completed_at_us < ? ORDER BY completed_at_us LIMIT ?",
            (before_us, limit),
        )

    def record_tasks(self, call_ids: Collection[str]) -> None:
        """See `RunStore.record_tasks`."""
        with self._transaction() as con:
            record_tasks(con, call_ids)

    def add_message(self, message: Message, run_name: str | None = None) -> tuple[Message, bool]:
        """See `RunStore.add_message`."""
        with self._transaction() as con:
            known = _message(con, message.message_id)
            if known is not None:
                return known, False
            make_run(con, message.run_id, message.created_at_us, None, None)
            names = [name for name in MESSAGES.names if name != "position"]
            con.execute(
                f"INSERT INTO messages ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                [MESSAGES.value(name, getattr(message, name)) for name in names],
            )
            if run_name:
                con.execute("UPDATE runs SET name = ? WHERE run_id = ? AND name IS NULL", (run_name, message.run_id))
            return _message(con, message.message_id) or message, True

    def change_message(self, message_id: str, changes: Mapping[str, Any]) -> Message | None:
        """See `RunStore.change_message`."""
        sets, values = MESSAGES.sets(changes)
        with self._transaction() as con:
            if changes:
                con.execute(f"UPDATE messages SET {sets} WHERE message_id = ?", (*values, message_id))
            return _message(con, message_id)

    def remove_message(self, message_id: str) -> bool:
        """See `RunStore.remove_message`."""
        with self._transaction() as con:
            return con.execute("DELETE FROM messages WHERE message_id = ?", (message_id,)).rowcount > 0

    def message(self, message_id: str) -> Message | None:
        """See `RunStore.message`."""
        rows = self._all(f"SELECT {MESSAGES.columns} FROM messages WHERE message_id = ?", (message_id,))
        return MESSAGES.struct(rows[0]) if rows else None

    def messages(self, run_id: str, *, limit: int = 100, after: int = 0) -> list[Message]:
        """See `RunStore.messages`."""
        rows = self._all(
            f"SELECT {MESSAGES.columns} FROM messages WHERE run_id = ? AND position > ? ORDER BY position LIMIT ?",
            (run_id, after, limit),
        )
        return [MESSAGES.struct(row) for row in rows]


def _task(con: sqlite3.Connection, task_id: str) -> Task | None:
    row = con.execute(f"SELECT {TASKS.columns} FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
    return None if row is None else TASKS.struct(row)


def _message(con: sqlite3.Connection, message_id: str) -> Message | None:
    row = con.execute(f"SELECT {MESSAGES.columns} FROM messages WHERE message_id = ?", (message_id,)).fetchone()
    return None if row is None else MESSAGES.struct(row)
