"""The journal's line format: a `Call` or `Step` as one JSON object on one line, and back.

Keys and nesting of S5 "What to Store" come first, our further keys beside them; `"v": 1`.
Unknown keys are ignored on reading, missing ones take their defaults, so lines written by
other versions, by hand, or by S5's own tools are read. The format is documented in
`docs/journal.md`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tallybook.model.call import Call, Cost, Status, Step, ToolCall
from tallybook.model.errors import InputError
from tallybook.model.money import nanousd
from tallybook.model.usage import Usage

VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Tokens(msgspec.Struct, omit_defaults=True, gc=False):
    """`tokens` of a line; the first three keys are S5's and always present."""

    input: int | None
    output: int | None
    total: int | None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    input_audio: int | None = None
    input_image: int | None = None
    reasoning: int | None = None
    output_audio: int | None = None
    output_image: int | None = None


class Where(msgspec.Struct, gc=False):
    """`metadata` of a line: exactly S5's three keys; the application's own go to `attributes`."""

    project: str | None = None
    git_branch: str | None = None
    error: str | None = None


class Tool(msgspec.Struct, omit_defaults=True, gc=False):
    """An element of `tool_calls` (S1's structure, snake_case)."""

    name: str
    id: str | None = None
    arguments: str | None = None
    result: str | None = None
    duration_ms: float | None = None
    error: str | None = None
    server_side: bool = False


class Line(msgspec.Struct, omit_defaults=True, gc=False):
    """One line of `telemetry.*.jsonl`. Field order is key order."""

    v: int | None
    timestamp: datetime
    call_id: str | None
    agent_name: str | None
    operation: str
    model: str | None
    session_id: str | None
    user_id: str | None
    duration_ms: float | None
    tokens: Tokens
    cost_usd: float | None
    success: bool
    prompt_hash: str | None
    response_hash: str | None
    metadata: Where
    name: str | None = None
    provider: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    run_id: str | None = None
    parent_id: str | None = None
    ttft_ms: float | None = None
    status: str | None = None
    error_type: str | None = None
    http_status: int | None = None
    environment: str | None = None
    tags: tuple[str, ...] = ()
    attributes: dict[str, Any] = {}
    tool_calls: tuple[Tool, ...] = ()
    finish_reasons: tuple[str, ...] = ()
    service_tier: str | None = None
    base_url: str | None = None
    is_stream: bool = False
    is_batch: bool = False
    may_repeat: bool = False
    retries: int = 0
    source: str = "sdk"
    requests: dict[str, int] = {}
    quantities: dict[str, int] = {}
    usage_raw: Any = None
    parameters: dict[str, Any] = {}
    prompt_chars: int | None = None
    response_chars: int | None = None
    prompt_preview: str | None = None
    response_preview: str | None = None
    flags: tuple[str, ...] = ()


class StepLine(msgspec.Struct, omit_defaults=True, gc=False):
    """One line of `steps.*.jsonl`."""

    v: int
    timestamp: datetime
    step_id: str
    kind: str
    name: str
    run_id: str | None = None
    parent_id: str | None = None
    duration_ms: float | None = None
    status: str = "ok"
    error: str | None = None
    tool_call_id: str | None = None
    input_preview: str | None = None
    output_preview: str | None = None
    attributes: dict[str, Any] = {}


_encoder = msgspec.json.Encoder()
_decode_line = msgspec.json.Decoder(Line, strict=False).decode
_decode_step = msgspec.json.Decoder(StepLine, strict=False).decode


def time_of(unix_us: int) -> datetime:
    """UTC time of microseconds since 1970, exactly."""
    return _EPOCH + timedelta(microseconds=unix_us)


def unix_us_of(time: datetime) -> int:
    """Microseconds since 1970 of a time; one without a zone is taken as UTC."""
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def _ms(duration_us: int | None) -> float | None:
    return None if duration_us is None else duration_us / 1000


def _us(duration_ms: float | None) -> int | None:
    return None if duration_ms is None else round(duration_ms * 1000)


def _tool(use: ToolCall) -> Tool:
    return Tool(use.name, use.id, use.arguments, use.result, _ms(use.duration_us), use.error, use.server_side)


