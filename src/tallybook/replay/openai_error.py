"""Errors as OpenAI words them, whole and inside a stream."""

from __future__ import annotations

from typing import Any

from tallybook.replay.exchange import Exchange, sse
from tallybook.replay.http import Reply, json_reply

_BY_STATUS = {
    400: ("invalid_request_error", None, "Invalid request."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: replay."),
    403: ("invalid_request_error", "unsupported_country_region_territory", "Not allowed."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    409: ("invalid_request_error", "conflict", "The resource is in use."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests. Please try again in 1s."),
    500: ("server_error", None, "The server had an error while processing your request."),
    503: ("server_error", "overloaded", "The engine is currently overloaded."),
}


def error_body(exchange: Exchange, status: int, param: str | None = None) -> dict[str, Any]:
    """The error object for a status, in the scenario's words where it has some."""
    kind, code, message = _BY_STATUS.get(status, ("server_error", None, f"The server answered {status}."))
    scenario = exchange.scenario
    return {"message": scenario.message or message, "type": kind, "param": param, "code": scenario.error or code}


def error_reply(exchange: Exchange, status: int, param: str | None = None) -> Reply:
    """The reply of a failed request."""
    headers = {"x_request_id": exchange.new_id("req_")}
    if exchange.scenario.retry_after is not None:
        headers["retry_after"] = f"{exchange.scenario.retry_after:g}"
    return json_reply({"error": error_body(exchange, status, param)}, status, **headers)


def stream_error(exchange: Exchange) -> bytes:
    """The error event inside a stream of chunks."""
    return sse({"error": error_body(exchange, 500)})
