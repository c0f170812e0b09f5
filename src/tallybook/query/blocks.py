"""Windows of activity of five hours, as coding-agent plans count them: with gaps, burn rate and projection.

A window begins at the UTC hour of its first call and lasts `hours`; the next begins at the first call after its end.
Because windows begin and end on UTC hours, hourly totals give them exactly, without reading the calls.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from tallybook.model.codec import unix_us_of
from tallybook.query.totals import Group, Head, Scope, Totals, groups, head, total
from tallybook.store.base import CallStore

HOURS = 5
_HOUR_US = 3_600_000_000


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One window, or the gap without calls between the end of one and the start of the next."""

    start_at_us: int
    end_at_us: int
    """End of the window, reached or not; of a gap, the next window's start."""
    is_gap: bool = False
    is_active: bool = False
    first_at_us: int | None = None
    last_at_us: int | None = None
    totals: Totals = Totals()
    models: list[str] = []
    elapsed_us: int = 0
    """From the start to the last call, in an active window to now."""
    remaining_us: int = 0
    tokens_per_minute: float | None = None
    """Between first and last call (in an active window, now); `None` for less than a minute."""
    cost_per_hour: float | None = None
    """In the report's currency; `None` when unknown."""
    projected_tokens: int | None = None
    projected_cost_nano: int | None = None
    """What the active window will have used at its end if it goes on as it did; `None` for others."""


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """All windows of a scope, oldest first."""

    head: Head
    total: Group
    blocks: list[Block]
    hours: int = HOURS


def blocks(store: CallStore, scope: Scope, *, hours: int = HOURS, with_gaps: bool = True) -> Blocks:
    """The report. The active window is the one that contains now."""
    in_utc = scope.during(scope.span._replace(zone="UTC"))
    whole = total(store, scope)
    by_hour = groups(store, in_utc, (), ("first_at_us", "last_at_us"), grain="hour") if whole.totals.calls else []
    models = _models(store, in_utc) if by_hour else {}
    windows: list[list[Group]] = []
    for group in by_hour:
        if not windows or _start(group) >= _start(windows[-1][0]) + hours * _HOUR_US:
            windows.append([])
        windows[-1].append(group)
    found: list[Block] = []
    for window in windows:
        block = _block(window, models, hours, scope.span.now_us)
        if with_gaps and found and found[-1].last_at_us is not None and block.start_at_us > found[-1].end_at_us:
            found.append(Block(start_at_us=found[-1].end_at_us, end_at_us=block.start_at_us, is_gap=True))
        found.append(block)
    return Blocks(head=head(store, scope, whole.totals), total=whole, blocks=found, hours=hours)


def _start(group: Group) -> int:
    return unix_us_of(datetime.fromisoformat(f"{group.by['time']}:00").replace(tzinfo=UTC))


def _models(store: CallStore, scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group in groups(store, scope, ("model",), grain="hour"):
        found.setdefault(group.by["time"], []).append(group.by["model"] or "unknown")
    return found


def _sum(window: list[Group]) -> Totals:
    figures: dict[str, Any] = {}
    for name in Totals.__struct_fields__:
        known = [value for group in window if (value := getattr(group.totals, name)) is not None]
        figures[name] = sum(known) if known else None
    return Totals(**figures)


def _block(window: list[Group], models: dict[str, list[str]], hours: int, now_us: int) -> Block:
    start_us = _start(window[0])
    end_us = start_us + hours * _HOUR_US
    totals = _sum(window)
    first_us = min(group.more["first_at_us"] for group in window)
    last_us = max(group.more["last_at_us"] for group in window)
    is_active = start_us <= now_us < end_us
    busy_us = (max(now_us, last_us) if is_active else last_us) - first_us
    rate = cost_rate = None
    if busy_us >= 60_000_000:
        rate = None if totals.total_tokens is None else totals.total_tokens * 60_000_000 / busy_us
        cost_rate = None if totals.cost_nano is None else totals.cost_nano * 3.6 / busy_us
    remaining_us = max(0, end_us - now_us) if is_active else 0
    projected_tokens = projected_cost = None
    if is_active and rate is not None and totals.total_tokens is not None:
        projected_tokens = round(totals.total_tokens + rate * remaining_us / 60_000_000)
    if is_active and cost_rate is not None and totals.cost_nano is not None:
        projected_cost = round(totals.cost_nano + cost_rate * remaining_us / 3.6)
    return Block(
        start_at_us=start_us,
        end_at_us=end_us,
        is_active=is_active,
        first_at_us=first_us,
        last_at_us=last_us,
        totals=totals,
        models=list(dict.fromkeys(name for group in window for name in models.get(group.by["time"], []))),
        elapsed_us=(max(now_us, last_us) if is_active else last_us) - start_us,
        remaining_us=remaining_us,
        tokens_per_minute=rate,
        cost_per_hour=cost_rate,
        projected_tokens=projected_tokens,
        projected_cost_nano=projected_cost,
    )
