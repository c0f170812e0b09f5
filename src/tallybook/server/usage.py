"""`GET /api/ai/usage/…`: what a dashboard of usage asks (S1 5.1). The figures are those of the command line."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tallybook.model.question import TOOL_DIMENSIONS
from tallybook.query import ranking, stats, usage
from tallybook.query.plain import plain, report
from tallybook.query.tools import failures, tools
from tallybook.server.context import Context
from tallybook.server.given import BY, COMPARE, SCOPE, TOP, Given, unknown
from tallybook.server.reply import answered
from tallybook.server.route import Param, Route

DAYS = 30
"""Covered where no time is given."""
TOP_MAX = 1_000
FAILURES_MAX = 100
"""Kinds of failure told: the examples of each may take a look of their own at the ledger."""
SECTIONS = ("model", "provider", "task", "project")
_INTERVAL = Param("interval", "`hour`, `day`, `week` or `month`. Default: hours up to two days, else days.")
_OF = Param("of", "`calls` (the default) or `tools`.")
_SORT = Param("sort", "`calls`, `cost`, `tokens`, `errors` or `slowest`.")


async def get_summary(request: Request, context: Context) -> Response:
    """The report of `tallybook stats`."""
    given = Given(request, (BY, COMPARE, TOP))
    scope = given.scope(request, context, days=DAYS)
    by, top, is_compared = given.by(SECTIONS), given.count("top", 10, TOP_MAX), given.is_compared

    def work(store: Any) -> Any:
        found = stats.stats(store, scope, by, is_compared=is_compared, top=top)
        return {**report("summary", found), "success_rate": usage.success_rate(found.total)}

    return await answered(request, context, scope.span, work)


async def get_tools(request: Request, context: Context) -> Response:
    """The report of `tallybook tools`."""
    given = Given(request, (BY, TOP))
    scope = given.scope(request, context, days=DAYS)
    by, top = given.words("by") or ("tool",), given.count("top", 100, TOP_MAX)
    for name in by:
        if name not in TOOL_DIMENSIONS:
            raise unknown("dimension of tool uses", name, TOOL_DIMENSIONS)
    return await answered(
        request, context, scope.span, lambda store: report("tools", tools(store, scope, by, top=top))
    )  # fmt: skip


async def get_failures(request: Request, context: Context) -> Response:
    """Why uses of tools failed, with calls as examples."""
    given = Given(request, (TOP,))
    scope = given.scope(request, context, days=DAYS)
    top = given.count("top", 20, FAILURES_MAX)
    return await answered(
        request, context, scope.span, lambda store: report("tool_failures", failures(store, scope, top=top))
    )  # fmt: skip


async def get_timeseries(request: Request, context: Context) -> Response:
    """Figures over time, of calls or of tools."""
    given = Given(request, (BY, _INTERVAL, _OF))
    scope = given.scope(request, context, days=DAYS)
    interval: Any = given.choice("interval", ("hour", "day", "week", "month"))
    if given.choice("of", ("calls", "tools")) == "tools":
        return await answered(request, context, scope.span, lambda store: _tools(store, scope, interval))
    by = given.by()
    return await answered(
        request, context, scope.span, lambda store: report("timeseries", usage.course(store, scope, interval, by))
    )  # fmt: skip


def _tools(store: Any, scope: Any, interval: Any) -> dict[str, Any]:
    rows = usage.tool_course(store, scope, interval)
    return {
        "report": "timeseries", "of": "tools", "interval": interval or usage.interval_of(scope),
        "span": plain(scope.span), "rows": plain(rows), "warnings": scope.heard,
    }  # fmt: skip


async def get_models(request: Request, context: Context) -> Response:
    """The report of `tallybook models`."""
    return await _ranked(request, context, "models", ("model",))


async def get_operations(request: Request, context: Context) -> Response:
    """The same by what the calls were for."""
    return await _ranked(request, context, "operations", ("task",))


async def _ranked(request: Request, context: Context, name: str, default: tuple[str, ...]) -> Response:
    given = Given(request, (BY, COMPARE, TOP, _SORT))
    scope = given.scope(request, context, days=DAYS)
    by, top, is_compared = given.by(default), given.count("top", 100, TOP_MAX), given.is_compared
    sort: Any = given.choice("sort", tuple(ranking.SORTS), "cost")

    def work(store: Any) -> Any:
        found = ranking.ranking(store, scope, by, sort=sort, top=top, is_compared=is_compared)
        rates = [usage.success_rate(group) for group in found.groups]
        told = report(name, found)
        told["groups"] = [{**row, "success_rate": rate} for row, rate in zip(told["groups"], rates, strict=True)]
        return told

    return await answered(request, context, scope.span, work)


_ABOUT = "Every total stands beside its coverage: how many of its calls have a price. `null` is unknown and never 0."
ROUTES = tuple(
    Route("GET", f"/api/ai/usage/{word}", handler, "read", summary, "Usage", params=(*SCOPE, *params), answer=dict,
          about=_ABOUT)
    for word, handler, summary, params in (
        ("summary", get_summary, "Totals, their course and what they are made of", (BY, COMPARE, TOP)),
        ("tools", get_tools, "Uses of tools: how often, how long, how often they failed", (BY, TOP)),
        ("tools/failures", get_failures, "Why uses of tools failed, with examples", (TOP,)),
        ("timeseries", get_timeseries, "Figures over time, in all or by group", (BY, _INTERVAL, _OF)),
        ("models", get_models, "Models with cost, tokens, durations, success rate", (BY, COMPARE, TOP, _SORT)),
        ("operations", get_operations, "The same by what the calls were for", (BY, COMPARE, TOP, _SORT)),
    )
)  # fmt: skip
