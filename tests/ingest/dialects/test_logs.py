"""Log events: coding agents' calls and tools, and conversations told apart from their spans."""

from __future__ import annotations

import pytest
from tests.ingest.dialects.otel import call_of, figures, logged
from tests.ingest.otlp import made

from tallybook.ingest import telemetry
from tallybook.ingest.dialects import ident

CLAUDE = {
    "session.id": "s", "user.id": "u", "event.name": "api_request", "event.sequence": 5, "model": "claude-sonnet-5",
    "cost_usd": "0.5", "duration_ms": "1500", "input_tokens": "4", "output_tokens": "5", "cache_read_tokens": "1163",
    "cache_creation_tokens": "10", "query_source": "repl", "effort": "high",
}  # fmt: skip


def test_claude_codes_request_is_a_call_whose_input_leaves_the_cache_out():
    (call,) = logged(("claude_code.api_request", CLAUDE, "claude_code.api_request")).arrival.calls
    assert figures(call) == {"input": 1177, "output": 5, "cache_read": 1163, "cache_write_5m": 10}
    assert (call.provider, call.agent_name, call.session_id, call.run_id) == ("anthropic", "claude-code", "s", "s")
    assert (call.duration_us, call.cost, call.name) == (1_500_000, None, "repl")
    assert call.started_at_us == made.START_NS // 1000 - 1_500_000


def test_claude_codes_event_may_be_named_by_attribute_and_scope_alone():
    found = logged(("", CLAUDE, None), scope="com.anthropic.claude_code.events").arrival
    assert len(found.calls) == 1


def test_claude_codes_failures_and_tools_are_told():
    found = logged(
        ("claude_code.api_error", CLAUDE | {"error": "overloaded", "status_code": "529"}, None),
        ("claude_code.tool_result", {"tool_name": "Bash", "success": "false", "error": "no", "duration_ms": 20,
                                     "session.id": "s", "tool_use_id": "t1"}, None),
        ("claude_code.user_prompt", {"prompt": "secret"}, None),
    )  # fmt: skip
    (call,), (step,) = found.arrival.calls, found.arrival.steps
    assert (call.status, call.http_status, call.error_message) == ("error", 529, "overloaded")
    assert (step.kind, step.name, step.status, step.tool_call_id, step.run_id) == ("tool", "Bash", "error", "t1", "s")
    assert found.ignored == 1


def test_codex_counts_its_completed_responses():
    told = {"conversation.id": "c", "model": "gpt-5-codex", "event.kind": "response.completed", "duration_ms": 900,
            "input_token_count": 1000, "output_token_count": 200, "cached_token_count": 800,
            "reasoning_token_count": 150, "user.email": "a@b.c"}  # fmt: skip
    found = logged(
        ("codex.sse_event", told, None),
        ("codex.sse_event", told | {"event.kind": "response.created"}, None),
        ("codex.api_request", {"conversation.id": "c", "http.response.status_code": 200}, None),
        ("codex.api_request", {"conversation.id": "c", "http.response.status_code": 429, "model": "gpt-5"}, None),
    )
    good, bad = found.arrival.calls
    assert figures(good) == {"input": 1000, "output": 200, "cache_read": 800, "reasoning": 150}
    assert (good.provider, good.session_id, good.user_id, good.agent_name) == ("openai", "c", "a@b.c", "codex")
    assert (bad.status, bad.http_status, found.ignored) == ("error", 429, 2)


def test_gemini_cli_tells_thoughts_and_tools_input_beside():
    (call,) = logged(
        ("gemini_cli.api_response", {"session.id": "s", "model": "gemini-2.5-pro", "duration_ms": 5,
         "input_token_count": 100, "output_token_count": 10, "cached_content_token_count": 40,
         "thoughts_token_count": 49, "tool_token_count": 7}, None)
    ).arrival.calls  # fmt: skip
    assert figures(call) == {"input": 107, "output": 59, "cache_read": 40, "reasoning": 49}
    assert (call.provider, call.operation) == ("google", "generate_content")


def test_the_same_event_has_the_same_id_and_another_one_another():
    one, again = logged(("claude_code.api_request", CLAUDE, None)), logged(("claude_code.api_request", CLAUDE, None))
    other = logged(("claude_code.api_request", CLAUDE | {"event.sequence": 6}, None))
    ids = [found.arrival.calls[0].call_id for found in (one, again, other)]
    assert ids[0] == ids[1] != ids[2]


DETAILS = {
    "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 129,
    "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
    "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}],
}  # fmt: skip


def test_an_inference_event_is_no_call_but_tells_the_conversation_of_its_span():
    found = logged(("gen_ai.client.inference.operation.details", DETAILS, None), with_content=True).arrival
    (content,) = found.contents
    assert (found.calls, content.response) == ((), "hello")
    assert content.prompt == DETAILS["gen_ai.input.messages"]
    call = call_of({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"})
    assert ident.tail_of(call.call_id) == ident.tail_of(content.call_id)


def test_old_message_events_of_a_span_are_one_conversation():
    (content,) = logged(
        ("gen_ai.system.message", {"gen_ai.system": "openai"}, {"content": "be brief"}),
        ("gen_ai.user.message", {}, {"content": "hi"}),
        ("gen_ai.choice", {}, {"index": 0, "finish_reason": "stop", "message": {"content": "hello"}}),
        with_content=True,
    ).arrival.contents
    assert content.prompt == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    assert content.response == "hello"


def test_conversations_are_not_even_read_where_they_are_not_kept():
    assert logged(("gen_ai.client.inference.operation.details", DETAILS, None)).arrival.contents == ()


def test_a_record_of_something_else_is_ignored():
    assert logged(("http.request", {"a": 1}, "text")).ignored == 1


@pytest.mark.parametrize("value", [None, True, "x", -5, 0, [], {}])
def test_odd_values_raise_nothing(value):
    for event in ("claude_code.api_request", "codex.sse_event", "gemini_cli.api_response", "claude_code.tool_result"):
        told = dict.fromkeys((*CLAUDE, "input_token_count", "conversation.id"), value)
        logged((event, told | {"event.kind": "response.completed"}, value))


def test_metrics_are_acknowledged_and_not_kept():
    assert telemetry.metrics(made.metrics(4)).ignored == 4
