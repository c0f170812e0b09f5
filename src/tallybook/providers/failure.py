"""Error shapes of all providers, read into (type, message).

`error` may be an object or a text, `code` a text or a number; some providers have no `error` at all but
`detail` (Mistral, Voyage, FastAPI hosts), `message` (Bedrock, Cohere) or `base_resp` (MiniMax).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.model.limits import ERROR_MESSAGE_CHARS
from tallybook.providers.lenient import UNREADABLE, decode
from tallybook.providers.value import mapping, mappings, whole, word

_BY_STATUS = {
    400: "invalid_request", 401: "authentication", 403: "permission", 404: "not_found", 408: "timeout",
    413: "request_too_large", 422: "invalid_request", 429: "rate_limit", 500: "server_error", 502: "bad_gateway",
    503: "unavailable", 504: "timeout", 529: "overloaded",
}  # fmt: skip
"""Used only where the body names no type."""


def failure(body: Any, http_status: int | None) -> tuple[str | None, str | None]:
    """(error type, message) of a decoded error body, text or bytes; (None, None) when it tells of no error.

    The type is the provider's own word where it has one, else a word for the HTTP status. Messages are cut at
    `limits.ERROR_MESSAGE_CHARS`.
    """
    body = _decoded(body)
    kind: str | None = None
    message: str | None = None
    if isinstance(body, list):
        body = next((item for item in body if isinstance(item, Mapping) and item.get("error")), None)
    if isinstance(body, Mapping):
        kind, message = _of_mapping(body, is_failed=http_status is not None and http_status >= 400)
    elif isinstance(body, str) and http_status is not None and http_status >= 400:
        message = body
    if http_status is not None and http_status >= 400:
        kind = kind or _BY_STATUS.get(http_status) or ("server_error" if http_status >= 500 else "invalid_request")
    elif kind is None and message is not None:
        kind = "error"
    return kind, None if message is None else message[:ERROR_MESSAGE_CHARS]


def _decoded(body: Any) -> Any:
    if not isinstance(body, (bytes, bytearray, memoryview)):
        return body
    try:
        return decode(bytes(body))
    except UNREADABLE:
        return bytes(body[: 4 * ERROR_MESSAGE_CHARS]).decode("utf-8", "replace").strip() or None


def _of_mapping(body: Mapping[str, Any], *, is_failed: bool) -> tuple[str | None, str | None]:
    error = body.get("error")
    if isinstance(error, Mapping):
        return _of_error(error)
    if isinstance(error, str) and error:
        return _code(body.get("code")) or word(body.get("error_type")), error
    if status := whole(mapping(body.get("base_resp")).get("status_code")):  # MiniMax, with HTTP status 200.
        return str(status), word(body["base_resp"].get("status_msg")) or "error"
    if body.get("type") == "error" and "message" in body:
        return _code(body.get("code")) or "error", word(body.get("message"))
    if is_failed:
        kind = word(body.get("error_type")) or word(body.get("type")) or _code(body.get("code"))
        return kind, _message(body)
    if "detail" in body and len(body) <= 2:
        return None, _message(body)
    return None, None


def _of_error(error: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Type by preference: `type` (OpenAI, Anthropic), `status` (Google), `code` (Azure, OpenRouter)."""
    code = _code(error.get("code"))
    kind = word(error.get("type")) or word(error.get("status")) or code
    if kind in {"error", "invalid_request_error"} and code is not None and not code.isdigit():
        kind = code
    message = _message(error)
    raw = word(mapping(error.get("metadata")).get("raw"))
    if raw is not None and message is not None and raw not in message:
        message = f"{message}: {raw}"
    return kind or "error", message


def _message(body: Mapping[str, Any]) -> str | None:
    for key in ("message", "Message", "detail", "error_description"):
        value = body.get(key)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, Mapping):
            return word(value.get("message")) or msgspec.json.encode(value).decode()
        found = [text for item in mappings(value) if (text := word(item.get("msg")) or word(item.get("message")))]
        if found:
            return "; ".join(found)
    return None


def _code(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        return None
    return str(value)
