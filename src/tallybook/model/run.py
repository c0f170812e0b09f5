"""What a managed run holds: tasks (single requests), messages with attachments, links by which it is shared.

The run itself is `model.call.Run`, for runs that only telemetry knows are the same thing.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from tallybook.model.usage import Usage

SourceType = Literal["prompt", "chat", "applet", "cockpit", "workflow", "custom"]
RunStatus = Literal["active", "completed", "archived"]
Visibility = Literal["private", "project", "link"]
TaskStatus = Literal["pending", "running", "streaming", "completed", "failed", "cancelled"]
Role = Literal["system", "developer", "user", "assistant", "tool"]
AttachmentKind = Literal["file", "url", "image", "youtube"]

ENDED: frozenset[str] = frozenset({"completed", "failed", "cancelled"})
"""Statuses of a task after which nothing of it changes."""


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request inside a run, under the id that the caller gave it. When it ends, a call is its permanent record."""

    task_id: str
    run_id: str
    call_id: str
    """A UUIDv7 of the day of its start: the task's id where that is one, else made of it."""
    status: TaskStatus = "pending"
    service: str | None = None
    task_name: str | None = None
    operation: str = "chat"
    provider: str | None = None
    endpoint: str | None = None
    model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    parent_id: str | None = None
    project: str | None = None
    user_id: str | None = None
    request_data: Any = None
    response_text: str | None = None
    response_data: Any = None
    tool_updates: Any = None
    error_type: str | None = None
    error_message: str | None = None
    usage: Usage = Usage()
    total_tokens: int | None = None
    """As the application stated it, where it did not tell input and output apart."""
    cost_nanousd: int | None = None
    """As the application stated it. Otherwise the call is priced."""
    finish_reason: str | None = None
    ttft_us: int | None = None
    duration_us: int | None = None
    metadata: dict[str, Any] = {}
    created_at_us: int = 0
    started_at_us: int = 0
    updated_at_us: int = 0
    completed_at_us: int | None = None
    is_recorded: bool = False
    """Whether its call is in the journal."""
    change: int = 0
    """Rises over all tasks: what changed after another is the larger."""


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that goes with a message. The content itself is not kept here."""

    kind: AttachmentKind
    url: str | None = None
    file_id: str | None = None
    name: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    video_id: str | None = None
    """Of a YouTube video, taken from its address."""
    metadata: dict[str, Any] = {}


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message of a run, in the order in which they were added."""

    message_id: str
    run_id: str
    role: Role
    content: Any = None
    """Text, or parts as a provider has them."""
    position: int = 0
    task_id: str | None = None
    name: str | None = None
    attachments: tuple[Attachment, ...] = ()
    metadata: dict[str, Any] = {}
    created_at_us: int = 0
    updated_at_us: int = 0


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A link by which anybody reads a run, until it is revoked or over. Only the hash of its token is kept."""

    share_id: str
    run_id: str
    hash: str
    label: str | None = None
    created_at_us: int = 0
    expires_at_us: int | None = None
    revoked_at_us: int | None = None
