"""OTLP in JSON, read leniently: camelCase or snake_case, ids in hexadecimal or base64, integers as text or numbers.

The form is protobuf's JSON mapping with hexadecimal ids. What real senders do otherwise and is understood: names as in
the .proto files, enumerations by name, times as numbers, ids as `{"type": "Buffer", "data": […]}` and long numbers as
`{"low", "high"}` (JavaScript), attributes as a plain object. What is not understood is unknown, never an error; only a
body that is no JSON object, or of another signal, raises InputError.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tallybook.ingest.otlp.key import CONTENT, PLAIN, USAGE, kind_of
from tallybook.ingest.otlp.record import Event, Log, Resource, Scope, Span
from tallybook.model.errors import InputError

_DEPTH_MAX = 32
_KINDS = {f"SPAN_KIND_{name}": number for number, name in enumerate(
    ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))}  # fmt: skip
_STATUSES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


def _get(item: dict[str, Any], camel: str, snake: str) -> Any:
    value = item.get(camel)
    return item.get(snake) if value is None else value


def _items(value: Any) -> Iterator[dict[str, Any]]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield item


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def whole(value: Any) -> int:
    """An integer as number, text, or a JavaScript long; 0 for anything else."""
    if isinstance(value, dict):
        low, high = value.get("low"), value.get("high")
        if isinstance(low, int) and isinstance(high, int):
            number = (high & 0xFFFF_FFFF) << 32 | low & 0xFFFF_FFFF
            return number if value.get("unsigned") or high >= 0 else number - (1 << 64)
        return 0
    if isinstance(value, str) and len(value) < 24:
        try:
            return int(value)
        except ValueError:
            return 0
    if isinstance(value, float) and math.isfinite(value):
        return int(value)
    return value if isinstance(value, int) else 0


def ident(value: Any, size: int) -> bytes:
    """A trace's or span's id as bytes: hexadecimal, else base64, else the text itself. Empty for none."""
    if isinstance(value, dict):
        data = value.get("data")
        if isinstance(data, list) and all(isinstance(one, int) and 0 <= one < 256 for one in data):
            return bytes(data)
        return b""
    if not isinstance(value, str) or not value:
        return b""
    if len(value) == size * 2:
        try:
            return bytes.fromhex(value)
        except ValueError:
            pass
    try:
        raw = base64.b64decode(value, validate=True)
        if len(raw) == size:
            return raw
    except (binascii.Error, ValueError):
        pass
    return value.encode("utf-8", "surrogatepass")[:64]


def any_value(value: Any, depth: int = 0) -> Any:
    """The Python value of an `AnyValue`; a value that is not wrapped is taken as it is."""
    if not isinstance(value, dict):
        return value
    if depth > _DEPTH_MAX:
        raise InputError(f"values are nested more than {_DEPTH_MAX} deep", field="attributes")
    for name, inner in value.items():
        if name in ("stringValue", "string_value", "boolValue", "bool_value", "bytesValue", "bytes_value"):
            return inner
        if name in ("intValue", "int_value"):
            return whole(inner)
        if name in ("doubleValue", "double_value"):
            return _double(inner)
        if name in ("arrayValue", "array_value"):
            values = _object(inner).get("values")
            return [any_value(one, depth + 1) for one in values] if isinstance(values, list) else []
        if name in ("kvlistValue", "kvlist_value"):
            return dict(_pairs(_object(inner).get("values"), depth + 1))
    if "low" in value and "high" in value:
        return whole(value)
    return value or None


def _double(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value


def _pairs(value: Any, depth: int = 0) -> Iterable[tuple[str, Any]]:
    """Names and values of attributes, which may also be a plain object."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield str(key), any_value(one, depth)
        return
    for item in _items(value):
        key = item.get("key")
        if isinstance(key, str):
            yield key, any_value(item.get("value"), depth)


def _span(item: dict[str, Any], resource: Resource, scope: Scope) -> Span:
    status = _object(item.get("status"))
    code = status.get("code")
    kind = item.get("kind")
    span = Span(
        resource,
        scope,
        ident(_get(item, "traceId", "trace_id"), 16),
        ident(_get(item, "spanId", "span_id"), 8),
        ident(_get(item, "parentSpanId", "parent_span_id"), 8),
        _text(item.get("name")),
        _KINDS.get(kind, 0) if isinstance(kind, str) else whole(kind),
        whole(_get(item, "startTimeUnixNano", "start_time_unix_nano")),
        whole(_get(item, "endTimeUnixNano", "end_time_unix_nano")),
        attributes={},
        usage={},
        content={},
        events=[_event(event) for event in _items(item.get("events"))],
        status=_STATUSES.get(code, 0) if isinstance(code, str) else whole(code),
        status_message=_text(status.get("message")),
    )
    sort(span, _pairs(item.get("attributes")))
    return span


