"""What the server does on its own: follow the journal, seal what is due, record what waited. One thread, one pace.

Following takes in the lines of every process that writes the folder, a few times a second; whoever wants to know of
new calls adds a listener. Sealing gives the intake's segments up first, so that they can be taken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from tallybook.ingest.arrival import Arrival
from tallybook.ingest.follow import follow
from tallybook.ingest.langfuse import RETRY_US
from tallybook.model.call import Call, Cost
from tallybook.model.errors import TallybookError
from tallybook.prices.book import PriceBook
from tallybook.prices.pricer import Pricer
from tallybook.runs import life
from tallybook.server import overdue
from tallybook.server.context import PRICES_S, Context
from tallybook.store.base import StateStore
from tallybook.store.lake.manifest import Seen, stamp
from tallybook.store.open import open_prices, open_state

FOLLOW_S = 0.2
BUSY_S = 1.0
"""Between two passes of which one took in `BUSY_CALLS` or more: fewer and longer transactions cost less a call. Only
run totals wait for it; the live feed has calls from the journal's ends."""
BUSY_CALLS = 500
LOOK_S = 5.0
"""A pass at least so often, whatever the folder looks like: what others do to the state cannot be seen there."""
SEAL_LOOK_S = 10.0
"""How often is looked whether sealing is due."""
_STOP_S = 30.0

Listener = Callable[[Sequence[Call], Sequence[Cost]], None]


class Upkeep:
    """The server's background work. `listeners` get every call once it is in the journal, whoever wrote it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings = context.settings
        self._stop = threading.Event()
        self.listeners: list[Listener] = []
        self._book: tuple[float, PriceBook] | None = None
        self._seen = Seen()
        self._looked: tuple[float, tuple[Any, ...] | None] = (0.0, None)
        self._thread = threading.Thread(target=self._work, name="tallybook-upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the turn under way; run totals that are being read from the lake wait for the next start."""
        self._stop.set()
        self._thread.join(_STOP_S)

    def _work(self) -> None:
        state: StateStore | None = None
        looked = time.monotonic()
        tended: float | None = None
        pause_s = FOLLOW_S
        try:
            while not self._stop.wait(pause_s):
                try:
                    if state is None:
                        state = open_state(self._settings)
                    if tended is None or time.monotonic() - tended >= overdue.LOOK_S:
                        # At the start also what a server that was killed had taken in and not yet recorded.
                        ahead_us = RETRY_US if tended is None else 0
                        tended = time.monotonic()
                        pricer = Pricer(self._prices())
                        overdue.record_overdue(self._context, state, pricer, self._context.now_us() + ahead_us)
                    pause_s = BUSY_S if self._follow(state) >= BUSY_CALLS else FOLLOW_S
                    if time.monotonic() - looked >= SEAL_LOOK_S:
                        looked = time.monotonic()
                        self._recover(state)
                        self._seal(state)
                except (TallybookError, OSError) as error:
                    self._failed(error)
        finally:
            if state is not None:
                state.close()

    def _follow(self, state: StateStore) -> int:
        """Take in what was written; how many calls. A folder in which nothing has changed is left alone: a pass opens
        every segment, which an idle server would do five times a second."""
        folder, handed = self._settings.folder, self._context.intake.handed
        now_s, looks = time.monotonic(), stamp(folder, self._seen)
        if looks == self._looked[1] and now_s - self._looked[0] < LOOK_S and not handed.segments():
            return 0
        calls = follow(folder, state, self._prices(), self._tell, handed, self._stop).calls
        # A pass that took in something may have left the rest to the next one.
        self._looked = (now_s, None if calls else looks)
        return calls

    def _prices(self) -> PriceBook:
        """The prices in force, read again now and then."""
        now_s = time.monotonic()
        if self._book is None or now_s - self._book[0] >= PRICES_S:
            self._book = (now_s, open_prices(self._settings))
        return self._book[1]

    def _tell(self, calls: Sequence[Call], costs: Sequence[Cost]) -> None:
        for listener in self.listeners:
            listener(calls, costs)

    def _recover(self, state: StateStore) -> None:
        """Write the calls of tasks whose end a crash broke off; following them tells the state that they are there."""
        found = life.unfinished(state, self._context.now_us(), self._context.redact)
        calls = tuple(one.call for one in found if one.call is not None)
        if calls:
            self._context.intake.submit(Arrival(calls=calls), lambda _: None)

    def _seal(self, state: StateStore) -> None:
        from tallybook.ingest.seal import is_due, seal  # here, because the server starts without DuckDB

        if not is_due(self._settings.folder):
            return
        self._context.intake.rotate()
        time.sleep(0.05)  # One turn of the intake.
        seal(self._settings.folder, self._prices(), state)

    def _failed(self, error: Exception) -> None:
        self._context.alerts.note("upkeep", f"following or sealing failed: {error}", self._context.now_us())
        self._context.gauge.count("tallybook_failures_total", "upkeep")
