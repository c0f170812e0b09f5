"""Tasks as they change, whichever process changes them: the state numbers every change, and this asks for later ones.

Several changes of a task between two looks are told as the last of them, so that streaming costs a look and not a
token. Not safe for threads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

from tallybook.live.event import Fresh, Kind
from tallybook.model.call import Call, Status
from tallybook.model.run import Task

TOLD_MAX = 20_000
"""Tasks remembered as begun. Beyond: the oldest are forgotten, and told once more as begun when they change."""

_KINDS: dict[str, Kind] = {
    "pending": "started", "running": "started", "streaming": "progress", "completed": "completed", "failed": "failed",
    "cancelled": "failed",
}  # fmt: skip
_STATUSES: dict[str, Status] = {"failed": "error", "cancelled": "cancelled"}


class Tasks:
    """Asked at each look."""

    def __init__(
        self, last: Callable[[], int], changed: Callable[[int], list[Task]], show: Callable[[Task], dict[str, Any]]
    ) -> None:
        """`last` gives the number of the latest change, `changed` the tasks that changed after one."""
        self._last = last
        self._changed = changed
        self._show = show
        self._after: int | None = None
        self._told: OrderedDict[str, None] = OrderedDict()

    def __call__(self) -> list[Fresh]:
        """What happened to tasks since the last look; nothing at the first."""
        if self._after is None:
            self._after = self._last()
            return []
        news: list[Fresh] = []
        for task in self._changed(self._after):
            self._after = max(self._after, task.change)
            kind = _KINDS[task.status]
            is_new = self._remember(task.task_id)
            if is_new and kind != "started" and task.created_at_us == task.updated_at_us:
                news.append(_fresh("started", task, self._show(task)))
            if kind == "started" and not is_new:
                kind = "progress"
            news.append(_fresh(kind, task, self._show(task)))
        return news

    def _remember(self, task_id: str) -> bool:
        is_new = task_id not in self._told
        self._told[task_id] = None
        self._told.move_to_end(task_id)
        if len(self._told) > TOLD_MAX:
            self._told.popitem(last=False)
        return is_new


def _fresh(kind: Kind, task: Task, data: dict[str, Any]) -> Fresh:
    status: Status | Literal["ok"] = _STATUSES.get(task.status, "ok")
    facts = Call(
        call_id=task.call_id, started_at_us=task.started_at_us or task.created_at_us, operation=task.operation,
        name=task.task_name, provider=task.provider or "unknown", model=task.model, response_model=task.response_model,
        run_id=task.run_id, project=task.project, user_id=task.user_id, status=status, error_type=task.error_type,
    )  # fmt: skip
    return Fresh(kind, "task", task.task_id, facts, data)
