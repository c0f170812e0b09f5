"""OpenTelemetry over gRPC, asked of a real server by a plain channel."""

from __future__ import annotations

import builtins

import pytest
from tests.ingest.otlp import made
from tests.server.test_otlp import BODY, _calls

from tallybook.model.errors import SettingError
from tallybook.server.grpc import GrpcServer

grpc = pytest.importorskip("grpc", reason="grpcio is not installed (extra [grpc])")
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
def ask(server):
    running = GrpcServer(server.context, 0)
    channel = grpc.insecure_channel(f"127.0.0.1:{running.port}")

    def send(method, body, **metadata):
        return channel.unary_unary(method)(body, timeout=30, metadata=tuple(metadata.items()))

    yield send
    channel.close()
    running.stop()


def test_spans_and_logs_are_taken(server, ask):
    assert ask(TRACES, BODY) == b""
    event = made.logs(("codex.sse_event", {"event.kind": "response.completed", "input_token_count": 1}, None))
    assert ask("/opentelemetry.proto.collector.logs.v1.LogsService/Export", event) == b""
    assert ask("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", made.metrics(2)) == b""
    assert sum(row[0] for row in _calls(server)) == 2


def test_a_damaged_message_is_an_invalid_argument(ask):
    with pytest.raises(grpc.RpcError) as raised:
        ask(TRACES, b"\x0a\xff\xff")
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_an_unknown_key_is_unauthenticated_where_keys_are_asked_for(server, ask):
    server.context.serving.is_open = False
    with pytest.raises(grpc.RpcError) as raised:
        ask(TRACES, BODY, authorization="Bearer nonsense")
    assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert _calls(server) == [(0, None, None)]


def test_without_grpcio_it_says_what_to_install(server, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "grpc":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingError) as raised:
        GrpcServer(server.context, 0)
    assert "tallybook[grpc]" in str(raised.value.hint)
