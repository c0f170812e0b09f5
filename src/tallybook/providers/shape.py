"""Tells by its shape what a response is, for `track`: which wire format, or a generic object with usage.

Pure. What is no response to recognise gives `None`: a string or a picture is a result too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.anthropic_messages import MESSAGES
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.bedrock_converse import CONVERSE
from tallybook.providers.cohere_chat import CHAT as COHERE
from tallybook.providers.google_generate import GENERATE
from tallybook.providers.lenient import UNREADABLE, decode, unreadable
from tallybook.providers.openai_chat import CHAT
from tallybook.providers.openai_embeddings import EMBEDDINGS
from tallybook.providers.openai_responses import RESPONSES
from tallybook.providers.value import mapping, mappings, number, word

_DEPTH = 6
"""Levels of attributes followed in an object that offers no dump of itself."""

_INPUT = ("input_tokens", "prompt_tokens", "inputTokens", "promptTokens", "input")
_OUTPUT = ("output_tokens", "completion_tokens", "outputTokens", "completionTokens", "output")
_CACHED = ("cache_read_input_tokens", "cache_read_tokens", "cached_tokens", "cachedInputTokens")
_GENERIC_KEYS = frozenset(
    (
        "toolCalls", "tool_calls", "experimental_toolCalls", "response_metadata", "finishReason", "finish_reason",
        "text", "content", "output_text", "modelId",
    )
)  # fmt: skip
"""Members of results of libraries, which have spellings of their own besides their usage."""

_CONVERSE_EVENTS = ("messageStart", "contentBlockDelta", "contentBlockStart")
_REASONING = ("reasoning_tokens", "reasoningTokens")


def plain(value: Any, depth: int = _DEPTH) -> Any:
    """A response as mappings, lists and scalars: SDK models by their own dump, other objects by their attributes."""
    if value is None or isinstance(value, str | int | float | bool | bytes):
        return value
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, Mapping):
        return {str(key): plain(inner, depth - 1) for key, inner in value.items()} if depth else {}
    if isinstance(value, list | tuple):
        return [plain(inner, depth - 1) for inner in value] if depth else []
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value), depth)
    attributes = getattr(value, "__dict__", None)
    if attributes and depth:
        return {key: plain(inner, depth - 1) for key, inner in attributes.items() if not key.startswith("_")}
    return None


def format_of(data: Any) -> Format | None:
    """The format that a whole response is in."""
    if not isinstance(data, Mapping):
        return None
    usage = data.get("usage")
    if "usageMetadata" in data or "candidates" in data:
        return GENERATE
    if isinstance(data.get("choices"), list):
        return CHAT
    if data.get("type") == "message" and isinstance(data.get("content"), list):
        return MESSAGES
    if data.get("object") == "response" or (isinstance(data.get("output"), list) and isinstance(usage, Mapping)):
        return RESPONSES
    if isinstance(data.get("data"), list) and isinstance(usage, Mapping) and "prompt_tokens" in usage:
        return EMBEDDINGS
    if isinstance(usage, Mapping):
        return _by_usage(data, usage)
    return GENERIC if isinstance(data.get("usage_metadata"), Mapping) else None


def _by_usage(data: Payload, usage: Payload) -> Format:
    """The format whose counting a `usage` follows, where nothing beside it tells."""
    if "inputTokens" in usage and ("cacheReadInputTokens" in usage or "stopReason" in data or "metrics" in data):
        return CONVERSE
    if "billed_units" in usage:
        return COHERE
    if _GENERIC_KEYS.isdisjoint(data):
        if "prompt_tokens" in usage:
            return CHAT
        if "cache_creation_input_tokens" in usage:
            return MESSAGES
        if "input_tokens_details" in usage:
            return RESPONSES
    return GENERIC


def stream_format_of(event: Any) -> Format | None:
    """The format that one decoded event of a stream is in."""
    if not isinstance(event, Mapping):
        return None
    if "usageMetadata" in event or "candidates" in event:
        return GENERATE
    if isinstance(event.get("choices"), list):
        return CHAT
    if any(name in event for name in _CONVERSE_EVENTS):
        return CONVERSE
    kind = event.get("type")
    if not isinstance(kind, str):
        return None
    if kind in ("message-start", "content-start", "content-delta"):
        return COHERE
    if kind.startswith("response."):
        return RESPONSES
    return MESSAGES if kind.startswith(("message_", "content_block_")) else None


def _first(data: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = data.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _tool(data: Any) -> ToolCall | None:
    """One tool call in S1's spellings (`toolName`/`args`/`result`, `name`/`arguments`, `tool`/`input`/`output`)."""
    if not isinstance(data, Mapping):
        return None
    name = data.get("name") or data.get("toolName") or data.get("tool")
    if not isinstance(name, str):
        return None
    arguments = data.get("arguments", data.get("args", data.get("input")))
    result = data.get("result", data.get("output"))
    took = number(data.get("durationMs", data.get("duration_ms")))
    error = data.get("error")
    return ToolCall(
        name=name,
        id=word(data.get("id")) or word(data.get("toolCallId")),
        arguments=_json(arguments),
        result=_json(result),
        duration_us=None if took is None else round(took * 1000),
        error=None if error is None else str(error),
    )


def _json(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _text(data: Mapping[str, Any]) -> str | None:
    for key in ("text", "content", "output_text"):
        if isinstance(data.get(key), str):
            return str(data[key])
    return None


def parse_generic(raw: bytes) -> Parsed:
    """A response of a library of its own: `usage` in any common spelling, tool calls as S1 has them."""
    try:
        data: Payload = mapping(decode(raw))
    except UNREADABLE:
        return unreadable(raw)
    used = data.get("usage")
    used = used if isinstance(used, Mapping) else data.get("usage_metadata")
    used = used if isinstance(used, Mapping) else {}
    metadata = data.get("response_metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    model = data.get("model") or data.get("modelId") or metadata.get("model_name") or metadata.get("model")
    calls = data.get("toolCalls") or data.get("experimental_toolCalls") or data.get("tool_calls") or ()
    finish = data.get("finishReason") or data.get("finish_reason") or metadata.get("finish_reason")
    identity = data.get("id")
    usage, flags = settled(
        Usage(
            input_tokens=_first(used, _INPUT),
            output_tokens=_first(used, _OUTPUT),
            cache_read_tokens=_first(used, _CACHED),
            reasoning_tokens=_first(used, _REASONING),
        )
    )
    return Parsed(
        usage=None if usage == Usage() else usage,
        usage_raw=used or None,
        flags=flags,
        response_id=identity if isinstance(identity, str) else None,
        response_model=model if isinstance(model, str) else None,
        tool_calls=tuple(tool for tool in map(_tool, mappings(calls)) if tool is not None),
        finish_reasons=(finish,) if isinstance(finish, str) else (),
        text=_text(data),
    )


GENERIC = Format("generic", "chat", lambda body, url: Asked(model=body.get("model")), parse_generic)
