"""Peak hours, the busiest day, and the week's heat, in the reporting zone."""

from __future__ import annotations

import pytest

from tallybook.query.patterns import patterns, peaks
from tallybook.query.span import between, last_days
from tallybook.query.totals import Scope
from tallybook.store.memory import MemoryStore

from .company import NOW_US, call, company


def hours(**busy: int) -> list[int]:
    found = [0] * 24
    for name, calls in busy.items():
        found[int(name[1:])] = calls
    return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (hours(), []),
        (hours(h10=8, h11=10, h14=9, h15=8), [(10, 12), (14, 16)]),
        (hours(h14=10, h15=10, h3=8), [(14, 16), (3, 4)]),
        (hours(h23=10, h0=10), [(23, 1)]),
        (hours(h22=10, h23=9), [(22, 24)]),
        ([5] * 24, [(0, 24)]),
        (hours(h1=10, h5=9, h9=9, h13=8), [(1, 2), (5, 6), (9, 10)]),
    ],
)
def test_peaks_are_runs_of_busy_hours_and_may_pass_midnight(given: list[int], expected: list[tuple[int, int]]) -> None:
    assert peaks(given) == expected


def test_hours_and_days_are_local() -> None:
    store = MemoryStore()
    store.append([call("2026-11-22T23:30")])
    in_utc = patterns(store, Scope(span=last_days(7, NOW_US, "UTC")))
    in_tokyo = patterns(store, Scope(span=between("2026-11-20", None, NOW_US, "Asia/Tokyo")))
    assert (in_utc.peaks, in_utc.busiest_day, in_utc.heat[6][23]) == ([(23, 24)], "Sunday", 1)
    assert (in_tokyo.peaks, in_tokyo.busiest_day, in_tokyo.heat[0][8]) == ([(8, 9)], "Monday", 1)


def test_a_weekday_that_the_span_has_more_of_is_not_busier_for_that() -> None:
    store = MemoryStore()
    store.append([call(f"2026-11-{day:02d}T10:00", response_id=str(day)) for day in (15, 22)])
    store.append([call("2026-11-18T10:00", response_id=f"w{number}") for number in range(2)])
    found = patterns(store, Scope(span=between("2026-11-15", "2026-11-22", NOW_US, "UTC")))
    assert (found.days[6], found.days[2]) == (1.0, 2.0)
    assert found.busiest_day == "Wednesday"


def test_common_operations_are_the_callers_words() -> None:
    found = patterns(company(), Scope(span=last_days(30, NOW_US, "UTC")), top=2)
    assert [(group.by["task"], group.totals.calls) for group in found.operations] == [
        ("doc-search", 210),
        ("code-analysis", 70),
    ]


def test_an_empty_ledger_has_no_patterns() -> None:
    found = patterns(MemoryStore(), Scope(span=last_days(30, NOW_US, "UTC")))
    assert (found.peaks, found.busiest_day, found.operations) == ([], None, [])
