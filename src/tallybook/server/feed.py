"""The live feed of one server: begun by its first listener, so that a server nobody listens to pays nothing for it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tallybook.live.feed import Feed
from tallybook.live.hub import Hub
from tallybook.live.replay import Replayed, replay
from tallybook.live.source import Source
from tallybook.live.tasks import Tasks
from tallybook.live.totals import Totals
from tallybook.model.call import Call, Cost, Run
from tallybook.prices.pricer import Pricer
from tallybook.query.plain import call as plain_call
from tallybook.query.plain import plain
from tallybook.server.received import recorded
from tallybook.store.open import open_prices

if TYPE_CHECKING:
    from tallybook.live.hub import Listener
    from tallybook.server.context import Context

log = logging.getLogger("tallybook.server")

PRICES_S = 60.0
"""How long prices are held before the files are looked at again."""
_STOP_S = 5.0


class Live:
    """Hub, source and its thread. Made by the context; used inside the server's event loop."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = asyncio.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._feed: Feed | None = None
        self._pricer: tuple[float, Pricer] | None = None

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return 0 if self._feed is None else self._feed.hub.listeners

    async def feed(self) -> Feed:
        """The feed, begun when it was not yet: what is written from now on is told. Raises OSError."""
        async with self._lock:
            if self._feed is None:
                hub = Hub(self._context.now_us)
                source = await asyncio.to_thread(self._source, hub)
                self._thread = threading.Thread(
                    target=source.run, args=(self._stop,), name="tallybook-live", daemon=True
                )
                self._thread.start()
                self._measure(hub)
                self._feed = Feed(hub)
            return self._feed

    def _source(self, hub: Hub) -> Source:
        return Source(
            self._context.settings.folder, hub, price=self._price, show=plain_call,
            totals=Totals(self._runs, plain, time.monotonic), changes=(self._tasks(),), recorded=self._recorded,
            tell=_told,
        )  # fmt: skip

    def _measure(self, hub: Hub) -> None:
        value = self._context.gauge.value
        value("tallybook_live_listeners", "Listeners to the live feed.", lambda: hub.listeners)
        value("tallybook_live_events", "Events of the live feed so far.", lambda: hub.counters["published"])
        value(
            "tallybook_live_dropped_listeners", "Listeners dropped so far, because they were too slow.",
            lambda: hub.counters["dropped_listeners"],
        )  # fmt: skip

    def _price(self, call: Call) -> Cost:
        now_s = time.monotonic()
        if self._pricer is None or now_s - self._pricer[0] >= PRICES_S:
            self._pricer = (now_s, Pricer(open_prices(self._context.settings)))
        return self._pricer[1].cost(call)

    def _runs(self, ids: list[str]) -> Iterable[Run | None]:
        return self._context.state_now(lambda state: [state.run(run_id) for run_id in ids])

    def _tasks(self) -> Tasks:
        ask = self._context.state_now
        return Tasks(
            lambda: ask(lambda state: state.last_change()),
            lambda after: ask(lambda state: state.changed_tasks(after)),
            plain,
        )

    def _recorded(self, calls: Sequence[Call]) -> set[str]:
        return self._context.read_now(lambda store: recorded(store, calls))

    async def missed(self, listener: Listener) -> Replayed | None:
        """What a listener missed that the hub has no more; `None` where it has all."""
        gap, wanted = listener.missed.gap, listener.wanted
        if gap is None or self._feed is None:
            return None
        known = self._feed.hub.recent("call")
        return await self._context.read(
            lambda store: replay(store, wanted, gap[0], plain_call, known, until=gap[1] + 1)
        )

    def close(self) -> None:
        """End the thread. The feed is ended by `end`, inside its loop."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def end(self) -> None:
        """End all listeners: the server stops."""
        if self._feed is not None:
            self._feed.close()


def _told(text: str) -> None:
    log.warning("live feed: %s", text)
