"""The part of a state store that holds what people and applications change of runs: runs, tasks, messages, links.

Counts and times follow by themselves: `updated_at_us` with every change made on purpose, `task_count`,
`open_task_count`, `last_task_status`, `message_count` and `last_message_at_us` with tasks and messages,
`completed_at_us` with the status. What belongs to a run that is purged goes with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from tallybook.model.call import Run
from tallybook.model.run import Message, Share, Task

Sort = Literal["updated_at", "created_at", "last_message_at", "name", "cost", "tokens", "calls"]
SORTS: tuple[Sort, ...] = ("updated_at", "created_at", "last_message_at", "name", "cost", "tokens", "calls")

RUN_CHANGES = frozenset({
    "name", "description", "source_type", "source_id", "status", "visibility", "is_starred", "project", "user_id",
    "session_id", "agent_name", "tags", "settings", "variable_values", "broker_values", "metadata",
})  # fmt: skip
"""Fields of a run that are changed on purpose."""

TASK_CHANGES = frozenset({
    "status", "service", "task_name", "operation", "provider", "endpoint", "model", "response_model", "response_id",
    "parent_id", "request_data", "response_text", "response_data", "tool_updates", "error_type", "error_message",
    "usage", "total_tokens", "cost_nanousd", "finish_reason", "ttft_us", "duration_us", "metadata",
})  # fmt: skip
"""Fields of a task that change while it is under way, or with its end."""

MESSAGE_CHANGES = frozenset({"content", "name", "attachments", "metadata", "task_id"})


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs, in which order. `None` and empty mean: whatever it is."""

    source_types: tuple[str, ...] = ()
    source_id: str | None = None
    statuses: tuple[str, ...] = ()
    is_starred: bool | None = None
    is_managed: bool | None = None
    tags: tuple[str, ...] = ()
    """All of these."""
    text: str | None = None
    """In name, description, tags or a message, whatever the case."""
    projects: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()
    agent_names: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()
    since_us: int | None = None
    """Active at or after."""
    until_us: int | None = None
    """Active before."""
    created_since_us: int | None = None
    created_until_us: int | None = None
    in_bin: bool = False
    """Deleted ones instead of the others."""
    viewer: tuple[str | None, str | None] | None = None
    """Project and user who asks: their own runs, those of nobody, and those that the project may see."""
    sort: Sort = "updated_at"
    is_ascending: bool = False
    after: tuple[Any, str] | None = None
    """Sort value and id of the last run seen."""
    limit: int = 50


def sort_value(run: Run, sort: Sort) -> int | str:
    """What a run is sorted by; unknown ones are the smallest."""
    match sort:
        case "updated_at":
            return run.updated_at_us
        case "created_at":
            return run.created_at_us
        case "last_message_at":
            return run.last_message_at_us or 0
        case "name":
            return (run.name or "").lower()
        case "cost":
            return run.cost_nanousd
        case "tokens":
            return run.input_tokens + run.output_tokens
        case "calls":
            return run.call_count


class RunStore(Protocol):
    """See above. Every method is one transaction."""

    def create_run(self, run: Run) -> bool:
        """Make a managed run; of one that calls made already what is missing is filled in.

        False, and nothing changes, when it is managed already or was deleted.
        """
        ...

    def change_run(self, run_id: str, changes: Mapping[str, Any], *, revision: int | None = None) -> Run | None:
        """Change fields of `RUN_CHANGES`; the run is managed from then on. `None` for none, or of the bin.

        With `revision` only a run of that revision changes: its present state is returned, which tells.
        """
        ...

    def date_run(self, run_id: str, at_us: int) -> None:
        """Say when a run was last active, and completed if it is: for a past that is written down afterwards, which
        would else be of the moment of its writing."""
        ...

    def bin_runs(self, run_ids: Collection[str], at_us: int | None) -> list[str]:
        """Put runs into the bin, or with `None` take them out; those that this changed."""
        ...

    def purge_runs(self, run_ids: Collection[str] = (), *, before_us: int | None = None) -> list[str]:
        """Delete runs of the bin for good, with all that is theirs: these, and those deleted before a moment.

        Their calls are facts and stay; nothing brings the run back, not even further calls.
        """
        ...

    def deleted_runs(self, run_ids: Collection[str]) -> set[str]:
        """Those of the runs that are in the bin or were deleted for good."""
        ...

    def any_run(self, run_id: str) -> Run | None:
        """One run, also of the bin."""
        ...

    def find_runs(self, query: RunQuery) -> list[Run]:
        """Runs that match, in order, at most `limit`."""
        ...

    def create_task(self, task: Task) -> tuple[Task, bool]:
        """Store a task, and its run when there is none; the stored one, and whether it is new."""
        ...

    def change_task(self, task_id: str, changes: Mapping[str, Any]) -> Task | None:
        """Change fields of `TASK_CHANGES`; one that has ended stays as it is. The stored task, `None` for none."""
        ...

    def task(self, task_id: str) -> Task | None:
        """One task."""
        ...

    def tasks(self, run_id: str, *, limit: int = 100, after: tuple[int, str] | None = None) -> list[Task]:
        """Tasks of a run, oldest first; `after` is (created_at_us, task_id) of the last one seen."""
        ...

    def changed_tasks(self, after: int, limit: int = 1000) -> list[Task]:
        """Tasks that changed after one of the number `after`, in that order."""
        ...

    def last_change(self) -> int:
        """The number of the latest change of a task."""
        ...

    def unrecorded_tasks(self, before_us: int, limit: int = 1000) -> list[Task]:
        """Ended tasks whose call is not known to be in the journal, which ended before a moment."""
        ...

    def record_tasks(self, call_ids: Collection[str]) -> None:
        """The calls of these ids are in the journal."""
        ...

    def add_message(self, message: Message, run_name: str | None = None) -> tuple[Message, bool]:
        """Add a message to the end of its run, which is made when there is none and named when it has no name.

        The stored one, and whether it is new.
        """
        ...

    def change_message(self, message_id: str, changes: Mapping[str, Any]) -> Message | None:
        """Change fields of `MESSAGE_CHANGES`. The stored message, `None` when there is none."""
        ...

    def remove_message(self, message_id: str) -> bool:
        """Remove a message; False when there is none."""
        ...

    def message(self, message_id: str) -> Message | None:
        """One message."""
        ...

    def messages(self, run_id: str, *, limit: int = 100, after: int = 0) -> list[Message]:
        """Messages of a run in order; `after` is the position of the last one seen."""
        ...

    def add_share(self, share: Share) -> None:
        """Store a link to a run."""
        ...

    def shares(self, run_id: str) -> Sequence[Share]:
        """Links to a run, oldest first, revoked ones too."""
        ...

    def share(self, hash: str) -> Share | None:
        """The link of a token's hash."""
        ...

    def revoke_share(self, share_id: str, at_us: int) -> Share | None:
        """Revoke a link for good; one that is revoked stays as it was. `None` when there is none."""
        ...
