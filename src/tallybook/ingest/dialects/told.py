"""What a dialect makes of one span or log record, before calls and steps are built of it.

A dialect fills in what it knows. `role` decides what becomes of it: a call counts, a step is a node of the run's tree,
and what has nothing to do with models is ignored.
"""

from __future__ import annotations

from typing import Any

import msgspec

CALL = "call"
IGNORED = ""


class Counts(msgspec.Struct, gc=False):
    """Token counts as a sender tells them, by meaning; what includes what is decided in `tokens.settle`."""

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    input_audio: int | None = None
    input_image: int | None = None
    output_audio: int | None = None
    output_image: int | None = None
    cache_read_audio: int | None = None
    is_input_without_cache: bool = False
    """The sender is known to tell the input without what was read from and written to the cache."""


class Told(msgspec.Struct, gc=False):
    """One span's or event's meaning."""

    role: str = IGNORED
    """`CALL`, `IGNORED`, or the kind of a step: agent, tool, retrieval, workflow, chain …"""
    operation: str = "chat"
    name: str | None = None
    provider: str | None = None
    """As the sender spells it; `vendor.provider_of` translates."""
    address: str | None = None
    """Host of the endpoint."""
    model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    usage: Any = None
    """A `model.usage.Usage` where the dialect has it in the provider's own form; else `counts` are settled."""
    counts: Counts | None = None
    flags: tuple[str, ...] = ()
    is_lossy: bool = False
    """The sender is known to tell less than others do of the same call, whose record goes before this one."""
    finish_reasons: tuple[str, ...] = ()
    is_stream: bool = False
    ttft_us: int | None = None
    call_id: str | None = None
    """Where the sender has an id of ours."""
    run: str | None = None
    """The run that goes with such an id."""
    started_at_us: int | None = None
    """Where the span's own start is not the call's."""
    duration_us: int | None = None
    session: str | None = None
    user: str | None = None
    agent: str | None = None
    tier: str | None = None
    environment: str | None = None
    parameters: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    cost_nanousd: int | None = None
    """Only a cost that the provider or the application states, never one that a library worked out."""
    error_type: str | None = None
    error_message: str | None = None
    http_status: int | None = None
    tool_call_id: str | None = None
    project: str | None = None
