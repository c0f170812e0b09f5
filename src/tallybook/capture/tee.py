"""Listens to an HTTP response's body while the application reads it, whatever way it reads.

The SDK's own stream objects are not touched: only the response's `iter_bytes` (or `aiter_bytes`) and
`close` are shadowed on that one instance, by objects that hold the response weakly, so that dropping a
stream ends it as promptly as without us. Per chunk there is one append; parsing waits for the end or a
full buffer. Until the first content has passed, events are looked at one by one: its time is the TTFT.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

from tallybook.capture import guard, unfinished
from tallybook.capture.batch import record_batch
from tallybook.capture.hide import UsageFilter
from tallybook.capture.observe import Observation
from tallybook.model.call import Status
from tallybook.model.limits import STREAM_BUFFER_BYTES
from tallybook.providers.base import Parsed, Stream
from tallybook.providers.sse import Frames

_WHOLE_BYTES = 67_108_864
"""A whole body read as a stream that is kept for parsing. Beyond: recorded without usage, flagged `body_too_large`."""
_WEIGHED = 32
"""Chunks of a plain body after which their sizes are added up, so that each alone costs no more than being kept."""


class Listener:
    """What passed of one body, and how it ended. Finishes its observation exactly once."""

    __slots__ = (
        "__weakref__",
        "_ended",
        "_frames",
        "_full",
        "_http_status",
        "_is_events",
        "_is_kept",
        "_is_too_large",
        "_size",
        "_stream",
        "_ttft_us",
        "buffer",
        "is_plain",
        "observation",
    )

    def __init__(self, observation: Observation, content_type: str, http_status: int | None = None) -> None:
        self.observation = observation
        self._http_status = http_status
        self.buffer: list[bytes] = []
        self._size = 0
        self._full = STREAM_BUFFER_BYTES
        self._is_too_large = False
        self._ended = False
        self._ttft_us: int | None = None
        make = observation.format.stream
        self._stream: Stream | None = make() if make is not None else None
        self._frames: Frames | None = Frames()
        self._is_events: bool | None = None
        if content_type.startswith("text/event-stream"):
            self._is_events = True
        elif not observation.asked.is_stream and content_type.startswith("application/json"):
            self._is_events = False
        self._is_kept = self._is_events is True or observation.format.operation != "speech"
        self.is_plain = self._is_kept and self._is_events is False
        """From now on a chunk is just kept: the body is no stream, or its first content has passed."""
        unfinished.add(self)

    def hear(self, chunk: bytes) -> None:
        """Take one piece of the decoded body, as it passes."""
        if self.is_plain:
            self.buffer.append(chunk)
            self._size += len(chunk)
            if self._size > self._full:
                self._relieve()
        elif self._frames is not None and self._is_kept:
            self._first(chunk)

    def weigh(self, before: int) -> bool:
        """Count in what was put into the buffer since it held `before` chunks; False when the body was over."""
        added = self.buffer[before:]
        self._size += sum(map(len, added))
        if self._size > self._full:
            with guard.contained("listening to a stream"):
                self._relieve()
        return len(added) == _WEIGHED

    def _first(self, chunk: bytes) -> None:
        """Until content came: decode event by event, and tell events from a whole body by their first bytes."""
        if self._is_events is None:
            start = chunk.lstrip()[:1]
            if not start:
                return
            # A JSON array can be a stream as well (Gemini without `alt=sse`).
            self._is_events = start in b"d:ei[\x1e" if self.observation.asked.is_stream else start in b"d:ei"
            if not self._is_events:
                self.is_plain = True
                self.hear(chunk)
                return
        if self._frames is None or self._stream is None:
            return
        found = False
        for event in self._frames.feed(chunk):
            found = self._stream.feed(event) or found
        if found:
            if self._ttft_us is None:
                self._ttft_us = self.observation.elapsed_us()
            rest = self._frames.hand_over()
            if rest is not None:
                self._frames = None
                self.is_plain = True
                if rest:
                    self.buffer.append(rest)
                    self._size = len(rest)

    def _relieve(self) -> None:
        """Parse what is whole in the buffer, so that memory stays flat on endless streams."""
        if self._stream is None or self._is_events is False:
            if self._size > _WHOLE_BYTES:
                self._give_up()
            return
        data = b"".join(self.buffer)
        cut = max(data.rfind(b"\n\n") + 2, data.rfind(b"\r\n\r\n") + 4)
        if cut >= 4:
            self._stream.feed_bytes(data[:cut])
        else:
            cut = 0
        self.buffer[:] = [data[cut:]]
        self._size = len(data) - cut
        # An event larger than the buffer (a picture) is looked at again when it has doubled, not at each chunk.
        self._full = max(STREAM_BUFFER_BYTES, 2 * self._size)
        if self._size > _WHOLE_BYTES:
            self._give_up()

    def _give_up(self) -> None:
        self.buffer.clear()
        self._is_kept = self.is_plain = False
        self._is_too_large = True

    def end(self, status: Status | None = None, error: BaseException | None = None) -> None:
        """The body is over: read whole, closed early, dropped or broken. Only the first call counts."""
        if self._ended:
            return
        self._ended = True
        duration_us = self.observation.elapsed_us()
        with guard.contained("recording a stream"):
            self._finish(duration_us, status, error)

    def _finish(self, duration_us: int, status: Status | None, error: BaseException | None) -> None:
        observation = self.observation
        data = b"".join(self.buffer)
        self.buffer.clear()
        if observation.format.batch is not None:
            record_batch(observation, data)
            return
        if not self._is_kept:
            flags = ("body_too_large",) if self._is_too_large else ()
            parsed = Parsed(is_complete=error is None and status is None, flags=flags)
        elif self._is_events is False or self._stream is None:
            parsed = observation.format.parse(data) if data else Parsed(is_complete=error is None)
        else:
            if self._frames is not None:
                for event in self._frames.flush():
                    self._stream.feed(event)
            if data:
                self._stream.feed_bytes(data if data.endswith((b"\n\n", b"\r\n\r\n")) else data + b"\n\n")
            parsed = self._stream.result()
        observation.finish_stream(parsed, duration_us, status, error, self._ttft_us, self._http_status)

    def forget(self) -> None:
        """Record nothing: another process does."""
        self._ended = True

    def __del__(self) -> None:
        if not self._ended:
            self.end("incomplete")


def _listened(inner: Iterator[bytes], listener: Listener, hidden: UsageFilter | None) -> Iterator[bytes]:
    """The byte chunks of `inner`, told to a listener as they pass. A generator, as httpx's own `iter_bytes` is."""
    hear = listener.hear
    keep = listener.buffer.append
    try:
        for chunk in inner:
            try:
                hear(chunk)
            except Exception as error:  # noqa: BLE001
                guard.failed("listening to a stream", error)
            if hidden is not None:
                if seen := hidden.pass_on(chunk):
                    yield seen
                continue
            yield chunk
            if listener.is_plain:
                break
        while listener.is_plain and hidden is None:
            before = len(listener.buffer)
            for chunk in islice(inner, _WEIGHED):
                keep(chunk)
                yield chunk
            if not listener.weigh(before):
                break
        if hidden is None:
            yield from inner  # Nothing is left, or nothing is heard of it any more.
        if hidden is not None and (rest := hidden.end()):
            yield rest
    except GeneratorExit:
        raise  # Left early: closing or dropping the response tells the listener.
    except BaseException as error:
        listener.end(error=error)
        raise
    listener.end()


