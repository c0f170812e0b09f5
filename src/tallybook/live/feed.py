"""Listeners of one event loop: an asynchronous iterator of batches over the hub, which knows no loop.

The publisher's thread rings once a publication, however many listen here; those with news are woken, and all are
from time to time, so that they can tell a connection that went away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from tallybook.live.event import Wanted
from tallybook.live.hub import Batch, Hub, Listener


class Feed:
    """The hub as one event loop sees it. Make it inside the loop."""

    def __init__(self, hub: Hub, *, heartbeat_s: float = 15.0) -> None:
        self.hub = hub
        self._heartbeat_s = heartbeat_s
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Listener, asyncio.Future[None]] = {}
        self._beat: asyncio.TimerHandle | None = None
        self.is_closed = False

    def listen(self, wanted: Wanted | None = None, *, after: int | None = None) -> Listener:
        """As `Hub.listen`, woken in this loop."""
        return self.hub.listen(wanted, after=after, wake=self._ring)

    async def batches(self, listener: Listener) -> AsyncGenerator[list[Batch], None]:
        """What comes, an empty list at each heartbeat; ends when the listener was dropped or the feed is closed.

        What waited when it was dropped is not given: its last id brings it back. The listener is closed at the end.
        """
        try:
            while not self.is_closed:
                if listener.dropped:
                    return
                taken = listener.take()
                if taken:
                    yield taken
                    continue
                if self._beat is None:
                    self._beat = self._loop.call_later(self._heartbeat_s, self._beaten)
                future = self._loop.create_future()
                self._waiting[listener] = future
                if listener.has_news:  # Published between taking and waiting.
                    del self._waiting[listener]
                    continue
                await future
                if not listener.has_news and not self.is_closed:
                    yield []
        finally:
            self._waiting.pop(listener, None)
            listener.close()

    def close(self) -> None:
        """End all iterators: the server stops."""
        self.is_closed = True
        if self._beat is not None:
            self._beat.cancel()
        self._wake(everyone=True)

    def _ring(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _beaten(self) -> None:
        self._beat = None
        self._wake(everyone=True)

    def _wake(self, everyone: bool = False) -> None:
        for listener in [one for one in self._waiting if everyone or one.has_news]:
            future = self._waiting.pop(listener)
            if not future.done():
                future.set_result(None)
