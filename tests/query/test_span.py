"""Words about time come to exact moments, in any zone and across clock changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.model.codec import time_of
from tallybook.model.errors import InputError
from tallybook.query import span

from .company import NOW_US, us

HOUR_US = 3_600_000_000
BERLIN = "Europe/Berlin"


def shown(found: span.Span) -> tuple[str | None, str | None]:
    return tuple(  # type: ignore[return-value]
        None if at is None else time_of(at).strftime("%Y-%m-%d %H:%M") for at in (found.since_us, found.until_us)
    )


def test_today_is_the_local_day() -> None:
    assert shown(span.current("day", NOW_US, "UTC")) == ("2026-11-22 00:00", "2026-11-23 00:00")
    assert shown(span.current("day", NOW_US, "Asia/Tokyo")) == ("2026-11-21 15:00", "2026-11-22 15:00")
    assert shown(span.current("day", us("2026-11-22T20:00"), "Asia/Kolkata")) == (
        "2026-11-22 18:30",
        "2026-11-23 18:30",
    )


def test_a_week_begins_on_monday_and_a_month_on_its_first() -> None:
    assert shown(span.current("week", NOW_US, "UTC")) == ("2026-11-16 00:00", "2026-11-23 00:00")
    assert shown(span.current("month", NOW_US, "UTC")) == ("2026-11-01 00:00", "2026-12-01 00:00")
    assert shown(span.current("month", us("2026-12-31T23:30"), "UTC")) == ("2026-12-01 00:00", "2027-01-01 00:00")


def test_days_with_a_clock_change_have_23_and_25_hours() -> None:
    spring = span.between("2026-03-29", "2026-03-29", NOW_US, BERLIN)
    autumn = span.between("2026-10-25", "2026-10-25", NOW_US, BERLIN)
    assert spring.since_us is not None and spring.until_us is not None
    assert autumn.since_us is not None and autumn.until_us is not None
    assert spring.until_us - spring.since_us == 23 * HOUR_US
    assert autumn.until_us - autumn.since_us == 25 * HOUR_US


def test_a_day_whose_midnight_the_clock_skips_begins_after_it() -> None:
    found = span.between("2026-09-06", "2026-09-06", NOW_US, "America/Santiago")
    assert shown(found) == ("2026-09-06 04:00", "2026-09-07 03:00")


def test_the_last_days_count_today() -> None:
    assert shown(span.last_days(1, NOW_US, "UTC")) == ("2026-11-22 00:00", "2026-11-23 00:00")
    assert shown(span.last_days(30, NOW_US, "UTC")) == ("2026-10-24 00:00", "2026-11-23 00:00")
    with pytest.raises(InputError):
        span.last_days(0, NOW_US, "UTC")


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-11-01", "2026-11-15", ("2026-11-01 00:00", "2026-11-16 00:00")),
        ("20261101", None, ("2026-11-01 00:00", None)),
        ("2026-10", "2026-10", ("2026-10-01 00:00", "2026-11-01 00:00")),
        ("2026-11-22T10:30", "2026-11-22T11:00", ("2026-11-22 10:30", "2026-11-22 11:00")),
        ("2026-11-22T10:30+02:00", None, ("2026-11-22 08:30", None)),
        ("2026-11-22T10:30Z", None, ("2026-11-22 10:30", None)),
        ("yesterday", "yesterday", ("2026-11-21 00:00", "2026-11-22 00:00")),
        ("today", "now", ("2026-11-22 00:00", "2026-11-22 14:30")),
        ("24h", None, ("2026-11-21 14:30", None)),
        ("90m", None, ("2026-11-22 13:00", None)),
        ("7d", "1d", ("2026-11-15 14:30", "2026-11-21 14:30")),
        ("2w", None, ("2026-11-08 14:30", None)),
        ("1mo", None, ("2026-10-22 14:30", None)),
        ("1y", None, ("2025-11-22 14:30", None)),
        (None, "today", (None, "2026-11-23 00:00")),
    ],
)
def test_words_for_times(since: str | None, until: str | None, expected: tuple[str | None, str | None]) -> None:
    assert shown(span.between(since, until, NOW_US, "UTC")) == expected


def test_days_back_keep_the_wall_clock_and_hours_are_exact() -> None:
    after_change = us("2026-10-25T12:00")
    assert shown(span.between("1d", None, after_change, BERLIN))[0] == "2026-10-24 11:00"
    assert shown(span.between("24h", None, after_change, BERLIN))[0] == "2026-10-24 12:00"


def test_a_month_back_from_the_31st_is_the_last_day_of_the_month_before() -> None:
    assert shown(span.between("1mo", None, us("2026-03-31T08:00"), "UTC"))[0] == "2026-02-28 08:00"


@pytest.mark.parametrize(
    "text", ["tomorrowish", "2026-13-01", "2026-02-30", "99999999", "7 fortnights", "", "d", "5000y", "2026-1-1"]
)
def test_what_is_no_time_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(InputError) as caught:
        span.between(text, None, NOW_US, "UTC")
    assert caught.value.field == "--since"


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(InputError, match="not after"):
        span.between("2026-11-10", "2026-11-09", NOW_US, "UTC")


def test_an_unknown_zone_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="Mars/Olympus") as caught:
        span.current("day", NOW_US, "Mars/Olympus")
    assert caught.value.field == "--timezone"


def test_today_is_compared_with_yesterday_up_to_the_same_time() -> None:
    found = span.previous(span.current("day", NOW_US, "UTC"))
    assert shown(found) == ("2026-11-21 00:00", "2026-11-21 14:30")


def test_a_month_is_compared_with_the_month_before_never_beyond_it() -> None:
    found = span.previous(span.current("month", us("2026-03-31T12:00"), "UTC"))
    assert shown(found) == ("2026-02-01 00:00", "2026-03-01 00:00")


def test_whole_days_are_compared_with_as_many_days_before_across_a_clock_change() -> None:
    week = span.between("2026-10-24", "2026-10-30", NOW_US, BERLIN)
    assert shown(span.previous(week)) == ("2026-10-16 22:00", "2026-10-23 22:00")


def test_the_last_days_are_compared_up_to_the_same_time_of_day() -> None:
    assert shown(span.previous(span.last_days(7, NOW_US, "UTC"))) == ("2026-11-09 00:00", "2026-11-15 14:30")


def test_hours_are_compared_with_as_long_before() -> None:
    found = span.previous(span.between("24h", None, NOW_US, "UTC"))
    assert shown(found) == ("2026-11-20 14:30", "2026-11-21 14:30")


def test_all_time_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="nothing before"):
        span.previous(span.everything(NOW_US, "UTC"))


@given(
    st.integers(us("2020-01-01"), us("2035-01-01")),
    st.sampled_from(["UTC", BERLIN, "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]),
    st.sampled_from(["day", "week", "month"]),
)
def test_the_span_before_ends_at_or_before_the_start_of_this_one(now_us: int, zone: str, unit: str) -> None:
    now = span.current(unit, now_us, zone)  # type: ignore[arg-type]
    assert now.since_us is not None and now.until_us is not None
    assert now.since_us <= now_us < now.until_us
    before = span.previous(now)
    assert before.since_us is not None and before.until_us is not None
    assert before.since_us < before.until_us <= now.since_us


@pytest.mark.parametrize(
    ("since", "until", "label"),
    [
        (None, None, "All time"),
        ("7d", None, "Last 7d"),
        ("2026-11-01", None, "Since 2026-11-01"),
        ("2026-11-01", "2026-11-15", "2026-11-01 to 2026-11-15"),
        ("yesterday", "yesterday", "2026-11-21"),
        (None, "2026-11-15", "Until 2026-11-15"),
        ("2026-11-22T10:30", "now", "2026-11-22 10:30 to 2026-11-22 14:30"),
    ],
)
def test_labels(since: str | None, until: str | None, label: str) -> None:
    assert span.between(since, until, NOW_US, "UTC").label == label
