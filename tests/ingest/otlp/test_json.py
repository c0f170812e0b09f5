"""JSON is read as protobuf is, and what real senders do otherwise is understood."""

from __future__ import annotations

import base64
import json as std_json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.ingest.otlp import made

from tallybook.ingest.otlp import json, wire
from tallybook.model.errors import InputError

_SPANS = made.traces(
    made.span({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 2**40, "gen_ai.request.temperature": 0.5,
               "gen_ai.input.messages": "[]", "metadata": {"a": [1, 2.5, True]}, "db.system": "pg"},
              number=2, parent=1, events=(("e", 5, {"k": "v"}),), message="bad", status=2),
    made.span({"gen_ai.response.finish_reasons": ["stop"]}, number=1),
)  # fmt: skip


def _span(**members):
    told = {"traceId": "00" * 15 + "01", "spanId": "00" * 7 + "01", "name": "s", **members}
    return std_json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [told]}]}]}).encode()


def test_json_and_protobuf_of_one_request_read_the_same():
    assert json.spans(made.as_json(_SPANS)) == wire.spans(_SPANS)
    records = made.logs(("e", {"a": 1, "b": [True]}, {"content": "x"}))
    assert json.logs(made.as_json(records, ExportLogsServiceRequest)) == wire.logs(records)
    points = made.metrics(3)
    assert json.points(made.as_json(points, ExportMetricsServiceRequest)) == 3


@pytest.mark.parametrize(
    "ident",
    [
        "000102030405060708090a0b0c0d0e0f",
        "000102030405060708090A0B0C0D0E0F",
        base64.b64encode(bytes(range(16))).decode(),
        {"type": "Buffer", "data": list(range(16))},
    ],
)
def test_ids_may_be_hexadecimal_base64_or_a_buffer(ident):
    assert json.spans(_span(traceId=ident))[0].trace_id == bytes(range(16))


@pytest.mark.parametrize("told", ["1795331971580246901", 1795331971580246901, {"low": 2050013557, "high": 418008056}])
def test_times_may_be_text_numbers_or_javascript_longs(told):
    found = json.spans(_span(startTimeUnixNano=told))[0].start_ns
    assert found == json.whole(told) and 1.7e18 < found < 1.9e18


def test_names_may_be_those_of_the_proto_files():
    body = std_json.dumps(
        {"resource_spans": [{"resource": {"attributes": [{"key": "service.name", "value": {"string_value": "s"}}]},
          "scope_spans": [{"scope": {"name": "n"}, "spans": [{"trace_id": "01" * 16, "span_id": "02" * 8,
            "parent_span_id": "03" * 8, "start_time_unix_nano": "5", "end_time_unix_nano": "6",
            "kind": "SPAN_KIND_CLIENT",
            "status": {"code": "STATUS_CODE_ERROR"},
            "attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"int_value": "7"}}]}]}]}]}
    ).encode()  # fmt: skip
    (one,) = json.spans(body)
    assert (one.trace_id, one.span_id, one.parent_id) == (b"\x01" * 16, b"\x02" * 8, b"\x03" * 8)
    assert (one.start_ns, one.end_ns, one.kind, one.status, one.usage) == (5, 6, 3, 2, {"gen_ai.usage.input_tokens": 7})
    assert one.resource.attributes == {"service.name": "s"}


def test_attributes_may_be_a_plain_object():
    (one,) = json.spans(_span(attributes={"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5}))
    assert (one.attributes, one.usage) == ({"gen_ai.request.model": "m"}, {"gen_ai.usage.input_tokens": 5})


@pytest.mark.parametrize(
    ("read", "key", "path"),
    [(json.spans, "resourceLogs", "/v1/logs"), (json.logs, "resourceSpans", "/v1/traces"),
     (json.points, "resource_spans", "/v1/traces")],
)  # fmt: skip
def test_another_signal_is_refused_with_the_path_where_it_belongs(read, key, path):
    with pytest.raises(InputError) as raised:
        read(std_json.dumps({key: []}).encode())
    assert raised.value.hint is not None and path in raised.value.hint


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'{"resourceSpans": [NaN]}'])
def test_what_is_no_json_object_is_refused(body):
    for read in (json.spans, json.logs, json.points):
        with pytest.raises(InputError):
            read(body)


def test_a_request_without_anything_has_nothing():
    assert (json.spans(b"{}"), json.logs(b"{}"), json.points(b"{}")) == ([], [], 0)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "stringValue", "traceId",
                         "spanId", "intValue", "arrayValue", "values", "kvlistValue", "status", "events", "resource",
                         "resourceLogs", "scopeLogs", "logRecords", "body", "metrics", "scope", "code", "kind", "low"]),
        inner, max_size=5),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_JSON)
def test_no_value_of_any_kind_raises_anything_but_an_input_error(value):
    wrapped = {"resourceSpans": [{"scopeSpans": [{"spans": [value, {"attributes": value}]}], "resource": value}]}
    for told in (value, wrapped):
        for read in (json.spans, json.logs, json.points):
            try:
                read(std_json.dumps(told).encode())
            except InputError:
                pass
