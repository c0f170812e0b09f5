"""DashScope's own interface (Qwen): chat with text or several media, and embeddings.

`usage` has input and output tokens, cached and reasoning ones as parts of them, in every event of a stream and so far:
the last one wins. A stream repeats the text so far, or brings its further pieces where these were asked for. The
interface that is like OpenAI's (`compatible-mode`) is `openai_chat`'s.
"""

from __future__ import annotations

from typing import Any

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.loose import LooseStream, read_whole
from tallybook.providers.tool import Assembly
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("temperature", "top_p", "top_k", "max_tokens", "seed", "n", "enable_thinking", "enable_search",
              "incremental_output", "thinking_budget", "result_format")  # fmt: skip


def usage_of(raw: Payload) -> tuple[Usage | None, tuple[str, ...]]:
    """The normal form of a `usage`, and flags; `None` for one that counts nothing."""
    asked_for, said = whole(raw.get("input_tokens")), whole(raw.get("output_tokens"))
    if asked_for is None and said is None:
        asked_for = whole(raw.get("total_tokens"))  # Embeddings have an input only.
    if asked_for is None and said is None:
        return None, ("usage_missing",)
    inside = mapping(raw.get("prompt_tokens_details") or raw.get("input_tokens_details"))
    return settled(
        Usage(
            input_tokens=asked_for,
            output_tokens=said,
            cache_read_tokens=whole(inside.get("cached_tokens")),
            input_image_tokens=whole(raw.get("image_tokens")),
            input_audio_tokens=whole(raw.get("audio_tokens")),
            reasoning_tokens=whole(mapping(raw.get("output_tokens_details")).get("reasoning_tokens")),
        )
    )


class GenerationStream(LooseStream):
    """Accumulates events; a whole response is the only one."""

    __slots__ = ("_error", "_finish", "_id", "_reasoning", "_text", "_tools", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._text = self._reasoning = ""
        self._tools: dict[int, Assembly] = {}
        self._finish: dict[int, str] = {}
        self._usage: Payload | None = None
        self._id: str | None = None
        self._error: tuple[str | None, str | None] = (None, None)

    def _take_mapping(self, event: Payload) -> bool:
        self._id = word(event.get("request_id")) or self._id
        self._usage = mapping(event.get("usage")) or self._usage
        if (code := word(event.get("code"))) is not None:
            self._error = (code, word(event.get("message")))
        output = mapping(event.get("output"))
        choices = mappings(output.get("choices")) or [output]
        before = (self._text, self._reasoning, len(self._tools))
        for position, choice in enumerate(choices):
            reason = word(choice.get("finish_reason"))
            if reason is not None and reason != "null":
                self._finish[position] = reason
            if position == 0:
                self._take_message(mapping(choice.get("message")), word(choice.get("text")))
        return (self._text, self._reasoning, len(self._tools)) != before

    def _take_message(self, message: Payload, text: str | None) -> None:
        content = message.get("content")
        parts = [word(part.get("text")) or "" for part in mappings(content)]
        self._text = _further(self._text, word(content) or text or "".join(parts))
        self._reasoning = _further(self._reasoning, word(message.get("reasoning_content")) or "")
        for position, call in enumerate(mappings(message.get("tool_calls"))):
            body = mapping(call.get("function"))
            index = whole(call.get("index"))
            tool = self._tools.setdefault(position if index is None else index, Assembly())
            tool.id = tool.id or word(call.get("id"))
            tool.name = tool.name or word(body.get("name")) or ""
            tool.replace(_further(tool.tool_call().arguments or "", word(body.get("arguments")) or ""))

    def _result(self) -> Parsed:
        usage, flags = (None, ("usage_missing",)) if self._usage is None else usage_of(self._usage)
        is_complete = self._is_done or bool(self._finish)
        error_type, error_message = self._error
        if not is_complete or error_type is not None:
            flags = tuple(flag for flag in flags if flag != "usage_missing")
        return Parsed(
            usage=usage,
            usage_raw=self._usage,
            response_id=self._id,
            tool_calls=tuple([self._tools[index].tool_call() for index in sorted(self._tools)]),
            finish_reasons=tuple([self._finish[index] for index in sorted(self._finish)]),
            text=self._text or None,
            reasoning_chars=len(self._reasoning),
            error_type=error_type,
            error_message=error_message,
            is_complete=is_complete,
            flags=flags,
        )


def _further(before: str, piece: str) -> str:
    """Text so far, by an event that has all of it, or only what is new."""
    return piece if piece.startswith(before) else before + piece


def parse_mapping(body: Payload) -> Parsed:
    """A whole response that is decoded already."""
    stream = GenerationStream()
    stream.feed(body)
    stream._is_done = True
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole response; also a stream that was read whole. Bytes that are no JSON give an empty `Parsed`."""
    return read_whole(raw, parse_mapping, GenerationStream)


def parse_embeddings(raw: bytes) -> Parsed:
    """A whole response; vectors are passed over."""
    return read_whole(raw, _embedded)


def _embedded(body: Payload) -> Parsed:
    usage, flags = usage_of(mapping(body.get("usage")))
    error_type, message = failure(body, None)
    raw: Any = body.get("usage") or None
    return Parsed(
        usage=usage, usage_raw=raw, response_id=word(body.get("request_id")), error_type=error_type,
        error_message=message, flags=flags,
    )  # fmt: skip


def asked(body: Payload, url: str) -> Asked:
    """What a request asks for: model, `input` and `parameters` stand side by side."""
    del url
    parameters = mapping(body.get("parameters"))
    given = mapping(body.get("input"))
    prompt = next((given[key] for key in ("messages", "prompt", "texts", "contents") if key in given), None)
    return Asked(
        model=word(body.get("model")),
        is_stream=body.get("stream") is True or parameters.get("incremental_output") is True,
        prompt=prompt,
        parameters=scalars(parameters, PARAMETERS),
    )


GENERATION = Format("dashscope.generation", "chat", asked, parse, GenerationStream)
EMBEDDINGS = Format("dashscope.embeddings", "embeddings", asked, parse_embeddings)
