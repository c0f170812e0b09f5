"""`GET /api/v1/doctor`: what `tallybook doctor` finds, over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tallybook.query.doctor import Examined, examine
from tallybook.query.plain import report
from tallybook.server.context import Context
from tallybook.server.error import json
from tallybook.server.given import Given
from tallybook.server.route import Route
from tallybook.server.scope import refuse_confined
from tallybook.store.base import CallStore


async def get_doctor(request: Request, context: Context) -> Response:
    """Everything that an examination finds."""
    refuse_confined(request, "what an examination finds")
    Given(request)
    now_us = context.now_us()

    def work(store: CallStore) -> Examined:
        with store.steady():
            return examine(store, context.settings, now_us)

    return json(report("doctor", await context.read(work)), headers={"cache-control": "no-store"})


_ABOUT = (
    "`grade`: `bad` where data is lost or cannot be read, `warn` where figures lack something. "
    "It looks at files and latest calls anew each time: seconds on a large ledger."
)
ROUTES = (
    Route("GET", "/api/v1/doctor", get_doctor, "admin", "Why calls are missing, unpriced or slow to read", "Operations",
          answer=dict, about=_ABOUT),
)  # fmt: skip
