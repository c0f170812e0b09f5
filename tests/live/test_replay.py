"""What was missed longer ago than the hub remembers."""

from __future__ import annotations

from typing import Any

import pytest

from tallybook.live import replay as replaying
from tallybook.live.event import Wanted
from tallybook.live.replay import replay
from tallybook.model.call import Call
from tallybook.model.question import Filter
from tallybook.store.memory import MemoryStore

NOW_US = 1_767_268_800_000_000
S = 1_000_000


def show(call: Call) -> dict[str, Any]:
    return {"call_id": call.call_id}


def store(*calls: Call) -> MemoryStore:
    found = MemoryStore()
    found.append(calls)
    return found


def call(name: str, begin_s: float, took_s: float = 0, **given: Any) -> Call:
    return Call(call_id=name, started_at_us=NOW_US + int(begin_s * S), duration_us=int(took_s * S), **given)


def test_calls_that_ended_after_an_event_come_in_the_order_of_their_ends() -> None:
    kept = store(
        call("long ago", -100), call("long", -60, 70), call("failed", 5, 1, status="error"), call("later", 20),
        call("imported", 6, source="import:codex"), call("known", 7),
    )  # fmt: skip
    found = replay(kept, Wanted(), NOW_US, show, known={"known"})
    assert [(event.kind, event.subject) for event in found.events] == [
        ("failed", "failed"), ("completed", "long"), ("completed", "later"),
    ]  # fmt: skip
    assert [event.id for event in found.events] == [NOW_US + 6 * S, NOW_US + 10 * S, NOW_US + 20 * S]
    assert found.is_whole


def test_only_what_is_wanted_comes_back() -> None:
    kept = store(call("a", 1, project="shop"), call("b", 2, project="mimir"), call("c", 3, project="shop"))
    wanted = Wanted(filters=(Filter("project", "eq", "shop"),), subjects=frozenset({"c"}))
    assert [event.subject for event in replay(kept, wanted, NOW_US, show).events] == ["c"]


def test_ids_rise_and_stay_below_what_the_hub_still_has() -> None:
    kept = store(*[call(f"{n}", 1) for n in range(5)], call("late", 9))
    ids = [event.id for event in replay(kept, Wanted(), NOW_US, show, until=NOW_US + 2 * S).events]
    assert ids[:5] == list(range(NOW_US + S, NOW_US + S + 5)) and ids[5] == NOW_US + 2 * S - 1


def test_beyond_the_limit_the_latest_come_and_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "CALLS_MAX", 10)
    found = replay(store(*[call(f"{n}", n) for n in range(100)]), Wanted(), NOW_US, show)
    assert [event.subject for event in found.events] == [f"{n}" for n in range(90, 100)] and not found.is_whole
