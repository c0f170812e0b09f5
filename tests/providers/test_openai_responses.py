from __future__ import annotations

from typing import Any

import pytest

from providers.framing import body, fed, named, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.openai_responses import RESPONSES, ResponseStream, parse

USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 64},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 10},
    "total_tokens": 130,
}
MESSAGE = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hello"}]}


def whole(*output: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "model": "gpt-5-2025-08-07",
        "status": "completed",
        "output": list(output) or [MESSAGE],
        "usage": USAGE,
        "service_tier": "default",
        "tools": [],
        **changes,
    }


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **more}


def test_a_whole_response_tells_usage_text_and_identity() -> None:
    got = parse(body(whole()))
    assert got.usage == Usage(input_tokens=100, output_tokens=30, cache_read_tokens=64, reasoning_tokens=10)
    assert (got.response_id, got.response_model, got.service_tier) == ("resp_1", "gpt-5-2025-08-07", "default")
    assert (got.text, got.finish_reasons, got.is_complete, got.flags) == ("Hello", ("completed",), True, ())


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_in_progress_is_incomplete_and_lacks_nothing(status: str) -> None:
    got = parse(body(whole(status=status, usage=None, output=[])))
    assert (got.is_complete, got.usage, got.flags, got.finish_reasons) == (False, None, (), ())


def test_an_incomplete_response_tells_its_reason() -> None:
    got = parse(body(whole(status="incomplete", incomplete_details={"reason": "max_output_tokens"})))
    assert (got.finish_reasons, got.is_complete) == (("max_output_tokens",), True)


def test_a_failed_response_tells_its_error() -> None:
    got = parse(body(whole(status="failed", usage=None, error={"code": "server_error", "message": "Oops"})))
    assert (got.error_type, got.error_message, got.flags) == ("server_error", "Oops", ())


def test_a_stream_ends_with_the_whole_response_and_its_tier() -> None:
    events = [
        event("created", response=whole(output=[], status="in_progress", usage=None, service_tier="auto")),
        event("output_item.added", output_index=0, item={**MESSAGE, "content": []}),
        event("output_text.delta", output_index=0, delta="Hel"),
        event("output_text.delta", output_index=0, delta="lo"),
        event("completed", response=whole()),
    ]
    got = streamed(RESPONSES, named(events))
    assert got == fed(RESPONSES, events) == parse(body(whole()))


def test_a_stream_cut_off_keeps_text_tools_and_identity() -> None:
    events = [
        event("created", response=whole(output=[], status="in_progress", usage=None)),
        event("reasoning_summary_text.delta", output_index=0, delta="hmm"),
        event("output_text.delta", output_index=1, delta="Once"),
        event("output_item.added", output_index=2, item={"type": "function_call", "call_id": "c", "name": "f"}),
        event("function_call_arguments.delta", output_index=2, item_id="rotating", delta='{"x"'),
        event("function_call_arguments.delta", output_index=2, item_id="otherwise", delta=":1}"),
    ]
    got = streamed(RESPONSES, named(events))
    assert got == fed(RESPONSES, events)
    assert (got.is_complete, got.usage, got.text, got.reasoning_chars) == (False, None, "Once", 3)
    assert got.response_id == "resp_1"
    assert got.tool_calls == (ToolCall(name="f", id="c", arguments='{"x":1}'),)


def test_a_bare_error_event_is_told() -> None:
    got = streamed(RESPONSES, named([{"type": "error", "code": "rate_limit_exceeded", "message": "Slow down"}]))
    assert (got.error_type, got.error_message, got.is_complete) == ("rate_limit_exceeded", "Slow down", False)


def test_callers_tools_are_told_by_call_id() -> None:
    got = parse(
        body(
            whole(
                {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
                {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "sql", "input": "select 1"},
                {"type": "local_shell_call", "id": "lsh_1", "call_id": "call_3", "action": {"command": ["ls"]}},
                {"type": "some_future_type", "id": "x"},
            )
        )
    )
    assert got.tool_calls == (
        ToolCall(name="f", id="call_1", arguments="{}"),
        ToolCall(name="sql", id="call_2", arguments="select 1"),
        ToolCall(name="local_shell", id="call_3", arguments='{"command":["ls"]}'),
    )


def test_the_providers_own_tools_are_counted_by_kind() -> None:
    got = parse(
        body(
            whole(
                {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "x"}},
                {"type": "web_search_call", "id": "ws_2", "action": {"type": "open_page", "url": "u"}},
                {"type": "file_search_call", "id": "fs_1", "queries": ["a"]},
                {"type": "code_interpreter_call", "id": "ci_1", "code": "1+1", "container_id": "cntr_1"},
                {"type": "mcp_call", "id": "mcp_1", "name": "ask", "arguments": "{}", "error": "refused"},
            )
        )
    )
    assert got.usage is not None
    assert got.usage.requests == {"web_search": 1, "file_search": 1, "code_execution": 1}
    assert [(call.name, call.server_side, call.error) for call in got.tool_calls] == [
        ("web_search", True, None),
        ("web_search", True, None),
        ("file_search", True, None),
        ("code_execution", True, None),
        ("ask", True, "refused"),
    ]


