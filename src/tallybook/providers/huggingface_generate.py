"""Hugging Face's text generation in its own form (`/generate`, `/generate_stream`, and models' inference endpoints).

`details.generated_tokens` counts the output; the input is told only as the list `details.prefill`, when it was asked
for, or as `details.input_length` in streams of newer servers. Without details nothing is counted.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from tallybook.model.usage import Usage
from tallybook.providers.accounting import settled
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.loose import LooseStream, read_whole
from tallybook.providers.value import mapping, scalars, whole, word

PARAMETERS = ("temperature", "top_p", "top_k", "max_new_tokens", "repetition_penalty", "do_sample", "seed",
              "best_of")  # fmt: skip
_MODEL = re.compile(r"/models/([^/?]+(?:/[^/?:]+)?)")


class GenerateStream(LooseStream):
    """Accumulates tokens; the last event has the whole text and the details."""

    __slots__ = ("_details", "_error", "_text", "_whole")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._whole: str | None = None
        self._details: Payload = {}
        self._error: Any = None

    def _take_mapping(self, event: Payload) -> bool:
        if event.get("error"):
            self._error = event
        token = mapping(event.get("token"))
        text = word(token.get("text"))
        if text is not None and token.get("special") is not True:
            self._text.append(text)
        if mapping(event.get("details")):
            self._details = event["details"]
        if isinstance(event.get("generated_text"), str):
            self._whole = event["generated_text"]
            self._is_done = True
        return text is not None

    def _result(self) -> Parsed:
        error_type, message = failure(self._error, None) if self._error else (None, None)
        details = self._details
        prefill = details.get("prefill")
        input_tokens = whole(details.get("input_length"))
        if input_tokens is None and isinstance(prefill, list) and prefill:
            input_tokens = len(prefill)
        usage, flags = settled(Usage(input_tokens=input_tokens, output_tokens=whole(details.get("generated_tokens"))))
        is_empty = usage == Usage()
        finish = word(details.get("finish_reason"))
        if is_empty:
            flags = ("usage_missing",) if self._is_done else ()
        elif input_tokens is None:
            flags = (*flags, "input_missing")
        return Parsed(
            usage=None if is_empty else usage,
            usage_raw={key: value for key, value in details.items() if key not in ("prefill", "tokens")} or None,
            finish_reasons=() if finish is None else (finish,),
            text=self._whole or "".join(self._text) or None,
            error_type=error_type,
            error_message=message,
            is_complete=self._is_done,
            flags=flags,
        )


def parse_mapping(body: Payload) -> Parsed:
    """A whole response that is decoded already."""
    stream = GenerateStream()
    stream.feed(body)
    return stream.result()


def parse(raw: bytes) -> Parsed:
    """A whole response (an object or a list of one); also a stream that was read whole."""
    return read_whole(raw, parse_mapping, GenerateStream)


def asked(body: Payload, url: str) -> Asked:
    """What a request asks for; the model stands in the URL, if anywhere."""
    match = _MODEL.search(url)
    parameters = mapping(body.get("parameters"))
    return Asked(
        model=unquote(match.group(1)) if match else word(body.get("model")),
        is_stream=body.get("stream") is True or "generate_stream" in url,
        prompt=body.get("inputs"),
        parameters=scalars(parameters, PARAMETERS),
    )


GENERATE = Format("huggingface.generate", "text_completion", asked, parse, GenerateStream)
