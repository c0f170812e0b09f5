"""Which projects are known: those created on purpose, and those that the ledger has calls of."""

from __future__ import annotations

from tallybook.model.errors import InputError
from tallybook.model.limits import FIELD_CHARS
from tallybook.model.question import Question
from tallybook.store.access import AccessStore, Project
from tallybook.store.base import CallStore


def create(store: AccessStore, project: str, name: str | None, now_us: int) -> bool:
    """Create a project; False when there is one of that identifier. Raises InputError."""
    if not project.strip() or len(project) > FIELD_CHARS:
        raise InputError(f"a project's identifier has 1 to {FIELD_CHARS} characters", field="project")
    return store.add_project(Project(project=project, name=name, created_at_us=now_us))


def in_ledger(store: CallStore) -> set[str]:
    """Projects that calls were recorded of."""
    answer = store.ask(Question(measures=("calls",), dimensions=("project",)))
    return {row[0] for row in answer.rows if row[0] is not None}
