"""Windows of five hours: where they begin and end, gaps, rates, and where the running one will end."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tallybook.model.call import Call
from tallybook.query.blocks import HOURS, blocks
from tallybook.query.span import everything
from tallybook.query.totals import Scope
from tallybook.store.memory import MemoryStore

from .company import NOW_US, call, us

HOUR_US = 3_600_000_000
ALL = Scope(span=everything(NOW_US, "Asia/Kolkata"))


def test_a_window_begins_at_the_hour_and_the_next_at_the_first_call_after_its_end() -> None:
    store = MemoryStore()
    store.append([call(f"2026-11-20T{at}") for at in ("10:40", "14:59", "15:00", "20:10")])
    found = blocks(store, ALL).blocks
    assert [(block.start_at_us, block.totals.calls, block.is_gap) for block in found] == [
        (us("2026-11-20T10:00"), 2, False),
        (us("2026-11-20T15:00"), 1, False),
        (us("2026-11-20T20:00"), 1, False),
    ]
    assert not any(block.is_active for block in found)


def test_a_gap_is_the_time_between_windows() -> None:
    store = MemoryStore()
    store.append([call("2026-11-20T10:40"), call("2026-11-21T02:10")])
    found = blocks(store, ALL).blocks
    assert [block.is_gap for block in found] == [False, True, False]
    assert (found[1].start_at_us, found[1].end_at_us) == (us("2026-11-20T15:00"), us("2026-11-21T02:00"))


def test_the_running_window_tells_its_rate_and_its_end() -> None:
    store = MemoryStore()
    store.append([call("2026-11-22T12:30", cost=3_000_000_000, input_tokens=60_000, output_tokens=0)])
    (block,) = blocks(store, ALL).blocks
    assert block.is_active
    assert block.remaining_us == us("2026-11-22T17:00") - NOW_US
    assert block.tokens_per_minute == 500
    assert block.cost_per_hour == 1.5
    assert block.projected_tokens == 60_000 + 500 * 150
    assert block.projected_cost_nano == 3_000_000_000 + 3_750_000_000


def test_less_than_a_minute_gives_no_rate_and_unknown_cost_no_projection() -> None:
    store = MemoryStore()
    store.append([call("2026-11-22T14:29:30", None, None)])
    (block,) = blocks(store, ALL).blocks
    assert (block.tokens_per_minute, block.projected_tokens) == (None, None)
    store.append([call("2026-11-22T14:00", None, None)])
    (block,) = blocks(store, ALL).blocks
    assert block.tokens_per_minute is not None
    assert (block.cost_per_hour, block.projected_cost_nano) == (None, None)


def by_walking(calls: list[Call]) -> list[tuple[int, int]]:
    """The rule applied call by call: start of each window and its number of calls."""
    found: list[tuple[int, int]] = []
    for one in sorted(calls, key=lambda one: one.started_at_us):
        if not found or one.started_at_us >= found[-1][0] + HOURS * HOUR_US:
            found.append((one.started_at_us // HOUR_US * HOUR_US, 0))
        found[-1] = (found[-1][0], found[-1][1] + 1)
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(us("2026-11-18"), NOW_US), min_size=1, max_size=40))
def test_hourly_totals_give_the_same_windows_as_walking_the_calls(moments: list[int]) -> None:
    calls = [
        Call(call_id=str(number), started_at_us=moment, response_id=str(number))
        for number, moment in enumerate(moments)
    ]
    store = MemoryStore()
    store.append(calls)
    found = [(block.start_at_us, block.totals.calls) for block in blocks(store, ALL).blocks if not block.is_gap]
    assert found == by_walking(calls)
