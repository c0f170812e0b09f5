"""What handlers work with: the journal's intake, readers of the ledger, the state, keys, figures of the server itself.

Reading happens on a few threads, each with a store of its own; the state has one thread, for SQLite wants that. The
event loop only ever waits for them.
"""

from __future__ import annotations

import asyncio
import os
import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from tallybook.access.key import Keyring
from tallybook.access.token import Signer
from tallybook.alert.episode import Episodes
from tallybook.capture.redact import Redactor
from tallybook.config import Settings
from tallybook.ingest.arrival import Arrival
from tallybook.ingest.intake import Intake, Lines, Overloaded
from tallybook.ingest.twin import Twins
from tallybook.model.call import Call
from tallybook.model.errors import StorageError
from tallybook.model.ids import uuid7
from tallybook.model.limits import INTAKE_BYTES
from tallybook.model.question import Filter
from tallybook.prices.pricer import Pricer
from tallybook.server.feed import Live
from tallybook.server.gauge import Gauge
from tallybook.server.known import Known
from tallybook.server.received import Received
from tallybook.server.room import Room
from tallybook.store.base import CallStore, StateStore
from tallybook.store.open import open_prices, open_state, refuse_network

T = TypeVar("T")
READERS = max(2, min(4, os.cpu_count() or 2))
"""Questions answered at once. More would share the same processors and hold more memory each."""

PRICES_S = 60.0
"""How long prices are held before the files are looked at again."""
_LOOPBACK = ("127.", "::1", "localhost")


class Serving:
    """How this server was started: what access control goes by."""

    def __init__(
        self, host: str = "127.0.0.1", port: int = 4318, *, is_open: bool = True, hosts: tuple[str, ...] = (),
        origins: tuple[str, ...] = (), any_project: bool = False,
    ) -> None:  # fmt: skip
        self.host = host
        self.port = port
        self.is_open = is_open
        """No key is asked for: on loopback, or by `--insecure`."""
        self.hosts = hosts
        """Further names under which the server is addressed."""
        self.origins = origins
        """Origins of other sites' pages that may call it; `*` is all."""
        self.any_project = any_project
        """Whether `POST /api/ai-usage` takes records of projects that nobody created."""

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host.startswith(_LOOPBACK)


def _unwritten(folder: Path, error: BaseException) -> StorageError:
    return StorageError(
        f"{folder}: the records could not be written: {error}",
        hint="free some space or mend the folder; what was not acknowledged may be sent again",
    )


