"""Answers are what the protocol's own classes read."""

from __future__ import annotations

import json

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tallybook.ingest.otlp import answer

_KINDS = {
    "traces": (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
}


@pytest.mark.parametrize("signal", list(_KINDS))
def test_what_was_not_taken_is_told_in_the_requests_form(signal):
    kind, field, camel = _KINDS[signal]
    told = kind.FromString(answer.accepted(signal, 300, "no span id — at 5", is_json=False)).partial_success
    assert (getattr(told, field), told.error_message) == (300, "no span id — at 5")
    assert json.loads(answer.accepted(signal, 300, "x", is_json=True)) == {
        "partialSuccess": {camel: "300", "errorMessage": "x"}
    }


@pytest.mark.parametrize("signal", list(_KINDS))
def test_full_success_is_the_empty_message(signal):
    assert answer.accepted(signal, 0, "", is_json=False) == b""
    assert answer.accepted(signal, 0, "", is_json=True) == b"{}"


def test_a_failure_is_a_status_with_grpcs_code():
    assert json.loads(answer.failed(400, "bad", is_json=True)) == {"code": 3, "message": "bad"}
    assert answer.failed(503, "busy", is_json=False) == b"\x08\x0e\x12\x04busy"
