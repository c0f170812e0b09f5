"""OpenTelemetry over HTTP, asked of a real server."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.ingest.dialects.test_genai import NOW
from tests.ingest.otlp import made
from tests.ingest.test_twin import INNER, ONCE, OUTER, inner, outer

from tallybook.model.question import Question
from tallybook.store.lake.store import LakeStore

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
BODY = made.traces(made.span(NOW))


def _calls(server, *dimensions):
    store = LakeStore(server.context.settings.folder)
    try:
        return [
            tuple(row)
            for row in store.ask(
                Question(measures=("calls", "input_tokens", "output_tokens"), dimensions=dimensions)
            ).rows
        ]
    finally:
        store.close()


@pytest.mark.parametrize(
    "path", ["/v1/traces", "/otel/v1/traces", "/api/public/otel/v1/traces", "/api/v1/private/otel/v1/traces"]
)
def test_spans_are_taken_at_every_path_that_clients_use(server, path):
    reply = server.ask("POST", path, BODY, PROTOBUF)
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"", "application/x-protobuf")
    assert _calls(server, "project") == [("shop", 1, 100, 60)]


def test_json_is_answered_in_json(server):
    reply = server.ask("POST", "/v1/traces", made.as_json(BODY), JSON)
    assert (reply.status, reply.json(), reply.headers["content-type"]) == (200, {}, "application/json")
    assert _calls(server) == [(1, 100, 60)]


def test_a_request_again_and_in_the_other_form_is_the_same_call(server):
    for body, headers in ((BODY, PROTOBUF), (BODY, PROTOBUF), (made.as_json(BODY), JSON)):
        assert server.ask("POST", "/v1/traces", body, headers).status == 200
    assert _calls(server) == [(1, 100, 60)]


def test_packed_bodies_are_unpacked(server):
    for name, packed in (("gzip", gzip.compress(BODY)), ("deflate", zlib.compress(BODY))):
        assert server.ask("POST", "/v1/traces", packed, PROTOBUF | {"content-encoding": name}).status == 200
    assert _calls(server) == [(1, 100, 60)]


def test_what_is_not_taken_is_told_and_the_rest_is_taken(server):
    body = made.traces(made.span(NOW, number=1), made.span(NOW, number=2, start_ns=0, trace=b"\x01" * 16))
    reply = server.ask("POST", "/v1/traces", body, PROTOBUF)
    told = ExportTraceServiceResponse.FromString(reply.body).partial_success
    assert (reply.status, told.rejected_spans) == (200, 1)
    assert "item 1" in told.error_message and "clock" in told.error_message
    reply = server.ask("POST", "/v1/traces", made.as_json(body), JSON)
    assert reply.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert _calls(server) == [(1, 100, 60)]


def test_logs_on_the_spans_path_are_refused_with_the_path_where_they_belong(server):
    reply = server.ask("POST", "/v1/traces", made.logs(("x", {}, None)), PROTOBUF)
    assert reply.status == 400 and b"/v1/logs" in reply.body and reply.body[:2] == b"\x08\x03"
    reply = server.ask("POST", "/v1/traces", b'{"resourceLogs": []}', JSON)
    assert (reply.status, reply.json()["code"]) == (400, 3)
    assert "/v1/logs" in reply.json()["message"]


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"{", b"[1]", b"null"])
def test_a_damaged_body_is_refused_as_a_status_of_its_type(server, signal, body):
    reply = server.ask("POST", f"/v1/{signal}", body, JSON)
    assert (reply.status, reply.json()["code"]) == (400, 3)
    reply = server.ask("POST", f"/v1/{signal}", b"\x0a\xff\xff", PROTOBUF)
    assert (reply.status, reply.headers["content-type"]) == (400, "application/x-protobuf")


def test_another_type_is_refused(server):
    reply = server.ask("POST", "/v1/traces", b"a,b", {"content-type": "text/csv"})
    assert reply.status == 415 and "application/x-protobuf" in reply.json()["message"]


@pytest.mark.parametrize(
    ("headers", "project"),
    [({}, "shop"), ({"x-project-name": "phoenix"}, "phoenix"), ({"projectName": "opik"}, "opik"),
     ({"x-mlflow-experiment-id": "7"}, "7"), ({"x-mlflow-experiment-id": "7", "x-project-name": "first"}, "first")],
)  # fmt: skip
def test_a_header_names_the_project_else_the_resource(server, headers, project):
    server.ask("POST", "/v1/traces", BODY, PROTOBUF | headers)
    assert _calls(server, "project")[0][0] == project


def test_log_events_are_calls_and_metrics_are_acknowledged(server):
    events = made.logs(("codex.sse_event", {"event.kind": "response.completed", "model": "gpt-5-codex",
                                            "input_token_count": 10, "output_token_count": 2}, None))  # fmt: skip
    assert server.ask("POST", "/v1/logs", events, PROTOBUF).status == 200
    assert server.ask("POST", "/v1/metrics", made.metrics(5), PROTOBUF).status == 200
    assert _calls(server) == [(1, 10, 2)]
    figures = server.get("/metrics").body.decode()
    assert 'tallybook_records_ignored_total{source="otlp",reason="metric"} 5' in figures
    assert 'tallybook_records_accepted_total{source="otlp",kind="call"} 1' in figures


def test_an_outer_span_after_a_restart_is_not_a_second_call(start, tmp_path):
    first = start(tmp_path / "ledger")
    assert first.ask("POST", "/v1/traces", made.traces(inner()), PROTOBUF).status == 200
    second = start(tmp_path / "ledger")
    assert second.ask("POST", "/v1/traces", made.traces(outer()), PROTOBUF).status == 200
    assert _calls(second) == [ONCE]
    assert OUTER and INNER


def test_a_conversation_that_comes_apart_is_its_calls_in_either_order(start, tmp_path):
    asked = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    answered = [{"role": "assistant", "parts": [{"type": "text", "content": "yes"}]}]
    details = {"gen_ai.input.messages": json.dumps(asked), "gen_ai.output.messages": json.dumps(answered)}
    event = made.logs(("gen_ai.client.inference.operation.details", details, None))
    sent = [("/v1/traces", BODY), ("/v1/logs", event)]
    for place, order in enumerate((sent, sent[::-1])):
        server = start(tmp_path / str(place), settings={"prompts": "full", "responses": "full"})
        for path, body in order:
            assert server.ask("POST", path, body, PROTOBUF).status == 200
        store = LakeStore(tmp_path / str(place))
        (call,) = store.calls()
        told = store.body(call.call_id)
        store.close()
        assert told == {"prompt": asked, "response": "yes"}


def test_nothing_of_a_conversation_is_kept_by_default(server):
    span = made.span(NOW | {"gen_ai.input.messages": "a secret of mine", "gen_ai.output.messages": "another secret"})
    server.ask("POST", "/v1/traces", made.traces(span), PROTOBUF)
    kept = b"".join(path.read_bytes() for path in server.context.settings.folder.rglob("*") if path.is_file())
    assert b"secret" not in kept and b"sha256:" in kept


def test_secrets_in_a_failures_message_are_taken_out(server):
    key = "sk-proj-" + "A1b2C3d4" * 5
    failed = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "f"}
    body = made.traces(
        made.span(failed, number=1, status=2, message=f"Incorrect API key provided: {key}"),
        made.span(tool, number=2, status=2, message=f"with {key} it failed"),
    )
    assert server.ask("POST", "/v1/traces", body, PROTOBUF).status == 200
    kept = b"".join(path.read_bytes() for path in server.context.settings.folder.rglob("*.jsonl"))
    assert b"Incorrect API key" in kept and b"it failed" in kept and key.encode() not in kept


def test_more_than_may_wait_is_put_off(server, monkeypatch):
    monkeypatch.setattr(server.context, "_spans_bytes", 1 << 40)
    reply = server.ask("POST", "/v1/traces", BODY, PROTOBUF)
    assert (reply.status, reply.headers["content-type"]) == (503, "application/x-protobuf")
    assert int(reply.headers["retry-after"]) >= 1