def test_the_responses_own_count_of_searches_goes_first() -> None:
    item = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search"}}
    got = parse(body(whole(item, item, tool_usage={"web_search": {"num_requests": 3}})))
    assert got.usage is not None
    assert got.usage.requests == {"web_search": 3}


def test_tokens_of_the_image_tool_stand_apart_with_their_model() -> None:
    image = {"input_tokens": 50, "output_tokens": 1500, "total_tokens": 1550,
             "output_tokens_details": {"image_tokens": 1500, "text_tokens": 0}}  # fmt: skip
    tools = [{"type": "image_generation", "model": "gpt-image-1"}]
    got = parse(body(whole(tool_usage={"image_gen": image}, tools=tools)))
    assert got.usage == Usage(input_tokens=100, output_tokens=30, cache_read_tokens=64, reasoning_tokens=10)
    assert [(item.name, item.model, item.usage) for item in got.further] == [
        ("image_generation", "gpt-image-1", Usage(input_tokens=50, output_tokens=1500, output_image_tokens=1500))
    ]
    assert parse(body(whole(tool_usage={"image_gen": {"input_tokens": 0, "output_tokens": 0}}))).further == ()


def test_only_content_bearing_events_say_so() -> None:
    stream = ResponseStream()
    assert stream.feed(event("created", response=whole(output=[], status="in_progress", usage=None))) is False
    assert stream.feed(event("output_item.added", output_index=0, item=MESSAGE)) is False
    assert stream.feed(event("output_text.delta", delta="")) is False
    assert stream.feed(event("output_text.delta", delta="a")) is True
    assert stream.feed(event("code_interpreter_call_code.delta", output_index=1, delta="1")) is True
    assert stream.feed(event("completed", response=whole())) is False


def test_an_error_body_is_told() -> None:
    got = parse(body({"error": {"message": "Not found", "type": "invalid_request_error", "code": "model_not_found"}}))
    assert (got.error_type, got.error_message) == ("model_not_found", "Not found")


@pytest.mark.parametrize("raw", [b"", b"<html>", b"\xff", b"[]", b"3", b'{"output": 3}', b'{"output": [3, null]}'])
def test_bytes_that_are_no_response_give_nothing_and_do_not_raise(raw: bytes) -> None:
    got = parse(raw)
    assert (got.usage, got.text, got.tool_calls) == (None, None, ())


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "response.later.event", "item": {"type": "later"}, "delta": {"x": 1}},
        {"type": "response.output_item.done", "output_index": "x", "item": {"type": 3}},
        {"type": "response.output_item.done", "item": "x"},
        {"type": "response.function_call_arguments.delta", "output_index": 9, "delta": "{"},
        {"type": "response.in_progress", "response": "x"},
        {"type": "keepalive"},
        {"type": "response.audio.delta", "delta": {"deep": 1}},
    ],
)
def test_unknown_shapes_pass_in_both_ways(odd: dict[str, Any]) -> None:
    events = [odd, event("output_text.delta", output_index=0, delta="Hello"), odd, event("completed", response=whole())]
    got = streamed(RESPONSES, named(events))
    assert got == fed(RESPONSES, events)
    assert (got.text, got.is_complete) == ("Hello", True)


def test_a_request_tells_model_prompt_with_instructions_and_parameters() -> None:
    request = {"model": "gpt-5", "input": "Hi", "instructions": "Be brief.", "stream": True, "background": True,
               "reasoning": {"effort": "low", "summary": "auto"}, "text": {"verbosity": "low"}}  # fmt: skip
    got = RESPONSES.asked(request, "/responses")
    assert (got.model, got.is_stream, got.prompt) == ("gpt-5", True, {"instructions": "Be brief.", "input": "Hi"})
    assert got.parameters == {
        "background": True,
        "reasoning_effort": "low",
        "reasoning_summary": "auto",
        "verbosity": "low",
    }
    assert RESPONSES.asked({}, "/responses/resp_1").prompt is None


def test_a_terminal_event_newer_than_this_file_is_known_by_its_usage() -> None:
    response = {"id": "r", "status": "expired", "model": "gpt-9", "usage": {"input_tokens": 3, "output_tokens": 4}}
    got = streamed(RESPONSES, named([{"type": "response.expired", "response": response}]))
    assert got.usage is not None
    assert (got.usage.total_tokens, got.is_complete, got.finish_reasons) == (7, True, ("expired",))
