"""`POST /api/ingest/litellm`: LiteLLM's generic callback, in its three formats."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.ingest.dialects import litellm
from tallybook.model.limits import BATCH_ITEMS
from tallybook.server import body
from tallybook.server.arrive import arrive
from tallybook.server.context import Context
from tallybook.server.error import HttpError, Problem, json
from tallybook.server.identity import identity_of
from tallybook.server.route import Route


class Refusal(msgspec.Struct, frozen=True):
    """One payload that was not taken, by its place in the body."""

    index: int
    error: Problem


class Taken(msgspec.Struct, frozen=True):
    """How many payloads became calls, and which were refused. What is no model call is neither."""

    accepted: int
    refused: int
    errors: list[Refusal]


async def post_payloads(request: Request, context: Context) -> Response:
    """Take an array, lines, or one object; one that is refused leaves the others alone."""
    items = _items(await body.read(request))
    arrival = await arrive(litellm.read(items, project=identity_of(request).project), litellm.SOURCE, context)
    ignored = len(items) - len(arrival.calls) - len(arrival.refused)
    if ignored:
        context.gauge.count("tallybook_records_ignored_total", litellm.SOURCE, "no_model_call", by=ignored)
    errors = [Refusal(one.position, Problem(one.code, one.message, one.hint, one.field)) for one in arrival.refused]
    status = 200 if not errors else 207 if arrival.calls or ignored else 400
    return json(Taken(len(arrival.calls), len(errors), errors), status)


def _items(data: bytes) -> list[Any]:
    """Payloads of a body. Lines are known by not being one JSON value, for LiteLLM calls them application/json too."""
    body.check_values(data)
    try:
        told = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        lines = [line for line in data.split(b"\n") if line.strip()]
        if len(lines) < 2:
            body.decoded(data)
        told = [_line(line) for line in lines]
        if all(one is None for one in told):
            body.decoded(data)
    items = told if isinstance(told, list) else [told]
    if len(items) > BATCH_ITEMS:
        raise HttpError(413, "too_many", f"{len(items):,} payloads at once; {BATCH_ITEMS:,} are taken",
                        hint="send them in smaller batches")  # fmt: skip
    return items


def _line(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # Refused by its place, like every item that is no object.


ROUTES = (
    Route("POST", "/api/ingest/litellm", post_payloads, "ingest", "Take LiteLLM's generic callback", "Other clients",
          body=list[dict[str, Any]], more_body_types=("application/x-ndjson",),
          answer=Taken, also=((207, Taken), (400, Taken)),
          about="`StandardLoggingPayload` objects as `json_array`, `ndjson` or `single`. 207 when some were refused."),
)  # fmt: skip