class _Ledger:
    """The ledger as `Twins` reads it: a store borrowed for as long as a scan lasts."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def scan(
        self, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> Iterator[list[Call]]:
        """See `CallStore.scan`."""
        with self._context.borrowed() as store:
            yield from store.scan(filters, since_us=since_us, until_us=until_us)


class Context:
    """The surroundings of one server. Made and closed by `server.run`, or by a test."""

    def __init__(self, settings: Settings, serving: Serving | None = None, *, fsync: bool = True) -> None:
        refuse_network(settings.folder)
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings = settings
        self.serving = serving or Serving()
        self.gauge = Gauge()
        self.alerts = Episodes()
        self.room = Room()
        self.keys = Keyring()
        self.tokens = Signer()
        self.known_projects = Known()
        self.received = Received()
        self.live = Live(self)
        self._pricer: tuple[float, Pricer] | None = None
        self.intake = Intake(settings, fsync=fsync)
        self.redact = Redactor(settings.redact_patterns, enabled=settings.redact)
        self._durable: deque[tuple[Callable[[BaseException | None], None], BaseException | None]] = deque()
        self._is_settling = False
        self.is_ready = False
        self.is_stopping = False
        self._stores: queue.LifoQueue[CallStore] = queue.LifoQueue()  # The one that knows most of what is new first.
        self._opened: list[CallStore] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="tallybook-reader")
        self._state_thread = ThreadPoolExecutor(1, thread_name_prefix="tallybook-state")
        self._state: StateStore | None = None
        self._spans_thread = ThreadPoolExecutor(1, thread_name_prefix="tallybook-spans")
        self._spans_bytes = 0
        self._spans_lock = threading.Lock()
        self._twins = Twins(_Ledger(self))

    @staticmethod
    def now_us() -> int:
        """Microseconds since 1970."""
        return time.time_ns() // 1000

    @staticmethod
    def new_id(now_us: int) -> str:
        """A fresh UUIDv7 for a moment in microseconds."""
        return uuid7(now_us // 1000, secrets.randbits(74))

    @property
    def prices(self) -> Pricer:
        """The prices in force, read again now and then: a price list may change while the server runs."""
        now_s = time.monotonic()
        if self._pricer is None or now_s - self._pricer[0] >= PRICES_S:
            self._pricer = (now_s, Pricer(open_prices(self.settings)))
        return self._pricer[1]

    async def read(self, work: Callable[[CallStore], T]) -> T:
        """What `work` gives on a store, on a reader's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._with_store, work)

    def read_now(self, work: Callable[[CallStore], T]) -> T:
        """The same for a thread that may wait."""
        return self._readers.submit(self._with_store, work).result()

    def _with_store(self, work: Callable[[CallStore], T]) -> T:
        with self.borrowed() as store:
            return work(store)

    @contextmanager
    def borrowed(self) -> Iterator[CallStore]:
        """A store for a thread that may wait, given back at the end."""
        try:
            store = self._stores.get_nowait()
        except queue.Empty:
            from tallybook.store.lake.store import LakeStore  # here, because the server starts without DuckDB

            store = LakeStore(self.settings.folder, open_prices(self.settings))
            self._opened.append(store)
        try:
            yield store
        finally:
            self._stores.put(store)

    async def telemetry(self, bytes_: int, work: Callable[[Twins], T]) -> T:
        """What `work` makes of a telemetry request of so many bytes, on the one thread that tells spans apart.

        Raises Overloaded when more waits for it than may.
        """
        return await asyncio.wrap_future(self.telemetry_now(bytes_, work))

    def telemetry_now(self, bytes_: int, work: Callable[[Twins], T]) -> Future[T]:
        """The same for a thread that may wait."""
        with self._spans_lock:
            if self._spans_bytes and self._spans_bytes + bytes_ > INTAKE_BYTES:
                raise Overloaded(
                    f"{self._spans_bytes:,} bytes of telemetry wait to be read", hint="send it again in a moment"
                )
            self._spans_bytes += bytes_
        future = self._spans_thread.submit(work, self._twins)
        future.add_done_callback(lambda _: self._read_bytes(bytes_))
        return future

    def _read_bytes(self, bytes_: int) -> None:
        with self._spans_lock:
            self._spans_bytes -= bytes_

    async def state(self, work: Callable[[StateStore], T]) -> T:
        """What `work` gives on the state, on the state's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._state_thread, self._with_state, work)

    def state_now(self, work: Callable[[StateStore], T]) -> T:
        """The same for a thread that may wait."""
        return self._state_thread.submit(self._with_state, work).result()

    def _with_state(self, work: Callable[[StateStore], T]) -> T:
        if self._state is None:
            self._state = open_state(self.settings)
        return work(self._state)

    async def record(self, arrival: Arrival) -> None:
        """Write records; when this returns they survive power loss. Raises Overloaded, StorageError."""
        await self._written(lambda done: self.intake.submit(arrival, done))

    async def record_lines(self, lines: Lines) -> None:
        """The same for lines of the journal."""
        await self._written(lambda done: self.intake.submit_lines(lines, done))

    def record_lines_now(self, lines: Lines) -> None:
        """The same for a thread that may wait."""
        durable: Future[None] = Future()

        def settle(error: BaseException | None) -> None:
            if error is None:
                durable.set_result(None)
            else:
                durable.set_exception(self._unwritten(error))

        self.intake.submit_lines(lines, settle)
        durable.result()

    async def _written(self, submit: Callable[[Callable[[BaseException | None], None]], None]) -> None:
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()

        def settle(error: BaseException | None) -> None:
            if durable.done():
                return
            if error is None:
                durable.set_result(None)
            else:
                durable.set_exception(self._unwritten(error))

        def tell(error: BaseException | None) -> None:
            self._durable.append((settle, error))
            if not self._is_settling:  # Once a turn of the intake: each wakes the loop by a system call.
                self._is_settling = True
                with suppress(RuntimeError):  # The loop is closed: a stop was cut short, and nobody waits any more.
                    loop.call_soon_threadsafe(self._settle)

        submit(tell)
        await durable

    def _settle(self) -> None:
        """Tell all who wait what became of their records. The flag first: whoever comes after that calls again."""
        self._is_settling = False
        while self._durable:
            settle, error = self._durable.popleft()
            settle(error)

    def _unwritten(self, error: BaseException) -> StorageError:
        self.alerts.note("disk", f"{self.settings.folder}: {error}", self.now_us())
        return _unwritten(self.settings.folder, error)

    def close(self) -> bool:
        """Write what was accepted, then release everything; False when something was not durable in time."""
        self.is_stopping = True
        self.live.close()
        self._spans_thread.shutdown()
        is_whole = self.intake.close()
        self._readers.shutdown()
        for store in self._opened:
            store.close()
        self._state_thread.submit(self._close_state).result()
        self._state_thread.shutdown()
        return is_whole

    def _close_state(self) -> None:
        if self._state is not None:
            if self.keys.count:
                self.keys.refresh(self._state, self.now_us())
            self._state.close()
            self._state = None
