from __future__ import annotations

from typing import Any

import pytest

from providers.framing import body, fed, plain, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.openai_chat import CHAT, ChatStream, parse

USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 300,
    "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 0},
}


def whole(**changes: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": USAGE,
        "service_tier": "default",
        **changes,
    }


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **changes: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "gpt-4o-2024-08-06",
        "choices": choices,
        **changes,
    }


def test_a_whole_response_tells_usage_text_and_identity() -> None:
    got = parse(body(whole()))
    assert got.usage == Usage(
        input_tokens=1200,
        output_tokens=300,
        cache_read_tokens=1024,
        input_audio_tokens=0,
        reasoning_tokens=128,
        output_audio_tokens=0,
    )
    assert got.usage_raw == USAGE
    assert (got.response_id, got.response_model, got.service_tier) == ("chatcmpl-1", "gpt-4o-2024-08-06", "default")
    assert (got.text, got.finish_reasons, got.is_complete, got.flags) == ("Hello", ("stop",), True, ())


def test_missing_details_stay_unknown_and_are_not_zero() -> None:
    got = parse(body(whole(usage={"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7})))
    assert got.usage == Usage(input_tokens=5, output_tokens=2)
    assert got.usage is not None
    assert got.usage.cache_read_tokens is None


def test_a_stream_takes_usage_from_the_last_chunk_without_choices() -> None:
    events = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        chunk({}, "stop"),
        chunk(usage=USAGE),
    ]
    got = streamed(CHAT, plain(events))
    assert got == fed(CHAT, events)
    assert (got.text, got.finish_reasons, got.is_complete) == ("Hello", ("stop",), True)
    assert got.usage is not None
    assert got.usage.input_tokens == 1200


def test_a_stream_that_did_not_ask_for_usage_is_flagged() -> None:
    got = streamed(CHAT, plain([chunk({"content": "Hi"}), chunk({}, "stop")]))
    assert got.usage is None
    assert got.flags == ("usage_missing",)


def test_a_stream_cut_off_is_incomplete_and_keeps_what_was_seen() -> None:
    got = streamed(CHAT, plain([chunk({"content": "Once"}), chunk({"content": " upon"})], done=False))
    assert (got.is_complete, got.text, got.usage, got.flags) == (False, "Once upon", None, ())


def test_the_model_of_azures_first_chunk_is_not_taken() -> None:
    events = [{"choices": [], "id": "", "model": "", "prompt_filter_results": []}, chunk({"content": "Hi"}, "stop")]
    got = streamed(CHAT, plain(events))
    assert (got.response_model, got.response_id) == ("gpt-4o-2024-08-06", "chatcmpl-1")


def test_the_last_model_and_tier_named_are_taken_in_both_ways() -> None:
    events = [
        chunk({"content": "a"}, model="alias", service_tier="auto"),
        chunk({"content": "b"}, model="real", service_tier="default"),
        chunk({"content": "c"}, model=""),
    ]
    got = streamed(CHAT, plain(events, done=False))
    assert got == fed(CHAT, events)
    assert (got.response_model, got.service_tier) == ("real", "default")


@pytest.mark.parametrize(
    "more",
    [
        {"refusal": "no"},
        {"reasoning": "hmm"},
        {"reasoning_content": "hmm"},
        {"audio": {"transcript": "x"}},
        {"function_call": {"name": "f", "arguments": "{}"}},
        {"executed_tools": [{"type": "search"}]},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]},
    ],
)
def test_text_with_anything_beside_it_is_read_the_same_in_both_ways(more: dict[str, Any]) -> None:
    events = [chunk({"content": "a"}), chunk({"content": "b", **more}), chunk({"content": "c"}, "stop")]
    assert streamed(CHAT, plain(events, done=False)) == fed(CHAT, events)


def test_cumulative_usage_in_every_chunk_is_not_added() -> None:
    def count(tokens: int) -> dict[str, int]:
        return {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}

    events = [chunk({"content": "a"}, usage=count(1)), chunk({"content": "b"}, "stop", usage=count(2))]
    assert streamed(CHAT, plain(events, done=False)).usage == Usage(input_tokens=10, output_tokens=2)


def test_groqs_usage_is_counted_once() -> None:
    count = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "queue_time": 0.1}
    events = [chunk({"content": "a"}), chunk({}, "stop", x_groq={"id": "req_1", "usage": count}), chunk(usage=count)]
    assert streamed(CHAT, plain(events)).usage == Usage(input_tokens=7, output_tokens=3)
    assert streamed(CHAT, plain(events[:2])).usage == Usage(input_tokens=7, output_tokens=3)


def tool_delta(**call: Any) -> dict[str, Any]:
    return chunk({"tool_calls": [call]})


