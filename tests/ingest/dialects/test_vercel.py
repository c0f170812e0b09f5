"""Vercel AI SDK, versions 3 to 7."""

from __future__ import annotations

import json

import pytest
from tests.ingest.dialects.otel import arrived, call_of, figures, step_of
from tests.ingest.otlp import made

INNER = {
    "ai.operationId": "ai.streamText.doStream", "operation.name": "ai.streamText.doStream f",
    "ai.model.provider": "openai.responses", "ai.model.id": "gpt-4o-mini",
    "ai.response.model": "gpt-4o-mini-2024-07-18",
    "ai.response.id": "resp_1", "ai.usage.inputTokens": 15, "ai.usage.outputTokens": 112, "ai.usage.totalTokens": 127,
    "ai.response.msToFirstChunk": 426.8535, "ai.response.finishReason": "stop", "ai.telemetry.functionId": "poem",
    "ai.telemetry.metadata.userId": "u", "ai.telemetry.metadata.sessionId": "s", "ai.telemetry.metadata.tags": ["a"],
    "ai.telemetry.metadata.plan": "pro", "ai.response.providerMetadata": '{"openai":{"serviceTier":"default"}}',
}  # fmt: skip
OUTER = INNER | {"ai.operationId": "ai.streamText", "operation.name": "ai.streamText f"}


def test_only_the_inner_span_of_a_request_is_a_call():
    found = arrived(made.span(OUTER, number=1, scope="ai"), made.span(INNER, number=2, parent=1, scope="ai"))
    (call,), (step,) = found.calls, found.steps
    assert figures(call) == {"input": 15, "output": 112}
    assert (step.kind, step.name, call.parent_id) == ("chain", "poem", step.step_id)
    assert (call.provider, call.response_id, call.ttft_us, call.is_stream) == ("openai", "resp_1", 426_854, True)
    assert (call.user_id, call.session_id, call.tags, call.metadata) == ("u", "s", ("a",), {"plan": "pro"})
    assert (call.service_tier, call.name, call.finish_reasons) == ("default", "poem", ("stop",))


@pytest.mark.parametrize(
    "outer", ["generateText", "streamText", "generateObject", "streamObject", "embed", "embedMany"]
)
def test_every_outer_span_is_a_step(outer):
    assert step_of({"ai.operationId": f"ai.{outer}", "ai.usage.tokens": 10, "ai.model.id": "m"}).kind == "chain"


def test_an_embeddings_usage_stands_on_its_inner_span():
    call = call_of({"ai.operationId": "ai.embed.doEmbed", "ai.model.id": "text-embedding-3-small",
                    "ai.usage.tokens": 10,                    "ai.model.provider": "openai.embedding"})  # fmt: skip
    assert (call.operation, call.provider, figures(call)) == ("embeddings", "openai", {"input": 10})


def test_a_tool_is_a_step_with_its_id():
    step = step_of({"ai.operationId": "ai.toolCall", "ai.toolCall.name": "f", "ai.toolCall.id": "t"})
    assert (step.kind, step.name, step.tool_call_id) == ("tool", "f", "t")


def _anthropic(input_tokens, metadata):
    return call_of({"ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "anthropic.messages",
                    "ai.model.id": "claude-sonnet-4-5", "ai.usage.inputTokens": input_tokens,
                    "ai.usage.outputTokens": 5,
                    "ai.response.providerMetadata": json.dumps(metadata)})  # fmt: skip


def test_before_version_6_anthropics_input_left_the_cache_out():
    raw = {"input_tokens": 5000, "cache_creation_input_tokens": 3000, "cache_read_input_tokens": 1500,
           "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000}}  # fmt: skip
    expected = {"input": 9500, "output": 5, "cache_read": 1500, "cache_write_5m": 1000, "cache_write_1h": 2000}
    assert figures(_anthropic(5000, {"anthropic": {"usage": raw}})) == expected
    assert figures(_anthropic(9500, {"anthropic": {"usage": raw}})) == expected


def test_bedrocks_own_total_shows_what_its_input_leaves_out():
    raw = {"inputTokens": 5734, "outputTokens": 178, "totalTokens": 10394, "cacheReadInputTokens": 4482}
    call = call_of({"ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "amazon-bedrock",
                    "ai.model.id": "anthropic.claude-3-5-sonnet-20241022-v2:0", "ai.usage.inputTokens": 5734,
                    "ai.usage.outputTokens": 178,
                    "ai.response.providerMetadata": json.dumps({"bedrock": {"usage": raw}})})  # fmt: skip
    assert figures(call) == {"input": 10216, "output": 178, "cache_read": 4482}


def test_an_id_that_the_sdk_made_up_is_none():
    assert call_of(INNER | {"ai.response.id": "aitxt-abc"}).response_id is None


def test_version_7_speaks_genai_and_its_agent_is_no_call():
    chat = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 10, "gen_ai.client.operation.time_to_first_chunk": 0.1}  # fmt: skip
    found = arrived(
        made.span(chat | {"gen_ai.operation.name": "invoke_agent"}, number=1, kind=1, scope="ai"),
        made.span(chat, number=2, parent=1, scope="ai"),
    )
    assert ([call.ttft_us for call in found.calls], [step.kind for step in found.steps]) == ([100_000], ["agent"])
