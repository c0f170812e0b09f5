"""OpenTelemetry's GenAI conventions of three generations."""

from __future__ import annotations

import pytest
from tests.ingest.dialects.otel import arrived, call_of, figures, step_of, taken
from tests.ingest.otlp import made

from tallybook.ingest.dialects import genai

NOW = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.response.model": "gpt-5-mini-2025-08-07", "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 60,
}  # fmt: skip


def test_a_span_of_today_is_a_call_with_all_it_tells():
    call = call_of(
        NOW | {
            "gen_ai.usage.cache_read.input_tokens": 20, "gen_ai.usage.cache_write.input_tokens": 10,
            "gen_ai.usage.reasoning.output_tokens": 40, "gen_ai.usage.audio.input_tokens": 5,
            "gen_ai.response.finish_reasons": ["stop"], "gen_ai.response.time_to_first_chunk": 0.25,
            "gen_ai.request.stream": True, "gen_ai.request.max_tokens": 4000, "gen_ai.request.temperature": 0.5,
            "gen_ai.conversation.id": "conv-1", "gen_ai.agent.name": "planner", "user.id": "u-1",
            "openai.response.service_tier": "flex", "server.address": "api.openai.com",
        },
        scope="opentelemetry.instrumentation.genai.openai",
    )  # fmt: skip
    assert figures(call) == {
        "input": 100, "output": 60, "cache_read": 20, "cache_write_5m": 10, "reasoning": 40, "input_audio": 5,
    }  # fmt: skip
    assert (call.provider, call.model, call.response_model) == ("openai", "gpt-5-mini", "gpt-5-mini-2025-08-07")
    assert (call.response_id, call.run_id, call.session_id, call.user_id) == ("chatcmpl-1", "conv-1", "conv-1", "u-1")
    assert (call.agent_name, call.service_tier, call.is_stream) == ("planner", "flex", True)
    assert (call.duration_us, call.ttft_us, call.finish_reasons) == (2_000_000, 250_000, ("stop",))
    assert call.parameters == {"max_tokens": 4000, "temperature": 0.5}
    assert (call.project, call.source, call.status, call.base_url) == ("shop", "otlp", "ok", None)
    assert call.started_at_us == made.START_NS // 1000
    assert call.usage_raw["gen_ai.usage.reasoning.output_tokens"] == 40


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.completion_tokens": 4}, {"input": 9, "output": 4}),
        ({"llm.usage.prompt_tokens": 9, "llm.usage.completion_tokens": 4, "llm.usage.total_tokens": 13},
         {"input": 9, "output": 4}),
        ({"gen_ai.usage.input_tokens": 9, "gen_ai.usage.cache_creation.input_tokens": 3},
         {"input": 9, "cache_write_5m": 3}),
        ({"gen_ai.usage.input_tokens": 9, "gen_ai.usage.cache_read_input_tokens": 3}, {"input": 9, "cache_read": 3}),
        ({"gen_ai.usage.input_tokens": 9, "gen_ai.usage.input_tokens.cached": 3}, {"input": 9, "cache_read": 3}),
        ({"gen_ai.usage.output_tokens": 9, "gen_ai.usage.details.reasoning_tokens": 3}, {"output": 9, "reasoning": 3}),
    ],
)  # fmt: skip
def test_older_and_vendors_spellings_are_understood(told, expected):
    assert figures(call_of({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"} | told)) == expected


def test_a_span_of_before_without_an_operation_is_a_call():
    call = call_of({"gen_ai.system": "anthropic", "gen_ai.request.model": "claude-3-opus", "llm.request.type": "chat"})
    assert (call.operation, call.provider, call.flags) == ("chat", "anthropic", ("usage_missing",))


@pytest.mark.parametrize(
    ("operation", "kind"),
    [("invoke_agent", "agent"), ("create_agent", "agent"), ("execute_tool", "tool"), ("invoke_workflow", "workflow"),
     ("retrieval", "retrieval"), ("plan", "chain"), ("fetch_response", "chain"), ("create_memory", "tool")],
)  # fmt: skip
def test_what_is_no_request_is_a_step_even_with_usage(operation, kind):
    step = step_of(NOW | {"gen_ai.operation.name": operation}, kind=1)
    assert (step.kind, step.run_id) == (kind, made.TRACE.hex())
    assert step.metadata["reported_usage"]["gen_ai.usage.input_tokens"] == 100


def test_an_agent_that_repeats_its_calls_usage_counts_nothing():
    found = arrived(
        made.span(NOW | {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}, number=1, kind=1),
        made.span(NOW, number=2, parent=1),
        made.span(NOW | {"gen_ai.response.id": "chatcmpl-2"}, number=3, parent=1),
        made.span({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "f", "gen_ai.tool.call.id": "t1"},
                  number=4, parent=1, kind=1),
    )  # fmt: skip
    assert [call.usage.input_tokens for call in found.calls] == [100, 100]
    agent, tool = found.steps
    assert (agent.kind, agent.name, tool.kind, tool.name, tool.tool_call_id) == ("agent", "a", "tool", "f", "t1")
    assert {call.parent_id for call in found.calls} == {tool.parent_id} == {agent.step_id}


def test_what_has_nothing_to_do_with_models_is_ignored():
    found = taken(
        made.span({"http.request.method": "GET", "url.full": "http://x"}), made.span({"db.system": "pg"}, number=2)
    )
    assert (found.arrival.calls, found.arrival.steps, found.ignored) == ((), (), 2)


def test_the_endpoints_host_goes_before_what_the_sdk_calls_itself():
    assert call_of(NOW | {"server.address": "api.deepseek.com"}).provider == "deepseek"
    assert call_of(NOW | {"server.address": "127.0.0.1"}).provider == "openai"
    assert call_of(NOW | {"server.address": "proxy.example.com"}).base_url == "proxy.example.com"


def test_a_failure_has_its_type_message_and_status():
    call = call_of(
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "error.type": "429"},
        status=2, message="slow down",
    )  # fmt: skip
    assert (call.status, call.error_type, call.error_message, call.http_status) == ("error", "429", "slow down", 429)
    assert call.flags == ()


def test_a_failure_told_by_an_event_alone_is_told():
    call = call_of(
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}, status=2,
        events=(("exception", made.START_NS, {"exception.type": "Timeout", "exception.message": "too long"}),),
    )  # fmt: skip
    assert (call.status, call.error_type, call.error_message) == ("error", "Timeout", "too long")


def test_the_first_chunk_is_timed_by_its_event_where_no_attribute_tells_it():
    call = call_of(NOW, events=(("gen_ai.content.completion.chunk", made.START_NS + 3_000_000, {}),))
    assert call.ttft_us == 3000
    assert call_of(NOW).ttft_us is None


@pytest.mark.parametrize(
    ("scope", "lost"),
    [("opentelemetry.instrumentation.openai_v2", "cache_read,cache_write,reasoning,audio"),
     ("opentelemetry.instrumentation.openai.v1", "cache_write,audio"),
     ("opentelemetry.instrumentation.anthropic", "reasoning"),
     ("opentelemetry.instrumentation.google_generativeai", "audio")],
)  # fmt: skip
def test_what_a_library_never_tells_is_flagged_and_its_record_gives_way_to_a_fuller_one(scope, lost):
    call = call_of(NOW, scope=scope)
    assert call.flags == (f"lost_by_exporter:{lost}",) and call.may_repeat
    assert not call_of(NOW, scope="opentelemetry.instrumentation.genai.openai").flags


def test_only_the_provider_states_a_cost():
    cost = {"gen_ai.usage.cost": 0.0025}
    assert call_of(NOW | cost).cost is None  # A library's own reckoning.
    stated = call_of(NOW | cost | {"gen_ai.provider.name": "openrouter"}).cost
    assert (stated.status, stated.total_nanousd) == ("reported", 2_500_000)


def test_an_unknown_operation_is_a_call_only_where_it_asks_a_model():
    assert call_of(NOW | {"gen_ai.operation.name": "vision"}).operation == "vision"
    assert step_of({"gen_ai.operation.name": "vote", "gen_ai.system": "x"}).kind == "chain"


def test_every_step_kind_has_a_word():
    assert set(genai.STEPS.values()) <= {"agent", "tool", "retrieval", "workflow", "chain"}
    assert not set(genai.STEPS) & set(genai.OPERATIONS)
