"""What a key's project confines its bearer to. Every handler that reads asks here, whatever else it filters by.

A key without a project sees everything; one of a project sees that project's records, its figures, and nothing that
belongs to no project.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from tallybook.model.question import Filter
from tallybook.server.error import HttpError
from tallybook.server.identity import Identity, identity_of


def project_of(request: Request) -> str | None:
    """The only project that the asker may see; `None`: all."""
    return identity_of(request).project


def confined(identity: Identity, filters: Sequence[Filter] = ()) -> tuple[Filter, ...]:
    """The asker's filters and, last, the one that its key forces. They are joined by "and", so none can widen it."""
    own = identity.project
    return tuple(filters) if own is None else (*filters, Filter("project", "eq", own))


def may_see(request: Request, project: str | None) -> bool:
    """Whether a record of that project is the asker's to see. Where not, it is answered as one that does not exist."""
    own = project_of(request)
    return own is None or own == project


def refuse_confined(request: Request, what: str) -> None:
    """Raise HttpError 403 for a key of one project, where `what` cannot be told of one project alone."""
    own = project_of(request)
    if own is not None:
        raise HttpError(
            403, "forbidden_project", f"{what} is of all projects, and this key sees only {own!r}",
            hint="use a key without a project: `tallybook keys create --role read`",
        )  # fmt: skip
