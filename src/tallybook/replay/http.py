"""The least of HTTP/1.1 that model clients need, on threads and sockets of the standard library.

A connection has a thread and is kept alive. Replies are whole or chunked; a reply may pause
between its pieces or break off as a dying server does. It knows no provider.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qsl, unquote, urlsplit

_REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 408: "Request Timeout",
    409: "Conflict", 429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
    503: "Service Unavailable", 529: "Overloaded",
}  # fmt: skip

Headers = dict[str, str]


@dataclass(frozen=True)
class Request:
    """One request as it arrived. Header names are lower case; `path` is decoded and without its query."""

    method: str
    path: str
    query: dict[str, str]
    headers: Headers
    body: bytes

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body's JSON object; empty when the body is no JSON object."""
        try:
            value = json.loads(self.body) if self.body else {}
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @cached_property
    def form(self) -> dict[str, bytes]:
        """Parts of a multipart body by name; of several parts with one name the last."""
        kind = self.headers.get("content-type", "")
        _, found, boundary = kind.partition("boundary=")
        if not found:
            return {}
        parts: dict[str, bytes] = {}
        for part in self.body.split(b"--" + boundary.strip('"').encode()):
            head, blank, content = part.partition(b"\r\n\r\n")
            _, named, rest = head.partition(b'name="')
            if blank and named:
                parts[rest.split(b'"', 1)[0].decode()] = content.removesuffix(b"\r\n")
        return parts


@dataclass
class Reply:
    """One answer: a whole `body`, or `pieces` sent one by one as a chunked stream."""

    status: int = 200
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    pieces: list[bytes] | None = None
    wait_s: float = 0
    """Pause before the first byte."""
    delay_s: float = 0
    """Pause before each piece but the first."""
    is_cut: bool = False
    """The connection is reset after what there is to send, without a proper end."""
    is_zipped: bool = False


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """A reply of JSON; header names are given with underscores."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, {"content-type": "application/json", **named}, body)


def _read_body(stream: BinaryIO, headers: Headers) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts: list[bytes] = []
        while size := int(stream.readline().split(b";")[0], 16):
            parts.append(stream.read(size))
            stream.readline()
        while stream.readline() not in (b"\r\n", b"\n", b""):
            continue
        return b"".join(parts)
    return stream.read(int(headers.get("content-length", 0)))


def read_request(stream: BinaryIO, proceed: Callable[[], object] = lambda: None) -> Request | None:
    """The next request on a connection; `None` at its end. `proceed` answers an `Expect: 100-continue`."""
    line = stream.readline(65_536)
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers: Headers = {}
    while (line := stream.readline(65_536)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        proceed()
    parts = urlsplit(target)
    body = _read_body(stream, headers)
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Request(method, unquote(parts.path), dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)


def _frame(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def _head(reply: Reply, length: int | None) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        self.server.connections.add(self.connection)
        try:
            while (request := read_request(cast(BinaryIO, self.rfile), self._proceed)) is not None:
                reply = self.server.respond(request)
                if not self._send(reply) or request.headers.get("connection", "").lower() == "close":
                    break
        except (OSError, ValueError):
            pass  # The client went away, or speaks no HTTP: nothing is owed to it, and the next one is served.
        finally:
            self.server.connections.discard(self.connection)

    def _proceed(self) -> None:
        self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _send(self, reply: Reply) -> bool:
        """Send the reply; False when the connection is not usable any more."""
        if reply.wait_s:
            self.server.pause(reply.wait_s)
        if reply.pieces is None:
            body = reply.body
            if reply.is_zipped:
                body = gzip.compress(body, mtime=0)
                reply.headers["content-encoding"] = "gzip"
            if reply.is_cut:
                self.connection.sendall(_head(reply, len(body)) + body[: len(body) // 2])
                return self._reset()
            self.connection.sendall(_head(reply, len(body)) + body)
            return True
        self._send_pieces(reply, reply.pieces)
        if reply.is_cut:
            return self._reset()
        self.connection.sendall(b"0\r\n\r\n")
        return True

    def _send_pieces(self, reply: Reply, pieces: list[bytes]) -> None:
        if reply.is_zipped:
            pieces = [gzip.compress(b"".join(pieces), mtime=0)]
            reply.headers["content-encoding"] = "gzip"
        head = _head(reply, None)
        if not reply.delay_s:
            self.connection.sendall(head + b"".join(_frame(piece) for piece in pieces))
            return
        self.connection.sendall(head)
        for number, piece in enumerate(pieces):
            if number:
                self.server.pause(reply.delay_s)
            self.connection.sendall(_frame(piece))

    def _reset(self) -> bool:
        time.sleep(0.02)  # So that what was sent arrives before the reset throws it away.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        return False


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, respond: Callable[[Request], Reply]) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.respond = respond
        self.connections: set[socket.socket] = set()
        self._ending = threading.Event()

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the server lives."""
        if self._ending.wait(seconds):
            raise ConnectionAbortedError("the server is closing")

    def end(self) -> None:
        self._ending.set()
        self.shutdown()
        self.server_close()
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):  # It may close by itself at the same moment.
                connection.shutdown(socket.SHUT_RDWR)


class Listener:
    """Serves `respond` on 127.0.0.1 from its construction to `close`. Port 0 takes a free one."""

    def __init__(self, respond: Callable[[Request], Reply], port: int = 0) -> None:
        self._server = _Server(port, respond)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="tallybook-replay", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving and end the open connections."""
        self._server.end()
        self._thread.join(timeout=5)
