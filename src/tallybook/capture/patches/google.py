"""The choke points of google-genai: its API client's four `request` methods, below models, chats and batches.

A stream is a generator of bodies inside the SDK; ours takes its place there, and what the application
holds is the SDK's own generator.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from typing import Any

from msgspec import json

from tallybook.capture import guard, recorder, switch, unfinished
from tallybook.capture.batch import record_batch
from tallybook.capture.observe import Observation, record_failure
from tallybook.model.call import Status
from tallybook.providers.base import Stream
from tallybook.providers.detect import detect_provider
from tallybook.providers.table import match

_VERTEX_GLOBAL = "aiplatform.googleapis.com"
"""Vertex AI's usual address. The others name a region, and a region may cost more."""
_FLUSH_CHUNKS = 64
"""Bodies kept before they are parsed: parsing waits for a batch, memory stays flat."""


def _begin(client: Any, method: str, path: str, body: Any) -> Observation | None:
    fmt = match("google", method, path)
    if fmt is None:
        return None
    pen = recorder.get()
    if not pen.settings.enabled:
        return None
    asked = fmt.asked(body if isinstance(body, dict) else {}, path)
    address = str(getattr(getattr(client, "_http_options", None), "base_url", "") or "")
    is_vertex = bool(getattr(client, "vertexai", False))
    provider = "google-vertex" if is_vertex else "google"
    host = address.split("://", 1)[-1].rstrip("/")
    usual = host in ("", _VERTEX_GLOBAL) or (detect_provider(None, address) == "google" and not is_vertex)
    observation = Observation(pen, fmt, asked, provider, None if usual else host)
    observation.may_repeat = method.lower() == "get"
    observation.hash_prompt()
    if pen.begun is not None:
        pen.begun.tell(observation)
    return observation


def _start(client: Any, method: str, path: str, body: Any) -> Observation | None:
    if not switch.is_on:
        return None
    try:
        return _begin(client, method, path, body)
    except Exception as error:  # noqa: BLE001
        guard.failed("starting a record", error)
        return None


def _returned(observation: Observation, result: Any) -> None:
    try:
        body = getattr(result, "body", None)
        raw = body.encode() if isinstance(body, str) else bytes(body or b"")
        if observation.format.batch is not None:
            record_batch(observation, raw)
        else:
            observation.succeed(raw)
    except Exception as error:  # noqa: BLE001
        guard.failed("recording a result", error)


