"""Logfire and pydantic-ai."""

from __future__ import annotations

from tests.ingest.dialects.otel import arrived, call_of, figures, step_of, taken
from tests.ingest.otlp import made

CALL = {"logfire.span_type": "span", "logfire.msg": "Message with 'claude'", "gen_ai.system": "anthropic",
        "gen_ai.provider.name": "anthropic", "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude-3-haiku-20240307"}  # fmt: skip


def test_a_streamed_call_is_counted_once_by_its_log():
    span = made.span(CALL | {"request_data": '{"stream": true, "messages": []}'}, number=1)
    log = made.span(
        CALL | {"logfire.span_type": "log", "duration": 1.5, "gen_ai.usage.input_tokens": 25,
                "gen_ai.usage.output_tokens": 55}, number=3, start_ns=made.START_NS + 2_000_000_000, lasts_ns=0,
    )  # fmt: skip
    found = arrived(span, log)
    (call,), (step,) = found.calls, found.steps
    assert (figures(call), step.kind) == ({"input": 25, "output": 55}, "chain")
    assert (call.duration_us, call.is_stream) == (1_500_000, True)
    assert call.started_at_us == (made.START_NS + 2_000_000_000) // 1000 - 1_500_000


def test_the_providers_own_usage_goes_before_the_attributes():
    raw = '{"input_tokens": 2, "output_tokens": 3, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 0}'
    call = call_of(CALL | {"gen_ai.usage.input_tokens": 2, "gen_ai.usage.raw": raw})
    assert (call.usage.input_tokens, call.usage.cache_read_tokens) == (9, 7)


def test_openai_agents_usage_is_read_with_its_details():
    call = call_of(
        {"logfire.msg": "Responses API", "gen_ai.system": "openai", "gen_ai.operation.name": "chat",
         "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 100,
         "usage": '{"input_tokens": 100, "output_tokens": 8, "input_tokens_details": {"cached_tokens": 60}}'}
    )  # fmt: skip
    assert figures(call) == {"input": 100, "output": 8, "cache_read": 60}


def test_turns_and_tasks_of_agents_count_nothing():
    step = step_of({"logfire.msg": "Turn 1", "gen_ai.system": "openai", "usage": '{"input_tokens": 29}'})
    assert (step.kind, step.name) == ("chain", "Turn 1")


def test_a_pydantic_ai_agent_is_a_step():
    step = step_of({"gen_ai.agent.name": "roulette", "model_name": "gpt-4o", "logfire.msg": "roulette run",
                    "gen_ai.usage.input_tokens": 174}, scope="pydantic-ai")  # fmt: skip
    assert (step.kind, step.name) == ("agent", "roulette")


def test_spans_that_only_announce_themselves_are_passed_over():
    assert taken(made.span(CALL | {"logfire.span_type": "pending_span"})).ignored == 1


def test_a_cost_worked_out_by_the_library_is_not_taken():
    assert call_of(CALL | {"operation.cost": 0.5}).cost is None
