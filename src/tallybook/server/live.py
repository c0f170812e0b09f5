"""`GET /api/v1/live`: the live feed as server-sent events (docs/live.md).

Each event has an id; `Last-Event-ID` (or `lastEventId`, for who cannot set headers) gives what came since, from the
hub's memory or from the ledger. A listener that reads too slowly is told `dropped` and ended: it comes back by its last
id. One send carries all that came in a tenth of a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tallybook.live.event import KINDS, Wanted, frame
from tallybook.live.feed import Feed
from tallybook.live.hub import Batch, Listener
from tallybook.model.errors import InputError
from tallybook.model.question import Filter
from tallybook.query.filters import OPTIONS, build
from tallybook.query.slice import conditions
from tallybook.server.context import Context
from tallybook.server.error import HttpError
from tallybook.server.given import condition
from tallybook.server.identity import Identity, identity_of
from tallybook.server.route import Param, Route
from tallybook.server.scope import confined
from tallybook.store.check import checked_filters

LISTENERS = 5_000
"""Live listeners of one server. Beyond: 503; each holds a connection and what it has not read."""
RETRY_MS = 2_000
SEND_S = 30.0
"""A listener that has not read for so long is cut off."""
_AGAIN_S = 5.0
"""Calls from the ledger may be on their way through the hub as well, for so long."""

log = logging.getLogger("tallybook.server")

_encode = msgspec.json.Encoder().encode
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no", "connection": "keep-alive"}


def wanted_of(params: Iterable[tuple[str, str]], identity: Identity) -> Wanted:
    """What the parameters ask for, within what the key may see. Raises InputError."""
    given: dict[str, list[str]] = {}
    for name, value in params:
        given.setdefault(name, []).append(value)
    kinds = frozenset(word for text in given.get("kind", ()) for word in text.split(",") if word)
    unknown = sorted(kinds - frozenset(KINDS))
    if unknown:
        raise InputError(f"{unknown[0]!r} is no kind of event", field="kind", hint=f"one of {', '.join(KINDS)}")
    filters = list(build({name: given.get(name, []) for name in OPTIONS}, given.get("metadata", [])))
    for name, field in (("session", "session_id"), ("run", "run_id")):
        values = tuple(given.get(name, ()))
        if values:
            filters.append(Filter(field, "in", values))
    filters += conditions([condition(text) for text in given.get("filter", ())])
    return Wanted(checked_filters(confined(identity, filters)), kinds, frozenset(given.get("id", ())))


def last_id(request: Request) -> int | None:
    """The id of the last event that the listener got. Raises InputError for what is none."""
    text = request.headers.get("last-event-id") or request.query_params.get("lastEventId")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InputError(f"{text[:40]!r} is no event's id", field="Last-Event-ID", hint="send the last `id:` you got")
    return int(text)


class EventStream(Response):
    """The body: first what was missed, then what comes."""

    media_type = "text/event-stream"

    def __init__(self, context: Context, feed: Feed, listener: Listener) -> None:
        super().__init__(None, 200, headers=_HEADERS)
        del self.headers["content-length"]
        self._context = context
        self._feed = feed
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI: sends until the listener goes, is dropped or the server stops."""
        gone = asyncio.ensure_future(_gone(receive))
        body = asyncio.ensure_future(self._send_all(send))
        try:
            await asyncio.wait({gone, body}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, body):
                task.cancel()
            _, failure = await asyncio.gather(gone, body, return_exceptions=True)
            self._listener.close()
            if isinstance(failure, Exception) and not isinstance(failure, TimeoutError):
                log.error("a listener of the live feed was ended: %r", failure)

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._pieces()) as pieces:
            async for piece in pieces:
                async with asyncio.timeout(SEND_S):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        listener = self._listener
        yield b"retry: %d\n: connected\n\n" % RETRY_MS
        missed, skip = await self._missed()
        if missed:
            yield missed
        until = time.monotonic() + _AGAIN_S
        async with aclosing(self._feed.batches(listener)) as batches:
            async for taken in batches:
                if skip and time.monotonic() > until:
                    skip = frozenset()
                piece = b"".join([_frames(batch, skip) for batch in taken])
                yield piece if taken else b": still here\n\n"
        if listener.dropped:
            told = {"events": listener.dropped, "reason": "you read too slowly", "hint": "come back by your last id"}
            yield frame("dropped", _encode(told))

    async def _missed(self) -> tuple[bytes, frozenset[str]]:
        """Frames of what was missed, and ids of the calls among it that came from the ledger."""
        listener = self._listener
        frames: list[bytes] = []
        skip: frozenset[str] = frozenset()
        replayed = await self._context.live.missed(listener)
        if replayed is not None:
            if not replayed.is_whole:
                frames.append(frame("gap", _encode({"reason": "more was missed than is given back at once"})))
            frames += [event.frame for event in replayed.events]
            skip = frozenset(event.subject for event in replayed.events)
        frames += [event.frame for event in listener.missed.events]
        return b"".join(frames), skip


def _frames(batch: Batch, skip: frozenset[str]) -> bytes:
    if skip and any(event.subject in skip for event in batch.events):
        return b"".join([event.frame for event in batch.events if event.subject not in skip])
    return batch.frames


async def _gone(receive: Receive) -> None:
    message: Any = {}
    while message.get("type") != "http.disconnect":
        message = await receive()


async def get_live(request: Request, context: Context) -> Response:
    """Listen."""
    wanted = wanted_of(request.query_params.multi_items(), identity_of(request))
    after = last_id(request)
    if context.live.listeners >= LISTENERS:
        raise HttpError(503, "overloaded", f"{LISTENERS:,} listeners are all that one server has",
                        hint="come back later", headers={"retry-after": "10"})  # fmt: skip
    feed = await context.live.feed()
    return EventStream(context, feed, feed.listen(wanted, after=after))


_PARAMS = (
    *[Param(name, f"Only events of this {name}: several mean any, `!` before one means not.", many=True)
      for name in OPTIONS],
    Param("session", "Only events of this session.", many=True),
    Param("run", "Only events of this run.", many=True),
    Param("metadata", "Only events with this key of your own, as `key=value`.", many=True),
    Param("filter", "`field:op:value`, as everywhere.", many=True),
    Param("kind", f"Only events of this kind: {', '.join(KINDS)}.", many=True),
    Param("id", "Only events about this call, task or run; a run's calls are among its events.", many=True),
    Param("lastEventId", "As the header `Last-Event-ID`: go on after this event."),
)  # fmt: skip

ROUTES = (
    Route(
        "GET", "/api/v1/live", get_live, "read", "Follow calls, tasks and runs as they happen", "Live",
        params=_PARAMS, answer_type="text/event-stream",
        about="Server-sent events. The `event` is the kind; the data are JSON with `kind`, `about` (call, task, run) "
        "and `id`. Comments keep the connection; `dropped` ends it for who reads too slowly.",
    ),
)  # fmt: skip
