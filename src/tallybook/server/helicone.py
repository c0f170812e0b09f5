"""`POST /custom/v1/log`, `/oai/v1/log`, `/anthropic/v1/log`: what Helicone's loggers send."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.ingest.dialects import helicone
from tallybook.server import body
from tallybook.server.arrive import arrive
from tallybook.server.context import Context
from tallybook.server.error import HttpError, json
from tallybook.server.identity import identity_of
from tallybook.server.route import Handler, Route


class Logged(msgspec.Struct, frozen=True):
    """The id of the call or step."""

    id: str


def _post_log(provider: str | None) -> Handler:
    async def post_log(request: Request, context: Context) -> Response:
        """Take one request with its answer."""
        item = body.decoded(await body.read(request))
        found = helicone.read(item, dict(request.headers), provider=provider, project=identity_of(request).project)
        arrival = await arrive(found, helicone.SOURCE, context)
        for one in arrival.refused:
            raise HttpError(400, one.code, one.message, hint=one.hint, field=one.field)
        ids = [*(call.call_id for call in arrival.calls), *(step.step_id for step in arrival.steps)]
        return json(Logged(ids[0]))

    return post_log


_ABOUT = (
    "The provider's request and answer, whole or as a stream's chunks, with `Helicone-User-Id`, `Helicone-Session-Id`, "
    "`Helicone-Property-…` in `providerRequest.meta` or as headers."
)

ROUTES = tuple(
    Route("POST", path, _post_log(provider), "ingest", "Take a request that Helicone's loggers report", "Other clients",
          body=dict[str, Any], answer=Logged, about=_ABOUT, may_fail=(400, 413, 415))
    for path, provider in (
        ("/custom/v1/log", None), ("/oai/v1/log", "openai"), ("/anthropic/v1/log", "anthropic"),
    )
)  # fmt: skip
