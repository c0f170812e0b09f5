"""One request with its answer, recorded by whatever means, read as what it is: provider, operation, usage, text.

Pure, and the one way by which raw traffic from outside is counted: `explain`, the accuracy figures and the importers
of recorded traffic use it. What is no model call (files, lists of models, counting of tokens) says so by an operation
of `None` instead of guessing one.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tallybook.model.call import Status
from tallybook.model.usage import Usage
from tallybook.providers import endpoint
from tallybook.providers.base import Asked, Format, Parsed, Result
from tallybook.providers.detect import detect_provider
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, decode
from tallybook.providers.likeness import by_body
from tallybook.providers.session import summed
from tallybook.providers.value import mapping, mappings, whole, word


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its answer, as they went over the wire."""

    method: str = "POST"
    url: str = ""
    request: bytes = b""
    http_status: int | None = None
    headers: Mapping[str, str] = {}
    """The answer's, names in lower case."""
    body: bytes = b""
    events: tuple[Mapping[str, Any], ...] = ()
    """The answer's events where only their decoded form is known."""
    provider: str | None = None
    """Who is meant, where the host does not tell."""
    api: str | None = None
    """Name of the interface, where the URL does not tell: `openai-chat-stream`."""
    is_url_guessed: bool = False
    """The name goes before the URL then."""


class Reading(NamedTuple):
    """What an exchange was."""

    provider: str
    operation: str | None
    """`None`: no model call."""
    format: Format | None
    asked: Asked
    parsed: Parsed
    """For several calls in one answer (batch outputs, sockets), their sum."""
    results: tuple[Result, ...] = ()
    http_status: int | None = None

    @property
    def status(self) -> Status:
        """As a ledger record has it."""
        if self.parsed.error_type is not None or (self.http_status or 0) >= 400:
            return "error"
        if "cancelled" in self.parsed.finish_reasons:
            return "cancelled"
        return "ok" if self.parsed.is_complete else "incomplete"


def of_record(record: Mapping[str, Any]) -> Exchange:
    """An exchange from a record `{provider, api, kind, request: {method, url, body}, response: {status, headers,
    body, body_encoding, decoded_events}}`. Missing members are unknown; never raises for what a value is."""
    request, response = mapping(record.get("request")), mapping(record.get("response"))
    body: Any = response.get("body")
    events: list[Mapping[str, Any]] = []
    if response.get("body_encoding") == "base64" and isinstance(body, str):
        try:
            body = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            body = b""
        if not body:
            events = [_event(item) for item in mappings(response.get("decoded_events"))]
    headers = mapping(response.get("headers"))
    url = word(request.get("url")) or ""
    return Exchange(
        method=word(request.get("method")) or "POST",
        url=url,
        request=_unpacked(_bytes(request.get("body"))),
        http_status=whole(response.get("status")),
        headers={str(key).lower(): str(value) for key, value in headers.items()},
        body=_unpacked(_bytes(body)),
        events=tuple(events),
        provider=word(record.get("provider")),
        api=word(record.get("api")),
        is_url_guessed=record.get("kind") == "fixture-response-only" or not url or "(see source)" in url,
    )


