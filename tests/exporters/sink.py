"""A server that writes down what a client sends to a rival's endpoints, and answers as that rival would."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self


class Sent(NamedTuple):
    """One request of a client."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def _answer(sent: Sent) -> tuple[int, Any]:
    path = sent.path.partition("?")[0]
    if path.endswith("/api/public/ingestion"):
        batch = json.loads(sent.body)["batch"]
        return 207, {"successes": [{"id": item["id"], "status": 201} for item in batch], "errors": []}
    if path.endswith("/api/public/projects"):
        return 200, {"data": [{"id": "p", "name": "p", "metadata": {}, "organization": {"id": "o", "name": "o"}}]}
    if path.endswith("/api/public/health"):
        return 200, {"status": "OK", "version": "3.0.0"}
    if path.endswith("/api/public/media"):
        return 201, {"mediaId": "m", "uploadUrl": None}
    return 200, {}


class Sink:
    """All requests so far stand in `sent`, in the order they came."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        sent = self.sent

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _take(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(size)
                headers = {key.lower(): value for key, value in self.headers.items()}
                if headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                one = Sent(self.command, self.path, headers, body)
                sent.append(one)
                status, answer = _answer(one)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = _take

            def log_message(self, *args: Any) -> None:
                """Tests tell what they need themselves."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
