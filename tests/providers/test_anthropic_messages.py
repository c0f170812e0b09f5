from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.framing import body, fed, named, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage, faults
from tallybook.providers.anthropic_messages import MESSAGES, MessageStream, parse, usage_of

CACHED = {
    "input_tokens": 4,
    "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 2070,
    "cache_creation": {"ephemeral_5m_input_tokens": 14, "ephemeral_1h_input_tokens": 2056},
    "output_tokens": 50,
    "output_tokens_details": {"thinking_tokens": 20},
    "service_tier": "standard",
}


def whole(**changes: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "usage": CACHED,
        **changes,
    }


def start(**usage: Any) -> dict[str, Any]:
    message = whole(content=[], stop_reason=None, usage={"input_tokens": 10, "output_tokens": 1, **usage})
    return {"type": "message_start", "message": message}


def text(piece: str, index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}}


def end(stop: str = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    return [
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]


def test_input_is_fresh_read_and_written_together() -> None:
    got = parse(body(whole()))
    assert got.usage == Usage(
        input_tokens=3074,
        output_tokens=50,
        cache_read_tokens=1000,
        cache_write_5m_tokens=14,
        cache_write_1h_tokens=2056,
        reasoning_tokens=20,
    )
    assert got.usage_raw == CACHED
    assert (got.response_id, got.response_model) == ("msg_1", "claude-sonnet-4-5-20250929")
    assert (got.service_tier, got.finish_reasons, got.text) == ("standard", ("end_turn",), "Hello")


def test_writes_without_a_time_are_of_five_minutes() -> None:
    raw = {"input_tokens": 4, "cache_creation_input_tokens": 100, "output_tokens": 1}
    assert usage_of(raw)[0] == Usage(input_tokens=104, output_tokens=1, cache_write_5m_tokens=100)


def test_writes_of_a_time_not_known_here_are_not_lost() -> None:
    raw = {**CACHED, "cache_creation_input_tokens": 2100}
    got = usage_of(raw)[0]
    assert (got.input_tokens, got.cache_write_5m_tokens, got.cache_write_1h_tokens) == (3104, 44, 2056)


def test_the_last_usage_of_a_stream_overwrites_and_is_not_added() -> None:
    """Web search brings input in while the stream runs: 2,068 at the start, 22,397 at the end."""
    events = [start(input_tokens=2068), text("a"), *end(input_tokens=22_397, output_tokens=113)]
    got = streamed(MESSAGES, named(events))
    assert got == fed(MESSAGES, events)
    assert got.usage == Usage(input_tokens=22_397, output_tokens=113)


def test_what_the_last_usage_lacks_keeps_its_start() -> None:
    events = [start(cache_read_input_tokens=500), text("a"), *end(output_tokens=9)]
    assert streamed(MESSAGES, named(events)).usage == Usage(input_tokens=510, output_tokens=9, cache_read_tokens=500)


def test_a_stream_cut_off_has_only_a_placeholder_for_its_output() -> None:
    got = streamed(MESSAGES, named([start(), text("Once"), text(" upon")]))
    assert (got.is_complete, got.text, got.flags) == (False, "Once upon", ("output_placeholder",))
    assert got.usage is not None
    assert got.usage.input_tokens == 10


def test_tool_calls_of_a_stream_are_assembled_by_index() -> None:
    def block(index: int, name: str, **more: Any) -> dict[str, Any]:
        content = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}, **more}
        return {"type": "content_block_start", "index": index, "content_block": content}

    def piece(index: int, json_text: str) -> dict[str, Any]:
        delta = {"type": "input_json_delta", "partial_json": json_text}
        return {"type": "content_block_delta", "index": index, "delta": delta}

    events = [
        start(),
        block(0, "weather"),
        piece(0, ""),
        piece(0, '{"city": "Pa'),
        piece(0, 'ris"}'),
        {"type": "content_block_stop", "index": 0},
        block(1, "now"),
        piece(1, ""),
        block(2, "web_search", type="server_tool_use"),
        piece(2, '{"query": "x"}'),
        {"type": "ping"},
        *end("tool_use", output_tokens=30, server_tool_use={"web_search_requests": 1}),
    ]
    got = streamed(MESSAGES, named(events))
    assert got == fed(MESSAGES, events)
    assert got.tool_calls == (
        ToolCall(name="weather", id="toolu_0", arguments='{"city": "Paris"}'),
        ToolCall(name="now", id="toolu_1", arguments="{}"),
        ToolCall(name="web_search", id="toolu_2", arguments='{"query": "x"}', server_side=True),
    )
    assert got.usage is not None
    assert got.usage.requests == {"web_search": 1}


