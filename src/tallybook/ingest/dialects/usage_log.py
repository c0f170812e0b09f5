"""A usage log of one model operation, as `POST /api/ai-usage` takes it (S1, phase 2), and what is wrong with it.

Required are `operation`, `model` and `provider`. Names may be snake_case or camelCase. Counts, cost and duration are
not negative; `tool_calls_json` and `response_metadata` are JSON, as a text or as the value itself. All else is ours and
optional: when the call began, who made it, parts of the usage, run, tags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec

from tallybook.ingest.arrival import Content, Refused
from tallybook.ingest.dialects.fitted import kept
from tallybook.ingest.dialects.moment import moment_us
from tallybook.ingest.dialects.vendor import NAMES
from tallybook.model.call import Call, Cost, Status, ToolCall
from tallybook.model.ids import is_uuid7
from tallybook.model.limits import ERROR_MESSAGE_CHARS, FIELD_CHARS
from tallybook.model.money import nanousd
from tallybook.model.usage import TOKENS_MAX, Usage, faults

Text = Annotated[str, msgspec.Meta(max_length=FIELD_CHARS)]
Named = Annotated[str, msgspec.Meta(min_length=1, max_length=FIELD_CHARS)]
Count = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class UsageLog(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One operation. Tokens are counts, costs USD, durations milliseconds, times ISO 8601 or seconds since 1970."""

    operation: Named
    model: Named
    provider: Named
    project_id: Text | None = None
    request_id: Text | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    estimated_cost: Amount | None = None
    """The sender's own reckoning. It counts only where the model's price is not known here."""
    duration_ms: Milliseconds | None = None
    tool_calls_count: Count | None = None
    tool_calls_json: Any = None
    response_metadata: Any = None
    error: str | None = None
    id: Text | None = None
    """An id of the sender's: the same id twice is one record."""
    created_at: str | float | None = None
    """When the call began; without it, `duration_ms` before now."""
    name: Text | None = None
    actual_cost: Amount | None = None
    """What the provider says that it cost: it is believed."""
    cache_read_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    cache_write_1h_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    ttft_ms: Milliseconds | None = None
    status: Status | None = None
    response_id: Text | None = None
    response_model: Text | None = None
    finish_reason: Text | None = None
    run_id: Text | None = None
    chat_id: Text | None = None
    message_id: Text | None = None
    session_id: Text | None = None
    user_id: Text | None = None
    agent_name: Text | None = None
    environment: Text | None = None
    is_stream: bool = False
    tags: Annotated[tuple[Text, ...], msgspec.Meta(max_length=100)] = ()
    metadata: dict[str, Any] = {}
    prompt: Any = None
    response: str | None = None


