"""`/api/v1/query`: any measures by any dimensions, as parameters or as a JSON body."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tallybook.model.question import DIMENSIONS, MEASURES
from tallybook.query import slice as slices
from tallybook.query import span
from tallybook.query.plain import report
from tallybook.query.slice import ROWS, ROWS_MAX, Asked
from tallybook.server import body
from tallybook.server.context import Context
from tallybook.server.error import HttpError
from tallybook.server.given import BY, COMPARE, PERIODS, SCOPE, Given
from tallybook.server.identity import identity_of
from tallybook.server.reply import answered
from tallybook.server.route import Param, Route
from tallybook.server.scope import confined

_OWN = (
    Param("measures", f"By commas: {', '.join(MEASURES)}.", many=True, example="calls,cost_nanousd"),
    Param("dimensions", f"By commas: {', '.join(DIMENSIONS)}, metadata.<key>.", many=True, example="model"),
    BY,
    Param("interval", "`hour`, `day`, `week` or `month`: by time as well."),
    COMPARE,
    Param("order", "Columns to sort by, by commas; `-` before one is descending."),
    Param("limit", f"Rows at most, up to {ROWS_MAX}; {ROWS} unless said otherwise.", "integer"),
    Param("source", "`calls` (the default) or `tool_calls`."),
)


async def get_query(request: Request, context: Context) -> Response:
    """A question as parameters."""
    given = Given(request, _OWN)
    scope = given.scope(request, context)
    source: Any = given.choice("source", ("calls", "tool_calls"), "calls")
    asked = Asked(
        measures=given.words("measures"), dimensions=(*given.words("dimensions"), *given.words("by")),
        order=given.words("order"),
        interval=given.choice("interval", ("hour", "day", "week", "month")),  # type: ignore[arg-type]
        limit=given.count("limit", ROWS, ROWS_MAX), source=source,
    )  # fmt: skip
    return await _answer(request, context, asked, scope.span, scope.filters, given.is_compared)


async def post_query(request: Request, context: Context) -> Response:
    """A question as JSON."""
    asked: Asked = body.decoded(await body.read(request), Asked)
    return await _answer(
        request, context, asked, _span(asked, context), confined(identity_of(request)), asked.compare is not None
    )


async def _answer(
    request: Request, context: Context, asked: Asked, covered: span.Span, own: Any, is_compared: bool
) -> Response:
    question = slices.question(asked, covered, own)
    return await answered(
        request, context, covered,
        lambda store: report("query", slices.sliced(store, question, covered, is_compared=is_compared)),
    )  # fmt: skip


def _span(asked: Asked, context: Context) -> span.Span:
    now_us, zone = context.now_us(), asked.timezone or context.settings.timezone or "UTC"
    span.zone_of(zone)
    if sum((bool(asked.since or asked.until), asked.days is not None, asked.period is not None)) > 1:
        raise HttpError(400, "invalid", "give one of since/until, days or period", field="since")
    if asked.days is not None:
        return span.last_days(min(asked.days, 100_000), now_us, zone)
    if asked.period is not None and asked.period != "all":
        if asked.period not in PERIODS:
            raise HttpError(400, "invalid", f"{asked.period[:40]!r} is no period", field="period",
                            hint=f"one of {', '.join(PERIODS)}, all")  # fmt: skip
        return span.current(PERIODS[asked.period], now_us, zone)  # type: ignore[arg-type]
    if asked.since or asked.until:
        return span.between(asked.since, asked.until, now_us, zone)
    return span.everything(now_us, zone)


_ABOUT = (
    "Times end in `_at` (ISO 8601, UTC) or `_ms`; amounts are `cost_usd`, and exact as `cost_nanousd`. Sums leave "
    "unknown values out; `coverage` tells how many calls have a price."
)
ROUTES = (
    Route("GET", "/api/v1/query", get_query, "read", "Any measures by any dimensions", "Query", params=(*_OWN, *SCOPE),
          answer=dict, about=_ABOUT),
    Route("POST", "/api/v1/query", post_query, "read", "The same as a JSON body", "Query", body=Asked, answer=dict,
          about=_ABOUT, may_fail=(400, 413)),
)  # fmt: skip
