"""From the folder to the hub: one thread that looks at the journal's ends and publishes what they tell.

One look is a `stat` a segment, so idle it costs next to nothing. What needs more than the journal is handed in: prices,
how a call is shown, run totals, and further changes (tasks). A failure there is counted and told, and the feed goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tallybook.journal.growth import READ_BYTES, Tail
from tallybook.journal.layout import Kind
from tallybook.live.event import Fresh, of_call
from tallybook.live.hub import Hub
from tallybook.live.replay import ended_at_us
from tallybook.live.under_way import UnderWay
from tallybook.model.call import Call, Cost
from tallybook.store.arriving import Arriving

POLL_S = 0.1
"""How often the journal's ends are looked at."""
_LOST_EVERY_S = 1.0
_IMPORT = "import:"
_STARTED: tuple[Kind, ...] = ("started",)


class Source:
    """The events of one folder from now on. `poll` by one thread."""

    def __init__(
        self, folder: Path, hub: Hub, *, price: Callable[[Call], Cost], show: Callable[[Call], dict[str, Any]],
        totals: Callable[[Sequence[Call]], Iterable[Fresh]] | None = None,
        changes: Sequence[Callable[[], Iterable[Fresh]]] = (),
        recorded: Callable[[Sequence[Call]], Iterable[str]] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        """`totals` gets the new calls of each look and tells of runs whose totals changed; `recorded` says which calls
        have their record already;
        `changes` are asked at each look; `tell` gets what went wrong, one text each."""
        self.hub = hub
        self.under_way = UnderWay()
        self._show = show
        self._totals = totals
        self._changes = tuple(changes)
        self._tell = tell or (lambda _: None)
        self._arriving = Arriving(folder, price)
        self._tail = Tail(folder)
        self._started = Tail(folder, _STARTED, is_from_start=True)
        self._dead_at = 0.0
        self._recorded = recorded
        self._read_earlier()

    def _read_earlier(self) -> None:
        """What began before this did is under way, unless it has its record: `_settle` finds out."""
        is_more = True
        while is_more:
            grown = self._started.poll()
            self.under_way.read(grown)
            is_more = any(len(piece.data) >= READ_BYTES // 2 for piece in grown)

    def _settle(self) -> None:
        ask, self._recorded = self._recorded, None
        calls = self.under_way.calls
        if ask is not None and calls:
            # Where that cannot be told, nothing is known to be under way.
            recorded = self._guarded("asking for records of calls under way", lambda: list(ask(calls)))
            self.under_way.ended([call.call_id for call in calls] if recorded is None else recorded)

    def poll(self) -> int:
        """One look; the number of events published."""
        if self._recorded is not None:
            self._settle()
        news: list[Fresh] = []
        dead: frozenset[str] = frozenset()
        if len(self.under_way) and time.monotonic() - self._dead_at >= _LOST_EVERY_S:
            self._dead_at = time.monotonic()
            dead = self.under_way.dead()
        begun, complaints = self.under_way.read(self._started.poll())
        news += [Fresh("started", "call", call.call_id, call, shown_started(call)) for call in begun]
        grown = self._tail.poll()
        calls, further = self._arriving.read(grown)
        for complaint in (*complaints, *further):
            self.hub.counters["bad_lines"] += 1
            self._tell(complaint)
        self.under_way.ended(call.call_id for call in calls)
        live = [call for call in calls if not call.source.startswith(_IMPORT)]
        live.sort(key=ended_at_us)  # What several writers wrote since the last look is told in the order of its ends.
        self.hub.counters["imported"] += len(calls) - len(live)
        news += [of_call(call, self._show(call)) for call in live]
        if dead and not any(len(piece.data) >= READ_BYTES // 2 for piece in grown):
            lost = self.under_way.lost(dead)
            news += [Fresh("lost", "call", call.call_id, call, shown_started(call)) for call in lost]
        if self._totals is not None:
            totals, known = self._totals, calls
            news += self._guarded("run totals", lambda: list(totals(known))) or ()
        for change in self._changes:
            news += self._guarded("changes of tasks", lambda change=change: list(change())) or ()  # type: ignore[misc]
        return len(self.hub.publish(news)) if news else 0

    def _guarded(self, what: str, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Exception as error:  # noqa: BLE001  (a locked or full state must not end the feed)
            self.hub.counters["failures"] += 1
            self._tell(f"{what}: {type(error).__name__}: {error}")
            return None

    def run(self, stop: threading.Event, poll_s: float = POLL_S) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            self._guarded("following the journal", self.poll)
            stop.wait(poll_s)


def shown_started(call: Call) -> dict[str, Any]:
    """A call that has not ended, as listeners get it: what is known of it."""
    known = msgspec.structs.asdict(call)
    names = (
        "call_id", "started_at_us", "operation", "name", "provider", "model", "run_id", "parent_id", "project",
        "environment", "user_id", "session_id", "agent_name", "is_stream",
    )  # fmt: skip
    return {name: known[name] for name in names if known[name] is not None}
