"""Socket.IO at `/socket.io`, with the extra `socketio`: the live feed with a task's id as event name (S2).

A client that connects hears everything its key may hear, each event under the id of its task, call or run; with
`subscribe` and a list of ids it hears these alone. Who does not read is told `dropped` and disconnected. The library is
imported only when there is a server to make.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp

from tallybook.live.event import Wanted
from tallybook.model.errors import TallybookError
from tallybook.model.limits import FIELD_CHARS
from tallybook.server.identity import Identity, check_host, check_role, identify
from tallybook.server.live import LISTENERS
from tallybook.server.scope import confined

if TYPE_CHECKING:
    from tallybook.server.context import Context

PATH = "socket.io"
QUEUE_PACKETS = 2_000
"""Packets that one client has not fetched yet. Beyond: it is told `dropped` and disconnected."""
IDS_MAX = 1_000
"""Ids of one `subscribe`. Beyond: the first ones."""


def is_available() -> bool:
    """Whether the extra `socketio` is installed."""
    return find_spec("socketio") is not None


def mounted(app: ASGIApp, context: Context) -> ASGIApp:
    """The app with Socket.IO before it; as it is where the extra is not installed."""
    if not is_available():
        return app
    socketio = import_module("socketio")  # here, because it is an extra
    origins = context.serving.origins
    server = socketio.AsyncServer(
        async_mode="asgi", cors_allowed_origins="*" if "*" in origins else list(origins) or None,
        max_http_buffer_size=65_536,
    )  # fmt: skip
    Clients(server, context, socketio.exceptions.ConnectionRefusedError).register()
    made: ASGIApp = socketio.ASGIApp(server, other_asgi_app=app, socketio_path=PATH)
    return made


class Clients:
    """Who is connected, and what each listens to."""

    def __init__(self, server: Any, context: Context, refused: type[Exception]) -> None:
        self._server = server
        self._context = context
        self._refused = refused
        self._identities: dict[str, Identity] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def register(self) -> None:
        """Handle the server's events."""
        self._server.on("connect", self.connect)
        self._server.on("disconnect", self.disconnect)
        self._server.on("subscribe", self.subscribe)

    async def connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        """Let a client in by its key, in a header or as `auth: {key}`; by its address alone on loopback."""
        try:
            request = _request(environ["asgi.scope"], auth)
            check_host(request, self._context.serving)
            identity = await identify(request, self._context)
            check_role(identity, "read")
        except TallybookError as error:
            raise self._refused(str(error)) from error
        if self._context.live.listeners >= LISTENERS:
            raise self._refused("there are too many listeners")
        self._identities[sid] = identity
        await self._listen(sid, frozenset())

    async def subscribe(self, sid: str, ids: Any) -> dict[str, int]:
        """Hear only of these tasks, calls and runs; of all again with an empty list. Answers how many they are."""
        texts = ids if isinstance(ids, list) else [ids]
        chosen = frozenset(text for text in texts[:IDS_MAX] if isinstance(text, str) and 0 < len(text) <= FIELD_CHARS)
        await self._listen(sid, chosen)
        return {"ids": len(chosen)}

    async def disconnect(self, sid: str, *_: Any) -> None:
        """Listen no more."""
        self._identities.pop(sid, None)
        task = self._tasks.pop(sid, None)
        if task is not None:
            task.cancel()

    async def _listen(self, sid: str, subjects: frozenset[str]) -> None:
        identity = self._identities.get(sid)
        if identity is None:
            return
        feed = await self._context.live.feed()
        listener = feed.listen(Wanted(confined(identity), frozenset(), subjects))
        before = self._tasks.get(sid)
        self._tasks[sid] = asyncio.create_task(self._pump(sid, listener))
        if before is not None:
            before.cancel()

    async def _pump(self, sid: str, listener: Any) -> None:
        feed = await self._context.live.feed()
        async for batches in feed.batches(listener):
            for batch in batches:
                for event in batch.events:
                    body = {"kind": event.kind, "about": event.about, "id": event.subject, **event.data}
                    await self._server.emit(event.subject, body, to=sid)
            if self._waiting(sid) > QUEUE_PACKETS:
                break
        else:
            if not listener.dropped:
                return  # The server stops.
        await self._server.emit("dropped", {"reason": "you read too slowly"}, to=sid)
        await self._server.disconnect(sid)

    def _waiting(self, sid: str) -> int:
        connection = self._server.eio.sockets.get(self._server.manager.eio_sid_from_sid(sid, "/"))
        return 0 if connection is None else int(connection.queue.qsize())


def _request(scope: dict[str, Any], auth: Any) -> Request:
    """The request that opened the connection, with the key of `auth` as if it had been a header."""
    key = auth.get("key") or auth.get("token") if isinstance(auth, dict) else None
    headers = list(Headers(scope=scope).raw)
    if isinstance(key, str) and key.isascii():
        headers.insert(0, (b"authorization", f"Bearer {key}".encode()))
    return Request({**scope, "type": "http", "method": "GET", "headers": headers})
