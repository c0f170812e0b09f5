"""Tasks, told as they change."""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.live.tasks import Tasks
from tallybook.model.run import Task
from tallybook.store.memory_state import MemoryState

NOW_US = 1_767_268_800_000_000


def task(name: str, **given: Any) -> Task:
    return Task(task_id=name, run_id="r", call_id=f"call-{name}", created_at_us=NOW_US, **given)


def test_each_change_is_told_once_whoever_made_it() -> None:
    state = MemoryState()
    state.create_task(task("before"))
    tasks = Tasks(state.last_change, state.changed_tasks, lambda one: {"text": one.response_text})
    assert tasks() == [], "what was before is no news"
    state.create_task(task("a", status="running", project="shop"))
    (begun,) = tasks()
    assert (begun.kind, begun.about, begun.subject, begun.facts.project) == ("started", "task", "a", "shop")
    for text in ("He", "Hello"):
        state.change_task("a", {"status": "streaming", "response_text": text})
    (progress,) = tasks()
    assert (progress.kind, progress.data["text"]) == ("progress", "Hello")
    assert tasks() == []
    state.change_task("a", {"status": "completed", "response_text": "Hello!"})
    state.change_task("before", {"status": "failed", "error_type": "Timeout"})
    ended, failed = tasks()
    assert (ended.kind, failed.kind, failed.facts.status) == ("completed", "failed", "error")


def test_a_task_that_ended_between_two_looks_is_told_at_its_end() -> None:
    state = MemoryState()
    tasks = Tasks(state.last_change, state.changed_tasks, msgspec.structs.asdict)
    tasks()
    state.create_task(task("quick"))
    state.change_task("quick", {"status": "completed"})
    assert tasks()[-1].kind == "completed"
