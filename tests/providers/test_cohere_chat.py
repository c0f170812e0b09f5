from __future__ import annotations

from typing import Any

from providers.framing import body, fed, lines, named, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.cohere_chat import CHAT, parse

USAGE = {
    "billed_units": {"input_tokens": 5, "output_tokens": 20},
    "tokens": {"input_tokens": 607, "output_tokens": 30, "reasoning_tokens": 8},
    "cached_tokens": 592,
}
V2 = {
    "id": "c-1",
    "message": {
        "role": "assistant",
        "tool_plan": "Look up.",
        "content": [{"type": "thinking", "thinking": "Hmm"}, {"type": "text", "text": "Hi there"}],
        "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}],
    },
    "finish_reason": "COMPLETE",
    "usage": USAGE,
}
V2_EVENTS: list[dict[str, Any]] = [
    {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant", "tool_calls": []}}},
    {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "thinking", "thinking": ""}}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"thinking": "Hmm"}}}},
    {"type": "content-end", "index": 0},
    {"type": "content-delta", "index": 1, "delta": {"message": {"content": {"text": "Hi "}}}},
    {"type": "content-delta", "index": 1, "delta": {"message": {"content": {"text": "there"}}}},
    {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "Look up."}}},
    {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": {
        "id": "t1", "type": "function", "function": {"name": "look", "arguments": ""}}}}},
    {"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": {"function": {"arguments": '{"at"'}}}}},
    {"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": {"function": {"arguments": ":1}"}}}}},
    {"type": "tool-call-end", "index": 0},
    {"type": "citation-start", "index": 0, "delta": {"message": {"citations": {"start": 0}}}},
    {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}},
]  # fmt: skip
V1 = {
    "response_id": "r-1",
    "generation_id": "g-1",
    "text": "Arrr",
    "tool_calls": [{"name": "look", "parameters": {"at": 1}}],
    "finish_reason": "COMPLETE",
    "meta": {
        "api_version": {"version": "1"},
        "billed_units": {"input_tokens": 7, "output_tokens": 3},
        "tokens": {"input_tokens": 69, "output_tokens": 4},
    },
}


def test_billed_units_count_and_not_what_the_model_saw() -> None:
    got = parse(body(V2))
    assert got.usage == Usage(input_tokens=5, output_tokens=20, reasoning_tokens=8)
    assert got.usage_raw == USAGE
    assert got.flags == ()


def test_without_billed_units_the_tokens_count_with_their_cached_part() -> None:
    got = parse(body({**V2, "usage": {key: value for key, value in USAGE.items() if key != "billed_units"}}))
    assert got.usage == Usage(input_tokens=607, output_tokens=30, cache_read_tokens=592, reasoning_tokens=8)


def test_a_v2_stream_counts_as_the_whole_answer() -> None:
    whole = parse(body(V2))
    assert whole.text == "Hi there"
    assert whole.tool_calls == (ToolCall(name="look", id="t1", arguments='{"at":1}'),)
    assert (whole.response_id, whole.finish_reasons, whole.reasoning_chars) == ("c-1", ("COMPLETE",), 11)
    assert streamed(CHAT, named(V2_EVENTS) + b"data: [DONE]\n\n") == whole
    assert fed(CHAT, V2_EVENTS) == whole
    assert parse(named(V2_EVENTS)) == whole


def test_a_v1_stream_of_json_lines_counts_as_the_whole_answer() -> None:
    whole = parse(body(V1))
    assert whole.usage == Usage(input_tokens=7, output_tokens=3)
    assert whole.tool_calls == (ToolCall(name="look", arguments='{"at":1}'),)
    events: list[dict[str, Any]] = [
        {"is_finished": False, "event_type": "stream-start", "generation_id": "g-1"},
        {"is_finished": False, "event_type": "text-generation", "text": "Ar"},
        {"is_finished": False, "event_type": "text-generation", "text": "rr"},
        {"is_finished": False, "event_type": "tool-calls-generation", "tool_calls": V1["tool_calls"]},
        {"is_finished": True, "event_type": "stream-end", "response": V1, "finish_reason": "COMPLETE"},
    ]
    assert streamed(CHAT, lines(events)) == whole
    assert parse(lines(events)) == whole


def test_generate_is_counted_by_its_billed_units() -> None:
    got = parse(
        body(
            {
                "id": "x",
                "generations": [{"id": "g", "text": " Hi!", "finish_reason": "COMPLETE"}],
                "meta": {"billed_units": {"input_tokens": 5, "output_tokens": 76}},
            }
        )
    )
    assert got.usage == Usage(input_tokens=5, output_tokens=76)
    assert (got.text, got.finish_reasons) == (" Hi!", ("COMPLETE",))


def test_a_stream_that_breaks_off_counts_nothing() -> None:
    got = streamed(CHAT, named(V2_EVENTS[:-1]))
    assert (got.usage, got.is_complete, got.text) == (None, False, "Hi there")


def test_an_error_in_a_stream_is_told() -> None:
    got = fed(CHAT, [*V2_EVENTS[:5], {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "Broke"}}])
    assert (got.error_message, got.finish_reasons) == ("Broke", ("ERROR",))


def test_the_request_of_either_version_is_told() -> None:
    assert CHAT.asked({"model": "command", "messages": [1], "stream": True}, "").is_stream
    got = CHAT.asked({"model": "command", "message": "Hi", "chat_history": [], "temperature": 0.3}, "")
    assert (got.prompt, got.parameters) == ({"chat_history": [], "message": "Hi"}, {"temperature": 0.3})
