"""OTLP out: spans that a collector takes, the same at every export, holding what the call holds."""

from __future__ import annotations

import io
import json

import msgspec
import pytest

from query.company import call
from tallybook.export import otlp
from tallybook.model.call import Call, Cost
from tallybook.model.usage import Usage


@pytest.fixture
def full() -> Call:
    return msgspec.structs.replace(
        call("2026-11-22T10:00"), operation="chat", provider="google", model="gemini-2.5-flash", project="docs",
        response_id="r-1", duration_us=1_500, ttft_us=700, run_id="run-1", session_id="s", user_id="u",
        usage=Usage(input_tokens=100, output_tokens=20, cache_read_tokens=40, reasoning_tokens=5,
                    cache_write_5m_tokens=1, cache_write_1h_tokens=2),
        cost=Cost(status="priced", total_nanousd=1_234_567), finish_reasons=("tool_calls",), tags=("a",),
    )  # fmt: skip


def attributes(span: dict) -> dict:
    return {item["key"]: item["value"] for item in span["attributes"]}


def test_a_span_holds_the_usage_by_the_conventions_names(full: Call) -> None:
    told = attributes(otlp.span(full))
    assert told["gen_ai.provider.name"] == {"stringValue": "gcp.gemini"}
    assert told["gen_ai.usage.input_tokens"] == {"intValue": "100"}
    assert told["gen_ai.usage.cache_read.input_tokens"] == {"intValue": "40"}
    assert told["gen_ai.usage.cache_write.input_tokens"] == {"intValue": "3"}
    assert told["gen_ai.usage.cost"] == {"doubleValue": 0.001234567}
    assert told["gen_ai.response.finish_reasons"] == {"arrayValue": {"values": [{"stringValue": "tool_call"}]}}


def test_times_are_nanoseconds_and_ids_are_hexadecimal_and_lasting(full: Call) -> None:
    one, again = otlp.span(full), otlp.span(full)
    assert one == again
    assert int(one["endTimeUnixNano"]) - int(one["startTimeUnixNano"]) == 1_500_000
    assert len(bytes.fromhex(one["traceId"])) == 16 and len(bytes.fromhex(one["spanId"])) == 8


def test_calls_of_a_run_share_a_trace_and_no_span(full: Call) -> None:
    other = msgspec.structs.replace(full, call_id=full.call_id[:-1] + "0")
    spans = [otlp.span(full), otlp.span(other)]
    assert len({span["traceId"] for span in spans}) == 1 and len({span["spanId"] for span in spans}) == 2


def test_what_is_unknown_is_left_out_and_never_zero(full: Call) -> None:
    bare = msgspec.structs.replace(full, usage=Usage(), cost=Cost(), ttft_us=None)
    told = attributes(otlp.span(bare))
    assert not [name for name in told if name.startswith("gen_ai.usage")]
    assert told["tallybook.cost_status"] == {"stringValue": "unpriced"}


def test_a_line_is_one_request_with_a_resource_a_project(full: Call) -> None:
    out = io.StringIO()
    assert list(otlp.lines([[full, msgspec.structs.replace(full, project="web")], []], out)) == [2, 0]
    (line,) = out.getvalue().splitlines()
    names = [
        attributes(resource["resource"])["service.name"]["stringValue"]
        for resource in json.loads(line)["resourceSpans"]
    ]
    assert names == ["docs", "web"]
