"""Answers to questions: worked out on a reader's thread on one state of the ledger, with what caches need to know.

The `ETag` tells the state of the ledger and the question, so that a page that asks again while nothing has changed is
answered with 304 after a look at the folder. Figures that still change may be shown for a second, those of a span that
has ended for a minute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tallybook.query.span import Span
from tallybook.server.context import Context
from tallybook.server.error import json
from tallybook.server.identity import identity_of
from tallybook.store.base import CallStore

_LIVE = "private, max-age=1, stale-while-revalidate=10"
_PAST = "private, max-age=60, stale-while-revalidate=600"
_SETTLED_US = 3_600_000_000
"""Records may come late; a span is held for past so long after its end."""


class _Found(NamedTuple):
    tag: str
    value: Any
    is_known: bool


async def answered(request: Request, context: Context, span: Span | None, work: Callable[[CallStore], Any]) -> Response:
    """What `work` gives on a store as JSON, or 304. `span` is what the answer covers; `None`: it may always change."""
    asked = _asked(request, span)
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}

    def look(store: CallStore) -> _Found:
        with store.steady():
            tag = f'"{hashlib.blake2b(f"{store.stamp()} {asked}".encode(), digest_size=12).hexdigest()}"'
            if tag in known:
                return _Found(tag, None, True)
            return _Found(tag, work(store), False)

    found = await context.read(look)
    is_past = span is not None and span.until_us is not None and span.until_us + _SETTLED_US < span.now_us
    headers = {"etag": found.tag, "cache-control": _PAST if is_past else _LIVE, "vary": "authorization, x-api-key"}
    if found.is_known:
        return Response(status_code=304, headers=headers)
    return json(found.value, headers=headers)


def _asked(request: Request, span: Span | None) -> str:
    """What the answer depends on besides the ledger."""
    times = () if span is None else (span.since_us, span.until_us, span.zone)
    identity = identity_of(request)
    return f"{request.url.path}?{request.url.query} {identity.project} {identity.token} {times}"
