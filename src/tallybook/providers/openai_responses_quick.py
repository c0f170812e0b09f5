"""The usual answer of OpenAI's Responses API, by the shortest way: one text, calls of functions, reasoning.

Says the same as `openai_responses.parse`, or nothing at all: what is of other types, has more members or does not add
up is left to it. The decoder does the checking, so that little is left to do in Python.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tallybook.model.codec import Tool
from tallybook.providers.base import Quick
from tallybook.providers.openai_quick import Inside, Outside, added_up
from tallybook.providers.quick import Count, Text, one_line


class _Part(msgspec.Struct, gc=False):
    text: Text


class _Message(msgspec.Struct, gc=False, tag_field="type", tag="message"):
    content: tuple[_Part]


class _Reasoning(msgspec.Struct, gc=False, tag_field="type", tag="reasoning"):
    """Its characters count only where a stream broke."""


class _Call(msgspec.Struct, gc=False, tag_field="type", tag="function_call"):
    call_id: Text
    name: Text
    error: None = None


class _NoTokens(msgspec.Struct, gc=False):
    input_tokens: Literal[0] | None = None
    output_tokens: Literal[0] | None = None


class _NoRequests(msgspec.Struct, gc=False):
    num_requests: Literal[0] | None = None


class _ToolUsage(msgspec.Struct, gc=False):
    image_gen: _NoTokens | None = None
    web_search: _NoRequests | None = None


class _Answer(msgspec.Struct, gc=False):
    id: msgspec.Raw
    model: Text
    status: Literal["completed"]
    output: list[_Message | _Reasoning | _Call]
    usage: msgspec.Raw
    service_tier: str | None = None
    error: None = None
    incomplete_details: None = None
    tool_usage: _ToolUsage | None = None


class _Usage(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    input_tokens: Count
    output_tokens: Count
    total_tokens: Count
    input_tokens_details: Inside = Inside()
    output_tokens_details: Outside = Outside()


_decode = msgspec.json.Decoder(_Answer).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode


def quick(raw: bytes) -> Quick | None:
    """The answer in a whole response's body; `None` where `openai_responses.parse` has to look."""
    try:
        said = _decode(raw)
        usage = _decode_usage(said.usage)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    tokens = added_up(
        usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.input_tokens_details,
        usage.output_tokens_details,
    )  # fmt: skip
    text: str | None = None
    tools: tuple[Tool, ...] = ()
    for item in said.output:
        if type(item) is _Message:
            if text is not None:
                return None
            text = item.content[0].text
        elif type(item) is _Call:
            tools += (Tool(item.name, item.call_id),)
    identity = str(said.id, "utf-8")
    if tokens is None or not (text or tools) or len(identity) < 3 or identity[0] != '"':
        return None
    return Quick(
        identity, said.model, said.service_tier or None, ("completed",), text, tokens, one_line(said.usage), tools
    )  # fmt: skip
