"""Moments as senders write them, as microseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tallybook.providers.value import number

EARLIEST_US = 946_684_800_000_000
LATEST_US = 4_102_444_800_000_000
"""The years 2000 to 2100. A moment outside comes from a clock that was never set: it would make days of its own, and
no record is looked for there. Within, no age is too old."""

_MILLISECONDS_FROM = 100_000_000_000
"""A number from here on counts milliseconds: as seconds it would be the year 5138."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def moment_us(value: Any) -> int | None:
    """ISO 8601 (UTC where no zone is told), seconds or milliseconds since 1970; `None` for what is no such moment."""
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value.strip())
            found = ((time if time.tzinfo is not None else time.replace(tzinfo=UTC)) - _EPOCH) // _US
        except (ValueError, OverflowError):
            return None
    else:
        told = number(value)
        if told is None or not 0 <= told < 1e16:
            return None
        found = round(told * (1_000 if told >= _MILLISECONDS_FROM else 1_000_000))
    return found if EARLIEST_US <= found < LATEST_US else None


def between_us(start_us: int, end_us: int | None) -> int | None:
    """How long something took; `None` for an unknown end, and for one before the start."""
    return None if end_us is None or end_us < start_us else end_us - start_us