def test_tool_arguments_are_assembled_by_index() -> None:
    events = [
        tool_delta(index=0, id="call_a", type="function", function={"name": "weather", "arguments": ""}),
        tool_delta(index=0, function={"arguments": '{"city":'}),
        tool_delta(index=1, id="call_b", type="function", function={"name": "clock", "arguments": "{"}),
        tool_delta(index=0, function={"arguments": '"Paris"}'}),
        tool_delta(index=1, function={"arguments": "}"}),
        chunk({}, "tool_calls"),
    ]
    got = streamed(CHAT, plain(events))
    assert got == fed(CHAT, events)
    assert got.tool_calls == (
        ToolCall(name="weather", id="call_a", arguments='{"city":"Paris"}'),
        ToolCall(name="clock", id="call_b", arguments="{}"),
    )


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        pytest.param(
            [
                {"id": "a", "function": {"name": "f", "arguments": "{}"}},
                {"id": "b", "function": {"name": "g", "arguments": "{}"}},
            ],
            [("f", "a", "{}"), ("g", "b", "{}")],
            id="no index at all (Mistral)",
        ),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
                {"index": 0, "id": "", "function": {"name": "", "arguments": "}"}},
            ],
            [("f", "a", "{}")],
            id="empty id repeated (Alibaba)",
        ),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
                {"index": 0, "id": "b", "function": {"name": "f", "arguments": '{"x":1}'}},
            ],
            [("f", "a", "{}"), ("f", "b", '{"x":1}')],
            id="every call numbered 0 (Gemini)",
        ),
        pytest.param(
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}],
            [("f", "a", '{"x":1}')],
            id="arguments as an object",
        ),
        pytest.param(
            [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}],
            [("sql", "a", "select 1")],
            id="custom tool",
        ),
    ],
)
def test_hosts_habits_with_tool_calls(calls: list[Any], expected: list[tuple[str, str, str]]) -> None:
    events = [chunk({"tool_calls": [call]}) for call in calls]
    got = streamed(CHAT, plain(events))
    assert [(call.name, call.id, call.arguments) for call in got.tool_calls] == expected


def test_whole_tool_calls_without_index_are_all_kept() -> None:
    calls = [{"id": id_, "type": "function", "function": {"name": "f", "arguments": "{}"}} for id_ in "abc"]
    choice = {"index": 0, "message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}
    assert [call.id for call in parse(body(whole(choices=[choice]))).tool_calls] == ["a", "b", "c"]


def test_a_legacy_function_call_is_a_tool_call_and_an_empty_one_is_none() -> None:
    events = [
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        chunk({}, "function_call"),
    ]
    assert streamed(CHAT, plain(events)).tool_calls == (ToolCall(name="f", arguments="{}"),)
    empty = {"index": 0, "message": {"content": "4", "function_call": {"name": "", "arguments": ""}}}
    assert parse(body(whole(choices=[empty]))).tool_calls == ()


def test_content_as_a_list_of_parts_tells_text_and_thinking() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]},
        {"type": "text", "text": "Four"},
    ]
    got = streamed(CHAT, plain([chunk({"content": parts}), chunk({"content": "."}, "stop")]))
    assert (got.text, got.reasoning_chars) == ("Four.", 3)


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_is_counted_in_characters_and_is_content(key: str) -> None:
    stream = ChatStream()
    assert stream.feed(chunk({key: "let me see"})) is True
    assert stream.result().reasoning_chars == 10
    assert stream.result().text is None


def test_only_content_bearing_chunks_say_so() -> None:
    stream = ChatStream()
    assert stream.feed(chunk({"role": "assistant", "content": ""})) is False
    assert stream.feed(chunk(prompt_filter_results=[])) is False
    assert stream.feed(chunk({"content": "a"})) is True
    assert stream.feed(tool_delta(index=0, id="a", function={"name": "f", "arguments": ""})) is True
    assert stream.feed(chunk({}, "stop")) is False


def test_several_choices_give_the_first_text_and_all_finish_reasons() -> None:
    choices = [
        {"index": 1, "message": {"content": "second"}, "finish_reason": "length"},
        {"index": 0, "message": {"content": "first"}, "finish_reason": "stop"},
    ]
    got = parse(body(whole(choices=choices)))
    assert (got.text, got.finish_reasons) == ("first", ("stop", "length"))


def test_a_refusal_is_the_text() -> None:
    choice = {"index": 0, "message": {"content": None, "refusal": "I cannot."}, "finish_reason": "stop"}
    assert parse(body(whole(choices=[choice]))).text == "I cannot."


def test_an_empty_finish_reason_is_none() -> None:
    choice = {"index": 0, "message": {"content": "4"}, "finish_reason": ""}
    assert parse(body(whole(choices=[choice]))).finish_reasons == ()


def test_text_that_together_sends_twice_counts_once() -> None:
    event = {"id": "x", "model": "m", "choices": [{"index": 0, "text": "Hi", "delta": {"content": "Hi"}}]}
    assert streamed(CHAT, plain([event])).text == "Hi"


