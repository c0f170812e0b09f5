"""The usual answer of Anthropic's Messages API, by the shortest way: text, uses of tools, thinking and usage.

Says the same as `anthropic_messages.parse`, or nothing at all: what is of other types, has more members or does not
add up is left to it. The decoder does the checking, so that little is left to do in Python.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tallybook.model.codec import Tokens, Tool
from tallybook.providers.base import Quick
from tallybook.providers.quick import Count, Text, one_line


class _Block(msgspec.Struct, gc=False, tag_field="type", tag="text"):
    text: Text


class _Use(msgspec.Struct, gc=False, tag_field="type", tag="tool_use"):
    id: Text
    name: Text


class _Thinking(msgspec.Struct, gc=False, tag_field="type", tag="thinking"):
    """Its characters count only where a stream broke."""


class _Message(msgspec.Struct, gc=False):
    type: Literal["message"]
    id: msgspec.Raw
    model: Text
    content: list[_Block | _Use | _Thinking]
    stop_reason: Text
    usage: msgspec.Raw


class _Written(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    ephemeral_5m_input_tokens: Count
    ephemeral_1h_input_tokens: Count


class _Usage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    input_tokens: Count
    output_tokens: Count
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: _Written | None = None
    service_tier: str | None = None
    inference_geo: Literal["global", "not_available"] | None = None
    server_tool_use: None = None


_decode = msgspec.json.Decoder(_Message).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode


def quick(raw: bytes) -> Quick | None:
    """The answer in a whole response's body; `None` where `anthropic_messages.parse` has to look."""
    try:
        said = _decode(raw)
        usage = _decode_usage(said.usage)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    identity = str(said.id, "utf-8")
    read, written, by_time = usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.cache_creation
    written_5m, written_1h = written, None
    if by_time is not None:
        written_5m, written_1h = by_time.ephemeral_5m_input_tokens, by_time.ephemeral_1h_input_tokens
        known = written_5m + written_1h
        if written is not None and written > known:
            return None
        written = known
    tier = usage.service_tier or None
    text: str | None = None
    tools: tuple[Tool, ...] = ()
    for block in said.content:
        if type(block) is _Block:
            if text is not None:
                return None
            text = block.text
        elif type(block) is _Use:
            tools += (Tool(block.name, block.id),)
    if not (text or tools):
        return None
    if len(identity) < 3 or identity[0] != '"' or (tier is not None and not tier.isalnum()):
        return None
    asked, answered = usage.input_tokens + (read or 0) + (written or 0), usage.output_tokens
    return Quick(
        identity, said.model, tier, (said.stop_reason,), text,
        Tokens(asked, answered, asked + answered, read, written_5m, written_1h), one_line(said.usage), tools,
    )  # fmt: skip
