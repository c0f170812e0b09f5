"""Runs, tasks, messages and links as the interface shows them: times as ISO 8601, amounts in USD beside nano-USD."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from tallybook.model.call import Run
from tallybook.model.run import Attachment, Message, Share, Task
from tallybook.model.usage import Usage
from tallybook.query.plain import iso, plain

S = TypeVar("S", bound=msgspec.Struct)


class ShownRun(msgspec.Struct, frozen=True):
    """A run with its totals."""

    run_id: str
    name: str | None
    description: str | None
    source_type: str
    source_id: str | None
    status: str
    visibility: str
    is_starred: bool
    is_managed: bool
    project: str | None
    user_id: str | None
    session_id: str | None
    agent_name: str | None
    tags: list[str]
    settings: dict[str, Any]
    variable_values: dict[str, Any]
    broker_values: dict[str, Any]
    metadata: dict[str, Any]
    created_at: str | None
    updated_at: str | None
    last_message_at: str | None
    completed_at: str | None
    deleted_at: str | None
    message_count: int
    task_count: int
    open_task_count: int
    last_task_status: str | None
    calls: int
    errors: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost_usd: float | None
    """`null` when no call has a price."""
    cost_nanousd: int | None
    priced_calls: int
    unpriced_calls: int
    revision: int


class ShownTask(msgspec.Struct, frozen=True):
    """A task."""

    task_id: str
    run_id: str
    call_id: str
    status: str
    service: str | None
    task_name: str | None
    operation: str
    provider: str | None
    endpoint: str | None
    model: str | None
    response_model: str | None
    response_id: str | None
    parent_id: str | None
    project: str | None
    user_id: str | None
    request_data: Any
    response_text: str | None
    response_data: Any
    tool_updates: Any
    error_type: str | None
    error_message: str | None
    usage: Usage
    total_tokens: int | None
    cost_usd: float | None
    """As it was stated; the call has the cost by price."""
    finish_reason: str | None
    ttft_ms: float | None
    duration_ms: float | None
    metadata: dict[str, Any]
    created_at: str | None
    started_at: str | None
    updated_at: str | None
    completed_at: str | None


class ShownMessage(msgspec.Struct, frozen=True):
    """A message."""

    message_id: str
    run_id: str
    position: int
    role: str
    content: Any
    name: str | None
    task_id: str | None
    attachments: list[Attachment]
    metadata: dict[str, Any]
    created_at: str | None
    updated_at: str | None


class ShownShare(msgspec.Struct, frozen=True):
    """A link, without its token."""

    share_id: str
    run_id: str
    label: str | None
    created_at: str | None
    expires_at: str | None
    revoked_at: str | None


class RunPage(msgspec.Struct, frozen=True):
    """Runs, and the cursor of the next page."""

    runs: list[ShownRun]
    cursor: str | None


class TaskPage(msgspec.Struct, frozen=True):
    """Tasks of a run, oldest first, and the cursor of the next page."""

    tasks: list[ShownTask]
    cursor: str | None


class MessagePage(msgspec.Struct, frozen=True):
    """Messages of a run in order, and the cursor of the next page."""

    messages: list[ShownMessage]
    cursor: str | None


class ShareList(msgspec.Struct, frozen=True):
    """Links to a run."""

    shares: list[ShownShare]


class MadeShare(msgspec.Struct, frozen=True):
    """A new link. `token` and `path` are shown this once."""

    share_id: str
    token: str
    path: str
    expires_at: str | None


class SharedMessage(msgspec.Struct, frozen=True):
    """A message as a link shows it."""

    role: str
    content: Any
    attachments: list[Attachment]
    created_at: str | None


class SharedRun(msgspec.Struct, frozen=True):
    """A run as a link shows it: its conversation and sums, and nothing of settings, variables, people or costs."""

    name: str | None
    description: str | None
    source_type: str
    created_at: str | None
    updated_at: str | None
    calls: int
    total_tokens: int
    messages: list[SharedMessage]
    cursor: str | None


def _of(type_: type[S], data: dict[str, Any]) -> S:
    return type_(*(data.get(name) for name in type_.__struct_fields__))


def shown_run(run: Run) -> ShownRun:
    """A run."""
    return _of(ShownRun, {**plain(run), "total_tokens": run.input_tokens + run.output_tokens})


def shown_task(task: Task) -> ShownTask:
    """A task."""
    kept = ("request_data", "response_data", "tool_updates", "usage", "metadata")
    return _of(ShownTask, {**plain(task), **{name: getattr(task, name) for name in kept}})


def shown_message(message: Message) -> ShownMessage:
    """A message."""
    kept = ("content", "attachments", "metadata")
    return _of(ShownMessage, {**plain(message), **{name: getattr(message, name) for name in kept}})


def shown_share(share: Share) -> ShownShare:
    """A link."""
    return _of(ShownShare, plain(share))


def shared_run(run: Run, messages: list[Message], cursor: str | None) -> SharedRun:
    """A run for who has a link."""
    return SharedRun(
        run.name, run.description, run.source_type, iso(run.created_at_us), iso(run.updated_at_us), run.call_count,
        run.input_tokens + run.output_tokens,
        [SharedMessage(one.role, one.content, list(one.attachments), iso(one.created_at_us)) for one in messages],
        cursor,
    )  # fmt: skip
