"""One recorded exchange with a provider, read leniently from a line of JSON, or a bare body taken as one.

A record has the shape `{"id", "provider", "api", "kind", "recorded_at"?, "request": {"method", "url", "body"},
"response": {"status", "headers", "body", "body_encoding"?, "decoded_events"?}}`. Bodies are text, base64 or decoded
JSON; anything may be missing or of another type. Reading never raises: what is no such record becomes an
interaction that says so in its flags. What the traffic means, `providers.exchange` tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from tallybook.providers import exchange
from tallybook.providers.exchange import Exchange
from tallybook.providers.lenient import UNREADABLE, decode
from tallybook.providers.value import mapping, word

RECORD_UNREADABLE = "record_unreadable"
"""The line is no JSON object."""
RESPONSE_MISSING = "response_missing"
"""The record has no response; a body beside it was taken for one, if there is any."""

SEVERAL_RECORDS = "several_records"
"""A file that was to hold one response holds records, line by line."""

_EARLIEST_US = 1_500_000_000_000_000


class Interaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a record holds. `None` is not told."""

    id: Any = None
    """As it stands in the record, whatever its type."""
    provider: str | None = None
    api: str | None = None
    model: str | None = None
    """A model named by the record itself or by the user, for where neither request nor response names one."""
    recorded_us: int | None = None
    """When it was recorded, in microseconds UTC."""
    exchange: Exchange = Exchange()
    flags: tuple[str, ...] = ()


def read_record(line: bytes) -> Interaction:
    """The interaction of one line in the record format."""
    try:
        record = decode(line)
    except UNREADABLE:
        return Interaction(flags=(RECORD_UNREADABLE,))
    return of_record(record)


def read_any(raw: bytes) -> Interaction:
    """The interaction of a file that holds one record, or one response as the provider sent it."""
    value = _value(raw)
    if _is_record(value):
        return of_record(value)
    if value is None and _is_record(_value(raw.partition(b"\n")[0])):
        return Interaction(flags=(SEVERAL_RECORDS,))
    return Interaction(exchange=Exchange(body=raw))


def _value(raw: bytes) -> Any:
    try:
        return decode(raw)
    except UNREADABLE:
        return None


def _is_record(value: Any) -> bool:
    """Whether it is an exchange rather than a provider's own response."""
    if not isinstance(value, Mapping) or "custom_id" in value:
        return False
    response = value.get("response")
    return isinstance(response, Mapping) and "body" in response


def of_record(record: Any) -> Interaction:
    """The interaction of one decoded record."""
    if not isinstance(record, Mapping):
        return Interaction(flags=(RECORD_UNREADABLE,))
    flags: tuple[str, ...] = ()
    if not isinstance(record.get("response"), Mapping):
        flags = (RESPONSE_MISSING,)
        # A payload that was kept without its exchange still tells what it used.
        record = {**record, "response": {"body": record.get("body")}}
    headers = mapping(record["response"].get("headers"))
    told = word(record.get("recorded_at")) or word(headers.get("date")) or word(headers.get("Date"))
    return Interaction(
        id=record.get("id"),
        provider=word(record.get("provider")),
        api=word(record.get("api")),
        model=word(record.get("model")),
        recorded_us=None if told is None else unix_us(told),
        exchange=exchange.of_record(record),
        flags=flags,
    )


def named(
    seen: Interaction, *, provider: str | None = None, api: str | None = None, model: str | None = None,
    url: str | None = None,
) -> Interaction:  # fmt: skip
    """The interaction with what the user says of it in place of what it says itself."""
    told = {name: value for name, value in (("provider", provider), ("api", api)) if value is not None}
    if url is not None:
        told["url"] = url
    if not told and model is None:
        return seen
    way = msgspec.structs.replace(seen.exchange, **told) if told else seen.exchange
    if provider is not None or api is not None:
        way = msgspec.structs.replace(way, is_url_guessed=url is None)
    told.pop("url", None)
    return msgspec.structs.replace(seen, **told, model=model or seen.model, exchange=way)


def unix_us(text: str) -> int | None:
    """A moment in ISO 8601 or as HTTP dates are written; `None` for anything else. Without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    try:
        found = round(at.timestamp() * 1_000_000)
    except (OverflowError, ValueError):
        return None
    return found if found >= _EARLIEST_US else None
