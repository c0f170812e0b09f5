"""One server from start to stop: bind, serve, drain.

A stop (SIGTERM, Ctrl-C) takes no new requests, answers those under way, makes what was accepted durable, and gives the
segments up, in that order. `kill -9` loses nothing that was acknowledged.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable

import uvicorn

from tallybook.config import Settings
from tallybook.model.errors import SettingError
from tallybook.server.app import build
from tallybook.server.context import Context, Serving
from tallybook.server.upkeep import Upkeep

DRAIN_S = 10
"""Requests under way have so long at a stop; live feeds end at once."""
BACKLOG = 2_048

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


class _Server(uvicorn.Server):
    """uvicorn's server, telling when it takes requests and when it stops."""

    def __init__(self, config: uvicorn.Config, context: Context, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._context = context
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._context.is_ready = True
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._context.is_stopping = True
        await super().shutdown(sockets)


def serve(settings: Settings, serving: Serving, *, on_ready: Callable[[], None] = lambda: None) -> bool:
    """Serve until a signal; False when something accepted was not durable in time.

    Raises SettingError, StorageError.
    """
    one = bound(serving)
    context = Context(settings, serving)
    upkeep = Upkeep(context)
    config = uvicorn.Config(
        build(context), http="httptools", ws="none", lifespan="off", access_log=False, log_config=None,
        server_header=False, timeout_graceful_shutdown=DRAIN_S, timeout_keep_alive=75, backlog=BACKLOG,
        proxy_headers=False,
    )  # fmt: skip
    upkeep.start()
    try:
        _Server(config, context, on_ready).run(sockets=[one])
    finally:
        upkeep.stop()
        is_whole = context.close()
        one.close()
    return is_whole
