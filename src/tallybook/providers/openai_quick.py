"""The usual answer of chat completions, by the shortest way: one choice of plain text with OpenAI's own usage.

Says the same as `openai_chat.parse`, or nothing at all: what is of other types, has more members or does not add up
is left to it. The decoder does the checking, so that little is left to do in Python.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tallybook.model.codec import Tokens
from tallybook.providers.base import Quick

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Message(msgspec.Struct, gc=False):
    content: _Text
    tool_calls: None = None
    function_call: None = None
    refusal: None = None
    reasoning_content: None = None
    reasoning: None = None
    audio: None = None
    executed_tools: None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message
    finish_reason: _Text
    index: int = 0
    delta: None = None


class _Answer(msgspec.Struct, gc=False):
    id: _Text
    model: _Text
    choices: tuple[_Choice]
    usage: msgspec.Raw
    service_tier: str | None = None
    error: None = None
    x_groq: None = None


class _Inside(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    cached_tokens: _Count | None = None
    audio_tokens: _Count | None = None
    text_tokens: _Count | None = None
    image_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None


class _Outside(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    reasoning_tokens: _Count | None = None
    audio_tokens: _Count | None = None
    text_tokens: _Count | None = None
    image_tokens: _Count | None = None
    accepted_prediction_tokens: _Count | None = None
    rejected_prediction_tokens: _Count | None = None


class _Usage(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    prompt_tokens: _Count
    completion_tokens: _Count
    total_tokens: _Count
    prompt_tokens_details: _Inside = _Inside()
    completion_tokens_details: _Outside = _Outside()


_decode = msgspec.json.Decoder(_Answer).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode


def quick(raw: bytes) -> Quick | None:
    """The answer in a whole response's body; `None` where `openai_chat.parse` has to look."""
    if b'"tool_calls"' in raw:
        return None  # Mostly not empty, and a decoder that fails half-way costs more than this look.
    try:
        said = _decode(raw)
        usage = _decode_usage(said.usage)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    asked, answered, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    inside, outside = usage.prompt_tokens_details, usage.completion_tokens_details
    read, write, heard, seen = (
        inside.cached_tokens, inside.cache_write_tokens, inside.audio_tokens, inside.image_tokens
    )  # fmt: skip
    thought, spoken, drawn = outside.reasoning_tokens, outside.audio_tokens, outside.image_tokens
    choice = said.choices[0]
    if (
        total != asked + answered
        or (read or 0) + (write or 0) > asked
        or (heard or 0) + (seen or 0) > asked
        or (thought or 0) + (spoken or 0) + (drawn or 0) > answered
        or choice.index
        or "-search" in said.model
    ):
        return None
    raw = bytes(said.usage)
    if b"\n" in raw or b" " in raw:  # Only keys and numbers are in it.
        raw = b"".join(raw.split())
    return Quick(
        said.id, said.model, said.service_tier, (choice.finish_reason,), choice.message.content,
        Tokens(asked, answered, total, read, write, None, heard, seen, thought, spoken, drawn), msgspec.Raw(raw),
    )  # fmt: skip
