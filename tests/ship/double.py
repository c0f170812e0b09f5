"""A server's double for shippers: it speaks the protocol over real HTTP, and misbehaves as told."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tallybook.ship import wire


class Double:
    """`script` holds what the next answers are: `ok` when it is empty. A number is a status; a pair has `Retry-After`.

    `garbage`, `page` (a proxy's), `cut` (the connection ends instead of an answer, after all was taken), `half` (only
    the first half of each part is taken), `nothing` (200 that acknowledges nothing), `hang`.
    """

    def __init__(self, port: int = 0) -> None:
        self.script: list[Any] = []
        self.lines: Counter[bytes] = Counter()
        """Lines taken, by kind and content: more than 1 where one was taken twice."""
        self.ends: dict[str, int] = {}
        """How far each segment is taken: what comes again is passed over, as the real server does."""
        self.requests: list[tuple[int, dict[str, str]]] = []
        self.body_max = 1 << 30
        self.hang_s = 1.0
        self._lock = threading.Lock()
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                double._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._connections: list[Any] = []

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def process_request(self, request: Any, client_address: Any) -> None:
                double._connections.append(request)
                super().process_request(request, client_address)

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Double:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def twice(self) -> list[bytes]:
        return [line for line, count in self.lines.items() if count > 1]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self._lock:
            self.requests.append((len(body), {name.lower(): value for name, value in handler.headers.items()}))
            how = self.script.pop(0) if self.script else "ok"
        if len(body) > self.body_max:
            how = (413, None)
        if isinstance(how, int):
            how = (how, None)
        if isinstance(how, tuple):
            status, retry_after = how
            self._say(handler, status, json.dumps({"error": {"code": "too_large", "message": "no"}}).encode(),
                      {} if retry_after is None else {"Retry-After": str(retry_after)})  # fmt: skip
            return
        if how == "garbage":
            self._say(handler, 200, b"\x00\xff{]", {})
            return
        if how == "page":
            self._say(handler, 200, b"<html>Welcome to the hotel</html>", {"Content-Type": "text/html"})
            return
        if how == "nothing":
            self._say(handler, 200, b'{"segments":{}}', {})
            return
        if how == "hang":
            time.sleep(self.hang_s)
            handler.close_connection = True
            return
        answer = self._take(body, is_half=how == "half")
        if how == "cut":
            handler.close_connection = True
            handler.connection.close()
            return
        self._say(handler, 200, wire.encode_answer(answer), {})

    def _take(self, body: bytes, *, is_half: bool) -> wire.Answer:
        ends: dict[str, int] = {}
        with self._lock:
            for part in wire.decode(gzip.decompress(body)):
                data = part.data
                if is_half:
                    data = data[: data.find(b"\n", len(data) // 2) + 1] or data
                known = max(part.start, self.ends.get(part.segment, 0))
                for line in data[known - part.start :].split(b"\n"):
                    if line.strip():
                        self.lines[part.kind.encode() + b" " + line] += 1
                end = part.start + len(data)
                ends[part.segment] = end
                self.ends[part.segment] = max(end, known)
        return wire.Answer(ends)

    @staticmethod
    def _say(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
