"""The frame of every format's stream: raw bytes or decoded events in, a `Parsed` out.

The fast way turns a whole buffer into one JSON array and decodes it once into typed events; whatever does not
fit (comments, odd framing, values of unexpected types) goes the slow way through `sse.Frames`, event by event.
Both ways end in the same `_take`, so they cannot differ in what they count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from tallybook.providers.base import Parsed, Payload
from tallybook.providers.lenient import UNREADABLE
from tallybook.providers.sse import DONE, Frames

E = TypeVar("E")

_DONE_LINE = b"data: [DONE]\n\n"


def plain_events(raw: bytes) -> tuple[bytes, bool] | None:
    """`data:`-only events as the bytes of one JSON array, and whether `[DONE]` ended them; `None` if not that plain.

    Raw line ends cannot occur inside JSON text, so what separates events is safe to cut at. Cutting and joining
    takes two thirds of the time of replacing.
    """
    is_done = raw.endswith(_DONE_LINE)
    if is_done:
        raw = raw[: -len(_DONE_LINE)]
        if not raw:
            return b"[]", True
    if not (raw.startswith(b"data: ") and raw.endswith(b"\n\n")):
        return None
    return b"[" + b",".join(raw[6:-2].split(b"\n\ndata: ")) + b"]", is_done


def named_events(raw: bytes) -> tuple[bytes, bool] | None:
    """Events of exactly `event:` line, `data:` line, blank line as the bytes of one JSON array."""
    if not (raw.startswith(b"event: ") and raw.endswith(b"\n\n")):
        return None
    lines = raw.split(b"\n")
    if any(lines[2::3]) or len(lines) % 3 != 1:
        return None
    data = lines[1::3]
    if not data[0].startswith(b"data: "):
        return None
    return b"[" + b"\n".join(data)[6:].replace(b"\ndata: ", b",") + b"]", False


def crlf_events(raw: bytes) -> tuple[bytes, bool] | None:
    """`data:`-only events with CRLF line ends as the bytes of one JSON array."""
    if not (raw.startswith(b"data: ") and raw.endswith(b"\r\n\r\n")):
        return plain_events(raw)
    return b"[" + b",".join(raw[6:-4].split(b"\r\n\r\ndata: ")) + b"]", False


class EventStream(Generic[E]):
    """Base of the formats' streams. A subclass tells how to decode a batch, convert a mapping and take an event."""

    _array: Callable[[bytes], tuple[bytes, bool] | None] = staticmethod(plain_events)
    """How a buffer becomes the bytes of one JSON array; `None` sends it the slow way."""
    _decode: Callable[[bytes], list[E]]
    """Typed decoder of that array."""

    __slots__ = ("_frames", "_is_done")

    def __init__(self) -> None:
        self._frames: Frames | None = None
        self._is_done = False

    def feed(self, event: Payload) -> bool:
        """Take one decoded event; True when it carries content (text, reasoning, tool argument)."""
        if event is DONE:
            self._is_done = True
            return False
        return isinstance(event, Mapping) and self._take(self._event_of(event))

    def feed_bytes(self, raw: bytes) -> None:
        """Take raw bytes, best whole events; equal to `feed` of each event in them. Never raises for their content."""
        frames = self._frames
        if frames is None or not frames.pending:
            array = self._array(raw)
            if array is not None:
                try:
                    events = self._decode(array[0])
                except UNREADABLE:
                    pass  # The slow way below reads what can be read.
                else:
                    self._take_all(events)
                    self._is_done = self._is_done or array[1]
                    return
        if frames is None:
            frames = self._frames = Frames()
        for event in frames.feed(raw):
            self.feed(event)

    def result(self) -> Parsed:
        """What was seen so far; an event whose closing line end never came is counted too."""
        if self._frames is not None:
            for event in self._frames.flush():
                self.feed(event)
        return self._result()

    def _take_all(self, events: list[E]) -> None:
        take = self._take
        for event in events:
            take(event)

    def _event_of(self, event: Mapping[str, Any]) -> E:
        raise NotImplementedError

    def _take(self, event: E) -> bool:
        raise NotImplementedError

    def _result(self) -> Parsed:
        raise NotImplementedError
