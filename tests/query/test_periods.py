"""Rows by day, week and month, with breakdowns that add up, and series without holes."""

from __future__ import annotations

from tallybook.query.periods import periods
from tallybook.query.series import filled
from tallybook.query.span import between, current, everything, last_days
from tallybook.query.totals import Scope, groups
from tallybook.store.memory import MemoryStore

from .company import NOW_US, call, company


def test_a_row_a_day_with_models_and_a_breakdown_that_adds_up() -> None:
    found = periods(company(), Scope(span=last_days(3, NOW_US, "UTC")), "day", by=("model",))
    assert [(group.by["time"], group.totals.calls) for group in found.groups] == [
        ("2026-11-20", 20), ("2026-11-21", 20), ("2026-11-22", 33),
    ]  # fmt: skip
    assert found.groups[0].more["models"] == ["claude-haiku", "gpt-4o"]
    for group in found.groups:
        assert sum(part.totals.cost_nanousd or 0 for part in group.parts) == group.totals.cost_nanousd
        assert sum(part.totals.calls for part in group.parts) == group.totals.calls


def test_weeks_begin_on_monday_and_newest_may_come_first() -> None:
    scope = Scope(span=everything(NOW_US, "UTC"))
    assert [group.by["time"] for group in periods(company(), scope, "week", is_newest_first=True).groups] == [
        "2026-11-16", "2026-11-09",
    ]  # fmt: skip
    assert [group.by["time"] for group in periods(company(), scope, "month").groups] == ["2026-11-01"]


def test_a_breakdown_by_something_else_still_names_the_models() -> None:
    found = periods(company(), Scope(span=last_days(1, NOW_US, "UTC")), "day", by=("project", "user_id"))
    assert "mystery-2" in found.groups[0].more["models"]
    assert found.groups[0].parts[0].by == {"project": "mimir", "user_id": "ben"}


def hours_of(day: str, zone: str) -> list[str]:
    store = MemoryStore()
    store.append([call(f"{day}T12:00")])
    scope = Scope(span=between(day, day, NOW_US, zone))
    return [group.by["time"][11:] for group in filled(groups(store, scope, (), grain="hour"), scope, "hour")]


def test_a_series_of_hours_follows_the_clock() -> None:
    assert hours_of("2026-11-20", "UTC") == [f"{hour:02d}" for hour in range(24)]
    assert hours_of("2026-03-29", "Europe/Berlin") == [f"{hour:02d}" for hour in range(24) if hour != 2]
    assert hours_of("2026-10-25", "Europe/Berlin") == [f"{hour:02d}" for hour in range(24)]
    assert hours_of("2026-11-20", "Asia/Kathmandu") == [f"{hour:02d}" for hour in range(24)]


def test_a_series_has_no_holes_and_ends_now() -> None:
    store = MemoryStore()
    store.append([call("2026-11-19T12:00")])
    week = Scope(span=current("week", NOW_US, "UTC"))
    found = filled(groups(store, week, (), grain="day"), week, "day")
    assert [(group.by["time"][8:], group.totals.calls, group.totals.cost_nano) for group in found] == [
        ("16", 0, 0), ("17", 0, 0), ("18", 0, 0), ("19", 1, 1_000_000), ("20", 0, 0), ("21", 0, 0), ("22", 0, 0),
    ]  # fmt: skip
    months = Scope(span=between("2026-08-15", None, NOW_US, "UTC"))
    assert [group.by["time"] for group in filled(groups(store, months, (), grain="month"), months, "month")] == [
        "2026-08-01", "2026-09-01", "2026-10-01", "2026-11-01",
    ]  # fmt: skip
