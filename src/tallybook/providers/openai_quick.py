"""The usual answer of chat completions, by the shortest way: one choice of plain text with OpenAI's own usage.

Says the same as `openai_chat.parse`, or nothing at all: what is of other types, has more members or does not add up
is left to it. The decoder does the checking, so that little is left to do in Python.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from tallybook.model.codec import Tokens
from tallybook.providers.base import Quick

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Message(msgspec.Struct, gc=False):
    content: _Text
    tool_calls: Any = None
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
    id: msgspec.Raw
    model: _Text
    choices: tuple[_Choice]
    usage: msgspec.Raw
    service_tier: str | None = None
    error: None = None
    x_groq: None = None
    timings: None = None


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
        or choice.message.tool_calls
        or "-search" in said.model
    ):
        return None
    identity, told = str(said.id, "utf-8"), str(said.usage, "utf-8")
    if len(identity) < 3 or identity[0] != '"':
        return None
    if "\n" in told or " " in told:  # Only keys and numbers are in it.
        told = "".join(told.split())
    return Quick(
        identity, said.model, said.service_tier or None, (choice.finish_reason,), choice.message.content,
        Tokens(asked, answered, total, read, write, None, heard, seen, thought, spoken, drawn), told,
    )  # fmt: skip
