"""OpenAI-shaped image generation, edits and variations. The pictures themselves are passed over undecoded.

Newer models count tokens; older ones (DALL·E) are billed by picture, so pictures are counted always.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, parsed_again
from tallybook.providers.openai_chat import model_in
from tallybook.providers.openai_usage import counted
from tallybook.providers.sse import looks_like_sse
from tallybook.providers.stream import EventStream, named_events
from tallybook.providers.value import mapping, scalars, whole, word

PARAMETERS = ("n", "size", "quality", "style", "background", "moderation", "output_format", "output_compression",
              "input_fidelity", "partial_images", "response_format", "aspect_ratio", "resolution")  # fmt: skip


class _Picture(msgspec.Struct, gc=False):
    """Counted only."""


class _Whole(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    data: list[_Picture] | None = None
    usage: Any = None


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    usage: Any = None
    error: Any = None
    model: Any = None


_decode_whole = msgspec.json.Decoder(_Whole).decode


def _parsed(raw: Any, images: int, model: Any, id_: Any) -> Parsed:
    usage, flags, cost = counted(mapping(raw)) if mapping(raw) else (Usage(), (), None)
    if images:
        usage = msgspec.structs.replace(usage, quantities={**usage.quantities, "images": images})
    return Parsed(
        usage=usage if usage != Usage() else None,
        usage_raw=raw,
        response_id=word(id_),
        response_model=word(model),
        cost_nanousd=cost,
        flags=flags,
    )


class ImageStream(EventStream[_Event]):
    """Accumulates partial pictures and the completed one, which carries the usage."""

    _array = staticmethod(named_events)
    _decode = msgspec.json.Decoder(list[_Event]).decode

    __slots__ = ("_error", "_images", "_model", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._usage: Any = None
        self._images = 0
        self._model: Any = None
        self._error: Any = None

    def _event_of(self, event: Mapping[str, Any]) -> _Event:
        return _Event(event.get("type"), event.get("usage"), event.get("error"), event.get("model"))

    def _take(self, event: _Event) -> bool:
        kind = event.type if isinstance(event.type, str) else ""
        self._model = event.model or self._model
        if event.usage is not None:
            self._usage = event.usage
        if event.error is not None:
            self._error = event.error
        if kind.endswith(".completed"):
            self._images += 1
            self._is_done = True
        return kind.endswith((".partial_image", ".completed"))

    def _result(self) -> Parsed:
        parsed = _parsed(self._usage, self._images, self._model, None)
        error_type, error_message = failure({"error": self._error}, None) if self._error else (None, None)
        return msgspec.structs.replace(
            parsed, is_complete=self._is_done, error_type=error_type, error_message=error_message
        )


def parse(raw: bytes) -> Parsed:
    """A whole response. Bytes that are no JSON give an empty `Parsed`."""
    try:
        body = _decode_whole(raw)
    except UNREADABLE:
        if looks_like_sse(raw):
            stream = ImageStream()
            stream.feed_bytes(raw)
            return stream.result()
        return parsed_again(raw, parse)
    if body.data is None and body.usage is None:
        error_type, error_message = failure(raw, None)
        if error_type is not None:
            return Parsed(error_type=error_type, error_message=error_message)
    return _parsed(body.usage, len(body.data or ()), body.model, body.id)


def asked(body: Payload, url: str) -> Asked:
    """What an image request asks for; `quantities.images` is what was asked, the response tells what came."""
    return Asked(
        model=word(body.get("model")) or model_in(url),
        is_stream=body.get("stream") in (True, "true"),
        prompt=body.get("prompt"),
        parameters=scalars(body, PARAMETERS),
        quantities={"images": max(whole(body.get("n")) or 1, 1)},
        facts=tuple([f"image_{name}:{value}" for name in ("quality", "size") if (value := word(body.get(name)))]),
    )


IMAGES = Format("openai.images", "image_generation", asked, parse, ImageStream)
