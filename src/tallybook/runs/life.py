"""A task's life: made before the request, changed while it streams, ended once, and then a call in the journal.

The end is claimed in the state first, then the call is written, then the state is told so. Who comes second with
another end gets the first one; who finds a claim whose call is not known to be written writes it again: a call told
twice counts once. So whatever crashes, an ended task has exactly one record, and it is of the end that is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from tallybook.model.call import Call, Cost, Run, Status
from tallybook.model.errors import ConflictError, InputError, NotFound
from tallybook.model.ids import is_uuid7, unix_ms_of, uuid7
from tallybook.model.limits import ERROR_MESSAGE_CHARS
from tallybook.model.run import ENDED, Task
from tallybook.model.usage import Usage, faults
from tallybook.prices.tokens import estimate_tokens
from tallybook.providers.detect import detect_provider
from tallybook.runs.given import task_fields
from tallybook.store.base import StateStore
from tallybook.store.run_store import TASK_CHANGES

RECOVER_AFTER_US = 5_000_000
"""A claimed end whose call is not known to be written after so long was broken off."""
_DAY_MS = 86_400_000
_STATUS: dict[str, Status] = {"completed": "ok", "failed": "error", "cancelled": "cancelled"}

Redact = Callable[[str], str]


class Ended(NamedTuple):
    """A task that has ended, and its call where that is still to be written."""

    task: Task
    call: Call | None


def call_id_of(task_id: str, started_at_us: int) -> str:
    """The id of a task's call: its own where that is a UUIDv7 of the day of the start, else one made of it.

    A call's id leads to its day and from there to its file, so an id of another day would not be found.
    """
    start_ms = max(started_at_us, 0) // 1000
    own_ms = unix_ms_of(task_id) if is_uuid7(task_id) else None
    if own_ms is not None and own_ms // _DAY_MS == start_ms // _DAY_MS:
        return task_id
    digits = hashlib.blake2b(task_id.encode(), digest_size=10, person=b"tallybook-task").digest()
    return uuid7(start_ms, int.from_bytes(digits, "big") >> 6)


def create(state: StateStore, given: Mapping[str, Any], now_us: int, new_id: Callable[[int], str]) -> tuple[Task, bool]:
    """Make a task, and its run when nobody made that; the stored one when its id is known, and whether it is new.

    Raises InputError, also for a run that was deleted and for an id that belongs to another run.
    """
    fields = task_fields(given)
    run_id = fields.get("run_id")
    if not run_id:
        raise InputError("a task needs `run_id`", field="run_id")
    task_id = fields.pop("task_id", None) or new_id(now_us)
    started_at_us = fields.pop("started_at_us", None) or now_us
    if fields.get("status") in ENDED:
        raise InputError("a task ends after it was made", field="status", hint="create it first, then complete it")
    stored = state.task(task_id)
    if stored is None:
        run = check_run(state, run_id, now_us)
        fields = {name: value for name, value in fields.items() if value is not None}
        fields = {"project": run.project, "user_id": run.user_id, **fields}
        task = Task(
            task_id=task_id, call_id=call_id_of(task_id, started_at_us), created_at_us=now_us,
            started_at_us=started_at_us, updated_at_us=now_us, **fields,
        )  # fmt: skip
        stored, is_new = state.create_task(task)
        if is_new:
            return stored, True
    if stored.run_id != run_id:
        raise ConflictError(f"the task {task_id!r} is of the run {stored.run_id!r}", field="task_id")
    return stored, False


def check_run(state: StateStore, run_id: str, now_us: int) -> Run:
    """The run, made when there is none. Raises InputError when it was deleted."""
    run = state.any_run(run_id)
    if run is None:
        if not state.create_run(Run(run_id=run_id, created_at_us=now_us, updated_at_us=now_us)):
            raise ConflictError(f"the run {run_id!r} was deleted for good", field="run_id", hint="begin another one")
        run = state.any_run(run_id)
        assert run is not None
    if run.deleted_at_us is not None:
        raise ConflictError(f"the run {run_id!r} is in the bin", field="run_id", hint="restore it first")
    return run


def update(state: StateStore, task_id: str, given: Mapping[str, Any]) -> Task:
    """Change a task that is under way; one that has ended stays as it is. Raises NotFound, InputError."""
    before = known(state, task_id)
    fields = _changes(given, before)
    if fields.get("status") in ENDED:
        raise InputError("an end is told by completing the task", field="status", hint="POST …/complete, or complete()")
    if before.status == "pending" and "status" not in fields:
        fields["status"] = "streaming" if fields.get("response_text") else "running"
    return state.change_task(task_id, fields) or before


def end(
    state: StateStore,
    task_id: str,
    given: Mapping[str, Any],
    now_us: int,
    *,
    redact: Redact = str,
    is_recorded: bool = False,
    **context: Any,
) -> Ended:
    """End a task, once: of a second end nothing is kept. `context` are further fields of the call.

    `is_recorded` says that an instrumented SDK has written the request's call, so that none is made here.
    The call, if there is one, is to be written, and `recorded` called after. Raises NotFound, InputError.
    """
    before = known(state, task_id)
    run = state.any_run(before.run_id)
    if run is not None:
        for name in ("session_id", "agent_name"):
            context[name] = context.get(name) or getattr(run, name)
    if before.status in ENDED:
        return Ended(before, None if before.is_recorded else call_of(before, redact=redact, **context))
    fields = _changes(given, before)
    if "status" not in fields:
        fields["status"] = "failed" if fields.get("error_message") or fields.get("error_type") else "completed"
    if fields["status"] not in ENDED:
        raise InputError(f"a task does not end as {fields['status']!r}", field="status",
                         hint=f"one of {', '.join(sorted(ENDED))}")  # fmt: skip
    if fields.get("duration_us") is None and before.duration_us is None:
        fields["duration_us"] = max(0, now_us - before.started_at_us)
    if is_recorded:
        fields["is_recorded"] = True  # With the claim itself: a crash after it must not lead to a second record.
    task = state.change_task(task_id, fields) or before
    return Ended(task, None if task.is_recorded else call_of(task, redact=redact, **context))


def recorded(state: StateStore, task: Task) -> Task:
    """Tell the state that the task's call is written."""
    state.record_tasks([task.call_id])
    return msgspec.structs.replace(task, is_recorded=True)