def test_an_error_inside_a_stream_is_told() -> None:
    error = {"code": 400, "message": "Provider returned error", "metadata": {"raw": "too long"}}
    got = streamed(CHAT, plain([chunk({"content": "a"}), chunk({}, "error", error=error)], done=False))
    assert (got.error_type, got.error_message) == ("400", "Provider returned error: too long")


def test_an_error_body_is_told_and_not_flagged_as_lacking_usage() -> None:
    got = parse(body({"error": {"message": "Slow down", "type": "requests", "code": "rate_limit_exceeded"}}))
    assert (got.error_type, got.error_message, got.flags) == ("requests", "Slow down", ())


@pytest.mark.parametrize("raw", [b"", b"<html>", b"\xff\xfe", b"[]", b"null", b"3", b'"x"', b"{", b'{"choices": 3}'])
def test_bytes_that_are_no_response_give_nothing_and_do_not_raise(raw: bytes) -> None:
    got = parse(raw)
    assert (got.usage, got.text, got.tool_calls) == (None, None, ())


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"choices": None},
        {"choices": "x"},
        {"choices": [None, 3, {"delta": "x"}, {"index": None, "delta": {"content": 3, "tool_calls": "x"}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [None, {"function": None}, {"index": "x"}]}}]},
        {"usage": "many"},
        {"usage": []},
        {"type": "a.later.event", "payload": {"deep": [1]}},
        {"model": 3, "id": ["x"], "service_tier": {}},
    ],
)
def test_unknown_shapes_pass_in_both_ways(event: dict[str, Any]) -> None:
    events = [chunk({"content": "a"}), event, chunk({"content": "b"}, "stop")]
    got = streamed(CHAT, plain(events, done=False))
    assert got == fed(CHAT, events)
    assert got.text == "ab"


def test_a_whole_body_that_is_a_stream_is_read_as_one() -> None:
    assert parse(plain([chunk({"content": "Hi"}, "stop"), chunk(usage=USAGE)])).text == "Hi"


def test_tools_that_the_host_ran_are_told_as_such() -> None:
    executed = [{"index": 0, "type": "search", "arguments": '{"query": "x"}', "output": "…"}]
    choice = {"index": 0, "message": {"content": "a", "executed_tools": executed}, "finish_reason": "stop"}
    got = parse(body(whole(choices=[choice])))
    assert got.tool_calls == (ToolCall(name="search", arguments='{"query": "x"}', server_side=True),)


def test_a_search_model_counts_the_search_that_its_usage_does_not_tell() -> None:
    got = parse(body(whole(model="gpt-4o-search-preview-2025-03-11")))
    assert got.usage is not None
    assert got.usage.requests == {"web_search": 1}
    assert parse(body(whole(model="openai/gpt-4o-search-preview"))).usage == parse(body(whole())).usage


def test_a_request_tells_model_prompt_and_parameters() -> None:
    messages = [{"role": "user", "content": "Hi"}]
    request = {
        "model": "gpt-5",
        "messages": messages,
        "stream": True,
        "temperature": 0.2,
        "reasoning": {"effort": "low"},
        "response_format": {"type": "json_schema", "json_schema": {"name": "x"}},
        "tools": [{"type": "function"}],
    }
    got = CHAT.asked(request, "/chat/completions")
    assert (got.model, got.is_stream, got.prompt) == ("gpt-5", True, messages)
    assert got.parameters == {"temperature": 0.2, "reasoning_effort": "low", "response_format": "json_schema"}


def test_the_deployment_in_an_azure_url_is_the_model_asked_for() -> None:
    url = "https://x.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=1"
    assert CHAT.asked({"messages": []}, url).model == "my gpt"
    assert CHAT.asked({"model": "named", "messages": []}, url).model == "named"


@pytest.mark.parametrize(
    "changes", [{"model": "gpt-4o-search-preview"}, {"timings": {"cache_n": 1}}, {"x_groq": {"id": "x"}}]
)
def test_what_sends_an_answer_the_long_way_does_not_cost_it_its_text(changes: dict[str, Any]) -> None:
    assert parse(body(whole(**changes))).text == parse(body(whole())).text is not None


def test_usage_inside_the_last_choice_counts_where_the_chunk_has_none() -> None:
    usage = {"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32, "cached_tokens": 4}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2"}
    events = [
        {**chunk, "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": usage}]},
    ]
    for raw in (plain(events), plain([*events, {**chunk, "choices": [], "usage": usage}])):
        found = parse(raw).usage
        assert found is not None
        assert (found.input_tokens, found.output_tokens, found.cache_read_tokens) == (19, 13, 4)


def test_a_list_of_a_streams_chunks_counts_as_the_stream() -> None:
    usage = {"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
    events = [{**chunk, "choices": [choice]}, {**chunk, "choices": [], "usage": usage}]
    got = parse(body(events))
    assert (got.text, got.usage, got.is_complete) == ("Hi", Usage(input_tokens=19, output_tokens=13), True)
    assert parse(body(["no", 1])).usage is None
