"""OpenTelemetry over HTTP: `/v1/{traces,logs,metrics}` and the paths that set-ups for other products have.

Requests are protobuf or JSON, and are answered in their own type: `Export…ServiceResponse`, which tells what of a
request was not taken, or a `google.rpc.Status`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tallybook.ingest import telemetry
from tallybook.ingest.dialects.reckoned import with_reckoned
from tallybook.ingest.intake import Lines
from tallybook.ingest.otlp import answer
from tallybook.ingest.telemetry import Taken
from tallybook.ingest.twin import Twins
from tallybook.server import body
from tallybook.server.context import Context
from tallybook.server.error import HttpError
from tallybook.server.identity import identity_of
from tallybook.server.route import Handler, Route

Signal = Literal["traces", "logs", "metrics"]
SOURCE = "otlp"
_PROTOBUF = "application/x-protobuf"
_JSON = "application/json"
_TYPES = {
    _PROTOBUF: False, "application/protobuf": False, "application/vnd.google.protobuf": False,
    "application/octet-stream": False, _JSON: True, "text/json": True,
}  # fmt: skip
PROJECT_HEADERS = ("x-project-name", "projectname", "x-mlflow-experiment-id")
"""Headers by which clients of Phoenix, Opik and MLflow say the project, in this order."""
_WHY_ITEMS = 5


class Read(NamedTuple):
    """A request that was read: what it came to, and the journal's lines of it."""

    taken: Taken
    lines: Lines | None


def read(
    signal: Signal, data: bytes, project: str | None, context: Context, twins: Twins, *, is_json: bool = False
) -> Read:
    """Decode and understand a request, on the thread that does so. Raises InputError."""
    settings = context.settings
    with_content = settings.prompts != "none" or settings.responses != "none"
    if signal == "traces":
        taken = telemetry.traces(data, twins, is_json=is_json, project=project, with_content=with_content)
    elif signal == "logs":
        taken = telemetry.logs(data, is_json=is_json, project=project, with_content=with_content)
    else:
        taken = telemetry.metrics(data, is_json=is_json)
    arrival = taken.arrival
    arrival = arrival._replace(calls=with_reckoned(arrival.calls, context.prices.knows))
    taken = taken._replace(arrival=arrival)
    if not (arrival.calls or arrival.steps or arrival.contents):
        return Read(taken, None)
    return Read(taken, context.intake.lines(arrival))


def count(signal: Signal, taken: Taken, context: Context) -> None:
    """The server's own figures of a request."""
    arrival, gauge = taken.arrival, context.gauge
    for kind, records in (("call", arrival.calls), ("step", arrival.steps)):
        if records:
            gauge.count("tallybook_records_accepted_total", SOURCE, kind, by=len(records))
    for one in arrival.refused:
        gauge.count("tallybook_records_refused_total", SOURCE, one.code)
    if taken.ignored:
        reason = "metric" if signal == "metrics" else "no_model_call"
        gauge.count("tallybook_records_ignored_total", SOURCE, reason, by=taken.ignored)


def why(taken: Taken) -> str:
    """Why items were not taken, the first few of them."""
    refused = taken.arrival.refused
    told = "; ".join(
        f"item {one.position}: {one.message}" + (f" ({one.hint})" if one.hint else "") for one in refused[:_WHY_ITEMS]
    )
    return f"{told}; and {len(refused) - _WHY_ITEMS:,} more" if len(refused) > _WHY_ITEMS else told


def project_of(headers: Mapping[str, str], own: str | None) -> str | None:
    """The project that a request names: its key's, to which alone such a key writes, else by header."""
    return own or next((headers[name] for name in PROJECT_HEADERS if headers.get(name)), None)


def _is_json(request: Request) -> bool | None:
    return _TYPES.get(body.content_type(request) or _PROTOBUF)


def _failure(request: Request, error: HttpError) -> Response:
    """A `google.rpc.Status` in the request's type."""
    is_json = _is_json(request) is not False
    message = str(error) if error.hint is None else f"{error} ({error.hint})"
    told = answer.failed(error.status, message, is_json=is_json)
    return Response(told, error.status, media_type=_JSON if is_json else _PROTOBUF, headers=error.headers)


def _handler(signal: Signal) -> Handler:
    async def post(request: Request, context: Context) -> Response:
        is_json = _is_json(request)
        if is_json is None:
            raise HttpError(415, "unknown_type", f"{body.content_type(request)[:100]!r} is not OTLP's",
                            hint=f"send {_PROTOBUF} or {_JSON}")  # fmt: skip
        data = await body.read(request)
        project = project_of(request.headers, identity_of(request).project)
        found = await context.telemetry(
            len(data), lambda twins: read(signal, data, project, context, twins, is_json=is_json)
        )
        if found.lines is not None:
            await context.record_lines(found.lines)
        count(signal, found.taken, context)
        told = answer.accepted(signal, len(found.taken.arrival.refused), why(found.taken), is_json=is_json)
        return Response(told, media_type=_JSON if is_json else _PROTOBUF)

    return post


_SUMMARIES: dict[Signal, str] = {
    "traces": "Take OpenTelemetry spans",
    "logs": "Take OpenTelemetry log records",
    "metrics": "Acknowledge OpenTelemetry metrics, which are not kept",
}
_PLACES: tuple[tuple[str, tuple[Signal, ...]], ...] = (
    ("/v1", ("traces", "logs", "metrics")),
    ("/otel/v1", ("traces", "logs", "metrics")),
    ("/api/public/otel/v1", ("traces", "logs", "metrics")),
    ("/api/v1/private/otel/v1", ("traces",)),
)

ROUTES = tuple(
    Route("POST", f"{place}/{signal}", _handler(signal), "ingest", _SUMMARIES[signal], "OpenTelemetry",
          body=bytes, body_type=_PROTOBUF, answer=bytes, answer_type=_PROTOBUF, is_hot=place == "/v1",
          failure=_failure, more_body_types=(_JSON,), more_answer_types=(_JSON,),
          about=f"An OTLP request as {_PROTOBUF} or {_JSON}; the answer has the same type.")
    for place, signals in _PLACES
    for signal in signals
)  # fmt: skip