def tokens_of(use: Usage) -> Tokens:
    """`tokens` of a usage."""
    return Tokens(
        use.input_tokens, use.output_tokens, use.total_tokens, use.cache_read_tokens, use.cache_write_5m_tokens,
        use.cache_write_1h_tokens, use.input_audio_tokens, use.input_image_tokens, use.reasoning_tokens,
        use.output_audio_tokens, use.output_image_tokens,
    )  # fmt: skip


def line_of(call: Call) -> Line:
    """The line of a call. Only a stated cost travels; prices are added when following and sealing."""
    use = call.usage
    cost = call.cost
    return Line(
        VERSION, time_of(call.started_at_us), call.call_id, call.agent_name, call.operation, call.model,
        call.session_id, call.user_id, _ms(call.duration_us),
        tokens_of(use),
        None if cost is None or cost.total_nanousd is None else cost.total_nanousd / 1e9,
        call.status == "ok", call.prompt_hash, call.response_hash,
        Where(call.project, call.git_branch, call.error_message),
        call.name, call.provider, call.response_model, call.response_id, call.run_id, call.parent_id,
        _ms(call.ttft_us), call.status, call.error_type, call.http_status, call.environment, call.tags,
        call.metadata,
        tuple([_tool(tool) for tool in call.tool_calls]) if call.tool_calls else (),
        call.finish_reasons, call.service_tier, call.base_url, call.is_stream, call.is_batch, call.may_repeat,
        call.retries, call.source, use.requests, use.quantities, call.usage_raw, call.parameters,
        call.prompt_chars, call.response_chars, call.prompt_preview, call.response_preview, call.flags,
    )  # fmt: skip


def encode(call: Call) -> bytes:
    """The call as one JSON line, newline included."""
    return encode_line(line_of(call))


def encode_line(line: Line) -> bytes:
    """A line as bytes, newline included."""
    return _encoder.encode(line) + b"\n"


def usage_of(line: Line) -> Usage:
    """The usage of a line."""
    tokens = line.tokens
    return Usage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_write_5m_tokens=tokens.cache_write_5m,
        cache_write_1h_tokens=tokens.cache_write_1h,
        input_audio_tokens=tokens.input_audio,
        input_image_tokens=tokens.input_image,
        reasoning_tokens=tokens.reasoning,
        output_audio_tokens=tokens.output_audio,
        output_image_tokens=tokens.output_image,
        requests=line.requests,
        quantities=line.quantities,
    )


def _tool_call(tool: Tool) -> ToolCall:
    return ToolCall(
        name=tool.name,
        id=tool.id,
        arguments=tool.arguments,
        result=tool.result,
        duration_us=_us(tool.duration_ms),
        error=tool.error,
        server_side=tool.server_side,
    )


def call_of(line: Line) -> Call:
    """The call of a line. A line without an id gets none made up here: `call_id` is then empty."""
    status: Status = line.status or ("ok" if line.success else "error")  # type: ignore[assignment]
    return Call(
        call_id=line.call_id or "",
        started_at_us=unix_us_of(line.timestamp),
        operation=line.operation,
        name=line.name,
        provider=line.provider or "unknown",
        model=line.model,
        response_model=line.response_model,
        response_id=line.response_id,
        run_id=line.run_id,
        parent_id=line.parent_id,
        duration_us=_us(line.duration_ms),
        ttft_us=_us(line.ttft_ms),
        usage=usage_of(line),
        usage_raw=line.usage_raw,
        cost=None if line.cost_usd is None else Cost(status="reported", total_nanousd=nanousd(line.cost_usd)),
        tool_calls=tuple([_tool_call(tool) for tool in line.tool_calls]),
        finish_reasons=line.finish_reasons,
        status=status,
        error_type=line.error_type,
        error_message=line.metadata.error,
        http_status=line.http_status,
        project=line.metadata.project,
        environment=line.environment,
        user_id=line.user_id,
        session_id=line.session_id,
        agent_name=line.agent_name,
        tags=line.tags,
        metadata=line.attributes,
        git_branch=line.metadata.git_branch,
        service_tier=line.service_tier,
        base_url=line.base_url,
        is_stream=line.is_stream,
        is_batch=line.is_batch,
        may_repeat=line.may_repeat,
        retries=line.retries,
        source=line.source,
        prompt_hash=line.prompt_hash,
        response_hash=line.response_hash,
        parameters=line.parameters,
        prompt_chars=line.prompt_chars,
        response_chars=line.response_chars,
        prompt_preview=line.prompt_preview,
        response_preview=line.response_preview,
        flags=line.flags,
    )


