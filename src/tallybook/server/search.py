"""`/api/v1/search`: calls by what was sent and answered, where that is kept."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.model.errors import InputError
from tallybook.query.search import found
from tallybook.server.context import Context
from tallybook.server.given import SCOPE, Given
from tallybook.server.reply import answered
from tallybook.server.route import Param, Route
from tallybook.store.base import CallStore

HITS = 20
HITS_MAX = 100
"""Hits of one page; each is read whole."""
_OWN = (
    Param("q", 'Words, all of which are in prompt or response, and `"phrases in quotes"`; the case does not matter.'),
    Param("limit", f"Hits of a page, up to {HITS_MAX}; {HITS} unless said otherwise.", "integer"),
    Param("cursor", "`next` of the page before."),
)


class SearchPage(msgspec.Struct, frozen=True):
    """One page, newest first. A page may be short where much was looked through; while there is `next`, go on.

    `searched_to` is the start of the oldest call that was looked at; null when all were.
    """

    hits: list[dict[str, Any]]
    next: str | None
    searched_to: str | None


async def get_search(request: Request, context: Context) -> Response:
    """`GET /api/v1/search`."""
    given = Given(request, _OWN)
    scope, text = given.scope(request, context), given.one("q") or ""
    limit, before = given.count("limit", HITS, HITS_MAX), _place(given.one("cursor"))

    def work(store: CallStore) -> SearchPage:
        got = store.search(
            text, scope.filters, since_us=scope.span.since_us, until_us=scope.span.until_us, limit=limit, before=before
        )
        told = found(got)
        return SearchPage(told["hits"], None if got.reached is None else _cursor(got.reached), told["searched_to"])

    return await answered(request, context, scope.span, work)


def _cursor(reached: tuple[int, str]) -> str:
    text = f"{reached[0]} {reached[1]}"
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def _place(text: str | None) -> tuple[int, str] | None:
    """What `_cursor` made. Raises InputError for anything else."""
    if text is None:
        return None
    try:
        at, call_id = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode().split(" ", 1)
        reached = int(at), call_id
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise InputError("this is no cursor", field="cursor", hint="send `next` of a page as it is") from error
    if not 0 <= reached[0] < 1 << 56 or "\0" in call_id:
        raise InputError("this is no cursor", field="cursor", hint="send `next` of a page as it is")
    return reached


ROUTES = (
    Route("GET", "/api/v1/search", get_search, "read", "Calls by what was sent and answered", "Calls",
          params=(*_OWN, *SCOPE), answer=SearchPage,
          about="Looks through stored prompts and responses, and previews where only those are kept, from the newest "
          "back. A search that would take long answers after some seconds with what it found and how far it came."),
)  # fmt: skip
