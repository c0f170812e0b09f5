"""Anthropic's legacy text completions (`/v1/complete`): a completion and a stop reason, never a usage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.providers.anthropic_messages import PARAMETERS
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, parsed_again
from tallybook.providers.sse import looks_like_sse
from tallybook.providers.stream import EventStream, named_events
from tallybook.providers.value import scalars, word


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    id: Any = None
    model: Any = None
    completion: Any = None
    stop_reason: Any = None
    error: Any = None


_decode_whole = msgspec.json.Decoder(_Event).decode


class CompleteStream(EventStream[_Event]):
    """Accumulates completion events; a whole response is its only event."""

    _array = staticmethod(named_events)
    _decode = msgspec.json.Decoder(list[_Event]).decode

    __slots__ = ("_error", "_id", "_model", "_stop", "_text")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._id: Any = None
        self._model: Any = None
        self._stop: Any = None
        self._error: Any = None

    def _event_of(self, event: Mapping[str, Any]) -> _Event:
        return _Event(*[event.get(name) for name in _Event.__struct_fields__])

    def _take(self, event: _Event) -> bool:
        self._id = event.id or self._id
        self._model = event.model or self._model
        self._stop = event.stop_reason or self._stop
        self._error = event.error or self._error
        text = word(event.completion)
        if text is not None:
            self._text.append(text)
        return text is not None

    def _result(self) -> Parsed:
        error_type, error_message = failure({"error": self._error}, None) if self._error else (None, None)
        stop = word(self._stop)
        return Parsed(
            response_id=word(self._id),
            response_model=word(self._model),
            finish_reasons=(stop,) if stop is not None else (),
            text="".join(self._text) if self._text else None,
            error_type=error_type,
            error_message=error_message,
            is_complete=self._is_done or stop is not None,
            flags=("usage_missing",) if error_type is None else (),
        )


def parse(raw: bytes) -> Parsed:
    """A whole response; also a stream that was read whole. Bytes that are no JSON give an empty `Parsed`."""
    stream = CompleteStream()
    try:
        stream._take(_decode_whole(raw))
    except UNREADABLE:
        if looks_like_sse(raw):
            stream.feed_bytes(raw)
            return stream.result()
        return parsed_again(raw, parse)
    stream._is_done = True
    return stream.result()


def asked(body: Payload, url: str) -> Asked:
    """What a completion request asks for."""
    return Asked(
        model=word(body.get("model")),
        is_stream=body.get("stream") is True,
        prompt=body.get("prompt"),
        parameters=scalars(body, PARAMETERS),
    )


COMPLETE = Format("anthropic.complete", "text_completion", asked, parse, CompleteStream)