def _event(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """A decoded AWS event as its format takes it: the inner chunk of invoke, else payload by event type."""
    if "chunk" in item:
        return mapping(item["chunk"])
    return {str(item.get("event")): item.get("payload")}


def _bytes(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return b"" if value is None else msgspec.json.encode(value)


_GZIP = b"\x1f\x8b\x08"
_UNPACKED_MAX = 1 << 28
"""Bytes. What unpacks to more is cut there: no answer is as long, and a few bytes may stand for terabytes."""


def _unpacked(body: bytes) -> bytes:
    """Some recorders keep bodies gzipped, as they came over the wire; a cut one is unpacked as far as it goes."""
    if not body.startswith(_GZIP):
        return body
    try:
        return zlib.decompressobj(wbits=31).decompress(body, _UNPACKED_MAX)
    except zlib.error:
        return body


def read(exchange: Exchange) -> Reading:
    """What the exchange was and used. Never raises for what request and answer contain."""
    place = endpoint.by_url(exchange.method, exchange.url, exchange.provider)
    form = place.format
    by_name = None
    if exchange.provider is not None and exchange.api is not None and (exchange.is_url_guessed or form is None):
        by_name = endpoint.by_name(exchange.provider, exchange.api)
    if by_name is not None and (exchange.is_url_guessed or not place.is_other):
        form = by_name
    if form is None and not place.is_other and not _is_other_name(exchange):
        form = _by_shape(exchange)
    if form is None:
        return _no_call(exchange, place.provider)
    asked = _asked(form, exchange)
    results: tuple[Result, ...] = ()
    if form.batch is not None:
        results = tuple(form.batch(exchange.body))
        parsed = form.parse(exchange.body) if form.name in _SESSIONS else summed(result.parsed for result in results)
        if not results and form.name not in _SESSIONS:
            return _no_call(exchange, place.provider)
    else:
        parsed = _parsed(form, exchange)
    parsed = _with_headers(form, parsed, exchange)
    parsed = _with_quantities(parsed, asked, exchange)
    provider = place.provider
    if provider == "unknown":
        provider = detect_provider(parsed.response_model or asked.model, None)
    elif provider == "huggingface":
        provider = detect_provider(asked.model, exchange.url)
    return Reading(provider, form.operation, form, asked, parsed, results, exchange.http_status)


def _is_other_name(exchange: Exchange) -> bool:
    if exchange.provider is None or exchange.api is None:
        return False
    return endpoint.is_other_name(exchange.provider, exchange.api)


_SESSIONS = frozenset(("openai.realtime", "google.live", "bedrock.agent"))
"""Formats whose calls are parts of one conversation, which `parse` sums by itself."""


def _parsed(form: Format, exchange: Exchange) -> Parsed:
    if exchange.events and form.stream is not None:
        stream = form.stream()
        for event in exchange.events:
            stream.feed(event)
        return stream.result()
    return form.parse(exchange.body)


def _asked(form: Format, exchange: Exchange) -> Asked:
    try:
        body = decode(exchange.request) if exchange.request else {}
    except UNREADABLE:
        body = {}  # A form with a file in it, or JSON that was cut.
    return form.asked(mapping(body), exchange.url)


def _with_headers(form: Format, parsed: Parsed, exchange: Exchange) -> Parsed:
    if form.headed is not None:
        parsed = form.headed(parsed, exchange.headers)
    status = exchange.http_status
    if status is None or status < 400:
        return parsed
    error_type, message = failure(exchange.body, status)
    kind = exchange.headers.get("x-amzn-errortype", "").partition(":")[0]
    return msgspec.structs.replace(
        parsed,
        error_type=kind or error_type,
        error_message=message,
        flags=tuple(flag for flag in parsed.flags if flag not in ("usage_missing", "body_unreadable")),
    )


def _with_quantities(parsed: Parsed, asked: Asked, exchange: Exchange) -> Parsed:
    """With what is known from the request alone: the characters of speech, the pictures asked for."""
    if not asked.quantities or parsed.error_type is not None or (exchange.http_status or 200) >= 400:
        return parsed
    usage = parsed.usage or Usage()
    usage = msgspec.structs.replace(usage, quantities={**asked.quantities, **usage.quantities})
    return msgspec.structs.replace(parsed, usage=usage)


def _no_call(exchange: Exchange, provider: str) -> Reading:
    parsed = Parsed()
    if (exchange.http_status or 0) >= 400:
        error_type, message = failure(exchange.body, exchange.http_status)
        parsed = Parsed(error_type=error_type, error_message=message)
    return Reading(provider, None, None, Asked(), parsed, (), exchange.http_status)


def _by_shape(exchange: Exchange) -> Format | None:
    """The format that the answer is in, whole or by the first events of a stream."""
    if exchange.method.upper() not in ("POST", "WS", "GRPC"):
        return None
    return by_body(exchange.body)
