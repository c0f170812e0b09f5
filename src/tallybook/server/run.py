"""One server from start to stop: bind, serve, drain.

A stop (SIGTERM, Ctrl-C) takes no new requests, answers those under way, makes what was accepted durable, and gives the
segments up, in that order. `kill -9` loses nothing that was acknowledged.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from tallybook.config import Settings
from tallybook.model.errors import SettingError
from tallybook.server.alarm import Alarm
from tallybook.server.app import build
from tallybook.server.context import Context, Serving
from tallybook.server.grpc import GrpcServer
from tallybook.server.socket_io import is_available, mounted
from tallybook.server.tally import listener
from tallybook.server.upkeep import Upkeep
from tallybook.server.wire import SWEEP_S, Wire, sweep

DRAIN_S = 10
"""Requests under way have so long at a stop; live feeds end at once."""
BACKLOG = 2_048
_DESCRIPTORS = 65_536
_SWITCH_S = 0.001
"""A thread that computes (telemetry, following) lets the one that answers go on after so long; Python's own 5 ms come
several times in a request, and were a third of a single record's time beside a flood of spans."""

log = logging.getLogger("tallybook.server")


def check(serving: Serving, key_count: int, *, is_insecure: bool) -> Serving:
    """The way the server may be started: open on loopback, with keys or by an express word anywhere else.

    Raises SettingError for another address without keys.
    """
    if serving.is_loopback or is_insecure:
        serving.is_open = not key_count or serving.is_loopback
        if is_insecure:
            serving.is_open = True
        return serving
    if not key_count:
        raise SettingError(
            f"the address {serving.host} can be reached from other machines, and there is no access key",
            hint="`tallybook keys create --role ingest --project NAME` makes one; or say --insecure",
        )
    serving.is_open = False
    return serving


def bound(serving: Serving) -> socket.socket:
    """The socket that is served. Raises SettingError that tells why it cannot be had."""
    family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
    # The protocol has to be named: asyncio turns Nagle's delay off only where it is, and 40 ms an answer are at stake.
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind((serving.host, serving.port))
        one.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        one.close()
        number = getattr(error, "errno", None)
        hint = "choose another with --port" if number in (errno.EADDRINUSE, errno.EACCES) else "see --host and --port"
        raise SettingError(f"cannot listen on {serving.host}:{serving.port}: {error}", hint=hint) from error
    serving.port = one.getsockname()[1]
    return one


def configured(context: Context, *, drain_s: int = DRAIN_S, wire: type[Wire] = Wire) -> uvicorn.Config:
    """uvicorn's settings for a context."""
    return uvicorn.Config(
        mounted(build(context), context), http=wire, ws="auto" if is_available() else "none", lifespan="off",
        access_log=False, log_config=None,
        server_header=False, timeout_graceful_shutdown=drain_s, timeout_keep_alive=75, backlog=BACKLOG,
        proxy_headers=False,
    )  # fmt: skip


class Server(uvicorn.Server):
    """uvicorn's server, telling when it takes requests and when it stops, and looking after slow clients."""

    def __init__(
        self, config: uvicorn.Config, context: Context, on_ready: Callable[[], None] = lambda: None,
        *, sweep_s: float = SWEEP_S,
    ) -> None:  # fmt: skip
        super().__init__(config)
        self._context = context
        self._on_ready = on_ready
        self._sweep_s = sweep_s
        self._swept_s = 0.0

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._swept_s >= self._sweep_s:
            self._swept_s = now_s
            sweep(self.server_state.connections, now_s)
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while serving. Unlike uvicorn, do not raise them again afterwards: draining comes yet."""
        with super().capture_signals():
            yield
            self._captured_signals, self.signals = [], tuple(self._captured_signals)

    signals: tuple[int, ...] = ()
    """Which ones ended it, in order."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and tell."""
        await super().startup(sockets)
        self._context.is_ready = True
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing new and answer what is under way."""
        self._context.is_stopping = True
        self._context.live.end()
        await super().shutdown(sockets)


_GC_OBJECTS = 50_000
"""Objects made, less those gone, before Python looks for cycles among them. Each request makes thousands that are in no
cycle; at Python's 700 that looking took a sixth of all the time of taking spans in (`bench/ingest.py`)."""


def _more_descriptors() -> None:
    """Allow as many open files as the system lets us: a thousand live listeners are a thousand of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < hard:
        wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, max(soft, _DESCRIPTORS))
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def serve(
    settings: Settings, serving: Serving, *, on_ready: Callable[[], None] = lambda: None, grpc_port: int | None = None
) -> int:
    """Serve until a signal, on `grpc_port` OpenTelemetry over gRPC too.

    Gives the exit code: 0 after a stop that lost nothing, 1 when something accepted was not durable in time, 130 when a
    second Ctrl-C cut the stop short.

    Raises SettingError, StorageError.
    """
    _more_descriptors()
    sys.setswitchinterval(_SWITCH_S)
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS, 20, 50)
    one = bound(serving)
    context = Context(settings, serving)
    beside = None if grpc_port is None else GrpcServer(context, grpc_port)
    upkeep = Upkeep(context)
    upkeep.listeners.append(listener(context))
    alarm = Alarm(context, serving.url)
    server = Server(configured(context), context, on_ready)
    upkeep.start()
    alarm.start()
    try:
        server.run(sockets=[one])
    finally:
        upkeep.stop()
        if beside is not None:
            beside.stop()
        is_whole = context.close()
        alarm.stop()
        one.close()
    if server.signals.count(signal.SIGINT) > 1:
        return 130
    return 0 if is_whole else 1
