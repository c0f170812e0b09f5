"""What is known of one request to a model, and of the steps and tools around it.

These structs are the product's common language: capture fills them, the journal carries
them as lines (`codec`), the stores keep them as columns (`store.schema`).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from tallybook.model.usage import Usage

Status = Literal["ok", "error", "cancelled", "incomplete"]
CostStatus = Literal["priced", "partial", "unpriced", "free", "reported", "estimated"]

OPERATIONS = (
    "chat", "text_completion", "embeddings", "generate_content", "image_generation", "speech",
    "transcription", "moderation", "rerank", "realtime",
)  # fmt: skip
"""Well-known values of `Call.operation` (OpenTelemetry's where they exist). Any other text is kept as it is."""


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One use of a tool that a model asked for, or that the provider executed itself (`server_side`)."""

    name: str
    id: str | None = None
    arguments: str | None = None
    """JSON text as the model wrote it; kept only where bodies are kept."""
    result: str | None = None
    duration_us: int | None = None
    error: str | None = None
    server_side: bool = False


class Cost(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Cost of one call in nano-USD, by part. `total_nanousd` is `None` exactly when `status` is unpriced."""

    status: CostStatus = "unpriced"
    total_nanousd: int | None = None
    input_nanousd: int | None = None
    cache_read_nanousd: int | None = None
    cache_write_nanousd: int | None = None
    output_nanousd: int | None = None
    tools_nanousd: int | None = None
    price: str | None = None
    """Where the price came from: source, row and the date it was in force from."""
    reasons: tuple[str, ...] = ()
    """Why the status is not `priced`: `unknown_model`, `usage_missing`, `no_price_for:web_search` …"""


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One request to a model. Times are UTC; `None` is unknown."""

    call_id: str
    """UUIDv7; the day in it is the day of the call's start."""
    started_at_us: int
    """Microseconds since 1970, UTC."""
    operation: str = "chat"
    """The kind of request (`OPERATIONS`), or a word of the caller's where nothing else is known."""
    name: str | None = None
    """The caller's word for what the call is for: `generate_project_ideas`."""
    provider: str = "unknown"
    model: str | None = None
    """The model asked for."""
    response_model: str | None = None
    """The model that answered; prices go by this one."""
    response_id: str | None = None
    """The provider's id of the response; with `provider` it identifies the call across sources."""
    run_id: str | None = None
    parent_id: str | None = None
    """The step that made the call."""
    duration_us: int | None = None
    ttft_us: int | None = None
    """Time to the first content-bearing event of a stream; `None` when not measured, never the duration."""
    usage: Usage = Usage()
    usage_raw: Any = None
    """The provider's own usage object, as received."""
    cost: Cost | None = None
    """At capture only a cost that provider or caller stated; prices are added when following and sealing."""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reasons: tuple[str, ...] = ()
    status: Status = "ok"
    error_type: str | None = None
    error_message: str | None = None
    http_status: int | None = None
    project: str | None = None
    environment: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    agent_name: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    git_branch: str | None = None
    service_tier: str | None = None
    base_url: str | None = None
    """Host of the endpoint where it is not the provider's usual one."""
    is_stream: bool = False
    is_batch: bool = False
    may_repeat: bool = False
    """Learnt from a repeated look (a poll, a batch result): may be in the ledger already."""
    retries: int = 0
    source: str = "sdk"
    """Where the record came from: sdk, track, rest, otlp, gateway, import:…"""
    prompt_hash: str | None = None
    """`sha256:` and 64 hexadecimal digits."""
    response_hash: str | None = None
    parameters: dict[str, Any] = {}
    """Request parameters that bear on cost or quality: temperature, max_tokens, reasoning effort …"""
    prompt_chars: int | None = None
    response_chars: int | None = None
    prompt_preview: str | None = None
    response_preview: str | None = None
    flags: tuple[str, ...] = ()
    """What a reader should know: `usage_estimated`, `usage_missing`, `parts_exceed_input` …"""


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A node of a run's execution tree that is not itself a model call."""

    step_id: str
    started_at_us: int
    kind: str = "chain"
    """agent, tool, retrieval, chain …"""
    name: str = ""
    run_id: str | None = None
    parent_id: str | None = None
    duration_us: int | None = None
    status: Status = "ok"
    error_message: str | None = None
    tool_call_id: str | None = None
    """For an executed tool: the id by which the model asked for it."""
    input_preview: str | None = None
    output_preview: str | None = None
    metadata: dict[str, Any] = {}


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A conversation, chat, workflow or session: what groups calls. One that is managed was made or changed on purpose;
    others are there because calls name them. Figures, counts and most times are kept by the state store."""

    run_id: str
    name: str | None = None
    description: str | None = None
    source_type: str = "custom"
    """prompt, chat, applet, cockpit, workflow or custom (S2)."""
    source_id: str | None = None
    status: str = "active"
    """active, completed or archived; what is deleted is in the bin (`deleted_at_us`)."""
    visibility: str = "private"
    """private, project or link."""
    is_starred: bool = False
    is_managed: bool = False
    project: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    agent_name: str | None = None
    created_at_us: int = 0
    updated_at_us: int = 0
    last_message_at_us: int | None = None
    completed_at_us: int | None = None
    deleted_at_us: int | None = None
    call_count: int = 0
    error_count: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanousd: int = 0
    unpriced_count: int = 0
    message_count: int = 0
    task_count: int = 0
    open_task_count: int = 0
    last_task_status: str | None = None
    tags: tuple[str, ...] = ()
    settings: dict[str, Any] = {}
    variable_values: dict[str, Any] = {}
    broker_values: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    revision: int = 0
    """Rises with every change that was made on purpose."""
