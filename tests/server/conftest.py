"""A real server on a free port of loopback, in a thread of the test's process, and a plain client for it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn

from tallybook.config import Settings
from tallybook.server.context import Context, Serving
from tallybook.server.run import Server, bound, configured
from tallybook.server.wire import Wire


class Reply(NamedTuple):
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """One server under test."""

    def __init__(self, context: Context, port: int) -> None:
        self.context = context
        self.port = port

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 30
    ) -> Reply:
        """Send one request; a body that is no bytes goes as JSON."""
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, sent)
            got = connection.getresponse()
            return Reply(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        return self.ask("POST", path, body, headers=headers)


Start = Callable[..., Running]


@contextmanager
def servers(place: Path) -> Iterator[Start]:
    """Starts servers on a folder; all are stopped and drained at the end."""
    running: list[tuple[uvicorn.Server, threading.Thread, Context]] = []

    def begin(folder: Path | None = None, *, settings: dict[str, Any] | None = None, wire: type[Wire] = Wire,
              prepare: Callable[[Context], None] = lambda context: None, **serving: Any) -> Running:  # fmt: skip
        where = Serving(port=0, **serving)
        one = bound(where)
        context = Context(Settings(folder=folder or place / "ledger", **(settings or {})), where)
        prepare(context)
        server = Server(configured(context, drain_s=2, wire=wire), context, sweep_s=0.1)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [one]}, daemon=True)
        thread.start()
        context.is_ready = True
        running.append((server, thread, context))
        return Running(context, where.port)

    yield begin
    for server, thread, context in running:
        server.should_exit = True
        thread.join(10)
        assert context.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers on the test's folder."""
    with servers(tmp_path) as begin:
        yield begin


@pytest.fixture
def server(start: Start) -> Running:
    """A server with the defaults: loopback, no keys."""
    return start()
