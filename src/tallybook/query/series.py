"""Figures over time without holes: a bucket in which nothing happened is there, with zeros."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from tallybook.model.codec import time_of
from tallybook.model.question import Grain
from tallybook.query.compare import NOTHING
from tallybook.query.span import local, zone_of
from tallybook.query.totals import Group, Scope

BUCKETS_MAX = 5_000
"""Buckets added to one series. Beyond, the series keeps its holes: nobody reads 200 days by the hour."""


def filled(series: Sequence[Group], scope: Scope, grain: Grain) -> list[Group]:
    """The series with empty buckets put in, from the span's start (else the first call) to its end or now."""
    if not series:
        return []
    by_time = {group.by["time"]: group for group in series}
    names = _names(scope, grain, min(by_time), max(by_time))
    if len(names) > BUCKETS_MAX:
        return list(series)
    return [by_time.get(name) or Group(by={"time": name}, totals=NOTHING) for name in names]


def _names(scope: Scope, grain: Grain, first: str, last: str) -> list[str]:
    span = scope.span
    until_us = span.now_us if span.until_us is None else min(span.until_us, span.now_us)
    end = max(last, _name(local(until_us - 1, span.zone), grain))
    start = first if span.since_us is None else min(first, _name(local(span.since_us, span.zone), grain))
    if grain == "hour":
        return _hours(start, end, span.zone)
    names: list[str] = []
    day, stop = date.fromisoformat(start), date.fromisoformat(end)
    while day <= stop and len(names) <= BUCKETS_MAX:
        names.append(day.isoformat())
        if grain == "month":
            day = (day + timedelta(days=32)).replace(day=1)
        else:
            day += timedelta(days=7 if grain == "week" else 1)
    return names


def _hours(start: str, end: str, zone: str) -> list[str]:
    """Local hours as they were: one that the clock skipped is not there, one it repeated is there once."""
    place = zone_of(zone)
    moment = datetime.fromisoformat(f"{start}:00").replace(tzinfo=place).astimezone(UTC)
    names: list[str] = []
    while len(names) <= BUCKETS_MAX:
        name = f"{moment.astimezone(place):%Y-%m-%dT%H}"
        if name > end:
            break
        if not names or names[-1] != name:
            names.append(name)
        moment += timedelta(minutes=30)
    return names


def _name(at: datetime, grain: Grain) -> str:
    if grain == "hour":
        return f"{at:%Y-%m-%dT%H}"
    day = at.date()
    if grain == "week":
        day -= timedelta(days=day.weekday())
    return (day.replace(day=1) if grain == "month" else day).isoformat()


def days_between(since_us: int, until_us: int, zone: str) -> list[date]:
    """The local days that a span touches."""
    first, last = local(since_us, zone).date(), time_of(max(since_us, until_us - 1)).astimezone(zone_of(zone)).date()
    return [first + timedelta(days=index) for index in range((last - first).days + 1)]
