"""The wire below the app: uvicorn's HTTP protocol with bounds on what a client may make the server wait and hold.

It answers by itself, in the one JSON shape, what never becomes a request: damaged HTTP (400), a client that is too
slow (408), too long a head (431), and one connection too many (503). `sweep` looks after the slow ones.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from tallybook.model.limits import BODY_IDLE_S, BODY_S, CONNECTIONS, HEAD_BYTES, HEAD_S, READ_IDLE_S
from tallybook.server.error import HttpError, answer

_H2C = re.compile(rb"\r\n(U)pgrade:[ \t]*h2c", re.IGNORECASE)
SWEEP_S = 1.0
"""How often slow clients are looked for."""
_BROKEN = HttpError(400, "bad_http", "this is no HTTP/1.1 request that can be read")
_LONG = HttpError(431, "head_too_large", f"address and headers are longer than the {HEAD_BYTES:,} bytes that are read")
_SLOW_HEAD = HttpError(408, "too_slow", f"address and headers took longer than {HEAD_S} seconds")
_SLOW_BODY = HttpError(408, "too_slow", f"the body paused for {BODY_IDLE_S} seconds or took longer than {BODY_S}",
                       hint="send smaller batches")  # fmt: skip
_FULL = HttpError(503, "overloaded", f"there are {CONNECTIONS:,} connections already", hint="try again in a moment",
                  headers={"retry-after": "1", "connection": "close"})  # fmt: skip


def _without_h2c(data: bytes) -> bytes:
    """A head without the wish for HTTP/2, at the same length.

    Java's own client has it in its first request, and the parser gives up the body of a request that has it.
    """
    found = _H2C.search(data, 0, data.find(b"\r\n\r\n") % (len(data) + 1))
    return data if found is None else data[: found.start(1)] + b"X" + data[found.end(1) :]


async def _full(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(_FULL)(scope, receive, send)


class Wire(HttpToolsProtocol):
    """One connection."""

    connections_max = CONNECTIONS
    head_s: float = HEAD_S
    body_idle_s: float = BODY_IDLE_S
    body_s: float = BODY_S
    read_idle_s: float = READ_IDLE_S

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.access_log = False  # Whatever the logging says: an address may hold somebody's key.
        self._head_since: float | None = None
        self._head_bytes = 0
        self._body_since: float | None = None
        self._came: float = 0.0
        self._unread: tuple[int, float] = (0, 0.0)
        """Bytes of answers that wait for the client, and since when it took none of them."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: a client that says nothing at all is a slow one too."""
        super().connection_made(transport)
        self._head_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Parse, and count what belongs to a head that is not whole yet."""
        self._came = self.loop.time()
        if self._body_since is None and b"h2c" in data[:HEAD_BYTES]:  # Bodies are large, and looked through slowly.
            data = _without_h2c(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except HttpParserError:
            self._refuse(_BROKEN)
            return
        except HttpParserUpgrade:
            if self._should_upgrade():
                self._head_since = self._body_since = None
                self.handle_websocket_upgrade()
                return
            # Answered as a plain request, as HTTP asks for; what follows on this connection would not be parsed.
            self.cycle.keep_alive = False
        if self._head_since is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(_LONG)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        if self._head_since is None:
            self._head_since = self._came
            self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """The head is whole, the body begins."""
        self._head_since = None
        self._body_since = self._came
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._body_since = None
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if len(self.connections) > self.connections_max:
            app = _full
        super()._start_asgi_task(cycle, app)

    def _refuse(self, error: HttpError) -> None:
        """Answer what is no request, and end the connection; without a word in the middle of another answer."""
        if self.transport.is_closing():
            return
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.abort()
            return
        told = answer(error)
        head = [STATUS_LINE[error.status], *(b"%b: %b\r\n" % pair for pair in told.raw_headers)]
        self.transport.write(b"".join([*head, b"connection: close\r\n\r\n", bytes(told.body)]))
        self.transport.close()

    def look(self, now_s: float) -> None:
        """End the connection of a client that is too slow."""
        if self._head_since is not None and now_s - self._head_since > self.head_s:
            self._refuse(_SLOW_HEAD)
        elif (
            self._body_since is not None
            and not self.flow.read_paused
            and (now_s - self._came > self.body_idle_s or now_s - self._body_since > self.body_s)
        ):
            self._refuse(_SLOW_BODY)
        unread = self.transport.get_write_buffer_size()
        last, since_s = self._unread
        if not unread or unread < last or not last:
            since_s = now_s
        self._unread = (unread, since_s)
        if now_s - since_s > self.read_idle_s:
            self.transport.abort()


def sweep(connections: Iterable[Any], now_s: float) -> None:
    """Look at every connection."""
    for connection in list(connections):
        if isinstance(connection, Wire):
            connection.look(now_s)