def test_whole_tool_calls_and_failed_server_tools_are_told() -> None:
    content = [
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}},
        {"type": "server_tool_use", "id": "s1", "name": "web_fetch", "input": {"url": "u"}},
        {"type": "web_fetch_tool_result", "tool_use_id": "s1",
         "content": {"type": "web_fetch_tool_result_error", "error_code": "url_not_accessible"}},
        {"type": "server_tool_use", "id": "s2", "name": "bash_code_execution", "input": {"command": "ls"}},
    ]  # fmt: skip
    got = parse(body(whole(content=content)))
    assert got.tool_calls == (
        ToolCall(name="f", id="t1", arguments='{"x":1}'),
        ToolCall(name="web_fetch", id="s1", arguments='{"url":"u"}', error="url_not_accessible", server_side=True),
        ToolCall(name="bash_code_execution", id="s2", arguments='{"command":"ls"}', server_side=True),
    )
    assert got.usage is not None
    assert got.usage.requests == {"web_fetch": 1, "code_execution": 1}


def test_compaction_is_added_and_another_models_advice_stands_apart() -> None:
    raw = {
        "input_tokens": 220,
        "output_tokens": 8,
        "iterations": [
            {"type": "compaction", "input_tokens": 55_196, "output_tokens": 125},
            {"type": "message", "input_tokens": 220, "output_tokens": 8},
            {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 2728, "output_tokens": 874},
        ],
    }
    got = parse(body(whole(usage=raw)))
    assert got.usage == Usage(input_tokens=55_416, output_tokens=133)
    assert [(item.model, item.name) for item in got.further] == [("claude-opus-4-8", "advisor")]
    assert got.further[0].usage == Usage(input_tokens=2728, output_tokens=874)
    assert got.flags == ("further_models",)


def test_thinking_is_counted_in_characters_and_not_shown() -> None:
    thinking = {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hmm"}}
    got = streamed(MESSAGES, named([start(), thinking, text("Four", 1), *end(output_tokens=5)]))
    assert (got.text, got.reasoning_chars) == ("Four", 3)


def test_only_content_bearing_events_say_so() -> None:
    stream = MessageStream()
    assert stream.feed(start()) is False
    assert stream.feed({"type": "ping"}) is False
    assert (
        stream.feed({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}) is False
    )
    assert stream.feed(text("a")) is True
    assert stream.feed({"type": "content_block_stop", "index": 0}) is False


def test_fast_mode_is_told_as_the_tier() -> None:
    assert parse(body(whole(usage={**CACHED, "speed": "fast"}))).service_tier == "fast"
    assert parse(body(whole(usage={**CACHED, "speed": "standard"}))).service_tier == "standard"


def test_an_error_inside_a_stream_is_told() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    got = streamed(MESSAGES, named([start(), text("a"), error]))
    assert (got.error_type, got.error_message, got.is_complete) == ("overloaded_error", "Overloaded", False)


def test_an_error_body_is_told() -> None:
    got = parse(body({"type": "error", "error": {"type": "not_found_error", "message": "model: x"}, "request_id": "r"}))
    assert (got.error_type, got.error_message, got.usage, got.flags) == ("not_found_error", "model: x", None, ())


@pytest.mark.parametrize("raw", [b"", b"<html>", b"\xff", b"[]", b"3", b'{"content": 3, "usage": "x"}'])
def test_bytes_that_are_no_message_give_nothing_and_do_not_raise(raw: bytes) -> None:
    got = parse(raw)
    assert (got.usage, got.text, got.tool_calls) == (None, None, ())


@pytest.mark.parametrize(
    "event",
    [
        {"type": "later_event", "delta": "x"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "later_delta", "later": 1}},
        {"type": "content_block_delta", "index": "x", "delta": {"type": "input_json_delta", "partial_json": "{"}},
        {"type": "content_block_delta", "index": 0, "delta": None},
        {"type": "content_block_start", "index": 7, "content_block": {"type": "later_block"}},
        {"type": "content_block_start", "index": 7, "content_block": "x"},
        {"type": "message_delta", "delta": {}, "usage": None},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": None}},
        {"type": "message_start", "message": None},
    ],
)
def test_unknown_shapes_pass_in_both_ways(event: dict[str, Any]) -> None:
    events = [start(), text("a"), event, text("b"), *end(output_tokens=2)]
    got = streamed(MESSAGES, named(events))
    assert got == fed(MESSAGES, events)
    assert (got.text, got.usage) == ("ab", Usage(input_tokens=10, output_tokens=2))


