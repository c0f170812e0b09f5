"""OTLP's protobuf messages read in one pass over the bytes, decoding only what is asked for.

Why by hand: a span of 6 kB has some 25 attributes of which three quarters of the bytes are the conversation. The
generated classes make an object for each attribute and of its value before one may look at its name
(`docs/decisions/protobuf.md` has the figures). Field numbers are those of opentelemetry-proto 1.x; unknown fields are
passed over. Anything that is no such message raises InputError; text that is no UTF-8 is read with replacements.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from struct import error as struct_error
from typing import Any

from tallybook.ingest.otlp.key import CONTENT, KEYS, SKIP
from tallybook.ingest.otlp.record import Event, Log, Resource, Scope, Span
from tallybook.model.errors import InputError

_u64 = Struct("<Q").unpack_from
_f64 = Struct("<d").unpack_from
_DEPTH_MAX = 32
"""Values within values. Beyond: refused; exporters nest three or four."""


class _Malformed(Exception):
    """The bytes are not of the message's form."""


def _varint(buf: bytes, p: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = buf[p]
        p += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, p
        shift += 7
    raise _Malformed("a number has more than ten bytes")


def _skip(buf: bytes, p: int, wire_type: int) -> int:
    """Where the value of a field that is not wanted ends."""
    if wire_type == 2:
        size, p = _varint(buf, p)
        return p + size
    if wire_type == 0:
        return _varint(buf, p)[1]
    if wire_type == 5:
        return p + 4
    if wire_type == 1:
        return p + 8
    raise _Malformed(f"wire type {wire_type}")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()  # Without arguments it takes half the time.
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")


def _value(buf: bytes, p: int, end: int, depth: int = 0) -> Any:
    """An `AnyValue`; `None` for an empty one."""
    if p >= end:
        return None
    tag = buf[p]
    p += 1
    if tag in (0x0A, 0x3A):  # string, bytes
        size = buf[p]
        p += 1
        if size > 127:
            size, p = _varint(buf, p - 1)
        if p + size > end:
            raise _Malformed("a text reaches beyond its attribute")
        raw = buf[p : p + size]
        return _text(raw) if tag == 0x0A else raw.hex()
    if tag == 0x18:
        number, _ = _varint(buf, p)
        number &= 0xFFFF_FFFF_FFFF_FFFF
        return number if number < 1 << 63 else number - (1 << 64)
    if tag == 0x21:
        return _f64(buf, p)[0]
    if tag == 0x10:
        return _varint(buf, p)[0] != 0
    if tag in (0x2A, 0x32):
        if depth >= _DEPTH_MAX:
            raise _Malformed(f"values are nested more than {_DEPTH_MAX} deep")
        size, p = _varint(buf, p)
        if p + size > end:
            raise _Malformed("a list reaches beyond its attribute")
        return _list(buf, p, p + size, depth + 1) if tag == 0x2A else _object(buf, p, p + size, depth + 1)
    return None


def _list(buf: bytes, p: int, end: int, depth: int) -> list[Any]:
    values = []
    while p < end:
        tag, p = _varint(buf, p)
        if tag == 0x0A:
            size, p = _varint(buf, p)
            if p + size > end:
                raise _Malformed("an element reaches beyond its list")
            values.append(_value(buf, p, p + size, depth))
            p += size
        else:
            p = _skip(buf, p, tag & 7)
    return values


def _object(buf: bytes, p: int, end: int, depth: int, field: int = 0x0A) -> dict[str, Any]:
    """All `KeyValue`s of one field of a message."""
    values: dict[str, Any] = {}
    while p < end:
        tag, p = _varint(buf, p)
        if tag == field:
            size, p = _varint(buf, p)
            if p + size > end:
                raise _Malformed("a member reaches beyond its object")
            key, at, stop = _pair(buf, p, p + size)
            values[key.decode("utf-8", "replace")] = _value(buf, at, stop, depth)
            p += size
        else:
            p = _skip(buf, p, tag & 7)
    return values


def _pair(buf: bytes, p: int, end: int) -> tuple[bytes, int, int]:
    """Name of a `KeyValue`, and where its value begins and ends."""
    at = stop = p
    key = b""
    while p < end:
        tag, p = _varint(buf, p)
        if tag & 7 != 2:
            p = _skip(buf, p, tag & 7)
            continue
        size, p = _varint(buf, p)
        if p + size > end:
            raise _Malformed("a field reaches beyond its attribute")
        if tag == 0x0A:
            key = buf[p : p + size]
        elif tag == 0x12:
            at, stop = p, p + size
        p += size
    return key, at, stop


def _attribute(buf: bytes, p: int, end: int) -> tuple[int, str, Any]:
    """Kind, name and value of one attribute of a span; of one that no dialect reads only the kind, `SKIP`."""
    raw, at = _named(buf, p, end)
    if at:
        stop = end
    else:
        raw, at, stop = _pair(buf, p, end)
    known = KEYS.known.get(raw)
    if known is None:
        known = KEYS.learn(raw)
    if known[0] == SKIP:
        return _PASSED_OVER
    kind, key = known
    if kind == CONTENT and at < stop and buf[at] == 0x0A:
        size, at = _varint(buf, at + 1)
        if at + size > stop:
            raise _Malformed("a text reaches beyond its attribute")
        return kind, key, buf[at : at + size]
    return kind, key, _value(buf, at, stop)


def _named(buf: bytes, p: int, end: int) -> tuple[bytes, int]:
    """Name and where the value begins, for the usual form: a short name, then the value, nothing else. Else 0."""
    if end - p > 4 and buf[p] == 0x0A and buf[p + 1] < 128:
        q = p + 2 + buf[p + 1]
        if q + 2 < end and buf[q] == 0x12:
            size = buf[q + 1]
            at = q + 2
            if size > 127:
                more = buf[at]
                if more < 128:
                    size = size & 127 | more << 7
                    at += 1
                else:
                    size, at = _varint(buf, q + 1)
            if at + size == end:
                return buf[p + 2 : q], at
    return b"", 0


_PASSED_OVER: tuple[int, str, Any] = (SKIP, "", None)
_ALIKE_BYTES = 60
_ALIKE_MAX = 16_384
"""Attributes of up to this size are remembered as they were read, so many of them: most spans of an application share
nearly all of theirs (model, provider, tier, host); ids of responses are longer. Beyond: forgotten all at once, which
costs less than choosing."""
_alike: dict[bytes, tuple[int, str, Any]] = {}


def _learnt(raw: bytes) -> tuple[int, str, Any]:
    read = _attribute(raw, 0, len(raw))
    if len(_alike) >= _ALIKE_MAX:
        _alike.clear()
    _alike[raw] = read
    return read


def _event(buf: bytes, p: int, end: int) -> Event:
    begin, name, time_ns = p, "", 0
    while p < end:
        tag, p = _varint(buf, p)
        if tag == 0x09:
            time_ns = _u64(buf, p)[0]
            p += 8
        elif tag == 0x12:
            size, p = _varint(buf, p)
            name = buf[p : p + size].decode("utf-8", "replace")
            p += size
        else:
            p = _skip(buf, p, tag & 7)
    return Event(name, time_ns, _object(buf, begin, end, 0, 0x1A))


def _status(buf: bytes, p: int, end: int, span: Span) -> None:
    while p < end:
        tag, p = _varint(buf, p)
        if tag == 0x12:
            size, p = _varint(buf, p)
            span.status_message = buf[p : p + size].decode("utf-8", "replace")
            p += size
        elif tag == 0x18:
            span.status, p = _varint(buf, p)
        else:
            p = _skip(buf, p, tag & 7)


def _span(buf: bytes, p: int, end: int, resource: Resource, scope: Scope) -> Span:
    attributes: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    content: dict[str, Any] = {}
    span = Span(resource, scope, b"", b"", b"", "", 0, 0, 0, attributes, usage, content, [])
    places: tuple[dict[str, Any], ...] = ({}, attributes, usage, content)  # By kind; what is passed over comes first.
    alike = _alike.get
    while p < end:
        tag = buf[p]
        if tag != 0x4A:
            p = _span_field(buf, p, end, span)
            continue
        size = buf[p + 1]
        p += 2
        if size <= _ALIKE_BYTES:  # Nearly every attribute, and most of them seen before.
            stop = p + size
            raw = buf[p:stop]
            kind, key, value = alike(raw) or _learnt(raw)
        else:
            if size > 127:
                size, p = _varint(buf, p - 1)
            stop = p + size
            if stop > end:
                raise _Malformed("an attribute reaches beyond its span")
            kind, key, value = _attribute(buf, p, stop)
        places[kind][key] = value
        p = stop
    if p != end:
        raise _Malformed("a field reaches beyond its span")
    return span


def _span_field(buf: bytes, p: int, end: int, span: Span) -> int:
    """Take a field of a span that is no attribute; where it ends."""
    tag = buf[p]
    if tag < 128:
        p += 1
    else:
        tag, p = _varint(buf, p)
    if tag == 0x39:
        span.start_ns = _u64(buf, p)[0]
        return p + 8
    if tag == 0x41:
        span.end_ns = _u64(buf, p)[0]
        return p + 8
    if tag == 0x30:
        span.kind, p = _varint(buf, p)
        return p
    if tag & 7 != 2:
        if tag == 0x09:
            raise InputError(_LOGS_AS_SPANS, hint="send logs to /v1/logs", field="resource_spans")
        return _skip(buf, p, tag & 7)
    size = buf[p]
    if size < 128:
        p += 1
    else:
        size, p = _varint(buf, p)
    stop = p + size
    if stop > end:
        raise _Malformed("a field reaches beyond its span")
    if tag == 0x0A:
        span.trace_id = buf[p:stop]
    elif tag == 0x12:
        span.span_id = buf[p:stop]
    elif tag == 0x22:
        span.parent_id = buf[p:stop]
    elif tag == 0x2A:
        span.name = _text(buf[p:stop])
    elif tag == 0x5A:
        span.events.append(_event(buf, p, stop))
    elif tag == 0x7A:
        _status(buf, p, stop, span)
    return stop


_LOGS_AS_SPANS = "these are log records, not spans"
_SPANS_AS_LOGS = "these are spans, not log records"


def _log(buf: bytes, p: int, end: int, resource: Resource, scope: Scope) -> Log:
    log = Log(resource, scope)
    begin = p
    while p < end:
        tag, p = _varint(buf, p)
        if tag in (0x09, 0x59):
            time_ns = _u64(buf, p)[0]
            if tag == 0x09 or not log.time_ns:
                log.time_ns = time_ns or log.time_ns
            p += 8
            continue
        if tag & 7 != 2:
            p = _skip(buf, p, tag & 7)
            continue
        size, p = _varint(buf, p)
        stop = p + size
        if stop > end:
            raise _Malformed("a field reaches beyond its log record")
        if tag == 0x0A:
            raise InputError(_SPANS_AS_LOGS, hint="send spans to /v1/traces", field="resource_logs")
        if tag == 0x2A:
            log.body = _value(buf, p, stop)
        elif tag == 0x4A:
            log.trace_id = buf[p:stop]
        elif tag == 0x52:
            log.span_id = buf[p:stop]
        elif tag == 0x62:
            log.event_name = buf[p:stop].decode("utf-8", "replace")
        p = stop
    log.attributes = _object(buf, begin, end, 0, 0x32)
    return log


def _scope(buf: bytes, p: int, end: int) -> Scope:
    name = version = ""
    while p < end:
        tag, p = _varint(buf, p)
        if tag in (0x0A, 0x12):
            size, p = _varint(buf, p)
            text = buf[p : p + size].decode("utf-8", "replace")
            p += size
            if tag == 0x0A:
                name = text
            else:
                version = text
        else:
            p = _skip(buf, p, tag & 7)
    return Scope(name, version)


def _fields(buf: bytes, p: int, end: int, wanted: int) -> tuple[tuple[int, int] | None, list[tuple[int, int]]]:
    """Where field 1 and each of the repeated field `wanted` (a tag) lie."""
    first: tuple[int, int] | None = None
    found = []
    while p < end:
        tag, p = _varint(buf, p)
        if tag & 7 != 2:
            p = _skip(buf, p, tag & 7)
            continue
        size, p = _varint(buf, p)
        if p + size > end:
            raise _Malformed("a field reaches beyond its message")
        if tag == wanted:
            found.append((p, p + size))
        elif tag == 0x0A:
            first = (p, p + size)
        p += size
    return first, found


def _read(buf: bytes, item: Callable[[bytes, int, int, Resource, Scope], Any]) -> list[Any]:
    """Items of all scopes of all resources: the three signals are built alike."""
    items = []
    _, resources = _fields(buf, 0, len(buf), 0x0A)
    for begin, end in resources:
        first, scopes = _fields(buf, begin, end, 0x12)
        resource = Resource(_object(buf, *first, 0) if first else {})
        for at, stop in scopes:
            first, places = _fields(buf, at, stop, 0x12)
            scope = _scope(buf, *first) if first else Scope()
            items += [item(buf, p, q, resource, scope) for p, q in places]
    return items


def _contained(buf: bytes, item: Callable[[bytes, int, int, Resource, Scope], Any], message: str) -> list[Any]:
    try:
        return _read(buf, item)
    except (_Malformed, IndexError, struct_error, OverflowError) as error:
        raise InputError(
            f"the body is no {message}: {error}",
            hint="send OTLP as protobuf with Content-Type application/x-protobuf, or as JSON with application/json",
        ) from error


def spans(body: bytes) -> list[Span]:
    """The spans of an `ExportTraceServiceRequest`. Raises InputError when the bytes are none."""
    return _contained(body, _span, "ExportTraceServiceRequest")


def logs(body: bytes) -> list[Log]:
    """The records of an `ExportLogsServiceRequest`. Raises InputError when the bytes are none."""
    return _contained(body, _log, "ExportLogsServiceRequest")


_POINTS = (0x2A, 0x3A, 0x4A, 0x52, 0x5A)
"""Gauge, sum, histogram, exponential histogram, summary: each has its points in field 1."""


def points(body: bytes) -> int:
    """How many data points an `ExportMetricsServiceRequest` has. Raises InputError when the bytes are none."""

    def of_metric(buf: bytes, p: int, end: int, _resource: Resource, _scope: Scope) -> int:
        count = 0
        for tag in _POINTS:
            for begin, stop in _fields(buf, p, end, tag)[1]:
                count += len(_fields(buf, begin, stop, 0x0A)[1])
        return count

    return sum(_contained(body, of_metric, "ExportMetricsServiceRequest"))
