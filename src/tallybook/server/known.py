"""Which projects the server takes records of: looked up once each, for the check is made for every record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tallybook.access import project as projects

if TYPE_CHECKING:
    from tallybook.server.context import Context

LOOK_US = 2_000_000
"""A project that is not known is looked for again at most this often."""


class Known:
    """Projects known to this server. Asks state and ledger only for one it has not met."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._looked_us = -LOOK_US

    async def has(self, project: str, context: Context) -> bool:
        """Whether the project was created or has calls; with `any_project` it is created now."""
        if project in self._names:
            return True
        now_us = context.now_us()
        if context.serving.any_project:
            await context.state(lambda state: projects.create(state, project, None, now_us))
            self._names.add(project)
            return True
        if now_us - self._looked_us >= LOOK_US:
            self._looked_us = now_us
            self._names |= {known.project for known in await context.state(lambda state: state.projects())}
            if project not in self._names:
                self._names |= await context.read(projects.in_ledger)
        return project in self._names

    def add(self, project: str) -> None:
        """Note one that was just created."""
        self._names.add(project)
