"""Watches a stream that some library gave to `track`, until it ends; forwards everything.

A generator stays a generator, an asynchronous one likewise; any other iterator is stood in for by an object
that forwards attributes, class and context management.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from functools import wraps
from typing import Any

from msgspec import structs

from tallybook.capture import guard, unfinished
from tallybook.capture.drive import drive, driven_async
from tallybook.capture.observe import Observation
from tallybook.capture.scope import EMPTY, current
from tallybook.model.call import Status
from tallybook.providers.base import Format, Parsed, Stream
from tallybook.providers.shape import plain, stream_format_of

End = Callable[[Observation, Parsed, "Format | None", "int | None", "BaseException | None"], None]


def is_stream(value: Any) -> bool:
    """Whether a result is read piece by piece: a generator or iterator, but no container, text or file."""
    if isinstance(value, str | bytes | list | tuple | dict | set):
        return False
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return True
    kind = type(value)
    return (hasattr(kind, "__next__") or hasattr(kind, "__anext__")) and not hasattr(kind, "readline")


class Watch:
    """What passed of one stream, and its end, told once."""

    __slots__ = ("__weakref__", "_end", "_ended", "_format", "_stream", "_text", "_ttft_us", "observation", "scope")

    def __init__(self, observation: Observation, end: End) -> None:
        self.observation = observation
        self.scope = current.get()
        """What was in force when the stream was made: its own code runs under it, whenever it is read."""
        self._end = end
        self._ended = False
        self._format: Format | None = None
        self._stream: Stream | None = None
        self._text: list[str] = []
        self._ttft_us: int | None = None
        unfinished.add(self)

    def hear(self, item: Any) -> None:
        """Take one item as it passes."""
        has_content = False
        if isinstance(item, str):
            self._text.append(item)
            has_content = bool(item)
        else:
            event = plain(item)
            if self._stream is None:
                self._format = stream_format_of(event)
                if self._format is not None and self._format.stream is not None:
                    self._stream = self._format.stream()
            if self._stream is not None:
                has_content = self._stream.feed(event)
        if has_content and self._ttft_us is None:
            self._ttft_us = self.observation.elapsed_us()

    def end(self, status: Status | None = None, *, is_whole: bool = False, error: BaseException | None = None) -> None:
        """The stream is over: read whole, left early or failed."""
        del status
        if self._ended:
            return
        self._ended = True
        with guard.contained("recording a stream"):
            if self._stream is not None:
                parsed = self._stream.result()
                if is_whole and not parsed.is_complete and parsed.usage is not None:
                    parsed = structs.replace(parsed, is_complete=True)  # The library keeps the last marker to itself.
            else:
                parsed = Parsed(text="".join(self._text) or None, is_complete=is_whole)
            self._end(self.observation, parsed, self._format, self._ttft_us, error)

    def forget(self) -> None:
        """Record nothing: another process does."""
        self._ended = True

    def __del__(self) -> None:
        self.end()


def _heard(watch: Watch, item: Any) -> Any:
    try:
        watch.hear(item)
    except Exception as error:  # noqa: BLE001
        guard.failed("listening to a stream", error)
    return item


class _Heard:
    """The frame of a watched generator: the tracked scope around its own code, and an ear for its items."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._inside = watch.scope
        self._outside = EMPTY

    def resume(self) -> None:
        self._outside = current.get()
        current.set(self._inside)

    def suspend(self, item: Any) -> None:
        self._inside = current.get()
        current.set(self._outside)
        _heard(self._watch, item)

    def end(self, error: BaseException | None) -> None:
        current.set(self._outside)
        self._watch.end(is_whole=error is None, error=None if isinstance(error, GeneratorExit) else error)


class Proxy:
    """Stands in for an iterator object: same attributes, same class to `isinstance`, same context management."""

    def __init__(self, inner: Any, watch: Watch) -> None:
        object.__setattr__(self, "_tallybook", (inner, watch))

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(object.__getattribute__(self, "_tallybook")[0])

    def __getattr__(self, name: str) -> Any:
        inner, watch = object.__getattribute__(self, "_tallybook")
        value = getattr(inner, name)
        if name == "close":
            return _closing(value, watch)
        return _closing_later(value, watch) if name == "aclose" else value

    def __delattr__(self, name: str) -> None:
        delattr(object.__getattribute__(self, "_tallybook")[0], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_tallybook")[0], name, value)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        inner, watch = object.__getattribute__(self, "_tallybook")
        token = current.set(watch.scope)
        try:
            item = next(inner)
        except StopIteration:
            watch.end(is_whole=True)
            raise
        except BaseException as error:
            watch.end(error=error)
            raise
        finally:
            current.reset(token)
        return _heard(watch, item)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        inner, watch = object.__getattribute__(self, "_tallybook")
        token = current.set(watch.scope)
        try:
            item = await inner.__anext__()
        except StopAsyncIteration:
            watch.end(is_whole=True)
            raise
        except BaseException as error:
            watch.end(error=error)
            raise
        finally:
            current.reset(token)
        return _heard(watch, item)

    def __enter__(self) -> Any:
        inner, _ = object.__getattribute__(self, "_tallybook")
        inner.__enter__()
        return self

    def __exit__(self, *details: Any) -> Any:
        inner, watch = object.__getattribute__(self, "_tallybook")
        try:
            return inner.__exit__(*details)
        finally:
            watch.end()

    async def __aenter__(self) -> Any:
        inner, _ = object.__getattribute__(self, "_tallybook")
        await inner.__aenter__()
        return self

    async def __aexit__(self, *details: Any) -> Any:
        inner, watch = object.__getattribute__(self, "_tallybook")
        try:
            return await inner.__aexit__(*details)
        finally:
            watch.end()


def _closing(close: Callable[..., Any], watch: Watch) -> Callable[..., Any]:
    """The stream's own `close`, of either colour, after which the stream is over."""
    if inspect.iscoroutinefunction(close):
        return _closing_later(close, watch)

    @wraps(close)
    def closed(*args: Any, **kwargs: Any) -> Any:
        try:
            return close(*args, **kwargs)
        finally:
            watch.end()

    return closed


def _closing_later(close: Callable[..., Any], watch: Watch) -> Callable[..., Any]:
    @wraps(close)
    async def closed(*args: Any, **kwargs: Any) -> Any:
        try:
            return await close(*args, **kwargs)
        finally:
            watch.end()

    return closed


async def _watched_stream() -> AsyncGenerator[Any, Any]:
    """The name that a watched asynchronous generator goes by."""
    yield


def watched(stream: Any, watch: Watch) -> Any:
    """The stream to hand to the caller in place of `stream`."""
    if inspect.isgenerator(stream):
        return drive(stream, _Heard(watch))
    if inspect.isasyncgen(stream):
        return driven_async(_watched_stream, lambda: (stream, _Heard(watch)))()
    return Proxy(stream, watch)
