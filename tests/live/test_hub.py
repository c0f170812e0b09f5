"""Everyone who wants an event gets it once, in order; the slow are dropped and told; nothing grows for ever."""

from __future__ import annotations

import threading
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tallybook.live.event import Fresh, Wanted
from tallybook.live.hub import Hub, Listener
from tallybook.model.call import Call
from tallybook.model.question import Filter
from tallybook.testing import FrozenClock

NOW_US = 1_767_268_800_000_000


def fresh(number: int, kind: Any = "completed", **given: Any) -> Fresh:
    call = Call(call_id=f"c{number}", started_at_us=NOW_US, **given)
    return Fresh(kind, "call", call.call_id, call, {"n": number})


def hub(**given: Any) -> Hub:
    return Hub(FrozenClock(NOW_US).now_us, **given)


def heard(listener: Listener) -> list[int]:
    return [event.data["n"] for batch in listener.take() for event in batch.events]


def test_every_listener_hears_every_event_once_in_order_with_rising_ids() -> None:
    middle = hub()
    listeners = [middle.listen() for _ in range(1_000)]
    for begin in range(0, 5_000, 50):
        middle.publish([fresh(number) for number in range(begin, begin + 50)])
    for listener in listeners:
        batches = listener.take()
        events = [event for batch in batches for event in batch.events]
        assert [event.data["n"] for event in events] == list(range(5_000))
        assert [event.id for event in events] == list(range(NOW_US + 1, NOW_US + 5_001))
        assert listener.take() == []
    assert middle.counters == {"published": 5_000, "delivered": 5_000_000, "listened": 1_000}


def test_those_that_want_the_same_share_one_rendering() -> None:
    middle = hub()
    one, other = middle.listen(), middle.listen()
    middle.publish([fresh(1), fresh(2)])
    ((mine,), (yours,)) = one.take(), other.take()
    assert mine.frames is yours.frames
    assert mine.frames.count(b"id: ") == 2 and mine.frames.endswith(b"\n\n")


def test_filters_kinds_and_subjects_choose() -> None:
    middle = hub()
    shop = middle.listen(Wanted(filters=(Filter("project", "eq", "shop"),)))
    failed = middle.listen(Wanted(kinds=frozenset({"failed"})))
    run = middle.listen(Wanted(subjects=frozenset({"run-1"})))
    middle.publish([
        fresh(1, project="shop"), fresh(2, "failed", project="mimir"), fresh(3, run_id="run-1"),
        fresh(4, session_id="run-1"),
    ])  # fmt: skip
    assert heard(shop) == [1] and heard(failed) == [2] and heard(run) == [3, 4]


def test_a_slow_listener_is_dropped_and_told_and_comes_back_by_its_last_id() -> None:
    middle = hub(pending_events=100)
    slow, quick = middle.listen(), middle.listen()
    middle.publish([fresh(number) for number in range(60)])
    last = slow.take()[-1].events[-1].id
    assert len(heard(quick)) == 60
    for begin in range(60, 240, 60):
        middle.publish([fresh(number) for number in range(begin, begin + 60)])
        assert len(heard(quick)) == 60
    assert slow.dropped == 120 and slow.is_closed and slow.has_news and slow.take() == []
    assert middle.listeners == 1
    assert middle.counters["dropped_listeners"] == 1 and middle.counters["dropped_events"] == 120
    back = middle.listen(after=last)
    assert [event.data["n"] for event in back.missed.events] == list(range(60, 240)) and back.missed.gap is None


def test_bytes_bound_as_well() -> None:
    middle = hub(pending_bytes=1_000)
    slow = middle.listen()
    middle.publish([Fresh("completed", "call", "c", Call(call_id="c", started_at_us=NOW_US), {"n": "x" * 2_000})])
    assert slow.dropped == 1


def test_beyond_the_ring_a_gap_is_told() -> None:
    middle = hub(ring_events=10)
    middle.publish([fresh(number) for number in range(25)])
    missed = middle.listen(after=NOW_US + 3).missed
    assert missed.gap == (NOW_US + 3, NOW_US + 15)
    assert [event.data["n"] for event in missed.events] == list(range(15, 25))
    assert middle.listen(after=NOW_US + 15).missed.gap is None
    before_the_restart = middle.listen(after=NOW_US - 5_000_000).missed
    assert before_the_restart.gap == (NOW_US - 5_000_000, NOW_US + 15)


def test_a_clock_that_goes_back_does_not_make_ids_go_back() -> None:
    clock = FrozenClock(NOW_US)
    middle = Hub(clock.now_us)
    (first,) = middle.publish([fresh(1)])
    clock.advance(seconds=-100)
    (second,) = middle.publish([fresh(2)])
    clock.advance(seconds=200)
    (third,) = middle.publish([fresh(3)])
    assert first.id < second.id < third.id == NOW_US + 100_000_000


def test_one_wake_a_publication_however_many_listen() -> None:
    middle = hub()
    woken: list[int] = []

    def wake() -> None:
        woken.append(1)

    for _ in range(100):
        middle.listen(wake=wake)
    other = middle.listen(Wanted(kinds=frozenset({"failed"})), wake=lambda: woken.append(100))
    middle.publish([fresh(1), fresh(2)])
    assert woken == [1] and not other.has_news


def test_who_leaves_hears_nothing_more() -> None:
    middle = hub()
    listener = middle.listen()
    listener.close()
    listener.close()
    middle.publish([fresh(1)])
    assert listener.take() == [] and middle.listeners == 0


def test_threads_publish_while_others_listen_and_leave() -> None:
    middle = Hub(lambda: time.time_ns() // 1000)
    stays = middle.listen()
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            listener = middle.listen(after=middle.last_id - 10)
            listener.take()
            listener.close()

    def publish(base: int) -> None:
        for number in range(500):
            middle.publish([fresh(base + number)])

    guests = [threading.Thread(target=come_and_go) for _ in range(3)]
    publishers = [threading.Thread(target=publish, args=(base,)) for base in range(0, 4_000, 1_000)]
    for thread in (*guests, *publishers):
        thread.start()
    for thread in publishers:
        thread.join()
    stop.set()
    for thread in guests:
        thread.join()
    events = [event for batch in stays.take() for event in batch.events]
    assert len(events) == 2_000
    assert [event.id for event in events] == sorted({event.id for event in events})
    for base in range(0, 4_000, 1_000):
        assert [e.data["n"] for e in events if base <= e.data["n"] < base + 1_000] == list(range(base, base + 500))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 8), max_size=30), st.lists(st.booleans(), min_size=30, max_size=30), st.integers(1, 40))
def test_whoever_comes_back_by_the_last_id_misses_nothing_that_the_ring_holds(
    sizes: list[int], stays: list[bool], ring: int
) -> None:
    middle = hub(ring_events=ring)
    listener = middle.listen()
    got: list[int] = []
    last = middle.last_id
    number = 0
    gaps = 0
    for size, is_there in zip(sizes, stays, strict=False):
        if not is_there:
            listener.close()
        middle.publish([fresh(number + one) for one in range(size)])
        number += size
        if not is_there:
            listener = middle.listen(after=last)
            got += [event.data["n"] for event in listener.missed.events]
            gaps += listener.missed.gap is not None
        got += heard(listener)
        last = NOW_US + number
    assert got == sorted(set(got))
    if not gaps:
        assert got == list(range(number))
