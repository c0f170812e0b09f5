"""What a text search found, as plain data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tallybook.query.plain import call as plain_call
from tallybook.store.sought import Searched

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def found(got: Searched) -> dict[str, Any]:
    """Hits with their calls; `searched_to` is the start of the oldest call looked at, null when all were."""
    hits = [{"place": hit.place, "snippet": hit.snippet, "call": plain_call(hit.call)} for hit in got.hits]
    reached = None if got.reached is None else _EPOCH + timedelta(microseconds=got.reached[0])
    return {"hits": hits, "searched_to": None if reached is None else reached.isoformat().replace("+00:00", "Z")}