def sync_request(original: Callable[..., Any], family: str) -> Callable[..., Any]:
    """`BaseApiClient.request`, observed."""
    del family

    @wraps(original)
    def request(self: Any, http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        mine = _start(self, http_method, path, request_dict)
        if mine is None:
            return original(self, http_method, path, request_dict, *args, **kwargs)
        try:
            result = original(self, http_method, path, request_dict, *args, **kwargs)
        except BaseException as error:
            record_failure(mine, error)
            raise
        _returned(mine, result)
        return result

    return request


def async_request(original: Callable[..., Any], family: str) -> Callable[..., Any]:
    """`BaseApiClient.async_request`, observed."""
    del family

    @wraps(original)
    async def request(self: Any, http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        mine = _start(self, http_method, path, request_dict)
        if mine is None:
            return await original(self, http_method, path, request_dict, *args, **kwargs)
        try:
            result = await original(self, http_method, path, request_dict, *args, **kwargs)
        except BaseException as error:
            record_failure(mine, error)
            raise
        _returned(mine, result)
        return result

    return request


class _Ear:
    """What passed of one stream of bodies, and how it ended."""

    __slots__ = ("__weakref__", "_bodies", "_ended", "_has_content", "_stream", "_ttft_us", "observation")

    def __init__(self, observation: Observation) -> None:
        self.observation = observation
        self._bodies: list[str] = []
        self._ended = False
        self._has_content = False
        self._ttft_us: int | None = None
        make = observation.format.stream
        self._stream: Stream | None = make() if make is not None else None
        unfinished.add(self)

    def hear(self, chunk: Any) -> None:
        body = getattr(chunk, "body", None)
        if not isinstance(body, str) or self._stream is None:
            return
        if not self._has_content:
            self._has_content = self._stream.feed(json.decode(body))
            if self._has_content:
                self._ttft_us = self.observation.elapsed_us()
            return
        self._bodies.append(body)
        if len(self._bodies) >= _FLUSH_CHUNKS:
            self._parse()

    def _parse(self) -> None:
        if self._stream is not None and self._bodies:
            self._stream.feed_bytes(b"".join([b"data: %b\n\n" % body.encode() for body in self._bodies]))
            self._bodies.clear()

    def end(self, status: Status | None = None, error: BaseException | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        duration_us = self.observation.elapsed_us()
        with guard.contained("recording a stream"):
            self._finish(duration_us, status, error)

    def _finish(self, duration_us: int, status: Status | None, error: BaseException | None) -> None:
        self._parse()
        if self._stream is None:
            self.observation.discard()
            return
        parsed = self._stream.result()
        if error is not None and not parsed.is_complete and parsed.usage is None and parsed.text is None:
            self.observation.fail(error)
            return
        self.observation.finish_stream(parsed, duration_us, status, error, self._ttft_us)

    def forget(self) -> None:
        self._ended = True

    def __del__(self) -> None:
        if not self._ended:
            self.end("incomplete")


class _Bodies:
    """A generator's stand-in that tells an ear what passes."""

    __slots__ = ("_ear", "_inner")

    def __init__(self, inner: Iterator[Any], ear: _Ear) -> None:
        self._inner = inner
        self._ear = ear

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            chunk = next(self._inner)
        except StopIteration:
            self._ear.end()
            raise
        except BaseException as error:
            self._ear.end(error=error)
            raise
        with guard.contained("listening to a stream"):
            self._ear.hear(chunk)
        return chunk

    def close(self) -> None:
        self._inner.close()  # type: ignore[attr-defined]
        self._ear.end("incomplete")


class _AsyncBodies:
    """The asynchronous twin of `_Bodies`."""

    __slots__ = ("_ear", "_inner")

    def __init__(self, inner: AsyncIterator[Any], ear: _Ear) -> None:
        self._inner = inner
        self._ear = ear

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            chunk = await self._inner.__anext__()
        except StopAsyncIteration:
            self._ear.end()
            raise
        except BaseException as error:
            self._ear.end("cancelled" if type(error).__name__ == "CancelledError" else None, error)
            raise
        with guard.contained("listening to a stream"):
            self._ear.hear(chunk)
        return chunk

    async def aclose(self) -> None:
        await self._inner.aclose()  # type: ignore[attr-defined]
        self._ear.end("incomplete")


def sync_stream(original: Callable[..., Any], family: str) -> Callable[..., Any]:
    """`BaseApiClient.request_streamed`, observed."""
    del family

    @wraps(original)
    def request_streamed(self: Any, http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        mine = _start(self, http_method, path, request_dict)
        bodies = original(self, http_method, path, request_dict, *args, **kwargs)
        return bodies if mine is None else _Bodies(iter(bodies), _Ear(mine))

    return request_streamed


def async_stream(original: Callable[..., Any], family: str) -> Callable[..., Any]:
    """`BaseApiClient.async_request_streamed`, observed."""
    del family

    @wraps(original)
    async def request_streamed(
        self: Any, http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any
    ) -> Any:
        mine = _start(self, http_method, path, request_dict)
        if mine is None:
            return await original(self, http_method, path, request_dict, *args, **kwargs)
        try:
            bodies = await original(self, http_method, path, request_dict, *args, **kwargs)
        except BaseException as error:
            record_failure(mine, error)
            raise
        return _AsyncBodies(bodies.__aiter__(), _Ear(mine))

    return request_streamed
