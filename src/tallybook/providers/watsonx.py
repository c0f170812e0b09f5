"""IBM watsonx.ai: text generation and embeddings. (Its text chat is OpenAI-shaped.)

Counts stand in each result: `input_token_count` in the first, `generated_token_count` in all. In a stream each event
counts up what it has so far: the last one wins.
"""

from __future__ import annotations

from typing import Any

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.loose import LooseStream, read_whole
from tallybook.providers.value import mapping, mappings, scalars, whole, word

PARAMETERS = ("decoding_method", "temperature", "top_p", "top_k", "max_new_tokens", "min_new_tokens",
              "repetition_penalty", "random_seed", "truncate_input_tokens")  # fmt: skip


class GenerationStream(LooseStream):
    """Accumulates events; a whole response is the only one."""

    __slots__ = ("_error", "_finish", "_in", "_model", "_out", "_text")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._in: int | None = None
        self._out: int | None = None
        self._model: str | None = None
        self._finish: str | None = None
        self._error: Any = None

    def _take_mapping(self, event: Payload) -> bool:
        self._model = word(event.get("model_id")) or self._model
        if event.get("errors"):
            first = next(iter(mappings(event["errors"])), {})
            self._error = {"type": first.get("code"), "message": first.get("message")}
        elif event.get("error"):
            self._error = event["error"]
        before = len(self._text)
        for item in mappings(event.get("results")):
            text = word(item.get("generated_text"))
            if text is not None:
                self._text.append(text)
            asked_for, said = whole(item.get("input_token_count")), whole(item.get("generated_token_count"))
            self._in = asked_for if asked_for else self._in
            self._out = said if said is not None else self._out
            reason = word(item.get("stop_reason"))
            if reason is not None and reason.lower() != "not_finished":
                self._finish = reason
                self._is_done = True
        count = whole(event.get("input_token_count"))
        if count is not None:
            self._in = count
            self._is_done = True
        return len(self._text) > before

    def _result(self) -> Parsed:
        error_type, message = failure({"error": self._error}, None) if self._error else (None, None)
        usage, flags = settled(Usage(input_tokens=self._in, output_tokens=self._out))
        is_empty = usage == Usage()
        raw = {"input_token_count": self._in, "generated_token_count": self._out}
        return Parsed(
            usage=None if is_empty else usage,
            usage_raw=None if is_empty else raw,
            response_model=self._model,
            finish_reasons=() if self._finish is None else (self._finish,),
            text="".join(self._text) or None,
            error_type=error_type,
            error_message=message,
            is_complete=self._is_done,
            flags=("usage_missing",) if is_empty and self._is_done and error_type is None else flags,
        )


def parse_mapping(body: Payload) -> Parsed:
    """A whole response that is decoded already."""
    stream = GenerationStream()
    stream.feed(body)
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole response; also a stream that was read whole."""
    return read_whole(raw, parse_mapping, GenerationStream)


def asked(body: Payload, url: str) -> Asked:
    """What a request asks for."""
    prompt = body.get("input", body.get("inputs"))
    return Asked(
        model=word(body.get("model_id")),
        is_stream="_stream" in url,
        prompt=prompt,
        parameters=scalars(mapping(body.get("parameters")), PARAMETERS),
    )


GENERATION = Format("watsonx.generation", "text_completion", asked, parse, GenerationStream)
EMBEDDINGS = Format("watsonx.embeddings", "embeddings", asked, parse)
