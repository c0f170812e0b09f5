"""The application: the table of routes as one ASGI app, and what every answer goes through.

A request passes the Host and Origin checks, then the key's role, then its handler; any error ends in the one JSON
shape, and every answer is counted. Handlers know none of this.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Receive, Scope, Send

from tallybook.ingest.intake import Overloaded
from tallybook.model.errors import StorageError, TallybookError
from tallybook.server.context import Context
from tallybook.server.error import HttpError, answer, translated
from tallybook.server.identity import allowed_origin, check_host, check_role, identify
from tallybook.server.route import Route
from tallybook.server.sender import answering

log = logging.getLogger("tallybook.server")

RESOURCES = (
    "page",
    "usage_post", "otlp", "journal", "live", "project", "key", "token", "runs", "tree", "tasks", "messages", "share",
    "health", "document", "litellm", "helicone", "langfuse", "usage", "token_usage", "embedded", "query", "calls",
    "search", "sql", "price", "doctor", "settings",
)  # fmt: skip
"""Modules of this package with a table `ROUTES`."""

_CORS_HEADERS = (
    "authorization, content-type, x-api-key, idempotency-key, last-event-id, if-none-match, content-encoding"
)
_EXPOSED = "etag, retry-after, location"
_SECURITY = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"))


def routes() -> tuple[Route, ...]:
    """All resources of the server, the hot ones first."""
    found = [route for name in RESOURCES for route in import_module(f"tallybook.server.{name}").ROUTES]
    return tuple(sorted(found, key=lambda route: not route.is_hot))


def build(context: Context, table: Sequence[Route] | None = None) -> ASGIApp:
    """The ASGI app of a context."""
    table = routes() if table is None else table
    methods: dict[str, list[str]] = {}
    for route in table:
        methods.setdefault(route.path, []).append(route.method)
    gates = {(route.method, route.path): _gate(route, context) for route in table}
    paths = [Path(path, gate, methods=[method]) for (method, path), gate in gates.items()]

    async def preflight(request: Request) -> Response:
        return _preflight(request, context)

    paths += [Path(path, preflight, methods=["OPTIONS"]) for path in methods]

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return _missing(request, status, methods, context)

    routed = Starlette(routes=paths, exception_handlers={404: missing, 405: missing})
    routed.router.redirect_slashes = False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # What stands in the table word for word needs no search: that is half of what a small request costs.
        gate = gates.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if gate is None:
            await routed(scope, receive, send)
        else:
            response = await gate(Request(scope, receive))
            await response(scope, receive, send)

    return app


def _gate(route: Route, context: Context) -> Callable[[Request], Awaitable[Response]]:
    """The route's endpoint: checks, handler, errors, figures."""
    render = route.failure or _plainly

    async def endpoint(request: Request) -> Response:
        began = time.perf_counter()
        origin: str | None = None
        share = request.scope["tallybook.share"] = context.room.share()
        answering(request)
        try:
            check_host(request, context.serving)
            origin = allowed_origin(request, context.serving)
            if route.need != "none":
                identity = await identify(request, context)
                check_role(identity, route.need, takes_tokens=route.takes_tokens)
                request.scope["tallybook.identity"] = identity
            response = await route.handler(request, context)
        except Overloaded as error:
            response = render(request, _busy(error, context))
        except TallybookError as error:
            response = render(request, _failed(error, route, context))
        except Exception:
            log.exception("%s %s failed", route.method, route.path)
            context.alerts.note("bug", f"{route.method} {route.path} failed", context.now_us())
            context.gauge.count("tallybook_failures_total", f"{route.method} {route.path}")
            told = HttpError(500, "bug", "the server failed at this request; its log tells more",
                             hint="please report it with the request that led here")  # fmt: skip
            response = render(request, told)
        finally:
            share.release()
        _dress(response, origin)
        context.gauge.count("tallybook_requests_total", route.method, route.path, str(response.status_code))
        context.gauge.took(route.path, time.perf_counter() - began)
        return response

    return endpoint


def _plainly(_: Request, error: HttpError) -> Response:
    return answer(error)


def _busy(error: Overloaded, context: Context) -> HttpError:
    context.gauge.count("tallybook_records_refused_total", "http", "overloaded")
    context.alerts.note("overload", str(error), context.now_us())
    headers = {"retry-after": str(error.retry_after_s)}
    return HttpError(503, "overloaded", str(error), hint=error.hint, headers=headers)


def _failed(error: TallybookError, route: Route, context: Context) -> HttpError:
    told = translated(error)
    if told.status >= 500:
        if isinstance(error, StorageError) and not context.alerts.under_way("disk"):
            context.alerts.note("storage", f"{route.method} {route.path}: {error}", context.now_us())
        context.gauge.count("tallybook_failures_total", told.code)
    elif route.need == "ingest":
        context.gauge.count("tallybook_records_refused_total", route.path, told.code)
    return told


def _dress(response: Response, origin: str | None) -> None:
    raw = response.raw_headers
    told = {name for name, _ in raw}
    raw.extend([pair for pair in _SECURITY if pair[0] not in told])
    if origin is not None:
        headers = response.headers
        headers["access-control-allow-origin"] = origin
        headers["access-control-expose-headers"] = _EXPOSED
        headers.add_vary_header("origin")


def _preflight(request: Request, context: Context) -> Response:
    """The answer to a browser that asks whether a page of another site may call."""
    origin = request.headers.get("origin")
    if origin is None or not ("*" in context.serving.origins or origin in context.serving.origins):
        return answer(HttpError(403, "unknown_origin", "pages of other sites may not call this server",
                                hint="start it with --allow-origin"))  # fmt: skip
    headers = {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": _CORS_HEADERS,
        "access-control-max-age": "600",
        "vary": "origin",
    }
    return Response(status_code=204, headers=headers)


def _missing(request: Request, status: int, methods: dict[str, list[str]], context: Context) -> Response:
    path = request.url.path
    context.gauge.count("tallybook_requests_total", "other", "unknown", str(status))
    if status == 405:
        known = ", ".join(sorted(set(methods.get(path, ())))) or "another method"
        return answer(HttpError(405, "method_not_allowed", f"{path} does not take {request.method}",
                                hint=f"it takes {known}", headers={"allow": known}))  # fmt: skip
    from difflib import get_close_matches  # here, because only a mistake needs it

    near = get_close_matches(path[:200], methods, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else "/docs lists all there is"
    return answer(HttpError(404, "not_found", f"there is nothing at {path[:200]}", hint=hint))
