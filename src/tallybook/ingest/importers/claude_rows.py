"""The lines of Claude Code's files as far as they matter here, decoded at about the speed of skipping them.

Keys that are not named are passed over without being built; usage, arguments and progress stay bytes until somebody
needs them. A file with a line of an odd shape is read line by line.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.ingest.importers.base import rows_of
from tallybook.model.usage import Usage

NO_RAW = msgspec.Raw()
_USUAL_GEO = (None, "", "not_available", "global")


class Block(msgspec.Struct, gc=False):
    """An element of a message's content."""

    type: Any = None
    id: Any = None
    name: Any = None
    text: Any = None
    thinking: Any = None
    input: msgspec.Raw = NO_RAW
    tool_use_id: Any = None
    is_error: Any = None


class Message(msgspec.Struct, gc=False):
    """An answer of the model, or what was said to it."""

    id: Any = None
    model: Any = None
    usage: msgspec.Raw = NO_RAW
    content: list[Block] | str | None = None
    stop_reason: Any = None


class Row(msgspec.Struct, gc=False):
    """A line, of a session's file or of the Agent SDK's stream."""

    type: Any = None
    subtype: Any = None
    timestamp: Any = None
    requestId: Any = None  # noqa: N815  (the files' own keys)
    sessionId: Any = None  # noqa: N815
    session_id: Any = None
    uuid: Any = None
    cwd: Any = None
    gitBranch: Any = None  # noqa: N815
    version: Any = None
    agentId: Any = None  # noqa: N815
    isApiErrorMessage: Any = None  # noqa: N815
    parentToolUseID: Any = None  # noqa: N815
    parent_tool_use_id: Any = None
    message: Message | None = None
    data: msgspec.Raw = NO_RAW
    modelUsage: msgspec.Raw = NO_RAW  # noqa: N815


class Inner(msgspec.Struct, gc=False):
    """A subagent's message inside a line of progress."""

    type: Any = None
    timestamp: Any = None
    requestId: Any = None  # noqa: N815
    message: Message | None = None


class Progress(msgspec.Struct, gc=False):
    """`data` of a line of progress."""

    type: Any = None
    agentId: Any = None  # noqa: N815
    message: Inner | None = None


class _Task(msgspec.Struct, gc=False):
    subagent_type: Any = None


class _Written(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class Figures(msgspec.Struct, gc=False):
    """A usage object of the usual shape."""

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _Written | None = None
    service_tier: Any = None
    speed: Any = None
    inference_geo: Any = None
    server_tool_use: Any = None
    iterations: Any = None
    output_tokens_details: Any = None


_rows = msgspec.json.Decoder(Row)
_figures = msgspec.json.Decoder(Figures).decode
_task = msgspec.json.Decoder(_Task).decode
_progress = msgspec.json.Decoder(Progress).decode


def decoded(data: bytes) -> tuple[list[Row], int]:
    """Rows of whole lines, and how many lines were none."""
    return rows_of(data, _rows, b'"usage"')


def progress_of(row: Row) -> Progress | None:
    """What a subagent did, in a line of progress; `None` for hooks, shells and the like."""
    data = bytes(row.data)
    if b"agent_progress" not in data:
        return None
    try:
        found = _progress(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if found.type == "agent_progress" else None


def figures_of(raw: msgspec.Raw) -> Figures | None:
    """The figures of a usage object; `None` for an odd one, which the provider's own reader must see."""
    try:
        return _figures(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def kind_of(raw: msgspec.Raw) -> str | None:
    """The kind of subagent that the arguments of a `Task` ask for."""
    try:
        found = _task(raw).subagent_type
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, str) and found else None


def usual(figures: Figures) -> Usage | None:
    """The normal form as `providers.anthropic_messages` gives it; `None` where that must be asked.

    That is where something besides the answer was billed, or a figure is odd. Written out here because it runs for
    every response of years of transcripts.
    """
    server = figures.server_tool_use
    if figures.iterations or figures.output_tokens_details is not None or figures.inference_geo not in _USUAL_GEO:
        return None
    if server is not None and not (isinstance(server, dict) and not any(server.values())):
        return None
    read, written, split = figures.cache_read_input_tokens, figures.cache_creation_input_tokens, figures.cache_creation
    written_5m, written_1h = written, None
    if split is not None:
        written_5m, written_1h = split.ephemeral_5m_input_tokens, split.ephemeral_1h_input_tokens
        if written is None or written_5m is None or written_1h is None or written_5m + written_1h != written:
            return None
        if written_5m < 0 or written_1h < 0:
            return None
    if figures.input_tokens < 0 or figures.output_tokens < 0 or (read or 0) < 0 or (written or 0) < 0:
        return None
    return Usage(
        input_tokens=figures.input_tokens + (read or 0) + (written or 0),
        output_tokens=figures.output_tokens,
        cache_read_tokens=read,
        cache_write_5m_tokens=written_5m,
        cache_write_1h_tokens=written_1h,
    )