class _Async:
    """The asynchronous twin of `_listened`; no generator, whose end would wait for the event loop's clean-up."""

    __slots__ = ("_filter", "_hear", "_inner", "_listener", "_next")

    def __init__(self, inner: AsyncIterator[bytes], listener: Listener, hidden: UsageFilter | None) -> None:
        self._inner = inner
        self._next = inner.__anext__
        self._listener = listener
        self._hear = listener.hear
        self._filter = hidden

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while True:
            try:
                chunk = await self._next()
            except StopAsyncIteration:
                if self._filter is not None and (rest := self._filter.end()):
                    return rest
                self._listener.end()
                raise
            except BaseException as error:
                self._listener.end("cancelled" if type(error).__name__ == "CancelledError" else None, error)
                raise
            try:
                self._hear(chunk)
            except Exception as error:  # noqa: BLE001
                guard.failed("listening to a stream", error)
            if self._filter is None:
                return chunk
            if seen := self._filter.pass_on(chunk):
                return seen

    async def aclose(self) -> None:
        """As an asynchronous generator's aclose."""
        close = getattr(self._inner, "aclose", None)
        if close is not None:
            await close()


def attach(response: Any, observation: Observation, *, is_async: bool, hide_usage: bool = False) -> None:
    """Listen to an httpx response that has not been read yet."""
    listener = Listener(observation, response.headers.get("content-type", ""), response.status_code)
    hidden = UsageFilter() if hide_usage else None
    holder = weakref.ref(response)
    kind = type(response)

    reading: list[weakref.ref[Any]] = []
    """The generator that is read, weakly: it holds the response."""

    if is_async:

        def aiter_bytes(chunk_size: int | None = None) -> _Async:
            source = kind.aiter_bytes(holder(), chunk_size)
            reading[:] = [weakref.ref(source)]
            return _Async(source, listener, hidden)

        async def aclose() -> None:
            live = holder()
            try:
                if live is not None:
                    await kind.aclose(live)
            finally:
                if not _is_running(reading, "ag_running"):
                    listener.end("incomplete")

        response.aiter_bytes = aiter_bytes
        response.aclose = aclose
    else:

        def iter_bytes(chunk_size: int | None = None) -> Iterator[bytes]:
            source = kind.iter_bytes(holder(), chunk_size)
            reading[:] = [weakref.ref(source)]
            return _listened(source, listener, hidden)

        def close() -> None:
            live = holder()
            try:
                if live is not None:
                    kind.close(live)
            finally:
                if not _is_running(reading, "gi_running"):
                    listener.end("incomplete")

        response.iter_bytes = iter_bytes
        response.close = close


def _is_running(reading: list[weakref.ref[Any]], attribute: str) -> bool:
    """Whether the body is being read at this moment.

    The client closes a response by itself when its last bytes came in, before it hands out what is left of them
    (the rest of a chunk size, of a decompressor): then it is not over yet, and the reading tells its end.
    """
    return any(getattr(source(), attribute, False) for source in reading)
