"""The hub: everything that happens once, to everyone who listens, with bounds everywhere.

Safe for threads; knows no event loop (`live.feed` does). Publishing never waits for a listener: what one has not
taken yet is bounded, and beyond that it is dropped, which it is told and can make good by its last id. Events are
rendered once, and listeners that want the same share one batch, so a thousand of them cost little more than one.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tallybook.live.event import Event, Fresh, Wanted, placed
from tallybook.model.limits import LIVE_PENDING_BYTES, LIVE_PENDING_EVENTS, LIVE_RING_EVENTS


class Batch(NamedTuple):
    """Events of one publication that a listener wanted."""

    events: tuple[Event, ...]
    frames: bytes


class Missed(NamedTuple):
    """What a listener that comes back has to hear first."""

    events: tuple[Event, ...]
    """Those that the hub still has, in order."""
    gap: tuple[int, int] | None
    """Ids between which the hub has forgotten, or never heard, what happened: the journal knows."""


class Listener:
    """One listener's bounded share. Made by `Hub.listen`; `take` by one thread or task."""

    __slots__ = ("_bytes", "_count", "_hub", "_pending", "dropped", "is_closed", "missed", "wake", "wanted")

    def __init__(self, hub: Hub, wanted: Wanted, missed: Missed, wake: Callable[[], None] | None) -> None:
        self._hub = hub
        self._pending: deque[Batch] = deque()
        self._count = 0
        self._bytes = 0
        self.wanted = wanted
        self.missed = missed
        self.wake = wake
        self.dropped = 0
        """Events that it did not get, because it was too slow; it gets none after that."""
        self.is_closed = False

    @property
    def has_news(self) -> bool:
        """Whether `take` would give something, or it was dropped."""
        return bool(self._pending) or self.dropped > 0

    def _put(self, batch: Batch) -> bool:
        """Add a batch; False when that is more than may wait."""
        self._pending.append(batch)
        self._count += len(batch.events)
        self._bytes += len(batch.frames)
        if self._count <= self._hub.pending_events and self._bytes <= self._hub.pending_bytes:
            return True
        self.dropped = self._count
        self._pending.clear()
        return False

    def take(self) -> list[Batch]:
        """All that waits, oldest first."""
        with self._hub.lock:
            taken = list(self._pending)
            self._pending.clear()
            self._count = self._bytes = 0
        return taken

    def close(self) -> None:
        """Listen no more."""
        self._hub.leave(self)


class Hub:
    """See the module."""

    def __init__(
        self, now_us: Callable[[], int], *, ring_events: int = LIVE_RING_EVENTS,
        pending_events: int = LIVE_PENDING_EVENTS, pending_bytes: int = LIVE_PENDING_BYTES,
    ) -> None:  # fmt: skip
        self.lock = threading.Lock()
        self.pending_events = pending_events
        self.pending_bytes = pending_bytes
        self.counters: Counter[str] = Counter()
        """`published`, `delivered` (events times listeners), `dropped_listeners`, `dropped_events`, `listened`."""
        self._now_us = now_us
        self._ring: deque[Event] = deque(maxlen=ring_events)
        self._channels: dict[Wanted, set[Listener]] = {}
        self._floor = self._last = now_us()

    @property
    def last_id(self) -> int:
        """The id of the latest event, or of the hub's beginning."""
        return self._last

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return sum(map(len, self._channels.values()))

    def publish(self, news: Iterable[Fresh]) -> Sequence[Event]:
        """Give events their places and hand them to all who want them. Never waits for a listener."""
        waking: dict[Callable[[], None], None] = {}
        with self.lock:
            events = [self._place(fresh) for fresh in news]
            if not events:
                return ()
            for wanted, listeners in list(self._channels.items()):
                self._hand(tuple([event for event in events if wanted.takes(event)]), listeners, waking)
                if not listeners:
                    del self._channels[wanted]
        for wake in waking:  # Outside the lock: a listener may take at once.
            wake()
        return events

    def _place(self, fresh: Fresh) -> Event:
        self._last = max(self._last + 1, self._now_us())
        event = placed(fresh, self._last)
        if len(self._ring) == self._ring.maxlen:
            self._floor = self._ring[0].id
        self._ring.append(event)
        self.counters["published"] += 1
        return event

    def _hand(
        self, events: tuple[Event, ...], listeners: set[Listener], waking: dict[Callable[[], None], None]
    ) -> None:  # fmt: skip
        if not events:
            return
        batch = Batch(events, b"".join([event.frame for event in events]))
        self.counters["delivered"] += len(events) * len(listeners)
        slow = []
        for listener in listeners:
            if not listener._put(batch):
                slow.append(listener)
            if listener.wake is not None:
                waking[listener.wake] = None
        for listener in slow:
            listeners.discard(listener)
            listener.is_closed = True
            self.counters["dropped_listeners"] += 1
            self.counters["dropped_events"] += listener.dropped
            self.counters["delivered"] -= listener.dropped

    def listen(
        self, wanted: Wanted | None = None, *, after: int | None = None, wake: Callable[[], None] | None = None
    ) -> Listener:
        """A listener from now on; with `after`, an event's id, its `missed` says what came since.

        `wake` is called in the publisher's thread after a publication that it wants, once for all that share it.
        """
        wanted = wanted or Wanted()
        with self.lock:
            missed = Missed((), None)
            if after is not None:
                kept = tuple([event for event in self._ring if event.id > after and wanted.takes(event)])
                missed = Missed(kept, (after, self._floor) if after < self._floor else None)
            listener = Listener(self, wanted, missed, wake)
            self._channels.setdefault(wanted, set()).add(listener)
            self.counters["listened"] += 1
        return listener

    def leave(self, listener: Listener) -> None:
        """As `Listener.close`."""
        with self.lock:
            listener.is_closed = True
            listeners = self._channels.get(listener.wanted)
            if listeners is not None:
                listeners.discard(listener)
                if not listeners:
                    del self._channels[listener.wanted]

    def recent(self, about: str) -> set[str]:
        """Ids of the calls, tasks or runs that the kept events are about."""
        with self.lock:
            return {event.subject for event in self._ring if event.about == about}
