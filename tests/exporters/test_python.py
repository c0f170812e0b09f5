"""The official instrumentations, OpenLLMetry and OpenInference report by a changed address, and count each request
once: the figures are those that the provider answered."""

from __future__ import annotations

import pytest
from tests.exporters.conftest import need, run

from tallybook.server.grpc import GrpcServer

OPENAI = {
    "official": "opentelemetry.instrumentation.genai.openai",
    "openllmetry": "opentelemetry.instrumentation.openai",
    "openinference": "openinference.instrumentation.openai",
}
ANTHROPIC = {
    "official": "opentelemetry.instrumentation.genai.anthropic",
    "openllmetry": "opentelemetry.instrumentation.anthropic",
    "openinference": "openinference.instrumentation.anthropic",
}
LATEST = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}


def _figures(calls):
    return [(call.operation, call.usage.input_tokens, call.usage.output_tokens) for call in calls]


@pytest.mark.parametrize("name", list(OPENAI))
@pytest.mark.parametrize("exporter", ["proto", "json"])
def test_openais_sdk_under_every_instrumentation(server, provider, name, exporter):
    need(OPENAI[name])
    calls = run(server, provider, exporter, OPENAI[name], **LATEST).calls
    assert [call.operation for call in calls] == ["chat", "chat", "embeddings"]
    assert {call.provider for call in calls} == {"openai"}
    assert {call.status for call in calls} == {"ok"}
    whole, streamed, embedded = calls
    assert whole.usage.input_tokens and whole.usage.output_tokens
    assert streamed.usage.input_tokens and streamed.usage.output_tokens and streamed.is_stream
    assert embedded.usage.input_tokens
    assert len({call.call_id for call in calls}) == 3


@pytest.mark.parametrize("name", list(ANTHROPIC))
def test_anthropics_sdk_that_instruments_itself_counts_once_under_every_instrumentation(server, provider, name):
    need(ANTHROPIC[name])
    calls = run(server, provider, "proto", ANTHROPIC[name], **LATEST).calls
    assert len(calls) == 2
    assert {call.provider for call in calls} == {"anthropic"}
    assert all(call.usage.input_tokens and call.usage.output_tokens for call in calls)


@pytest.mark.parametrize("name", ["official", "openinference"])
def test_two_spans_of_one_request_without_an_id_between_them_are_one_call(server, provider, name):
    """OpenInference told to hide outputs has no response id."""
    need(ANTHROPIC[name])
    hidden = {"OPENINFERENCE_HIDE_OUTPUTS": "true", "OPENINFERENCE_HIDE_INPUTS": "true"}
    calls = run(server, provider, "proto", ANTHROPIC[name], **LATEST, **hidden).calls
    assert len(calls) == 2


def test_all_instrumentations_at_once_still_count_each_request_once(server, provider):
    modules = [OPENAI["official"], OPENAI["openinference"]]
    need(*modules)
    calls = run(server, provider, "proto", *modules, **LATEST).calls
    chats = [call for call in calls if call.operation == "chat"]
    assert len(chats) == 2, _figures(calls)


def test_spans_over_grpc_are_the_same_calls(server, provider):
    need("grpc", "opentelemetry.exporter.otlp.proto.grpc", OPENAI["official"])
    beside = GrpcServer(server.context, 0)
    try:
        address = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{beside.port}"}
        calls = run(server, provider, "grpc", OPENAI["official"], **LATEST, **address).calls
    finally:
        beside.stop()
    assert [call.operation for call in calls] == ["chat", "chat", "embeddings"]