_EXACT_NANOUSD = 10**15
"""Amounts below have at most fifteen digits, which a float in USD holds and gives back exactly."""
_EXACT_US = 10**12
"""Likewise durations below, in milliseconds."""


def as_read(call: Call, line: bytes) -> Call:
    """What `decode(line)` gives of the line of `call`, to whoever prices and counts it, without reading it."""
    cost = call.cost
    duration_us, ttft_us = call.duration_us or 0, call.ttft_us or 0
    if not call.provider or not 0 <= duration_us < _EXACT_US or not 0 <= ttft_us < _EXACT_US:
        return decode(line)
    if cost is None:
        return call
    total = cost.total_nanousd
    if total is None:
        return msgspec.structs.replace(call, cost=None)
    if not -_EXACT_NANOUSD < total < _EXACT_NANOUSD:
        return decode(line)
    if cost.status == "reported":
        return call
    return msgspec.structs.replace(call, cost=Cost(status="reported", total_nanousd=total))


_S5_DEFAULTS: dict[str, Any] = {
    "v": None, "call_id": None, "agent_name": None, "operation": "chat", "model": None, "session_id": None,
    "user_id": None, "duration_ms": None, "cost_usd": None, "prompt_hash": None, "response_hash": None,
}  # fmt: skip


def decode(line: bytes) -> Call:
    """The call of a JSON line. Raises InputError that names the key when it is no such line."""
    try:
        try:
            return call_of(_decode_line(line))
        except msgspec.ValidationError:
            return from_dict(msgspec.json.decode(line))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(f"not a telemetry line: {error}", hint="see docs/journal.md for the format") from error


def from_dict(data: Any) -> Call:
    """The call of a line's object with keys missing: all but `timestamp` may be.

    Keys of `metadata` beyond S5's three are the application's own. Raises InputError naming the key.
    """
    if not isinstance(data, dict):
        raise InputError(f"a record must be an object, not {type(data).__name__}")
    metadata = _object(data, "metadata")
    tokens = {"input": None, "output": None, "total": None, **_object(data, "tokens")}
    where = {key: metadata.pop(key, None) for key in ("project", "git_branch", "error")}
    error = where["error"] or data.get("error_type")
    full = {
        **_S5_DEFAULTS,
        "success": error is None and data.get("status", "ok") == "ok",
        **data,
        "tokens": tokens,
        "metadata": where,
        "attributes": {**metadata, **_object(data, "attributes")},
    }
    try:
        return call_of(msgspec.convert(full, Line, strict=False))
    except (ValueError, OverflowError) as error:
        raise InputError(str(error), hint="see docs/journal.md for the format") from error


def _object(data: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under a key, as a copy; empty where there is none."""
    value = data.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"`{key}` must be an object, not {type(value).__name__}", field=key)
    return dict(value)


def to_dict(call: Call) -> dict[str, Any]:
    """The call as S5's object with our further keys; `metadata` holds the application's keys too."""
    data: dict[str, Any] = msgspec.to_builtins(line_of(call))
    data["metadata"] = {**data.pop("attributes", {}), **data["metadata"]}
    return data


def encode_step(step: Step) -> bytes:
    """The step as one JSON line, newline included."""
    return _encoder.encode(
        StepLine(
            VERSION, time_of(step.started_at_us), step.step_id, step.kind, step.name, step.run_id, step.parent_id,
            _ms(step.duration_us), step.status, step.error_message, step.tool_call_id, step.input_preview,
            step.output_preview, step.metadata,
        )
    ) + b"\n"  # fmt: skip


def decode_step(line: bytes) -> Step:
    """The step of a JSON line. Raises InputError when it is no such line."""
    try:
        got = _decode_step(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(f"not a step line: {error}", hint="see docs/journal.md for the format") from error
    return Step(
        step_id=got.step_id,
        started_at_us=unix_us_of(got.timestamp),
        kind=got.kind,
        name=got.name,
        run_id=got.run_id,
        parent_id=got.parent_id,
        duration_us=_us(got.duration_ms),
        status=got.status,  # type: ignore[arg-type]
        error_message=got.error,
        tool_call_id=got.tool_call_id,
        input_preview=got.input_preview,
        output_preview=got.output_preview,
        metadata=got.attributes,
    )
