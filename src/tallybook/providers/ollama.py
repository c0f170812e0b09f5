"""Ollama's own interface: chat, generate, and embeddings old and new; streams are JSON lines.

`prompt_eval_count` counts what was evaluated: it is left out, or 0, when the prompt was cached from the call before,
so the input is unknown then, not nothing. `eval_count` includes thinking. Usage comes with `done: true`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, unreadable
from tallybook.providers.loose import LooseStream, read_whole
from tallybook.providers.tool import Assembly
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("temperature", "top_p", "top_k", "num_predict", "num_ctx", "seed", "repeat_penalty", "min_p")
_COUNTS = ("prompt_eval_count", "eval_count", "total_duration", "load_duration", "prompt_eval_duration",
           "eval_duration")  # fmt: skip


def usage_of(body: Payload) -> tuple[Usage | None, tuple[str, ...]]:
    """The normal form of the counts in a last event, and flags; `None` when there are none."""
    asked_for, said = whole(body.get("prompt_eval_count")), whole(body.get("eval_count"))
    if asked_for is None and said is None:
        return None, ("usage_missing",)
    usage, flags = settled(Usage(input_tokens=asked_for or None, output_tokens=said))
    return usage, flags if asked_for else (*flags, "input_missing")


class ChatStream(LooseStream):
    """Accumulates the lines of chat or generate; a whole response is the only one."""

    __slots__ = ("_error", "_last", "_model", "_reasoning_chars", "_text", "_tools")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._reasoning_chars = 0
        self._tools: list[Assembly] = []
        self._last: Payload = {}
        self._model: str | None = None
        self._error: Any = None

    def _take_mapping(self, event: Payload) -> bool:
        self._model = word(event.get("model")) or self._model
        if event.get("error"):
            self._error = event["error"]
        message = mapping(event.get("message")) or event
        text = word(message.get("content")) or word(message.get("response"))
        thinking = word(message.get("thinking"))
        if text is not None:
            self._text.append(text)
        self._reasoning_chars += len(thinking or "")
        calls = mappings(message.get("tool_calls"))
        for call in calls:
            body = mapping(call.get("function"))
            tool = Assembly(word(body.get("name")) or "", word(call.get("id")))
            tool.replace(body.get("arguments"))
            self._tools.append(tool)
        if event.get("done") is True:
            self._is_done = True
            self._last = event
        return text is not None or thinking is not None or bool(calls)

    def _result(self) -> Parsed:
        error_type, message = failure({"error": self._error}, None) if self._error else (None, None)
        usage: Usage | None = None
        flags: tuple[str, ...] = ()
        if self._is_done:
            usage, flags = usage_of(self._last)
        finish = word(self._last.get("done_reason"))
        return Parsed(
            usage=usage,
            usage_raw={key: self._last[key] for key in _COUNTS if key in self._last} or None,
            response_model=self._model,
            tool_calls=tuple([tool.tool_call() for tool in self._tools]),
            finish_reasons=() if finish is None else (finish,),
            text="".join(self._text) or None,
            reasoning_chars=self._reasoning_chars,
            error_type=error_type,
            error_message=message,
            is_complete=self._is_done,
            flags=flags,
        )


def parse_mapping(body: Payload) -> Parsed:
    """A whole response that is decoded already."""
    stream = ChatStream()
    stream.feed(body)
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole response; also a stream that was read whole."""
    return read_whole(raw, parse_mapping, ChatStream)


class _Embedded(msgspec.Struct, gc=False):
    model: Any = None
    prompt_eval_count: Any = None
    error: Any = None


_decode_embedded = msgspec.json.Decoder(_Embedded).decode


def parse_embeddings(raw: bytes) -> Parsed:
    """A whole response; the older interface (`/api/embeddings`) counts nothing. Vectors are passed over."""
    try:
        body = _decode_embedded(raw)
    except UNREADABLE:
        return unreadable(raw)
    if body.error is not None:
        error_type, message = failure({"error": body.error}, None)
        return Parsed(error_type=error_type, error_message=message)
    count = whole(body.prompt_eval_count)
    if not count:
        return Parsed(response_model=word(body.model), flags=("usage_missing",))
    usage, flags = settled(Usage(input_tokens=count))
    raw_usage = {"prompt_eval_count": body.prompt_eval_count}
    return Parsed(usage=usage, usage_raw=raw_usage, response_model=word(body.model), flags=flags)


def asked(body: Payload, url: str) -> Asked:
    """What a request asks for. Chat and generate stream unless told not to."""
    parameters = scalars(mapping(body.get("options")), PARAMETERS)
    parameters.update(scalars(body, ("think", "format")))
    prompt = next((body[key] for key in ("messages", "prompt", "input") if key in body), None)
    system = word(body.get("system"))
    return Asked(
        model=word(body.get("model")),
        is_stream=body.get("stream") is not False and "/embed" not in url,
        prompt=prompt if system is None else {"system": system, "prompt": prompt},
        parameters=parameters,
    )


CHAT = Format("ollama.chat", "chat", asked, parse, ChatStream)
GENERATE = Format("ollama.generate", "text_completion", asked, parse, ChatStream)
EMBEDDINGS = Format("ollama.embeddings", "embeddings", asked, parse_embeddings)
