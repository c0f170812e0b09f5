"""Projects over HTTP, and the check whether one is known."""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.access import project as projects
from tallybook.model.limits import FIELD_CHARS
from tallybook.server import body
from tallybook.server.context import Context
from tallybook.server.error import HttpError, json
from tallybook.server.route import Route
from tallybook.server.scope import may_see, refuse_confined
from tallybook.store.access import Project


class NewProject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A project to create."""

    project: Annotated[str, msgspec.Meta(min_length=1, max_length=FIELD_CHARS)]
    name: Annotated[str, msgspec.Meta(max_length=FIELD_CHARS)] | None = None


class ProjectList(msgspec.Struct, frozen=True):
    """All projects that are known."""

    projects: list[Project]


async def list_projects(request: Request, context: Context) -> Response:
    """`GET /api/v1/projects`: those created and those that calls name."""
    made = await context.state(lambda state: state.projects())
    named = await context.read(projects.in_ledger) - {one.project for one in made}
    found = [*made, *(Project(project=name) for name in sorted(named))]
    return json(ProjectList([one for one in found if may_see(request, one.project)]))


async def create_project(request: Request, context: Context) -> Response:
    """`POST /api/v1/projects`."""
    refuse_confined(request, "the list of projects")
    given: NewProject = body.decoded(await body.read(request), NewProject)
    now_us = context.now_us()
    if not await context.state(lambda state: projects.create(state, given.project, given.name, now_us)):
        raise HttpError(409, "exists", f"there is a project {given.project!r} already", field="project")
    context.known_projects.add(given.project)
    return json(Project(project=given.project, name=given.name, created_at_us=now_us), 201)


ROUTES = (
    Route("GET", "/api/v1/projects", list_projects, "read", "List projects", "Access", answer=ProjectList),
    Route("POST", "/api/v1/projects", create_project, "admin", "Create a project", "Access", body=NewProject,
          answer=Project, status=201, may_fail=(400, 409)),
)  # fmt: skip
