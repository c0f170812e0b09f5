"""The conversation in a span, in whatever form: hashes always, the texts themselves only when somebody keeps them.

One reading for all conventions, as no two use one name for two things. Nothing is decoded for a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from tallybook.ingest.otlp.record import Event
from tallybook.model.call import ToolCall
from tallybook.providers.value import mapping, mappings, word

PROMPTS = (
    "gen_ai.input.messages", "langfuse.observation.input", "ai.prompt.messages", "ai.prompt", "ai.values", "ai.value",
    "input.value", "gen_ai.prompt", "request_data", "pydantic_ai.all_messages", "all_messages_events", "raw_input",
    "events", "traceloop.entity.input", "input",
)  # fmt: skip
RESPONSES = (
    "gen_ai.output.messages", "langfuse.observation.output", "ai.response.text", "ai.response.object",
    "ai.response.toolCalls", "output.value", "gen_ai.completion", "response_data", "response", "final_result",
    "traceloop.entity.output", "output",
)  # fmt: skip
"""Attributes that hold the prompt or the response whole, the more telling first."""
_PROMPT_PARTS = ("llm.input_messages.", "gen_ai.prompt.", "llm.prompts.")
_RESPONSE_PARTS = ("llm.output_messages.", "gen_ai.completion.")
_SYSTEM = "gen_ai.system_instructions"
_EVENTS = {"gen_ai.content.prompt": "gen_ai.prompt", "gen_ai.content.completion": "gen_ai.completion"}
_DEPTH_MAX = 12
TOOL_CALLS_MAX = 256
"""Tool calls kept of one response. Beyond: left out; no model asks for as many at once."""


class Heard(NamedTuple):
    """Hashes of a call's texts and the tools it asked for."""

    prompt_hash: str | None
    response_hash: str | None
    tool_calls: tuple[ToolCall, ...]


def with_events(content: dict[str, Any], events: Iterable[Event]) -> dict[str, Any]:
    """Content with what older instrumentations put into span events."""
    for event in events:
        key = _EVENTS.get(event.name)
        text = event.attributes.get(key) if key else None
        if key and isinstance(text, str) and key not in content:
            content = {**content, key: text.encode("utf-8", "surrogatepass")}
    return content


def heard(content: dict[str, Any]) -> Heard:
    """What is always kept of a span's content."""
    if not content:
        return _NOTHING
    prompt = _bytes_of(content, PROMPTS, _PROMPT_PARTS)
    response = _bytes_of(content, RESPONSES, _RESPONSE_PARTS)
    told = None
    if prompt is not None:
        digest = _sha256(raw(content[_SYSTEM]) + b"\n") if _SYSTEM in content else _sha256()
        digest.update(prompt)
        told = "sha256:" + digest.hexdigest()
    return Heard(told, None if response is None else "sha256:" + _sha256(response).hexdigest(), tool_calls(content))


_sha256 = hashlib.sha256
_NOTHING = Heard(None, None, ())


def raw(value: Any) -> bytes:
    """A value as bytes: text as it came, anything else as JSON."""
    return value if isinstance(value, bytes) else msgspec.json.encode(value)


def _bytes_of(content: dict[str, Any], names: tuple[str, ...], prefixes: tuple[str, ...]) -> bytes | None:
    for name in names:
        value = content.get(name)
        if value is not None:
            return value if type(value) is bytes else raw(value)
    parts = sorted(key for key in content if key.startswith(prefixes))
    return b"\n".join([key.encode() + b"=" + raw(content[key]) for key in parts]) if parts else None


def value_of(value: Any) -> Any:
    """An attribute's value with JSON in a text decoded; text that is no JSON stays text."""
    if not isinstance(value, bytes):
        return value
    if value[:1] in (b"[", b"{", b'"'):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            pass
    return value.decode("utf-8", "replace")


