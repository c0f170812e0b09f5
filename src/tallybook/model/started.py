"""The line that says a call has begun: what is known of it before its answer. Never counted as a call.

It stands in segments of its own kind (`started*.jsonl`), which only live views read. Documented in `docs/journal.md`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from tallybook.model.call import Call
from tallybook.model.codec import VERSION, time_of, unix_us_of
from tallybook.model.errors import InputError


class StartedLine(msgspec.Struct, omit_defaults=True, gc=False):
    """One line of `started.*.jsonl`."""

    v: int
    timestamp: datetime
    call_id: str
    """The id that the call's record will have."""
    by: str
    """The writing process, by a random word: its calls are lost when nobody holds its latest segment any more."""
    withdrawn: bool = False
    """It was no call after all: no request went out."""
    agent_name: str | None = None
    operation: str = "chat"
    model: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    project: str | None = None
    name: str | None = None
    provider: str = "unknown"
    run_id: str | None = None
    parent_id: str | None = None
    environment: str | None = None
    tags: tuple[str, ...] = ()
    is_stream: bool = False


class Started(msgspec.Struct, frozen=True):
    """A call that began."""

    call: Call
    """What is known of it; its usage, duration and status are not."""
    by: str
    is_withdrawn: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(StartedLine, strict=False).decode


def encode_started(call: Call, by: str, *, is_withdrawn: bool = False) -> bytes:
    """The line, newline included."""
    return _encode(
        StartedLine(
            VERSION, time_of(call.started_at_us), call.call_id, by, is_withdrawn, call.agent_name, call.operation,
            call.model, call.session_id, call.user_id, call.project, call.name, call.provider, call.run_id,
            call.parent_id, call.environment, call.tags, call.is_stream,
        )
    ) + b"\n"  # fmt: skip


def decode_started(line: bytes) -> Started:
    """What a line says. Raises InputError when it is no such line."""
    try:
        got = _decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(f"not a line of a started call: {error}", hint="see docs/journal.md for the format") from error
    call = Call(
        call_id=got.call_id, started_at_us=unix_us_of(got.timestamp), agent_name=got.agent_name,
        operation=got.operation, model=got.model, session_id=got.session_id, user_id=got.user_id, project=got.project,
        name=got.name, provider=got.provider, run_id=got.run_id, parent_id=got.parent_id, environment=got.environment,
        tags=got.tags, is_stream=got.is_stream,
    )  # fmt: skip
    return Started(call, got.by, got.withdrawn)