def unfinished(state: StateStore, now_us: int, redact: Redact = str) -> list[Ended]:
    """Ends that were claimed and broken off before their call was known to be written, with the calls to write."""
    found = state.unrecorded_tasks(now_us - RECOVER_AFTER_US)
    return [Ended(task, call_of(task, redact=redact)) for task in found]


def known(state: StateStore, task_id: str) -> Task:
    """A task. Raises NotFound."""
    task = state.task(task_id)
    if task is None:
        raise NotFound(f"no task has the id {task_id!r}", hint="create it first")
    return task


def _changes(given: Mapping[str, Any], before: Task) -> dict[str, Any]:
    fields = task_fields(given, before.usage)
    for name in ("task_id", "run_id"):
        if fields.pop(name, None) not in (None, getattr(before, name)):
            raise InputError(f"`{name}` of a task does not change", field=name)
    for name in fields.keys() - TASK_CHANGES:
        raise InputError(f"`{name}` is told when the task is made", field=name)
    return {name: value for name, value in fields.items() if value is not None or name == "response_text"}


def call_of(task: Task, *, redact: Redact = str, **context: Any) -> Call:
    """The permanent record of an ended task. Texts stay with the task; the call has the figures."""
    usage, flags = _usage(task)
    stated = None if task.cost_nanousd is None else Cost(status="reported", total_nanousd=task.cost_nanousd)
    told = {"task_id": task.task_id, "service": task.service, "endpoint": task.endpoint}
    fields = {
        "project": task.project, "user_id": task.user_id,
        **{name: value for name, value in context.items() if value is not None},
    }  # fmt: skip
    return Call(
        call_id=task.call_id,
        started_at_us=task.started_at_us,
        operation=task.operation,
        name=task.task_name,
        provider=task.provider or (detect_provider(task.model) if task.model else "unknown"),
        model=task.model,
        response_model=task.response_model,
        response_id=task.response_id,
        run_id=task.run_id,
        parent_id=task.parent_id,
        duration_us=task.duration_us,
        ttft_us=task.ttft_us,
        usage=usage,
        usage_raw=None if task.total_tokens is None else {"total_tokens": task.total_tokens},
        cost=stated,
        finish_reasons=() if task.finish_reason is None else (task.finish_reason,),
        status=_STATUS[task.status],
        error_type=task.error_type,
        error_message=None if task.error_message is None else redact(task.error_message)[:ERROR_MESSAGE_CHARS],
        is_stream=task.ttft_us is not None,
        source="task",
        metadata={name: value for name, value in told.items() if value is not None},
        flags=flags,
        **fields,
    )


def _usage(task: Task) -> tuple[Usage, tuple[str, ...]]:
    """The task's usage. Where only a total was told, it is split by an estimate of the answer, and says so."""
    usage, total = task.usage, task.total_tokens
    if total is None or (usage.input_tokens is not None and usage.output_tokens is not None):
        return usage, faults(usage)
    if usage.input_tokens is not None:
        split = {"output_tokens": max(0, total - usage.input_tokens)}
    elif usage.output_tokens is not None:
        split = {"input_tokens": max(0, total - usage.output_tokens)}
    else:
        output = min(total, estimate_tokens(task.response_text or "", task.model))
        usage = msgspec.structs.replace(usage, input_tokens=total - output, output_tokens=output)
        return usage, ("usage_estimated", *faults(usage))
    usage = msgspec.structs.replace(usage, **split)
    return usage, faults(usage)
