"""The hub inside an event loop."""

from __future__ import annotations

import asyncio
import threading

from tallybook.live.feed import Feed
from tallybook.live.hub import Batch, Hub

from .test_hub import fresh, hub


def test_a_thread_publishes_and_a_thousand_tasks_hear_everything() -> None:
    async def listen(feed: Feed, wanted: int) -> list[int]:
        heard: list[int] = []
        listener = feed.listen()
        async for batches in feed.batches(listener):
            heard += [event.data["n"] for batch in batches for event in batch.events]
            if len(heard) == wanted:
                break
        return heard

    async def main(middle: Hub) -> list[list[int]]:
        feed = Feed(middle)
        tasks = [asyncio.create_task(listen(feed, 300)) for _ in range(1_000)]
        await asyncio.sleep(0)

        def publish() -> None:
            for number in range(0, 300, 3):
                middle.publish([fresh(number + one) for one in range(3)])

        thread = threading.Thread(target=publish)
        thread.start()
        found = await asyncio.gather(*tasks)
        thread.join()
        await asyncio.sleep(0)
        return found

    middle = hub()
    assert asyncio.run(main(middle)) == [list(range(300))] * 1_000
    assert middle.listeners == 0, "who stops iterating has left"


def test_heartbeats_come_when_nothing_happens_and_closing_ends() -> None:
    async def main() -> list[list[Batch]]:
        feed = Feed(hub(), heartbeat_s=0.01)
        found = []
        async for batches in feed.batches(feed.listen()):
            found.append(batches)
            if len(found) == 3:
                feed.close()
        return found

    assert asyncio.run(main()) == [[], [], []]


def test_who_was_dropped_is_ended() -> None:
    async def main() -> tuple[int, int]:
        middle = hub(pending_events=5)
        feed = Feed(middle)
        listener = feed.listen()
        middle.publish([fresh(0)])
        seen = 0
        async for batches in feed.batches(listener):
            seen += sum(len(batch.events) for batch in batches)
            middle.publish([fresh(number) for number in range(6)])
        return seen, listener.dropped

    assert asyncio.run(asyncio.wait_for(main(), 5)) == (1, 6)
