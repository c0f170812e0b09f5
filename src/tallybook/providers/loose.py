"""The frame of formats where events stay mappings: fewer lines a format, about half the speed of typed events.

Used by every format whose answers are short or rare; the formats that carry most calls decode into types of their
own (`stream.EventStream`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tallybook.providers.base import Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, decode, unreadable
from tallybook.providers.sse import looks_like_sse
from tallybook.providers.stream import EventStream


class LooseStream(EventStream[Any]):
    """Accumulates events as mappings. A subclass tells `_take_mapping` and `_result`."""

    _decode = msgspec.json.Decoder(list[Any]).decode

    __slots__ = ()

    def _event_of(self, event: Mapping[str, Any]) -> Any:
        return event

    def _take(self, event: Any) -> bool:
        return isinstance(event, Mapping) and self._take_mapping(event)

    def _take_mapping(self, event: Payload) -> bool:
        """Take one event; True when it carries content."""
        raise NotImplementedError


def read_whole(raw: bytes, whole: Callable[[Payload], Parsed], make: Callable[[], LooseStream] | None = None) -> Parsed:
    """A whole body: a JSON object by `whole`, a stream that was read whole by `make`, an error told as such.

    Never raises: bytes that are neither give an empty `Parsed` with the flag `body_unreadable`.
    """
    try:
        body = decode(raw)
    except UNREADABLE:
        if make is not None and (looks_like_sse(raw) or raw.lstrip()[:1] in (b"{", b"[") or raw[:1] == b"\0"):
            stream = make()
            stream.feed_bytes(raw)
            return stream.result()
        return unreadable(raw)
    error_type, error_message = failure(body, None)
    if error_type is not None:
        return Parsed(error_type=error_type, error_message=error_message)
    if isinstance(body, list) and make is not None:
        stream = make()
        for event in body:
            if isinstance(event, Mapping):
                stream.feed(event)
        return stream.result()
    return whole(body) if isinstance(body, Mapping) else Parsed(flags=("usage_missing",))
