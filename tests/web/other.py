"""Another site: pages of the test's own on another port, which load modules from the server and call it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

POLICY = "default-src 'none'; script-src 'self' {server}; connect-src {server}; base-uri 'none'"
"""A strict policy of the host page: nothing inline, nothing from elsewhere but the server."""


class Site:
    """What the other site serves, by path."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.policy = ""
        self.stream: list[tuple[str, Callable[[], object]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = site.files.get(self.path)
                self.send_response(404 if text is None else 200)
                kind = "text/javascript" if self.path.endswith((".js", ".mjs")) else "text/html"
                self.send_header("content-type", f"{kind}; charset=utf-8")
                if site.policy:
                    self.send_header("content-security-policy", site.policy)
                self.end_headers()
                self.wfile.write((text or "").encode())

            def do_POST(self) -> None:
                """A chat's stream: its events one by one, each after what is to be done before it."""
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                for event, before in site.stream:
                    before()
                    self.wfile.write(f"data: {event}\n\n".encode())
                    self.wfile.flush()

            def log_message(self, *told: object) -> None:
                """Nothing: the test says what is wrong."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_address[1]}"
        """`localhost`, so that it is of another origin in every way."""
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def page(self, script: str, body: str = "", head: str = "") -> str:
        """The address of a page whose module is `script`."""
        self.files["/page.js"] = script
        self.files["/favicon.ico"] = ""
        self.files["/"] = (
            f'<!doctype html><html lang="en"><head><title>Another site</title>{head}'
            f'<script type="module" src="/page.js"></script></head><body>'
            f"<main><h1>Another site</h1>{body}</main></body></html>"
        )
        return f"{self.url}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@contextmanager
def opened() -> Iterator[Site]:
    """A site, closed at the end."""
    one = Site()
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def site() -> Iterator[Site]:
    """Another site."""
    with opened() as one:
        yield one
