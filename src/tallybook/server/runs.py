"""Runs over HTTP: made, listed, read, changed, deleted, restored, resumed. Names in camelCase are understood too."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.model.call import Run
from tallybook.model.errors import InputError
from tallybook.model.run import RunStatus, SourceType, Visibility
from tallybook.runs import manage, page
from tallybook.server import body
from tallybook.server.context import Context
from tallybook.server.error import json
from tallybook.server.identity import Identity, identity_of
from tallybook.server.permit import permitted, viewer_of, writable
from tallybook.server.route import Param, Route
from tallybook.server.shape import RunPage, ShownRun, shown_run
from tallybook.store.base import StateStore


class RunChange(msgspec.Struct, frozen=True):
    """What may be changed of a run. `add_tags` and `remove_tags` leave the others as they are."""

    name: str | None = None
    description: str | None = None
    source_type: SourceType | None = None
    source_id: str | None = None
    status: RunStatus | None = None
    visibility: Visibility | None = None
    is_starred: bool | None = None
    project: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    agent_name: str | None = None
    tags: list[str] | None = None
    add_tags: list[str] | None = None
    remove_tags: list[str] | None = None
    settings: dict[str, Any] | None = None
    variable_values: dict[str, Any] | None = None
    broker_values: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    revision: int | None = None
    """With it only a run of that revision changes; otherwise 409."""


class NewRun(RunChange, frozen=True):
    """A run to make."""

    run_id: str | None = None


FILTERS = (
    Param("source_type", "prompt, chat, applet, cockpit, workflow or custom", many=True),
    Param("source_id", "What it was made from"),
    Param("status", "active, completed or archived", many=True),
    Param("starred", "Starred ones, or those that are not", kind="boolean"),
    Param("managed", "Those made or changed on purpose, or those that only calls name", kind="boolean"),
    Param("tag", "With all of these tags", many=True),
    Param("text", "In name, description, tags or a message"),
    Param("project", "Of these projects", many=True),
    Param("user", "Of these users", many=True),
    Param("agent", "Of these agents", many=True),
    Param("session", "Of these sessions", many=True),
    Param("since", "Active at or after (ISO 8601)"),
    Param("until", "Active before"),
    Param("created_since", "Made at or after"),
    Param("created_until", "Made before"),
    Param("deleted", "Those in the bin instead", kind="boolean"),
    Param("sort", "updated_at, created_at, last_message_at, name, cost, tokens or calls"),
    Param("order", "asc or desc (the usual one)"),
    Param("limit", "Runs of a page, 50 unless told, 200 at most", kind="integer"),
    Param("cursor", "The last page's cursor"),
)


async def given(request: Request) -> dict[str, Any]:
    """The body as an object."""
    data = await body.read(request)
    return body.decoded(data, dict[str, Any]) if data else {}


def told(request: Request, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The address's parameters; several of a name as a list."""
    found: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        found[name] = [*found[name], value] if name in found else [value]
    for name in found.keys() - set(found if names is None else names):
        hint = f"known are {', '.join(names)}" if names else "it takes none"
        raise InputError(f"there is no parameter `{name}`", field=name, hint=hint)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def visible(run: Run, identity: Identity, is_new: bool = True) -> ShownRun:
    """The run as the request's key may see it: one that only writes gets nothing that was there before."""
    if identity.role == "ingest" and not is_new:
        run = Run(run_id=run.run_id, is_managed=True, revision=run.revision)
    return shown_run(run)


def of_project(fields: dict[str, Any], identity: Identity) -> dict[str, Any]:
    """The fields with the key's project. Raises InputError for another one."""
    if identity.project is None:
        return fields
    if fields.get("project") not in (None, identity.project):
        raise InputError(f"this key is of the project {identity.project!r}", field="project")
    return {**fields, "project": identity.project}


async def list_runs(request: Request, context: Context) -> Response:
    """`GET /api/v1/runs`."""
    filters, viewer = told(request), viewer_of(request)
    found = await context.state(lambda state: page.find(state, filters, viewer))
    return json(RunPage([shown_run(run) for run in found.runs], found.cursor))


