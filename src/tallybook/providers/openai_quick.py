"""The usual answer of chat completions, by the shortest way: one choice of text or tool calls, with OpenAI's own usage.

Also the middle of a stream, where events differ in nothing but a piece of text. Says the same as `openai_chat`, or
nothing at all: what is of other types, has more members or does not add up is left to it. The decoder does the
checking, so that little is left to do in Python.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import msgspec

from tallybook.model.codec import Tokens, Tool
from tallybook.providers.base import Quick
from tallybook.providers.quick import Count, Text, one_line


class _Delta(msgspec.Struct, gc=False):
    content: Text
    tool_calls: None = None
    function_call: None = None
    refusal: None = None
    reasoning_content: None = None
    reasoning: None = None
    audio: None = None
    executed_tools: None = None


class _Function(msgspec.Struct, gc=False):
    name: Text


class _Call(msgspec.Struct, gc=False):
    id: Text
    function: _Function
    index: None = None


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: None = None
    refusal: None = None
    reasoning_content: None = None
    reasoning: None = None
    audio: None = None
    executed_tools: None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message
    finish_reason: Text
    index: int = 0
    delta: None = None


class _Answer(msgspec.Struct, gc=False):
    id: msgspec.Raw
    model: Text
    choices: tuple[_Choice]
    usage: msgspec.Raw
    service_tier: str | None = None
    error: None = None
    x_groq: None = None
    timings: None = None


class Inside(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What the input is made of."""

    cached_tokens: Count | None = None
    audio_tokens: Count | None = None
    text_tokens: Count | None = None
    image_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class Outside(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What the output is made of."""

    reasoning_tokens: Count | None = None
    audio_tokens: Count | None = None
    text_tokens: Count | None = None
    image_tokens: Count | None = None
    accepted_prediction_tokens: Count | None = None
    rejected_prediction_tokens: Count | None = None


class _Usage(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    prompt_tokens_details: Inside = Inside()
    completion_tokens_details: Outside = Outside()


class _Piece(msgspec.Struct, gc=False):
    delta: _Delta
    index: Literal[0] = 0
    finish_reason: None = None


class _Event(msgspec.Struct, gc=False):
    choices: tuple[_Piece]
    model: Text
    service_tier: str | None = None
    usage: None = None
    error: None = None
    x_groq: None = None
    timings: None = None


_FEW_BYTES = 2_048
"""Below this size of a buffer there is nothing to win."""
_CONTENT = re.compile(rb'"content":("(?:[^"\\]|\\.)*")')
_PADDING = re.compile(rb',"obfuscation":"\w*"')
"""Against guessing texts from lengths. A quote inside a text is escaped, so that no text is taken for it."""

_decode_event = msgspec.json.Decoder(_Event).decode
_decode_texts = msgspec.json.Decoder(list[str]).decode
_decode = msgspec.json.Decoder(_Answer).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode


def added_up(asked: int, answered: int, total: int, inside: Inside, outside: Outside) -> Tokens | None:
    """A usage in normal form; `None` for one that does not add up."""
    read, write, heard, seen = (
        inside.cached_tokens, inside.cache_write_tokens, inside.audio_tokens, inside.image_tokens
    )  # fmt: skip
    thought, spoken, drawn = outside.reasoning_tokens, outside.audio_tokens, outside.image_tokens
    if total != asked + answered:
        return None
    if (read or write or heard or seen) and (
        (read or 0) + (write or 0) > asked or (heard or 0) + (seen or 0) > asked
    ):  # fmt: skip
        return None
    if (thought or spoken or drawn) and (thought or 0) + (spoken or 0) + (drawn or 0) > answered:
        return None
    return Tokens(asked, answered, total, read, write, None, heard, seen, thought, spoken, drawn)


def quick(raw: bytes) -> Quick | None:
    """The answer in a whole response's body; `None` where `openai_chat.parse` has to look."""
    try:
        said = _decode(raw)
        usage = _decode_usage(said.usage)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    tokens = added_up(
        usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.prompt_tokens_details,
        usage.completion_tokens_details,
    )  # fmt: skip
    choice = said.choices[0]
    text, calls = choice.message.content, choice.message.tool_calls
    model = said.model
    identity = str(said.id, "utf-8")
    if (
        tokens is None
        or choice.index
        or not (text or calls)
        or "-search" in model
        or len(identity) < 3
        or identity[0] != '"'
    ):  # fmt: skip
        return None
    return Quick(
        identity, model, said.service_tier or None, (choice.finish_reason,), text or None, tokens,
        one_line(said.usage), tuple([Tool(call.function.name, call.id) for call in calls]) if calls else (),
    )  # fmt: skip


class Pieces(NamedTuple):
    """The events at the beginning of a buffer, as long as they are the same but for their text."""

    texts: list[str]
    model: str
    service_tier: str | None
    rest: bytes
    """What follows them."""


def pieces(raw: bytes) -> Pieces | None:
    """Pieces of text in whole events of a stream, without decoding each event; `None` where that cannot be done.

    The first event is decoded. Where it has nothing but a text of the first choice, so have those that are equal to it
    byte for byte before and after the text, but for OpenAI's padding.
    """
    if b'"obfuscation":"' in raw[:1_024]:
        raw = _PADDING.sub(b"", raw)
    end = raw.find(b"\n\n")
    found = _CONTENT.search(raw, 0, end) if len(raw) >= _FEW_BYTES and raw.startswith(b"data: ") else None
    if found is None:
        return None
    before, after = raw[: found.start(1)], raw[found.end(1) : end + 2]
    last = raw.rfind(after + before)
    if last < 0:
        return None
    head, foot = len(before) - 6, 2 - len(after)
    each = [event[head:foot] for event in raw[6 : last - foot].split(b"\n\ndata: ")]
    if (after + before).join(each) != raw[len(before) : last]:
        return None
    try:
        event = _decode_event(raw[6:end])
        texts = _decode_texts(b"[" + b",".join(each) + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if len(texts) != len(each):
        return None
    return Pieces(texts, event.model, event.service_tier or None, raw[last + len(after) :])
