"""`/api/v1/calls`: the calls one by one, in pages, and everything about one of them."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.model.call import Call
from tallybook.model.errors import InputError, NotFound
from tallybook.model.question import Filter
from tallybook.query.plain import call as plain_call
from tallybook.server.context import Context
from tallybook.server.given import SCOPE, Given
from tallybook.server.reply import answered
from tallybook.server.route import Param, Route
from tallybook.server.scope import may_see
from tallybook.store.base import CallStore
from tallybook.store.feedback import Feedback

CALLS = 50
CALLS_MAX = 500
"""Calls of one page."""
_OWN = (
    Param("limit", f"Calls of a page, up to {CALLS_MAX}; {CALLS} unless said otherwise.", "integer"),
    Param("cursor", "`next` of the page before."),
    Param("sort", "`newest` (the default) or `oldest` first."),
    Param("slower", "Only calls that took at least so many seconds.", "number"),
    Param("dearer", "Only calls that cost at least so many USD.", "number"),
)


class CallPage(msgspec.Struct, frozen=True):
    """One page. `next` is the cursor of the one behind it; null on the last."""

    calls: list[dict[str, Any]]
    next: str | None


class OneCall(msgspec.Struct, frozen=True):
    """Everything about one call. `body` is what was sent and answered, where that was kept; `feedback` are scores."""

    call: dict[str, Any]
    body: dict[str, Any] | None
    feedback: list[Feedback]


async def list_calls(request: Request, context: Context) -> Response:
    """`GET /api/v1/calls`."""
    given = Given(request, _OWN)
    scope = given.scope(request, context)
    filters = (*scope.filters, *_least(given))
    limit, oldest = given.count("limit", CALLS, CALLS_MAX), given.choice("sort", ("newest", "oldest")) == "oldest"
    before = place(given.one("cursor"), oldest)

    def work(store: CallStore) -> CallPage:
        found = store.calls(
            filters, since_us=scope.span.since_us, until_us=scope.span.until_us, limit=limit + 1, before=before,
            oldest_first=oldest,
        )  # fmt: skip
        is_cut, found = len(found) > limit, found[:limit]
        return CallPage([plain_call(call) for call in found], cursor(found[-1], oldest) if is_cut else None)

    return await answered(request, context, scope.span, work)


async def get_call(request: Request, context: Context) -> Response:
    """`GET /api/v1/calls/{call_id}`: by its id, or by a unique beginning of it."""
    Given(request)
    call_id = request.path_params["call_id"]

    def work(store: CallStore) -> OneCall:
        call = store.call(call_id)
        if call is None or not may_see(request, call.project):
            raise NotFound(f"no call {call_id[:100]!r}", hint="GET /api/v1/calls lists them")
        return OneCall(plain_call(call), store.body(call.call_id), store.feedback(call))

    return await answered(request, context, None, work)


def _least(given: Given) -> list[Filter]:
    """Filters of what is large."""
    found = []
    for name, field, factor in (("slower", "duration_us", 1_000_000), ("dearer", "cost_nanousd", 1_000_000_000)):
        text = given.one(name)
        if text is not None:
            found.append(Filter(field, "gte", round(_number(name, text) * factor)))
    return found


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise InputError(f"{name} is a number that is not negative, not {text[:40]!r}", field=name)
    return number


def cursor(call: Call, oldest: bool) -> str:
    """The place behind a call, as text that tells nothing to who has no use for it."""
    text = f"{'o' if oldest else 'n'} {call.started_at_us} {call.call_id}"
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def place(text: str | None, oldest: bool) -> tuple[int, str] | None:
    """What `cursor` made. Raises InputError for anything else, and for a cursor of the other order."""
    if text is None:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        way, at, call_id = base64.b64decode(padded, b"-_", validate=True).decode().split(" ", 2)
        found = int(at), call_id
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise InputError("this is no cursor", field="cursor", hint="send `next` of a page as it is") from error
    if way != ("o" if oldest else "n") or abs(found[0]) > 1 << 62:
        raise InputError("the cursor is of another order", field="cursor", hint="keep `sort` from page to page")
    return found


ROUTES = (
    Route("GET", "/api/v1/calls", list_calls, "read", "Calls in pages", "Calls", params=(*_OWN, *SCOPE),
          answer=CallPage),
    Route("GET", "/api/v1/calls/{call_id}", get_call, "read", "Everything about one call", "Calls", answer=OneCall,
          may_fail=(400, 404), about="Its tokens, cost by part with the price it came from, tool calls, and what was "
          "sent and answered where that is kept. A unique beginning of the id, eight characters or more, will do."),
)  # fmt: skip