class _Snake(UsageLog, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    pass


class _Camel(UsageLog, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, rename="camel"):
    pass


class Reading(NamedTuple):
    """An item understood. The id is the sender's own, made into a call's id by who records it."""

    log: UsageLog
    tool_calls: tuple[ToolCall, ...]
    metadata: dict[str, Any]


FIELDS = frozenset(UsageLog.__struct_fields__)
REQUIRED = ("operation", "model", "provider")
_OTHER_NAMES = {
    "project": "project_id", "timestamp": "created_at", "started_at": "created_at", "user": "user_id",
    "tool_calls": "tool_calls_json", "cost_usd": "actual_cost", "session": "session_id", "latency_ms": "duration_ms",
    "prompt_tokens": "input_tokens", "completion_tokens": "output_tokens", "stream": "is_stream",
}  # fmt: skip
"""Words that other tools use for the same."""
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_known_names: dict[str, str] = {name: name for name in FIELDS} | _OTHER_NAMES
_NAMES_MAX = 2_000


def _name(key: str) -> str:
    """A key as it is called here."""
    found = _known_names.get(key)
    if found is None:
        found = _HUMP.sub(r"_\1", key).lower()
        found = _OTHER_NAMES.get(found, found)
        if len(_known_names) < _NAMES_MAX:
            _known_names[key] = found
    return found


_DECODERS = [msgspec.json.Decoder(Sequence[form], strict=False) for form in (_Snake, _Camel)]  # type: ignore[valid-type]


def read_all(data: bytes) -> list[Reading] | None:
    """Items of an array that are all as they should be, in one go; `None` where each has to be looked at by itself."""
    form = _DECODERS[b'"inputTokens"' in data or b'"projectId"' in data or b'"durationMs"' in data]
    try:
        logs: list[UsageLog] = form.decode(data)
        if not all(log.operation.strip() and log.model.strip() and log.provider.strip() for log in logs):
            return None
        return [_reading(log, {}) for log in logs]
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        return None


def _reading(log: UsageLog, unknown: dict[str, Any]) -> Reading:
    """Raises msgspec.DecodeError that names the field whose JSON is none."""
    tools = () if log.tool_calls_json is None else tool_calls(log.tool_calls_json)
    told = _json("response_metadata", log.response_metadata) if log.response_metadata is not None else None
    return Reading(log, tools, _metadata(log, told, unknown))


def read(item: Any, position: int) -> Reading | Refused:
    """One item of a payload; what is wrong with it when it is refused."""
    if not isinstance(item, dict):
        return Refused(position, "invalid", f"an item must be an object, not {_kind(item)}")
    named = {_name(key): value for key, value in item.items()}
    identity = named["id"] if isinstance(named.get("id"), str) else None
    for field in REQUIRED:
        value = named.get(field)
        if value is None or (isinstance(value, str) and not value.strip()):
            return Refused(
                position, "required", f"`{field}` is required and must not be empty", _EXAMPLES[field], field, identity
            )
    unknown = {key: value for key, value in named.items() if key not in FIELDS}
    try:
        log = msgspec.convert({k: v for k, v in named.items() if v is not None}, UsageLog, strict=False)
    except msgspec.ValidationError as error:
        return _wrong(error, position, identity)
    except (ValueError, OverflowError, RecursionError) as error:
        return Refused(position, "invalid", str(error), None, None, identity)
    try:
        return _reading(log, unknown)
    except msgspec.DecodeError as error:
        return Refused(position, "not_json", str(error), "send valid JSON, as a text or as the value itself",
                       str(error).split("`")[1], identity)  # fmt: skip


_EXAMPLES = {
    "operation": "what was done, as `chat` or `generate_project_ideas`",
    "model": "the model asked for, as `gpt-4o`",
    "provider": "who answered, as `openai`",
}


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _wrong(error: msgspec.ValidationError, position: int, identity: str | None) -> Refused:
    message, _, place = str(error).partition(" - at `$")
    field = place.rstrip("`").lstrip(".") or None
    hint = None
    if ">= 0" in message:
        message, hint = "must not be negative", "leave it out when it is not known"
    elif f"<= {FIELD_CHARS}" in message:
        message = f"is longer than {FIELD_CHARS} characters"
    text = message if field is None else f"`{field}`: {message[0].lower()}{message[1:]}"
    return Refused(position, "invalid", text, hint, field, identity)


def _json(field: str, value: Any) -> Any:
    """A value, or the JSON in its text. Raises msgspec.DecodeError that names the field."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise msgspec.DecodeError(f"`{field}` is no JSON: {error}") from error


def tool_calls(value: Any) -> tuple[ToolCall, ...]:
    """Tool calls of `tool_calls_json` (S1, "Tool Call JSON Structure"). Raises msgspec.DecodeError."""
    told = _json("tool_calls_json", value)
    if isinstance(told, Mapping):  # With its count beside it, as S1 shows it.
        told = told.get("toolCallsJson", told.get("tool_calls_json", told.get("tool_calls", [told])))
        told = _json("tool_calls_json", told)
    if told is None:
        return ()
    if not isinstance(told, list):
        raise msgspec.DecodeError("`tool_calls_json` must be a list of tool calls")
    return tuple([_tool(one) for one in told if isinstance(one, Mapping)])


def _tool(one: Mapping[str, Any]) -> ToolCall:
    duration = one.get("durationMs", one.get("duration_ms"))
    function = one.get("function")
    inner = function if isinstance(function, Mapping) else one
    given = inner.get("arguments", one.get("args", one.get("input")))
    result = one.get("result", one.get("output"))
    error = one.get("error")
    return ToolCall(
        name=str(inner.get("name") or one.get("toolName") or one.get("tool") or "unknown")[:FIELD_CHARS],
        id=_text_or_none(one.get("id", one.get("toolCallId"))),
        arguments=_as_text(given),
        result=_as_text(result),
        duration_us=round(duration * 1000) if isinstance(duration, int | float) and 0 <= duration < 1e12 else None,
        error=None if error in (None, "", False) else (_as_text(error) or "")[:ERROR_MESSAGE_CHARS],
    )


def _text_or_none(value: Any) -> str | None:
    return value[:FIELD_CHARS] if isinstance(value, str) and value else None


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _metadata(log: UsageLog, told: Any, unknown: dict[str, Any]) -> dict[str, Any]:
    """The application's own keys: what is not ours stays with the record."""
    found: dict[str, Any] = dict(log.metadata)
    for key, value in (("request_id", log.request_id), ("message_id", log.message_id)):
        if value is not None:
            found.setdefault(key, value)
    if told is not None:
        found.setdefault("response_metadata", told)
    if log.tool_calls_count is not None and log.tool_calls_json is None:
        found.setdefault("tool_calls_count", log.tool_calls_count)
    if log.estimated_cost:
        found.setdefault("estimated_cost_usd", log.estimated_cost)
    for key, value in unknown.items():
        found.setdefault(key, value)
    return found


def usage_of(log: UsageLog) -> tuple[Usage, tuple[str, ...]]:
    """Usage of a log and flags. A total that is more than its sides is told by a flag and changes nothing."""
    usage = Usage(
        input_tokens=log.input_tokens, output_tokens=log.output_tokens, cache_read_tokens=log.cache_read_tokens,
        cache_write_5m_tokens=log.cache_write_tokens, cache_write_1h_tokens=log.cache_write_1h_tokens,
        reasoning_tokens=log.reasoning_tokens,
    )  # fmt: skip
    flags = list(faults(usage))
    if log.total_tokens is not None:
        if log.input_tokens is None and log.output_tokens is None:
            flags.append("only_total_told")
        elif log.total_tokens != (usage.total_tokens or 0):
            flags.append("total_differs")
    return usage, tuple(flags)


def call_of(reading: Reading, *, call_id: str, started_at_us: int, project: str | None) -> Call:
    """The call of an item. Its cost is stated only where the sender says that the provider told it."""
    log = reading.log
    usage, flags = usage_of(log)
    metadata, dropped = kept(reading.metadata)
    flags = (*flags, *dropped)
    status: Status = log.status or ("error" if log.error else "ok")
    finish = log.finish_reason or _finish_of(reading.metadata)
    response_id = log.response_id
    return Call(
        call_id=call_id,
        started_at_us=started_at_us,
        operation=log.operation,
        name=log.name,
        provider=provider_named(log.provider),
        model=log.model,
        response_model=log.response_model,
        response_id=response_id,
        run_id=log.run_id or log.chat_id,
        duration_us=None if log.duration_ms is None else round(log.duration_ms * 1000),
        ttft_us=None if log.ttft_ms is None else round(log.ttft_ms * 1000),
        usage=usage,
        cost=None if log.actual_cost is None else stated(log.actual_cost),
        tool_calls=reading.tool_calls,
        finish_reasons=(finish,) if finish else (),
        status=status,
        error_message=log.error[:ERROR_MESSAGE_CHARS] if log.error else None,
        project=project,
        environment=log.environment,
        user_id=log.user_id,
        session_id=log.session_id,
        agent_name=log.agent_name,
        tags=log.tags,
        metadata=metadata,
        is_stream=log.is_stream,
        source="rest",
        flags=flags,
    )


def provider_named(told: str) -> str:
    """The ledger's name of a provider; one that is not known keeps its own."""
    name = told.strip().lower()
    return NAMES.get(name.replace("-", "_").replace(" ", "_"), name)


def _finish_of(metadata: dict[str, Any]) -> str | None:
    told = metadata.get("response_metadata")
    if isinstance(told, Mapping):
        return _text_or_none(told.get("finishReason", told.get("finish_reason")))
    return None


def stated(cost_usd: float) -> Cost:
    """A stated cost."""
    return Cost(status="reported", total_nanousd=nanousd(cost_usd))


def content_of(log: UsageLog, call_id: str, started_at_us: int) -> Content | None:
    """The texts that came along."""
    if log.prompt is None and not log.response:
        return None
    return Content(call_id, started_at_us, log.prompt, log.response)


def began_us(log: UsageLog, now_us: int) -> int | None:
    """When the call began, in microseconds since 1970; `None` for what is no moment of our time."""
    at = now_us / 1e6 - (log.duration_ms or 0) / 1e3 if log.created_at is None else log.created_at
    return moment_us(at)


def own_id(log: UsageLog) -> str | None:
    """The sender's id where it is a call's id already."""
    return log.id if log.id is not None and is_uuid7(log.id) else None
