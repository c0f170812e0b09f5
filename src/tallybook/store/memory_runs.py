"""The reference `RunStore`: dictionaries, with what the database's triggers do written out after each change."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from tallybook.model.call import Run
from tallybook.model.run import ENDED, Message, Share, Task
from tallybook.store.run_store import RunQuery, sort_value

_FILL = ("name", "description", "source_id", "project", "user_id", "session_id", "agent_name")
_TAKEN = ("source_type", "status", "visibility", "is_starred", "settings", "variable_values", "broker_values",
          "metadata")  # fmt: skip
replace = msgspec.structs.replace


def _now_us() -> int:
    return time.time_ns() // 1000


class MemoryRuns:
    """Runs, tasks, messages and links in dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self._runs: dict[str, Run] = {}
        """Runs with what is sealed of them."""
        self._purged: set[str] = set()
        self._tasks: dict[str, Task] = {}
        self._messages: dict[str, Message] = {}
        self._shares: dict[str, Share] = {}
        self._change = self._position = 0

    def _total(self, run: Run) -> Run:
        raise NotImplementedError

    def _touch(self, run_id: str, **changes: Any) -> None:
        run = self._runs[run_id]
        self._runs[run_id] = replace(run, **{"updated_at_us": max(run.updated_at_us, _now_us()), **changes})

    def create_run(self, run: Run) -> bool:
        """See `RunStore.create_run`."""
        known = self._runs.get(run.run_id)
        if run.run_id in self._purged or (known is not None and known.is_managed):
            return False
        if known is None:
            self._runs[run.run_id] = replace(run, is_managed=True)
            return True
        given = {name: getattr(run, name) for name in _TAKEN}
        given |= {name: getattr(run, name) for name in _FILL if getattr(run, name) is not None}
        tags = tuple(sorted({*known.tags, *run.tags}))
        self._touch(run.run_id, **given, tags=tags, is_managed=True, revision=known.revision + 1)
        return True

    def change_run(self, run_id: str, changes: Mapping[str, Any], *, revision: int | None = None) -> Run | None:
        """See `RunStore.change_run`."""
        if (found := self.run(run_id)) is None:
            return None
        if changes and revision in (None, found.revision):
            run = self._runs[run_id]
            more = {}
            if "status" in changes and changes["status"] != run.status:
                done = {"completed": _now_us(), "active": None}
                more["completed_at_us"] = done.get(changes["status"], run.completed_at_us)
            self._touch(run_id, **changes, **more, is_managed=True, revision=run.revision + 1)
        return self.run(run_id)

    def date_run(self, run_id: str, at_us: int) -> None:
        """See `RunStore.date_run`."""
        run = self.any_run(run_id)
        if run is not None:
            completed_at_us = None if run.completed_at_us is None else at_us
            self._runs[run_id] = replace(run, updated_at_us=at_us, completed_at_us=completed_at_us)

    def bin_runs(self, run_ids: Collection[str], at_us: int | None) -> list[str]:
        """See `RunStore.bin_runs`."""
        done = []
        for run_id in run_ids:
            run = self.any_run(run_id)
            if run is not None and (run.deleted_at_us is None) == (at_us is not None):
                self._touch(run_id, deleted_at_us=at_us, is_managed=True, revision=run.revision + 1)
                done.append(run_id)
        return done

    def purge_runs(self, run_ids: Collection[str] = (), *, before_us: int | None = None) -> list[str]:
        """See `RunStore.purge_runs`."""
        done = []
        for run_id, run in self._runs.items():
            at_us = run.deleted_at_us
            if at_us is None or run_id in self._purged:
                continue
            if run_id in run_ids or (before_us is not None and at_us < before_us):
                done.append(run_id)
        self._purged.update(done)
        self._tasks = {key: one for key, one in self._tasks.items() if one.run_id not in done}
        self._messages = {key: one for key, one in self._messages.items() if one.run_id not in done}
        self._shares = {key: one for key, one in self._shares.items() if one.run_id not in done}
        return done

    def deleted_runs(self, run_ids: Collection[str]) -> set[str]:
        """See `RunStore.deleted_runs`."""
        known = {run_id: run for run_id in run_ids if (run := self._runs.get(run_id)) is not None}
        return {run_id for run_id, run in known.items() if run_id in self._purged or run.deleted_at_us is not None}

    def run(self, run_id: str) -> Run | None:
        """See `StateStore.run`."""
        run = self.any_run(run_id)
        return None if run is None or run.deleted_at_us is not None else run

    def any_run(self, run_id: str) -> Run | None:
        """See `RunStore.any_run`."""
        run = self._runs.get(run_id)
        if run is None or run_id in self._purged:
            return None
        total = self._counted(self._total(run))
        return total if total.call_count or total.is_managed else None

    def _counted(self, run: Run) -> Run:
        """The run with the counts of its tasks and messages."""
        tasks = [task for task in self._tasks.values() if task.run_id == run.run_id]
        return replace(
            run, message_count=sum(one.run_id == run.run_id for one in self._messages.values()), task_count=len(tasks),
            open_task_count=sum(task.status not in ENDED for task in tasks),
        )  # fmt: skip

    def runs(self, *, limit: int = 50, before: tuple[int, str] | None = None) -> list[Run]:
        """See `StateStore.runs`."""
        return self.find_runs(RunQuery(limit=limit, after=before))

    def find_runs(self, query: RunQuery) -> list[Run]:
        """See `RunStore.find_runs`."""
        found = [run for run_id in self._runs if (run := self.any_run(run_id)) is not None and self._fits(run, query)]

        def key(run: Run) -> tuple[Any, str]:
            return sort_value(run, query.sort), run.run_id

        found.sort(key=key, reverse=not query.is_ascending)
        if query.after is not None:
            after = tuple(query.after)
            found = [run for run in found if (key(run) > after if query.is_ascending else key(run) < after)]
        return found[: query.limit]

    def _fits(self, run: Run, query: RunQuery) -> bool:
        one_of = (
            (run.source_type, query.source_types), (run.status, query.statuses), (run.project, query.projects),
            (run.user_id, query.user_ids), (run.agent_name, query.agent_names), (run.session_id, query.session_ids),
            (run.run_id, query.run_ids),
        )  # fmt: skip
        equal = (
            (run.source_id, query.source_id), (run.is_starred, query.is_starred), (run.is_managed, query.is_managed)
        )  # fmt: skip
        return (
            (run.deleted_at_us is not None) == query.in_bin
            and all(not values or value in values for value, values in one_of)
            and all(wanted is None or value == wanted for value, wanted in equal)
            and (query.since_us is None or run.updated_at_us >= query.since_us)
            and (query.until_us is None or run.updated_at_us < query.until_us)
            and (query.created_since_us is None or run.created_at_us >= query.created_since_us)
            and (query.created_until_us is None or run.created_at_us < query.created_until_us)
            and set(query.tags) <= set(run.tags)
            and (not query.text or self._holds(run, query.text.lower()))
            and (query.viewer is None or _sees(run, *query.viewer))
        )

    def _holds(self, run: Run, text: str) -> bool:
        told = [run.name or "", run.description or "", *run.tags]
        told += [
            msgspec.json.encode(one.content).decode() for one in self._messages.values() if one.run_id == run.run_id
        ]
        return any(text in one.lower() for one in told)

    def _make_run(self, run_id: str, at_us: int, project: str | None, user_id: str | None) -> None:
        known = self._runs.get(run_id, Run(run_id=run_id, created_at_us=at_us, updated_at_us=at_us))
        self._runs[run_id] = replace(
            known, is_managed=True, project=known.project or project, user_id=known.user_id or user_id
        )

    def _next(self) -> int:
        self._change += 1
        return self._change

    def create_task(self, task: Task) -> tuple[Task, bool]:
        """See `RunStore.create_task`."""
        known = self._tasks.get(task.task_id)
        if known is not None:
            return known, False
        self._make_run(task.run_id, task.created_at_us, task.project, task.user_id)
        self._tasks[task.task_id] = replace(task, change=self._next())
        self._touch(task.run_id, last_task_status=task.status)
        return self._tasks[task.task_id], True

    def change_task(self, task_id: str, changes: Mapping[str, Any]) -> Task | None:
        """See `RunStore.change_task`."""
        task = self._tasks.get(task_id)
        if task is None or task.status in ENDED or not changes:
            return task
        now_us = _now_us()
        task = replace(task, **changes, updated_at_us=max(task.updated_at_us, now_us), change=self._next())
        if task.status in ENDED:
            task = replace(task, completed_at_us=now_us)
            last = self._runs[task.run_id].last_message_at_us or 0
            self._touch(task.run_id, last_task_status=task.status, last_message_at_us=max(last, now_us))
        self._tasks[task_id] = task
        return task

    def task(self, task_id: str) -> Task | None:
        """See `RunStore.task`."""
        return self._tasks.get(task_id)

    def tasks(self, run_id: str, *, limit: int = 100, after: tuple[int, str] | None = None) -> list[Task]:
        """See `RunStore.tasks`."""
        found = sorted(
            (one for one in self._tasks.values() if one.run_id == run_id),
            key=lambda one: (one.created_at_us, one.task_id),
        )
        return [one for one in found if after is None or (one.created_at_us, one.task_id) > after][:limit]

    def changed_tasks(self, after: int, limit: int = 1000) -> list[Task]:
        """See `RunStore.changed_tasks`."""
        return sorted((one for one in self._tasks.values() if one.change > after), key=lambda one: one.change)[:limit]

    def last_change(self) -> int:
        """See `RunStore.last_change`."""
        return self._change

    def unrecorded_tasks(self, before_us: int, limit: int = 1000) -> list[Task]:
        """See `RunStore.unrecorded_tasks`."""
        found = [one for one in self._tasks.values() if one.status in ENDED and not one.is_recorded]
        found.sort(key=lambda one: one.completed_at_us or 0)
        return [one for one in found if (one.completed_at_us or 0) < before_us][:limit]

    def record_tasks(self, call_ids: Collection[str]) -> None:
        """See `RunStore.record_tasks`."""
        for task in list(self._tasks.values()):
            if task.call_id in call_ids and task.status in ENDED:
                self._tasks[task.task_id] = replace(task, is_recorded=True)

    def add_message(self, message: Message, run_name: str | None = None) -> tuple[Message, bool]:
        """See `RunStore.add_message`."""
        known = self._messages.get(message.message_id)
        if known is not None:
            return known, False
        self._make_run(message.run_id, message.created_at_us, None, None)
        self._position += 1
        self._messages[message.message_id] = replace(message, position=self._position)
        run = self._runs[message.run_id]
        last = max(run.last_message_at_us or 0, message.created_at_us)
        self._touch(message.run_id, last_message_at_us=last, name=run.name if run.name is not None else run_name)
        return self._messages[message.message_id], True

    def change_message(self, message_id: str, changes: Mapping[str, Any]) -> Message | None:
        """See `RunStore.change_message`."""
        message = self._messages.get(message_id)
        if message is not None and changes:
            message = replace(message, **changes, updated_at_us=max(message.updated_at_us, _now_us()))
            self._messages[message_id] = message
            self._touch(message.run_id)
        return message

    def remove_message(self, message_id: str) -> bool:
        """See `RunStore.remove_message`."""
        message = self._messages.pop(message_id, None)
        if message is not None:
            self._touch(message.run_id)
        return message is not None

    def message(self, message_id: str) -> Message | None:
        """See `RunStore.message`."""
        return self._messages.get(message_id)

    def messages(self, run_id: str, *, limit: int = 100, after: int = 0) -> list[Message]:
        """See `RunStore.messages`."""
        found = sorted((one for one in self._messages.values() if one.run_id == run_id), key=lambda one: one.position)
        return [one for one in found if one.position > after][:limit]

    def add_share(self, share: Share) -> None:
        """See `RunStore.add_share`."""
        self._shares[share.share_id] = share

    def shares(self, run_id: str) -> Sequence[Share]:
        """See `RunStore.shares`."""
        return sorted(
            (one for one in self._shares.values() if one.run_id == run_id),
            key=lambda one: (one.created_at_us, one.share_id),
        )

    def share(self, hash: str) -> Share | None:
        """See `RunStore.share`."""
        return next((one for one in self._shares.values() if one.hash == hash), None)

    def revoke_share(self, share_id: str, at_us: int) -> Share | None:
        """See `RunStore.revoke_share`."""
        share = self._shares.get(share_id)
        if share is not None and share.revoked_at_us is None:
            share = self._shares[share_id] = replace(share, revoked_at_us=at_us)
        return share


def _sees(run: Run, project: str | None, user_id: str | None) -> bool:
    """Whether a run is shown to who asks for a project and as a user."""
    if project is not None and run.project != project:
        return False
    return not run.is_managed or run.visibility != "private" or run.user_id in (None, user_id)