def sort(span: Span, attributes: Iterable[tuple[str, Any]]) -> None:
    """Put attributes where they belong; those that no dialect reads are left out."""
    places = {PLAIN: span.attributes, USAGE: span.usage, CONTENT: span.content}
    for key, value in attributes:
        kind = kind_of(key)
        if kind:
            places[kind][key] = (
                value.encode("utf-8", "surrogatepass") if kind == CONTENT and isinstance(value, str) else value
            )


def _event(item: dict[str, Any]) -> Event:
    return Event(
        _text(item.get("name")),
        whole(_get(item, "timeUnixNano", "time_unix_nano")),
        dict(_pairs(item.get("attributes"))),
    )


def _log(item: dict[str, Any], resource: Resource, scope: Scope) -> Log:
    return Log(
        resource,
        scope,
        whole(_get(item, "timeUnixNano", "time_unix_nano"))
        or whole(_get(item, "observedTimeUnixNano", "observed_time_unix_nano")),
        _text(_get(item, "eventName", "event_name")),
        ident(_get(item, "traceId", "trace_id"), 16),
        ident(_get(item, "spanId", "span_id"), 8),
        dict(_pairs(item.get("attributes"))),
        any_value(item.get("body")),
    )


def decoded(body: bytes) -> dict[str, Any]:
    """The object of a JSON body. Raises InputError when it is none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"the body is no JSON: {error}", hint="protobuf goes with application/x-protobuf") from error
    if not isinstance(found, dict):
        raise InputError("the body must be a JSON object", hint="an ExportTraceServiceRequest as JSON")
    return found


def _scoped(body: bytes, signal: str, snake: str, others: dict[str, str]) -> Iterator[tuple[dict[str, Any], ...]]:
    """Resource and scopes of each resource, once the signal is the one that is expected here."""
    request = decoded(body)
    resources = _get(request, signal, snake)
    if resources is None:
        for other, path in others.items():
            if other in request:
                raise InputError(f"`{other}` does not belong here", hint=f"send it to {path}", field=other)
    for resource in _items(resources):
        yield resource, _object(resource.get("resource"))


_TRACES = {"resourceSpans": "/v1/traces", "resource_spans": "/v1/traces"}
_LOGS = {"resourceLogs": "/v1/logs", "resource_logs": "/v1/logs"}
_METRICS = {"resourceMetrics": "/v1/metrics", "resource_metrics": "/v1/metrics"}


def spans(body: bytes) -> list[Span]:
    """The spans of an `ExportTraceServiceRequest` in JSON. Raises InputError when the body is none."""
    found = []
    for outer, told in _scoped(body, "resourceSpans", "resource_spans", _LOGS | _METRICS):
        resource = Resource(dict(_pairs(told.get("attributes"))))
        scopes = _get(outer, "scopeSpans", "scope_spans") or outer.get("instrumentationLibrarySpans")
        for inner in _items(scopes):
            scope = _scope(inner)
            found += [_span(item, resource, scope) for item in _items(inner.get("spans"))]
    return found


def logs(body: bytes) -> list[Log]:
    """The records of an `ExportLogsServiceRequest` in JSON. Raises InputError when the body is none."""
    found = []
    for outer, told in _scoped(body, "resourceLogs", "resource_logs", _TRACES | _METRICS):
        resource = Resource(dict(_pairs(told.get("attributes"))))
        for inner in _items(_get(outer, "scopeLogs", "scope_logs")):
            scope = _scope(inner)
            found += [_log(item, resource, scope) for item in _items(_get(inner, "logRecords", "log_records"))]
    return found


def _scope(item: dict[str, Any]) -> Scope:
    told = _object(item.get("scope") or item.get("instrumentationLibrary"))
    return Scope(_text(told.get("name")), _text(told.get("version")))


_POINTS = ("gauge", "sum", "histogram", "exponentialHistogram", "exponential_histogram", "summary")


def points(body: bytes) -> int:
    """How many data points an `ExportMetricsServiceRequest` in JSON has. Raises InputError when the body is none."""
    count = 0
    for outer, _ in _scoped(body, "resourceMetrics", "resource_metrics", _TRACES | _LOGS):
        for inner in _items(_get(outer, "scopeMetrics", "scope_metrics")):
            for metric in _items(inner.get("metrics")):
                for kind in _POINTS:
                    told = _object(metric.get(kind))
                    count += sum(1 for _ in _items(_get(told, "dataPoints", "data_points")))
    return count
