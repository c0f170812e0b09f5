"""Gemini's live events over a socket.

A session is several calls: each turn ends with `turnComplete` and a usage of its own, whose prompt holds all said
before. Output is `responseTokenCount` on the Gemini API and `candidatesTokenCount` on Vertex; thoughts are counted
beside it and are NOT in the total (541 + 61 = 602, thoughts 46), so output = response + thoughts. A recorded session
is JSON lines, each a message or `{"direction": "sent"|"received", "data": message}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload, Result
from tallybook.providers.google_generate import cached_apart, modalities
from tallybook.providers.loose import LooseStream, read_whole
from tallybook.providers.session import summed
from tallybook.providers.tool import arguments_text
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("temperature", "topP", "topK", "maxOutputTokens", "mediaResolution")


def usage_of(raw: Mapping[str, Any]) -> tuple[Usage, tuple[str, ...]]:
    """The normal form of a live `usageMetadata`, and its faults."""
    get = raw.get
    prompt, by_tools = whole(get("promptTokenCount")), whole(get("toolUsePromptTokenCount"))
    response = whole(get("responseTokenCount"))
    response = whole(get("candidatesTokenCount")) if response is None else response
    thoughts, total = whole(get("thoughtsTokenCount")), whole(get("totalTokenCount"))
    input_tokens = None if prompt is None else prompt + (by_tools or 0)
    if response is None and total is not None and input_tokens is not None:
        response = max(total - input_tokens, 0)
    flags: tuple[str, ...] = ()
    if None not in (total, input_tokens, response):
        known = (input_tokens or 0) + (response or 0)
        flags = () if total in (known, known + (thoughts or 0), known - (by_tools or 0)) else ("total_differs",)
    inside = modalities(get("promptTokensDetails"), get("toolUsePromptTokensDetails"))
    outside = modalities(get("responseTokensDetails"), get("candidatesTokensDetails"))
    usage, found = settled(
        Usage(
            input_tokens=input_tokens,
            output_tokens=thoughts if response is None else response + (thoughts or 0),
            cache_read_tokens=whole(get("cachedContentTokenCount")),
            input_audio_tokens=inside.get("AUDIO"),
            input_image_tokens=inside.get("IMAGE"),
            reasoning_tokens=thoughts,
            output_audio_tokens=outside.get("AUDIO"),
            output_image_tokens=outside.get("IMAGE"),
            quantities=cached_apart(modalities(get("cacheTokensDetails"), None)),
        )
    )
    return usage, flags + found


class LiveStream(LooseStream):
    """Accumulates a session; `turns` holds those that are over."""

    __slots__ = ("_is_open", "_model", "_reasoning_chars", "_text", "_tools", "_usage", "turns")

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[Parsed] = []
        """The turns so far, in their order."""
        self._model: str | None = None
        self._begin()

    def _begin(self) -> None:
        self._text: list[str] = []
        self._tools: list[ToolCall] = []
        self._reasoning_chars = 0
        self._usage: Any = None
        self._is_open = False

    def _take_mapping(self, event: Payload) -> bool:
        if "direction" in event:
            is_sent = event.get("direction") == "sent"
            event = mapping(event.get("data"))
            if is_sent:
                self._model = word(mapping(event.get("setup")).get("model")) or self._model
                return False
        has_content = False
        content = event.get("serverContent")
        if isinstance(content, Mapping):
            has_content = self._take_content(content)
        for call in mappings(mapping(event.get("toolCall")).get("functionCalls")):
            has_content = True
            self._tools.append(
                ToolCall(
                    name=word(call.get("name")) or "",
                    id=word(call.get("id")),
                    arguments=arguments_text(call.get("args")),
                )
            )
        self._is_open = self._is_open or has_content
        if mapping(event.get("usageMetadata")):
            self._take_usage(event["usageMetadata"])
        if mapping(content).get("turnComplete") is True:
            self._end(is_complete=True)
        return has_content

    def _take_content(self, content: Payload) -> bool:
        text = word(mapping(content.get("outputTranscription")).get("text"))
        has_content = text is not None
        if text is not None:
            self._text.append(text)
        for part in mappings(mapping(content.get("modelTurn")).get("parts")):
            said = word(part.get("text"))
            has_content = has_content or said is not None or "inlineData" in part
            if said is not None and part.get("thought") is True:
                self._reasoning_chars += len(said)
            elif said is not None:
                self._text.append(said)
        return has_content

    def _take_usage(self, raw: Any) -> None:
        """Usage may come after the end of its turn, while nothing of the next one was seen."""
        last = self.turns[-1] if self.turns else None
        if not self._is_open and last is not None and last.usage is None:
            usage, flags = usage_of(raw)
            self.turns[-1] = msgspec.structs.replace(last, usage=usage, usage_raw=raw, flags=flags)
        else:
            self._usage = raw

    def _end(self, *, is_complete: bool) -> None:
        if is_complete or self._is_open or self._usage is not None:
            self.turns.append(self._turn(is_complete=is_complete))
        self._begin()

    def _turn(self, *, is_complete: bool) -> Parsed:
        usage: Usage | None = None
        flags: tuple[str, ...] = ()
        if self._usage is not None:
            usage, flags = usage_of(self._usage)
        elif is_complete:
            flags = ("usage_missing",)
        return Parsed(
            usage=usage,
            usage_raw=self._usage,
            response_model=(self._model or "").rpartition("models/")[2] or None,
            service_tier=word(mapping(self._usage).get("trafficType")),
            tool_calls=tuple(self._tools),
            text="".join(self._text) or None,
            reasoning_chars=self._reasoning_chars,
            is_complete=is_complete,
            flags=flags,
        )

    def seen(self) -> list[Parsed]:
        """The turns that are over, and the one under way if anything of it was seen."""
        if self._is_open or self._usage is not None:
            return [*self.turns, self._turn(is_complete=False)]
        return self.turns

    def _result(self) -> Parsed:
        turns = self.seen()
        return summed(turns) if turns else Parsed(is_complete=False)


def _whole(event: Payload) -> Parsed:
    stream = LiveStream()
    stream.feed(event)
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole session: the sum of its turns."""
    return read_whole(raw, _whole, LiveStream)


def results(raw: bytes) -> Iterator[Result]:
    """The turns of a whole session, one by one."""
    stream = LiveStream()
    stream.feed_bytes(raw)
    stream.result()
    yield from [Result(None, turn, operation="realtime") for turn in stream.seen()]


def asked(body: Payload, url: str) -> Asked:
    """What the set-up of a session asks for."""
    del url
    setup = mapping(body.get("setup"))
    return Asked(
        model=(word(setup.get("model")) or "").rpartition("models/")[2] or None,
        is_stream=True,
        prompt=setup.get("systemInstruction"),
        parameters=scalars(mapping(setup.get("generationConfig")), PARAMETERS),
    )


LIVE = Format("google.live", "realtime", asked, parse, LiveStream, results)