def test_a_request_tells_model_prompt_with_system_and_parameters() -> None:
    messages = [{"role": "user", "content": "Hi"}]
    request = {
        "model": "claude-sonnet-4-5",
        "messages": messages,
        "system": "Be brief.",
        "max_tokens": 100,
        "stream": True,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "metadata": {"user_id": "u"},
    }
    got = MESSAGES.asked(request, "/v1/messages")
    assert (got.model, got.is_stream) == ("claude-sonnet-4-5", True)
    assert got.prompt == {"system": "Be brief.", "messages": messages}
    assert got.parameters == {"max_tokens": 100, "thinking_type": "enabled", "thinking_budget_tokens": 2000}


@pytest.mark.parametrize(
    "url",
    [
        "/projects/p/locations/l/publishers/anthropic/models/claude-x@20250514:streamRawPredict",
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/claude-x%4020250514/invoke",
    ],
)
def test_the_model_may_stand_in_the_url(url: str) -> None:
    assert MESSAGES.asked({"messages": []}, url).model == "claude-x@20250514"


count = st.integers(0, 10**9)


@given(count, st.none() | count, st.none() | count, st.none() | count, count)
def test_no_part_exceeds_its_total_and_the_unknown_stays_unknown(
    fresh: int, read: int | None, of_5m: int | None, of_1h: int | None, output: int
) -> None:
    raw: dict[str, Any] = {"input_tokens": fresh, "output_tokens": output, "cache_read_input_tokens": read}
    if of_5m is not None or of_1h is not None:
        raw["cache_creation"] = {"ephemeral_5m_input_tokens": of_5m, "ephemeral_1h_input_tokens": of_1h}
        raw["cache_creation_input_tokens"] = (of_5m or 0) + (of_1h or 0)
    got, flags, _ = usage_of(raw)
    assert (faults(got), flags) == ((), ())
    assert got.input_tokens == fresh + (read or 0) + (of_5m or 0) + (of_1h or 0)
    assert (got.cache_read_tokens, got.cache_write_5m_tokens, got.cache_write_1h_tokens) == (read, of_5m, of_1h)
    assert got.reasoning_tokens is None


def test_an_answer_in_anothers_place_is_counted_once_and_the_refusal_is_the_other_models() -> None:
    iterations = [
        {"type": "message", "model": "claude-fable-5", "input_tokens": 408, "output_tokens": 0},
        {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 412, "output_tokens": 264},
    ]
    usage = {"input_tokens": 412, "output_tokens": 264, "iterations": iterations}
    got = parse(body({"type": "message", "id": "m", "model": "claude-opus-4-8", "content": [], "usage": usage}))
    assert got.usage is not None
    assert (got.usage.input_tokens, got.usage.output_tokens) == (412, 264)
    assert [(part.model, part.usage.input_tokens, part.usage.output_tokens, part.name) for part in got.further] == [
        ("claude-fable-5", 408, 0, "refused")
    ]
