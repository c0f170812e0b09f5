"""Tasks over HTTP: made before the request, changed while it streams, ended once. See `runs.life`."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.ingest.arrival import Arrival
from tallybook.model.errors import InputError
from tallybook.model.run import Task, TaskStatus
from tallybook.runs import life
from tallybook.server.context import Context
from tallybook.server.error import json
from tallybook.server.identity import Identity, identity_of
from tallybook.server.permit import permitted, permitted_task, writable
from tallybook.server.route import Param, Route
from tallybook.server.runs import given, of_project, told
from tallybook.server.shape import ShownTask, TaskPage, shown_task
from tallybook.store.base import StateStore


class TaskChange(msgspec.Struct, frozen=True):
    """What is told of a task while it is under way, and with its end. Further token counts as in `usage`."""

    status: TaskStatus | None = None
    response_text: str | None = None
    response_data: Any = None
    tool_updates: Any = None
    request_data: Any = None
    provider: str | None = None
    endpoint: str | None = None
    model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    """The provider's id: a request that is recorded otherwise too counts once by it."""
    usage: dict[str, Any] | None = None
    tokens_input: int | None = None
    tokens_output: int | None = None
    tokens_total: int | None = None
    cost: float | None = None
    """USD, as billed. Without it the call is priced."""
    time_to_first_token: float | None = None
    """Milliseconds."""
    total_time: float | None = None
    """Milliseconds."""
    finish_reason: str | None = None
    error: Any = None
    metadata: dict[str, Any] | None = None


class NewTask(TaskChange, frozen=True):
    """A task to make. `task_id` is the caller's: any text."""

    task_id: str | None = None
    run_id: str | None = None
    service: str | None = None
    task_name: str | None = None
    operation: str | None = None
    parent_id: str | None = None
    user_id: str | None = None
    project: str | None = None


def visible(task: Task, identity: Identity, is_new: bool = False) -> ShownTask:
    """The task as the request's key may see it: one that only writes gets no texts that were there before."""
    if identity.role == "ingest" and not is_new:
        task = msgspec.structs.replace(
            task, request_data=None, response_text=None, response_data=None, tool_updates=None, metadata={},
            error_message=None,
        )  # fmt: skip
    return shown_task(task)


async def create_task(request: Request, context: Context) -> Response:
    """`POST /api/v1/tasks` and `POST /api/v1/runs/{run_id}/tasks`."""
    identity, now_us = identity_of(request), context.now_us()
    fields = of_project(await given(request), identity)
    in_path = request.path_params.get("run_id")
    named = fields.pop("runId", None) or fields.pop("run_id", None) or in_path
    if in_path is not None and named != in_path:
        raise InputError("`run_id` is not that of the address", field="run_id")

    def work(state: StateStore) -> tuple[Task, bool]:
        if isinstance(named, str):
            writable(state, named, request)
        return life.create(state, {**fields, "run_id": named}, now_us, context.new_id)

    task, is_new = await context.state(work)
    return json(visible(task, identity, is_new), 201 if is_new else 200, {"location": f"/api/v1/tasks/{task.task_id}"})


async def list_tasks(request: Request, context: Context) -> Response:
    """`GET /api/v1/runs/{run_id}/tasks`."""
    limit, after = paged(told(request, ("limit", "cursor")))
    place = None if after is None else _place(after)

    def work(state: StateStore) -> list[Task]:
        run = permitted(state, request.path_params["run_id"], request)
        return state.tasks(run.run_id, limit=limit + 1, after=place)

    found = await context.state(work)
    last = found[limit - 1] if len(found) > limit else None
    cursor = None if last is None else f"{last.created_at_us}.{last.task_id}"
    return json(TaskPage([shown_task(one) for one in found[:limit]], cursor))


def paged(params: dict[str, Any]) -> tuple[int, str | None]:
    """Limit and cursor of the address. Raises InputError."""
    from tallybook.runs.page import limit_of  # here, because only lists need it

    cursor = params.get("cursor")
    return limit_of(params.get("limit", 100)), None if cursor is None else str(cursor)


def _place(cursor: str) -> tuple[int, str]:
    at, _, task_id = cursor.partition(".")
    if not (at.isdecimal() and len(at) < 19 and task_id):
        raise InputError("`cursor` is none of ours", field="cursor", hint="begin without it")
    return int(at), task_id


async def get_task(request: Request, context: Context) -> Response:
    """`GET /api/v1/tasks/{task_id}`."""
    task_id = request.path_params["task_id"]

    def work(state: StateStore) -> Task:
        permitted_task(state, task_id, request)
        return life.known(state, task_id)

    return json(shown_task(await context.state(work)))


async def change_task(request: Request, context: Context) -> Response:
    """`PATCH /api/v1/tasks/{task_id}`: of a task that has ended nothing changes; a status that ends it ends it."""
    fields = await given(request)
    if fields.get("status") in ("completed", "failed", "cancelled"):
        return await _ended(request, context, fields)
    task_id = request.path_params["task_id"]

    def work(state: StateStore) -> Task:
        permitted_task(state, task_id, request)
        return life.update(state, task_id, fields)

    return json(visible(await context.state(work), identity_of(request)))


async def complete_task(request: Request, context: Context) -> Response:
    """`POST /api/v1/tasks/{task_id}/complete`."""
    return await _ended(request, context, await given(request))


async def _ended(request: Request, context: Context, fields: dict[str, Any]) -> Response:
    task_id, now_us = request.path_params["task_id"], context.now_us()

    def work(state: StateStore) -> life.Ended:
        permitted_task(state, task_id, request)
        return life.end(state, task_id, fields, now_us, redact=context.redact)

    ended = await context.state(work)
    task = ended.task
    if ended.call is not None:
        await context.record(Arrival(calls=(ended.call,)))
        task = await context.state(lambda state: life.recorded(state, task))
    return json(visible(task, identity_of(request)))


_PAGE = (Param("limit", "How many, 100 unless told, 200 at most", kind="integer"), Param("cursor", "The last page's"))
_OF_RUN = "/api/v1/runs/{run_id}/tasks"
_ONE = "/api/v1/tasks/{task_id}"
_ONCE = "A task that has ended stays as it is, and is the answer."
ROUTES = (
    Route("GET", _OF_RUN, list_tasks, "read", "List a run's tasks", "Runs", answer=TaskPage, params=_PAGE,
          may_fail=(400, 404)),
    Route("POST", _OF_RUN, create_task, "ingest", "Make a task", "Runs", body=NewTask, answer=ShownTask, status=201,
          also=((200, ShownTask),),
          may_fail=(400, 404, 409), about="Before the request. Its run is made when there is none."),
    Route("POST", "/api/v1/tasks", create_task, "ingest", "Make a task of the run that it names", "Runs", body=NewTask,
          answer=ShownTask, status=201, also=((200, ShownTask),), may_fail=(400, 404, 409)),
    Route("GET", _ONE, get_task, "read", "Read a task", "Runs", answer=ShownTask, may_fail=(404,)),
    Route("PATCH", _ONE, change_task, "ingest", "Change a task while it is under way", "Runs", body=TaskChange,
          answer=ShownTask, may_fail=(400, 404), about=_ONCE),
    Route("POST", _ONE + "/complete", complete_task, "ingest", "End a task with its figures", "Runs", body=TaskChange,
          answer=ShownTask, may_fail=(400, 404), about=_ONCE + " Its call is in the journal when this is answered."),
)  # fmt: skip
