"""Whether the server is alive and well, and its figures for Prometheus."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.alert.episode import Alert
from tallybook.model.errors import StorageError
from tallybook.server.context import Context
from tallybook.server.error import json
from tallybook.server.route import Route
from tallybook.server.scope import refuse_confined
from tallybook.version import __version__

_STATE_S = 0.2
"""How long an answer waits for the state: that the process lives is told even when the state does not answer."""


class Health(msgspec.Struct):
    """How the server is. `ok` is false while records are being lost or refused, or cannot be read."""

    ok: bool
    version: str
    waiting_bytes: int
    accepted: int
    refused: int
    failures: int
    """Since the server started, over or not."""
    alerts: list[Alert] = []
    """What is amiss now, the gravest first. Whose records it is about is told only where no key is asked for."""
    building_totals: bool = False
    """Totals of runs are being built: what is sealed is not in all of them yet. Calls and questions do not mind."""


def health(context: Context) -> Health:
    """The state of the server now."""
    gauge = context.gauge
    alerts = context.alerts.under_way()
    failures = int(gauge.total("tallybook_failures_total")) + context.intake.counters["disk"]
    return Health(
        ok=not any(alert.grade == "bad" for alert in alerts),
        version=__version__,
        waiting_bytes=context.intake.waiting_bytes,
        accepted=int(gauge.total("tallybook_records_accepted_total")),
        refused=int(gauge.total("tallybook_records_refused_total")),
        failures=failures,
        alerts=alerts,
    )


async def _is_building(context: Context) -> bool:
    """Whether totals of runs are being built; False also while the state has no time to tell."""
    try:
        async with asyncio.timeout(_STATE_S):
            return await context.state(lambda state: state.building() is not None)
    except (TimeoutError, StorageError):  # That the state cannot be read, its users and the alerts tell.
        return False


async def get_health(request: Request, context: Context) -> Response:
    """`GET /healthz`: 200 while the process serves; what is amiss stands in the body."""
    found = health(context)
    found.building_totals = await _is_building(context)
    if not context.serving.is_open:
        found.alerts = [msgspec.structs.replace(one, subject="", message="") for one in found.alerts]
    return json(found, headers={"cache-control": "no-store"})


async def get_ready(request: Request, context: Context) -> Response:
    """`GET /readyz`: 200 when it takes requests, 503 while it starts or stops."""
    is_ready = context.is_ready and not context.is_stopping
    return json({"ready": is_ready}, 200 if is_ready else 503, {"cache-control": "no-store"})


async def get_metrics(request: Request, context: Context) -> Response:
    """`GET /metrics`, in Prometheus' text format."""
    refuse_confined(request, "what /metrics tells")
    return Response(context.gauge.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


ROUTES = (
    Route("GET", "/healthz", get_health, "none", "Whether the server is well", "Operations", answer=Health),
    Route("GET", "/readyz", get_ready, "none", "Whether it takes requests", "Operations", answer=dict[str, bool]),
    Route("GET", "/metrics", get_metrics, "read", "Figures for Prometheus", "Operations",
          answer_type="text/plain"),
)  # fmt: skip
