"""Which runs a request may see and change: those of its key's project, and of these what their visibility allows.

A key of the role `admin` sees all of its project. With the header `x-tallybook-user` a backend asks for one of its
users: then private runs are seen by their owner alone. A key of the role `ingest` writes and gets nothing to read.
"""

from __future__ import annotations

from starlette.requests import Request

from tallybook.model.call import Run
from tallybook.model.errors import NotFound
from tallybook.runs import life, manage
from tallybook.server.identity import Identity, identity_of
from tallybook.store.base import StateStore

USER_HEADER = "x-tallybook-user"
Viewer = tuple[str | None, str | None]


def viewer_of(request: Request) -> Viewer | None:
    """Project and user who asks, as the list of runs takes them; `None` for who sees everything."""
    identity = identity_of(request)
    user_id = request.headers.get(USER_HEADER)
    if identity.role != "read" and user_id is None:
        return None if identity.project is None else (identity.project, None)
    return identity.project, user_id


def may_see(run: Run, identity: Identity, user_id: str | None) -> bool:
    """Whether the run is shown."""
    if identity.project is not None and run.project != identity.project:
        return False
    if (identity.role != "read" and user_id is None) or not run.is_managed:
        return True
    return run.visibility != "private" or run.user_id in (None, user_id)


def permitted(state: StateStore, run_id: str, request: Request, *, in_bin: bool = False) -> Run:
    """The run, if the request may see it. Raises NotFound, also where it may not: that it exists is not told."""
    run = state.any_run(run_id) if in_bin else manage.found(state, run_id)
    if run is None or not may_see(run, identity_of(request), request.headers.get(USER_HEADER)):
        raise NotFound(f"no run has the id {run_id!r}", hint="`GET /api/v1/runs` lists them")
    return run


def permitted_task(state: StateStore, task_id: str, request: Request) -> None:
    """Raises NotFound unless the request may see the task's run."""
    permitted(state, life.known(state, task_id).run_id, request, in_bin=True)


def writable(state: StateStore, run_id: str, request: Request) -> None:
    """Raises NotFound for a run that is there and of another project; one that is not there yet may be made."""
    run = state.any_run(run_id)
    own = identity_of(request).project
    if run is not None and own is not None and run.project not in (None, own):
        raise NotFound(f"no run has the id {run_id!r}")
