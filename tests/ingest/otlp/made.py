"""OTLP requests made by hand for tests: spans and log records as protobuf and as JSON of the same content."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

START_NS = 1_795_331_971_580_246_901
TRACE = bytes(range(16))


def any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(one) for one in value]))
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    return AnyValue(string_value=value) if value is not None else AnyValue()


def key_values(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def span(
    attributes: dict[str, Any], *, number: int = 1, parent: int | None = None, scope: str = "test", name: str = "span",
    version: str = "1", start_ns: int = START_NS, lasts_ns: int = 2_000_000_000, trace: bytes = TRACE, kind: int = 3,
    status: int = 0, message: str = "", events: tuple[tuple[str, int, dict[str, Any]], ...] = (),
) -> dict[str, Any]:  # fmt: skip
    """A span as keywords of `request`."""
    return locals()


def request(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> ExportTraceServiceRequest:
    """A trace request of spans, each in a scope of its own."""
    made = ExportTraceServiceRequest()
    outer = made.resource_spans.add()
    outer.resource.attributes.extend(key_values(resource or {"service.name": "shop"}))
    for told in spans:
        inner = outer.scope_spans.add()
        inner.scope.name, inner.scope.version = told["scope"], told["version"]
        one = inner.spans.add()
        one.trace_id = told["trace"]
        one.span_id = told["number"].to_bytes(8, "big")
        if told["parent"] is not None:
            one.parent_span_id = told["parent"].to_bytes(8, "big")
        one.name, one.kind = told["name"], told["kind"]
        one.start_time_unix_nano = told["start_ns"]
        one.end_time_unix_nano = told["start_ns"] + told["lasts_ns"]
        one.attributes.extend(key_values(told["attributes"]))
        one.status.code, one.status.message = told["status"], told["message"]
        one.flags = 256
        for name, at_ns, attributes in told["events"]:
            one.events.add(name=name, time_unix_nano=at_ns, attributes=key_values(attributes))
    return made


def traces(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> bytes:
    return request(*spans, resource=resource).SerializeToString()


def logs(
    *records: tuple[str, dict[str, Any], Any], scope: str = "events", number: int = 1, trace: bytes = TRACE
) -> bytes:
    """A logs request of (event name, attributes, body)."""
    made = ExportLogsServiceRequest()
    outer = made.resource_logs.add()
    outer.resource.attributes.extend(key_values({"service.name": "shop"}))
    inner = outer.scope_logs.add()
    inner.scope.name = scope
    for place, (name, attributes, body) in enumerate(records):
        one = inner.log_records.add(event_name=name, time_unix_nano=START_NS + place)
        one.attributes.extend(key_values(attributes))
        if body is not None:
            one.body.CopyFrom(any_value(body))
        one.trace_id, one.span_id = trace, number.to_bytes(8, "big")
    return made.SerializeToString()


def metrics(points: int) -> bytes:
    made = ExportMetricsServiceRequest()
    metric = made.resource_metrics.add().scope_metrics.add().metrics.add(name="gen_ai.client.token.usage")
    for _ in range(points):
        metric.histogram.data_points.add(count=1, sum=5)
    return made.SerializeToString()


def as_json(body: bytes, kind: Any = ExportTraceServiceRequest) -> bytes:
    """The same request in OTLP's JSON: protobuf's mapping with hexadecimal ids."""
    told = json_format.MessageToDict(kind.FromString(body), use_integers_for_enums=True)
    return json.dumps(_with_hex(told)).encode()


def _with_hex(value: Any) -> Any:
    import base64

    if isinstance(value, list):
        return [_with_hex(one) for one in value]
    if isinstance(value, dict):
        return {
            key: base64.b64decode(one).hex() if key in ("traceId", "spanId", "parentSpanId") else _with_hex(one)
            for key, one in value.items()
        }
    return value