async def create_run(request: Request, context: Context) -> Response:
    """`POST /api/v1/runs`."""
    identity, now_us = identity_of(request), context.now_us()
    fields = of_project(await given(request), identity)

    def work(state: StateStore) -> tuple[Run, bool]:
        run_id = fields.get("run_id") or fields.get("runId") or fields.get("id")
        if isinstance(run_id, str):
            writable(state, run_id, request)
        return manage.create(state, fields, now_us, context.new_id)

    run, is_new = await context.state(work)
    return json(visible(run, identity, is_new), 201 if is_new else 200, {"location": f"/api/v1/runs/{run.run_id}"})


async def get_run(request: Request, context: Context) -> Response:
    """`GET /api/v1/runs/{run_id}`."""
    run = await context.state(lambda state: permitted(state, request.path_params["run_id"], request))
    return json(shown_run(run))


async def change_run(request: Request, context: Context) -> Response:
    """`PATCH /api/v1/runs/{run_id}`."""
    fields = await given(request)
    revision = fields.pop("revision", None)
    if revision is not None and (isinstance(revision, bool) or not isinstance(revision, int)):
        raise InputError("`revision` must be a whole number", field="revision")
    of_project(fields, identity_of(request))

    def work(state: StateStore) -> Run:
        run_id = permitted(state, request.path_params["run_id"], request).run_id
        return manage.change(state, run_id, fields, revision=revision)

    return json(shown_run(await context.state(work)))


async def delete_run(request: Request, context: Context) -> Response:
    """`DELETE /api/v1/runs/{run_id}`: into the bin; with `?purge=true` what is there is deleted for good."""
    run_id, now_us = request.path_params["run_id"], context.now_us()
    is_purge = str(told(request, ("purge",)).get("purge", "false")).lower() in ("true", "1", "yes")

    def work(state: StateStore) -> None:
        permitted(state, run_id, request, in_bin=True)
        if is_purge:
            manage.purge(state, run_id)
        else:
            manage.delete(state, run_id, now_us)

    await context.state(work)
    return Response(status_code=204)


async def restore_run(request: Request, context: Context) -> Response:
    """`POST /api/v1/runs/{run_id}/restore`."""

    def work(state: StateStore) -> Run:
        return manage.restore(state, permitted(state, request.path_params["run_id"], request, in_bin=True).run_id)

    return json(shown_run(await context.state(work)))


async def resume_run(request: Request, context: Context) -> Response:
    """`POST /api/v1/runs/{run_id}/resume`."""

    def work(state: StateStore) -> Run:
        return manage.resume(state, permitted(state, request.path_params["run_id"], request, in_bin=True).run_id)

    return json(shown_run(await context.state(work)))


_ONE = "/api/v1/runs/{run_id}"
ROUTES = (
    Route("GET", "/api/v1/runs", list_runs, "read", "List runs", "Runs", answer=RunPage, params=FILTERS),
    Route("POST", "/api/v1/runs", create_run, "ingest", "Make a run", "Runs", body=NewRun, answer=ShownRun, status=201,
          also=((200, ShownRun),),
          may_fail=(400, 404, 409), about="One of an id that is there is answered with 200 and stays as it is."),
    Route("GET", _ONE, get_run, "read", "Read a run", "Runs", answer=ShownRun, may_fail=(404,)),
    Route("PATCH", _ONE, change_run, "admin", "Change a run: name, star, tags, status, settings …", "Runs",
          body=RunChange, answer=ShownRun, may_fail=(400, 404, 409)),
    Route("DELETE", _ONE, delete_run, "admin", "Delete a run: into the bin, then for good", "Runs", status=204,
          params=(Param("purge", "Delete for good what is in the bin", kind="boolean"),), may_fail=(400, 404, 409)),
    Route("POST", _ONE + "/restore", restore_run, "admin", "Take a run out of the bin", "Runs", answer=ShownRun,
          may_fail=(404,)),
    Route("POST", _ONE + "/resume", resume_run, "admin", "Take a run up again: out of bin or archive, active", "Runs",
          answer=ShownRun, may_fail=(404,)),
)  # fmt: skip