def nested(content: dict[str, Any], prefix: str) -> list[Any]:
    """The list that was flattened to keys `prefix.N.…`, by its indexes in order, which may have gaps."""
    tree: dict[str, Any] = {}
    for key, value in content.items():
        if not key.startswith(prefix):
            continue
        parts = key[len(prefix) :].split(".")
        if len(parts) > _DEPTH_MAX:
            continue
        at = tree
        for part in parts[:-1]:
            inner = at.get(part)
            if not isinstance(inner, dict):
                inner = at[part] = {}
            at = inner
        at[parts[-1]] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    found = _listed(tree)
    return found if isinstance(found, list) else []


def _listed(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree and all(key.isascii() and key.isdigit() and len(key) < 9 for key in tree):
        return [_listed(tree[key]) for key in sorted(tree, key=int)]
    return {key: _listed(value) for key, value in tree.items()}


def prompt_of(content: dict[str, Any]) -> Any:
    """The request's messages as a list of objects, or its text; `None` when it is not there."""
    for name in PROMPTS:
        if name in content:
            found = value_of(content[name])
            inner = mapping(found)
            found = inner.get("messages") or inner.get("contents") or inner.get("input") or found
            system = value_of(content[_SYSTEM]) if _SYSTEM in content else inner.get("system")
            if system and isinstance(found, list):
                return [{"role": "system", "parts" if isinstance(system, list) else "content": system}, *found]
            return found
    for prefix in _PROMPT_PARTS:
        messages = nested(content, prefix)
        if messages:
            return [mapping(one).get("message", one) for one in messages]
    return None


def response_of(content: dict[str, Any]) -> str | None:
    """The response's text; for one without text, what was answered instead, as JSON."""
    for name in RESPONSES:
        if name in content:
            found = value_of(content[name])
            text = text_of(found)
            return text if text is not None else raw(content[name]).decode("utf-8", "replace")
    for prefix in _RESPONSE_PARTS:
        messages = nested(content, prefix)
        if messages:
            text = text_of([mapping(one).get("message", one) for one in messages])
            return text if text is not None else msgspec.json.encode(messages).decode()
    return None


def text_of(value: Any, depth: int = 0) -> str | None:
    """The visible text of messages in any of their forms."""
    if isinstance(value, str):
        return value
    if depth > _DEPTH_MAX:
        return None
    if isinstance(value, list):
        texts = [text for one in value if (text := text_of(one, depth + 1)) is not None]
        return "\n".join(texts) if texts else None
    item = mapping(value)
    if item.get("type") in ("tool_call", "tool_use", "reasoning", "thinking"):
        return None
    for name in ("content", "text", "parts", "contents", "message_content", "message", "choices", "output"):
        if item.get(name):
            return text_of(item[name], depth + 1)
    return None


def tool_calls(content: dict[str, Any]) -> tuple[ToolCall, ...]:
    """The tools that the response asks for: names and ids alone."""
    found: list[ToolCall] = []
    output = content.get("gen_ai.output.messages")
    if output is not None:
        if isinstance(output, bytes) and b'"tool_call"' not in output:
            return ()
        for message in mappings(value_of(output)):
            for part in mappings(message.get("parts")):
                if part.get("type") == "tool_call":
                    found.append(ToolCall(name=str(part.get("name") or ""), id=word(part.get("id"))))
    elif "ai.response.toolCalls" in content:
        for call in mappings(value_of(content["ai.response.toolCalls"])):
            found.append(ToolCall(name=str(call.get("toolName") or ""), id=word(call.get("toolCallId"))))
    elif any(".tool_calls." in key for key in content):
        for prefix in _RESPONSE_PARTS:
            for item in mappings(nested(content, prefix)):
                message = mapping(item.get("message", item))
                for call in mappings(message.get("tool_calls")):
                    found.append(_flat_call(call))
    return tuple(found[:TOOL_CALLS_MAX])


def _flat_call(call: Any) -> ToolCall:
    inner = mapping(call.get("tool_call", call))
    function = mapping(inner.get("function"))
    return ToolCall(name=str(function.get("name") or inner.get("name") or ""), id=word(inner.get("id")))
