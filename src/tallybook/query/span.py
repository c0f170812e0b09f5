"""From words about time to `[since_us, until_us)`: dates, relative times, calendar periods, in any zone.

Promises: days, weeks (from Monday) and months begin at local midnight, so a day with a clock change has 23 or
25 hours; a date given as the end is included whole, a time is not. Knows no clock: now is handed in.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from tallybook.model.codec import time_of, unix_us_of
from tallybook.model.errors import InputError

Unit = Literal["day", "week", "month"]

_RELATIVE = re.compile(r"^(\d+)\s*(s|m|h|d|w|mo|y)$")
_COMPACT = re.compile(r"^\d{8}$")
_MONTH = re.compile(r"^\d{4}-\d{2}$")
_HINT = "a date (2026-11-22), a time (2026-11-22T14:30), a span back from now (7d, 24h, 30m) or today, yesterday"
_US = 1_000_000


class Span(NamedTuple):
    """A stretch of time, half open. `None` is unbounded. `label` is how a heading names it."""

    since_us: int | None
    until_us: int | None
    zone: str
    now_us: int
    label: str
    unit: Unit | None = None
    """Set when the span is the current day, week or month: then it is compared with the last one so far."""


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises InputError when there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(
            f"no time zone is called {name!r}", field="--timezone", hint="use an IANA name such as Europe/Berlin or UTC"
        ) from error


def local(unix_us: int, zone: str) -> datetime:
    """The local time of a moment."""
    return time_of(unix_us).astimezone(zone_of(zone))


def midnight_us(day: date, zone: str) -> int:
    """Start of a local day. Where the clock skips midnight, the first moment after it."""
    start = datetime.combine(day, time(), zone_of(zone))
    return unix_us_of(start.astimezone(UTC))


def everything(now_us: int, zone: str) -> Span:
    """All that the ledger holds."""
    return Span(None, None, zone, now_us, "All time")


def current(unit: Unit, now_us: int, zone: str) -> Span:
    """The local day, week (from Monday) or calendar month that is now, whole."""
    day = local(now_us, zone).date()
    first, after = _period(unit, day)
    label = {
        "day": f"Today, {day:%a} {day.day} {day:%b %Y}",
        "week": f"This week, since Mon {first.day} {first:%b}",
        "month": f"{day:%B %Y}",
    }[unit]
    return Span(midnight_us(first, zone), midnight_us(after, zone), zone, now_us, label, unit)


def last_days(count: int, now_us: int, zone: str) -> Span:
    """Today and the `count - 1` local days before it. Raises InputError below 1."""
    if count < 1:
        raise InputError(f"{count} days cannot be shown", field="--days", hint="give 1 or more")
    day = local(now_us, zone).date()
    first = day - timedelta(days=count - 1)
    label = "Today" if count == 1 else f"Last {count} days"
    return Span(midnight_us(first, zone), midnight_us(day + timedelta(days=1), zone), zone, now_us, label)


def between(since: str | None, until: str | None, now_us: int, zone: str) -> Span:
    """The span that `--since` and `--until` name. Raises InputError on what is no time, or ends before it starts."""
    start = None if since is None else _edge(since, now_us, zone, field="--since")[0]
    end = None if until is None else _edge(until, now_us, zone, field="--until")[1]
    if start is not None and end is not None and end <= start:
        raise InputError(
            f"--until {until} is not after --since {since}", field="--until", hint="swap them, or give a later end"
        )
    return Span(start, end, zone, now_us, _label(since, until, start, end, zone))


def previous(span: Span) -> Span:
    """The span to compare with: as long, just before. Raises InputError when `span` has no start.

    A current day, week or month is compared with the one before it up to the same local time, so that a day half
    over is not held against a whole one. Spans of whole local days move by days, whatever the clocks do.
    """
    if span.since_us is None:
        raise InputError(
            "all time has nothing before it to compare with", field="--compare", hint="give --since or --days"
        )
    end_us = min(span.until_us if span.until_us is not None else span.now_us, span.now_us)
    end_us = max(end_us, span.since_us + 1)
    start, end = local(span.since_us, span.zone), local(end_us, span.zone)
    if span.unit is not None:
        before, _ = _period(span.unit, start.date() - timedelta(days=1))
        shifted = _wall(before, end.replace(tzinfo=None) - start.replace(tzinfo=None), span.zone)
        since_us = midnight_us(before, span.zone)
        until_us = min(shifted, span.since_us)
        name = {"day": "yesterday", "week": "last week", "month": f"{before:%B}"}[span.unit]
        return Span(since_us, until_us, span.zone, span.now_us, f"{name} to the same time")
    if start.time() == time():
        days = max(1, (end.date() - start.date()).days + (end.time() != time()))
        first = start.date() - timedelta(days=days)
        whole = end.time() == time()
        until_us = (
            span.since_us
            if whole
            else min(_wall(first, end.replace(tzinfo=None) - start.replace(tzinfo=None), span.zone), span.since_us)
        )
        return Span(midnight_us(first, span.zone), until_us, span.zone, span.now_us, _days_before(days, whole))
    length = end_us - span.since_us
    return Span(span.since_us - length, span.since_us, span.zone, span.now_us, "the same time before")


def _days_before(days: int, whole: bool) -> str:
    name = "the day before" if days == 1 else f"the {days} days before"
    return name if whole else f"{name} to the same time"


def _wall(first: date, elapsed: timedelta, zone: str) -> int:
    """The moment `elapsed` of wall-clock time after local midnight of `first`."""
    moment = (datetime.combine(first, time()) + elapsed).replace(tzinfo=zone_of(zone))
    return unix_us_of(moment.astimezone(UTC))


def _period(unit: Unit, day: date) -> tuple[date, date]:
    if unit == "day":
        return day, day + timedelta(days=1)
    if unit == "week":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=7)
    return _month(day)


def _month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _edge(text: str, now_us: int, zone: str, *, field: str) -> tuple[int, int]:
    """What `text` covers, as [start, end): a whole day for a date, a single moment for a time."""
    words = text.strip().lower()
    if words == "now":
        return now_us, now_us
    days = _days(words, now_us, zone, field=field)
    if days is not None:
        return midnight_us(days[0], zone), midnight_us(days[1], zone)
    match = _RELATIVE.match(words)
    if match is not None:
        moment = _back(int(match.group(1)), match.group(2), now_us, zone, field=field)
        return moment, moment
    try:
        moment_at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError(f"{text!r} is not a time", field=field, hint=f"give {_HINT}") from error
    if moment_at.tzinfo is None:
        moment_at = moment_at.replace(tzinfo=zone_of(zone))
    moment = unix_us_of(moment_at.astimezone(UTC))
    return moment, moment


def _days(words: str, now_us: int, zone: str, *, field: str) -> tuple[date, date] | None:
    """The local days [first, after) that a date, month or word names; `None` when `words` is none of these."""
    today = local(now_us, zone).date()
    if words in ("today", "yesterday"):
        day = today if words == "today" else today - timedelta(days=1)
        return day, day + timedelta(days=1)
    try:
        if _MONTH.match(words):
            return _month(date.fromisoformat(f"{words}-01"))
        if _COMPACT.match(words) or (len(words) == 10 and words[4] == words[7] == "-"):
            day = date.fromisoformat(words)
            return day, day + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{words!r} is not a date: {error}", field=field, hint=f"give {_HINT}") from error
    return None


def _back(count: int, unit: str, now_us: int, zone: str, *, field: str) -> int:
    """The moment `count` units before now. Seconds, minutes and hours are exact; days and longer keep the wall time."""
    exact = {"s": 1, "m": 60, "h": 3600}
    try:
        if unit in exact:
            return max(0, now_us - count * exact[unit] * _US)
        now = local(now_us, zone)
        wall = now.replace(tzinfo=None)
        if unit in ("mo", "y"):
            months = count * (12 if unit == "y" else 1)
            index = wall.year * 12 + wall.month - 1 - months
            first = wall.replace(year=index // 12, month=index % 12 + 1, day=1)
            last = (_month(first.date())[1] - timedelta(days=1)).day
            wall = first.replace(day=min(wall.day, last))
        else:
            wall -= timedelta(days=count * (7 if unit == "w" else 1))
        return unix_us_of(wall.replace(tzinfo=now.tzinfo).astimezone(UTC))
    except (OverflowError, ValueError) as error:
        raise InputError(f"{count}{unit} back is before the calendar begins", field=field) from error


def _label(since: str | None, until: str | None, start: int | None, end: int | None, zone: str) -> str:
    if since is None and until is None:
        return "All time"
    if until is None and since is not None and _RELATIVE.match(since.strip().lower()):
        return f"Last {since.strip()}"
    first = "" if start is None else _moment(start, zone)
    if until is None:
        return f"Since {first}"
    assert end is not None
    last = _moment(end, zone, is_end=True)
    if start is None:
        return f"Until {last}"
    return first if first == last else f"{first} to {last}"


def _moment(unix_us: int, zone: str, *, is_end: bool = False) -> str:
    """A date for a midnight (the day before for an end), else date and time."""
    at = local(unix_us, zone)
    if at.time() == time():
        return f"{at.date() - timedelta(days=1) if is_end else at.date()}"
    return f"{at:%Y-%m-%d %H:%M}"
