"""Cohere's chat, v1 and v2, and its older generate.

`billed_units` is what is charged; `tokens` counts the prompt as the model saw it, with Cohere's own template around
it (5 billed of 607 seen). So input and output are the billed ones. `cached_tokens` is about `tokens`, may exceed the
billed input, and is kept in the raw usage only. v1 streams JSON lines, v2 server-sent events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.loose import LooseStream, read_whole
from tallybook.providers.tool import Assembly
from tallybook.providers.value import mapping, mappings, milliseconds, scalars, uses, whole, word

PARAMETERS = ("temperature", "p", "k", "max_tokens", "seed", "frequency_penalty", "presence_penalty", "safety_mode",
              "tool_choice", "num_generations", "citation_quality", "prompt_truncation", "truncate")  # fmt: skip


def usage_of(raw: Mapping[str, Any]) -> tuple[Usage, tuple[str, ...]]:
    """The normal form of v2's `usage` or v1's `meta`, and its faults."""
    billed, seen = mapping(raw.get("billed_units")), mapping(raw.get("tokens"))
    by = billed if whole(billed.get("input_tokens")) is not None else seen
    text_in = whole(by.get("input_tokens"))
    image_in = whole(billed.get("image_tokens"))
    units = uses(billed.get("search_units"))
    sound_ms = milliseconds(billed.get("audio_seconds"))
    quantities = {"search_units": units} if units else {}
    if sound_ms:
        quantities["audio_ms"] = sound_ms
    images = uses(billed.get("images"))
    if images:
        quantities["images"] = images
    return settled(
        Usage(
            input_tokens=text_in if not image_in else (text_in or 0) + image_in,
            output_tokens=whole(by.get("output_tokens")),
            cache_read_tokens=whole(raw.get("cached_tokens")) if by is seen else None,
            input_image_tokens=image_in if image_in is not None else whole(seen.get("image_tokens")),
            reasoning_tokens=whole(seen.get("reasoning_tokens")),
            quantities=quantities,
        )
    )


class ChatStream(LooseStream):
    """Accumulates events of v1 (`event_type`) or v2 (`type`)."""

    __slots__ = ("_error", "_finish", "_id", "_reasoning_chars", "_text", "_tools", "_usage", "_whole")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._reasoning_chars = 0
        self._tools: dict[int, Assembly] = {}
        self._finish: Any = None
        self._usage: Any = None
        self._id: Any = None
        self._error: Any = None
        self._whole: Payload | None = None

    def _take_mapping(self, event: Payload) -> bool:
        kind = event.get("type")
        if not isinstance(kind, str):
            return self._take_v1(event)
        delta = mapping(event.get("delta"))
        message = mapping(delta.get("message"))
        if kind == "message-start":
            self._id = event.get("id") or self._id
        elif kind in ("content-delta", "content-start"):
            return self._take_content(mapping(message.get("content")))
        elif kind == "tool-plan-delta":
            plan = word(message.get("tool_plan"))
            self._reasoning_chars += len(plan or "")
            return plan is not None
        elif kind in ("tool-call-start", "tool-call-delta"):
            calls = message.get("tool_calls")
            return self._take_tool(mapping(calls) or next(iter(mappings(calls)), {}), event.get("index"))
        elif kind == "message-end":
            self._is_done = True
            self._finish = delta.get("finish_reason") or self._finish
            self._usage = delta.get("usage") or self._usage
            if delta.get("error"):
                self._error = {"message": delta["error"]}
        elif kind == "error" or "error" in event:
            self._error = event.get("error") or event
        return False

    def _take_content(self, content: Payload) -> bool:
        text, thinking = word(content.get("text")), word(content.get("thinking"))
        if text is not None:
            self._text.append(text)
        self._reasoning_chars += len(thinking or "")
        return text is not None or thinking is not None

    def _take_tool(self, call: Payload, index: Any) -> bool:
        body = mapping(call.get("function"))
        key = index if isinstance(index, int) else len(self._tools)
        tool = self._tools.setdefault(key, Assembly())
        tool.id = tool.id or word(call.get("id"))
        tool.name = tool.name or word(body.get("name")) or ""
        tool.add(body.get("arguments"))
        return bool(body.get("arguments"))

    def _take_v1(self, event: Payload) -> bool:
        kind = event.get("event_type")
        if kind == "stream-start":
            self._id = event.get("generation_id") or self._id
        elif kind == "text-generation":
            text = word(event.get("text"))
            if text is not None:
                self._text.append(text)
            return text is not None
        elif kind == "tool-calls-generation":
            for call in mappings(event.get("tool_calls")):
                self._take_v1_tool(call)
            return bool(self._tools)
        elif kind == "stream-end":
            self._is_done = True
            self._whole = mapping(event.get("response"))
            self._finish = event.get("finish_reason") or self._finish
            self._usage = self._whole.get("meta") or self._usage
            self._id = self._whole.get("generation_id") or self._id
        elif "message" in event and kind is None:
            self._error = event
        return False

    def _take_v1_tool(self, call: Payload) -> None:
        tool = Assembly(word(call.get("name")) or "")
        tool.replace(call.get("parameters"))
        self._tools[len(self._tools)] = tool

    def take_whole(self, body: Payload) -> None:
        """A whole response of v2, v1 or generate."""
        self._is_done = True
        self._id = body.get("generation_id") or body.get("id")
        self._finish = body.get("finish_reason")
        self._usage = body.get("usage") or body.get("meta")
        message = mapping(body.get("message"))
        for part in mappings(message.get("content")):
            self._take_content(part)
        self._reasoning_chars += len(word(message.get("tool_plan")) or "")
        for index, call in enumerate(mappings(message.get("tool_calls"))):
            self._take_tool(call, index)
        text = word(body.get("text"))
        if text is not None:
            self._text.append(text)
        for call in mappings(body.get("tool_calls")):
            self._take_v1_tool(call)
        generations = mappings(body.get("generations"))
        if generations:
            self._text.append(word(generations[0].get("text")) or "")
            self._finish = self._finish or generations[0].get("finish_reason")

    def _result(self) -> Parsed:
        error_type, error_message = failure({"error": self._error}, None) if self._error else (None, None)
        raw = self._usage
        usage: Usage | None = None
        flags: tuple[str, ...] = ()
        if mapping(raw):
            usage, flags = usage_of(raw)
        if usage is None or usage == Usage():
            usage = None
            flags = ("usage_missing",) if self._is_done and error_type is None else ()
        finish = word(self._finish)
        return Parsed(
            usage=usage,
            usage_raw=raw,
            response_id=word(self._id),
            tool_calls=tuple([tool.tool_call() for tool in self._tools.values()]),
            finish_reasons=() if finish is None else (finish,),
            text="".join(self._text) or None,
            reasoning_chars=self._reasoning_chars,
            error_type=error_type,
            error_message=error_message,
            is_complete=self._is_done,
            flags=flags,
        )


def parse_mapping(body: Payload) -> Parsed:
    """A whole response that is decoded already."""
    if "event_type" in body:
        only = ChatStream()
        only.feed(body)
        return only.result()
    stream = ChatStream()
    stream.take_whole(body)
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole response; also a stream that was read whole."""
    return read_whole(raw, parse_mapping, ChatStream)


def asked(body: Payload, url: str) -> Asked:
    """What a chat or generate request asks for."""
    del url
    prompt = body.get("messages")
    if prompt is None:
        prompt = {key: body[key] for key in ("preamble", "chat_history", "message", "prompt") if key in body} or None
    return Asked(
        model=word(body.get("model")),
        is_stream=body.get("stream") is True,
        prompt=prompt,
        parameters=scalars(body, PARAMETERS),
    )


CHAT = Format("cohere.chat", "chat", asked, parse, ChatStream)
GENERATE = Format("cohere.generate", "text_completion", asked, parse, ChatStream)
