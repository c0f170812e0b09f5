"""One recorded exchange with a provider, read leniently from a line of JSON or from a bare body.

A record has the shape `{"id", "provider", "api", "kind", "recorded_at"?, "request": {"method", "url", "body",
"headers"}, "response": {"status", "headers", "body", "body_encoding"?, "decoded_events"?}}`. Bodies are text, base64
or JSON already decoded; anything may be missing. Reading never raises: what is no such record becomes an interaction
that says so in its flags. It does not know what a body means; `recognise` and `explain` do.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.providers.value import mapping, mappings, whole, word

RECORD_UNREADABLE = "record_unreadable"
"""The line is no JSON object."""
RESPONSE_MISSING = "response_missing"
BODY_UNREADABLE = "body_unreadable"

_decode = msgspec.json.Decoder().decode
_NOTHING: Mapping[str, Any] = {}


class Interaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a record holds. `None` is not told."""

    id: Any = None
    """As it stands in the record, whatever its type."""
    provider: str | None = None
    api: str | None = None
    kind: str | None = None
    """`recorded`, `recorded-websocket`, `fixture-response-only` …"""
    recorded_at: str | None = None
    method: str = "POST"
    url: str = ""
    asked: Mapping[str, Any] = {}
    """The decoded request body; empty where there is none or it is no JSON object."""
    model: str | None = None
    """A model named by the record itself or by the user, for where neither request nor response names one."""
    http_status: int | None = None
    headers: Mapping[str, Any] = {}
    """Of the response, names in lower case."""
    body: bytes = b""
    events: tuple[Mapping[str, Any], ...] = ()
    """Events of a binary stream that the recorder had decoded."""
    flags: tuple[str, ...] = ()

    @property
    def is_guess(self) -> bool:
        """Whether request and URL were made up around a response that was kept alone."""
        return self.kind is not None and "response-only" in self.kind


def read_record(line: bytes | str) -> Interaction:
    """The interaction of one line in the record format."""
    try:
        record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Interaction(flags=(RECORD_UNREADABLE,))
    return of_record(record)


def is_record(value: Any) -> bool:
    """Whether a decoded JSON value is a record rather than a provider's own response."""
    return isinstance(value, Mapping) and isinstance(value.get("response"), Mapping) and (
        isinstance(value.get("request"), Mapping) or "body" in value["response"]
    )  # fmt: skip


def of_record(record: Any) -> Interaction:
    """The interaction of one decoded record."""
    if not isinstance(record, Mapping):
        return Interaction(flags=(RECORD_UNREADABLE,))
    request, response = mapping(record.get("request")), record.get("response")
    flags: tuple[str, ...] = ()
    if not isinstance(response, Mapping):
        # A payload kept without its exchange still tells what it used.
        response = {"body": record.get("body")} if "body" in record else _NOTHING
        flags = (RESPONSE_MISSING,)
    body, encoded = response.get("body"), response.get("body_encoding")
    raw, fault = _bytes(body, encoded)
    url = request.get("url")
    return Interaction(
        id=record.get("id"),
        provider=word(record.get("provider")),
        api=word(record.get("api")),
        kind=word(record.get("kind")),
        recorded_at=word(record.get("recorded_at")),
        method=word(request.get("method")) or "POST",
        url=url if isinstance(url, str) else "",
        asked=_asked(request.get("body")),
        model=word(record.get("model")),
        http_status=whole(response.get("status")),
        headers=_headers(response.get("headers")),
        body=raw,
        events=tuple(mappings(response.get("decoded_events"))),
        flags=flags + fault,
    )


def _bytes(body: Any, encoding: Any) -> tuple[bytes, tuple[str, ...]]:
    if isinstance(body, str):
        if encoding == "base64":
            try:
                return base64.b64decode(body, validate=False), ()
            except (binascii.Error, ValueError):
                return b"", (BODY_UNREADABLE,)
        return body.encode("utf-8", "surrogatepass"), ()
    if body is None:
        return b"", ()
    return msgspec.json.encode(body), ()


def _asked(body: Any) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    if not isinstance(body, str) or not body:
        return _NOTHING
    try:
        return mapping(_decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    # A transcript of a socket: the first message sets the session up.
    try:
        first = mapping(_decode(body.partition("\n")[0]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NOTHING
    return mapping(first.get("session")) or mapping(first.get("setup")) or _NOTHING


def _headers(headers: Any) -> Mapping[str, Any]:
    found = mapping(headers)
    return {str(name).lower(): value[0] if isinstance(value, list) and value else value
            for name, value in found.items()} if found else _NOTHING  # fmt: skip
