from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.framing import body, crlf, fed, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage, faults
from tallybook.providers.google_generate import GENERATE, GenerateStream, parse, usage_of

THOUGHT = {
    "promptTokenCount": 95,
    "candidatesTokenCount": 23,
    "thoughtsTokenCount": 68,
    "toolUsePromptTokenCount": 14,
    "cachedContentTokenCount": 60,
    "totalTokenCount": 200,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 35}, {"modality": "IMAGE", "tokenCount": 60}],
    "serviceTier": "standard",
}


def chunk(*parts: dict[str, Any], finish: str | None = None, usage: Any = None, **changes: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": THOUGHT if usage is None else usage,
        "modelVersion": "gemini-2.5-flash",
        "responseId": "r1",
        **changes,
    }


def test_thoughts_are_output_and_the_tools_prompt_is_input() -> None:
    got = parse(body(chunk({"text": "Hello"}, finish="STOP")))
    assert got.usage == Usage(
        input_tokens=109, output_tokens=91, cache_read_tokens=60, input_image_tokens=60, reasoning_tokens=68
    )
    assert got.usage_raw == THOUGHT
    assert (got.response_id, got.response_model, got.service_tier) == ("r1", "gemini-2.5-flash", "standard")
    assert (got.text, got.finish_reasons, got.flags) == ("Hello", ("STOP",), ())


@pytest.mark.parametrize(
    ("raw", "output"),
    [
        ({"promptTokenCount": 14, "totalTokenCount": 14}, 0),
        ({"promptTokenCount": 14, "thoughtsTokenCount": 90, "totalTokenCount": 104}, 90),
        ({"promptTokenCount": 14, "totalTokenCount": 60}, 46),
        ({"promptTokenCount": 14}, None),
    ],
)
def test_without_candidates_the_total_tells_the_output(raw: dict[str, int], output: int | None) -> None:
    assert usage_of(raw)[0].output_tokens == output


def test_the_last_usage_of_a_stream_wins_even_where_it_falls() -> None:
    events = [
        chunk({"text": "a"}, usage={"promptTokenCount": 20, "candidatesTokenCount": 20, "totalTokenCount": 40}),
        chunk(
            {"text": "b"},
            finish="STOP",
            usage={"promptTokenCount": 17, "candidatesTokenCount": 16, "totalTokenCount": 33},
        ),
    ]
    got = streamed(GENERATE, crlf(events))
    assert got == fed(GENERATE, events)
    assert (got.usage, got.text) == (Usage(input_tokens=17, output_tokens=16), "ab")


def test_a_stream_as_one_json_array_is_read_like_events_wherever_it_is_cut() -> None:
    events = [chunk({"text": 'a "quoted\\" [{'}), chunk({"text": "b"}, finish="STOP")]
    raw = json.dumps(events, indent=1).encode()
    expected = streamed(GENERATE, crlf(events))
    assert streamed(GENERATE, raw) == expected
    assert parse(raw) == expected
    for cut in range(0, len(raw), 7):
        stream = GenerateStream()
        stream.feed_bytes(raw[:cut])
        stream.feed_bytes(raw[cut:])
        assert stream.result() == expected, cut


def test_a_stream_without_a_finish_reason_is_incomplete() -> None:
    got = streamed(GENERATE, crlf([chunk({"text": "a"})]))
    assert (got.is_complete, got.text) == (False, "a")


def test_thoughts_shown_as_text_are_reasoning_and_not_text() -> None:
    got = parse(body(chunk({"text": "hmm", "thought": True}, {"text": "Four"}, finish="STOP")))
    assert (got.text, got.reasoning_chars) == ("Four", 3)


def test_function_calls_have_json_arguments_and_often_no_id() -> None:
    got = parse(body(chunk({"functionCall": {"name": "f", "args": {"x": 1}}}, {"functionCall": {"name": "g"}})))
    assert got.tool_calls == (ToolCall(name="f", arguments='{"x":1}'), ToolCall(name="g"))


def test_a_function_call_streamed_in_parts_is_one_call() -> None:
    def part(path: str, more: bool = True, **value: Any) -> dict[str, Any]:
        call: dict[str, Any] = {"partialArgs": [{"jsonPath": path, **value}]}
        return {"functionCall": {**call, "willContinue": True} if more else call}

    events = [
        chunk({"functionCall": {"name": "write", "willContinue": True}}, usage={"trafficType": "ON_DEMAND"}),
        chunk(part("$.items[0].name", stringValue="app", willContinue=True), usage={"trafficType": "ON_DEMAND"}),
        chunk(part("$.items[0].name", stringValue="le"), usage={"trafficType": "ON_DEMAND"}),
        chunk(part("$.items[1].price", more=False, numberValue=0.5), usage={"trafficType": "ON_DEMAND"}),
        chunk({"functionCall": {"name": "other", "args": {}}}, finish="STOP"),
    ]
    got = streamed(GENERATE, crlf(events))
    assert got == fed(GENERATE, events)
    assert [(call.name, json.loads(call.arguments or "null")) for call in got.tool_calls] == [
        ("write", {"items": [{"name": "apple"}, {"price": 0.5}]}),
        ("other", {}),
    ]


def test_a_usage_with_only_the_tier_counts_nothing() -> None:
    got = parse(body(chunk({"text": "a"}, usage={"trafficType": "ON_DEMAND"})))
    assert (got.usage, got.service_tier, got.flags) == (None, "ON_DEMAND", ("usage_missing",))


@pytest.mark.parametrize(("model", "searches"), [("gemini-2.5-flash", 1), ("gemini-3.1-pro-preview", 2)])
def test_searches_are_billed_by_prompt_and_since_gemini_3_by_query(model: str, searches: int) -> None:
    response = chunk({"text": "a"}, finish="STOP", modelVersion=model)
    response["candidates"][0]["groundingMetadata"] = {"webSearchQueries": ["one", "two", ""]}
    got = parse(body(response))
    assert got.usage is not None
    assert got.usage.requests == {"web_search": searches}
    assert got.tool_calls == (
        ToolCall(name="web_search", arguments='{"query":"one"}', server_side=True),
        ToolCall(name="web_search", arguments='{"query":"two"}', server_side=True),
    )


def test_other_server_tools_are_counted() -> None:
    response = chunk({"executableCode": {"language": "PYTHON", "code": "1+1"}}, {"text": "2"}, finish="STOP")
    response["candidates"][0]["urlContextMetadata"] = {"urlMetadata": [{"retrievedUrl": "u"}, {"retrievedUrl": "v"}]}
    response["candidates"][0]["groundingMetadata"] = {"groundingChunks": [{"maps": {"title": "x"}}]}
    got = parse(body(response))
    assert got.usage is not None
    assert got.usage.requests == {"google_maps": 1, "web_fetch": 2, "code_execution": 1}
    names = ["code_execution", "web_fetch", "web_fetch", "google_maps"]
    assert [(call.name, call.server_side) for call in got.tool_calls] == [(name, True) for name in names]


def test_search_in_stored_files_is_told_as_a_tool_and_not_billed() -> None:
    response = chunk({"text": "2"}, finish="STOP")
    response["candidates"][0]["groundingMetadata"] = {"groundingChunks": [{"retrievedContext": {"text": "x"}}]}
    got = parse(body(response))
    assert got.usage is not None
    assert got.usage.requests == {}
    assert [(call.name, call.server_side) for call in got.tool_calls] == [("file_search", True)]


def test_a_finish_reason_sent_as_its_number_is_told_by_its_name() -> None:
    response = chunk({"text": "2"}, finish="STOP")
    response["candidates"][0]["finishReason"] = 2
    assert parse(body(response)).finish_reasons == ("MAX_TOKENS",)


def test_a_blocked_prompt_is_complete_with_its_reason() -> None:
    raw = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}
    for got in (parse(body(raw)), streamed(GENERATE, crlf([raw]))):
        assert (got.is_complete, got.finish_reasons) == (True, ("SAFETY",))
        assert got.usage == Usage(input_tokens=9, output_tokens=0)


def test_numbers_in_place_of_names_are_understood() -> None:
    raw = {"promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 10, "trafficType": 1,
           "promptTokensDetails": [{"modality": 4, "tokenCount": 5}, {"modality": 99, "tokenCount": 4}]}  # fmt: skip
    got = parse(body(chunk({"text": "a"}, usage=raw)))
    assert got.usage is not None
    assert (got.usage.input_audio_tokens, got.service_tier) == (5, "ON_DEMAND")


def test_details_beyond_their_total_are_cut_and_flagged() -> None:
    raw = {"promptTokenCount": 341, "candidatesTokenCount": 1, "totalTokenCount": 342,
           "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 440}]}  # fmt: skip
    got, flags = usage_of(raw)
    assert (got.input_image_tokens, flags) == (341, ("parts_exceed_input",))


def test_an_error_is_told_whole_streamed_and_in_an_array() -> None:
    error = {"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}}
    for got in (parse(body(error)), streamed(GENERATE, crlf([error])), parse(body([error]))):
        assert (got.error_type, got.error_message, got.flags) == ("RESOURCE_EXHAUSTED", "Quota", ())


@pytest.mark.parametrize("raw", [b"", b"<html>", b"\xff", b"3", b'{"candidates": 3}', b'{"candidates": [3]}', b"[3]"])
def test_bytes_that_are_no_response_give_nothing_and_do_not_raise(raw: bytes) -> None:
    got = parse(raw)
    assert (got.usage, got.text, got.tool_calls) == (None, None, ())


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"candidates": None, "usageMetadata": None},
        {"candidates": [{"content": None}, {"content": {"parts": "x"}}, {"content": {"parts": [None, {"later": 1}]}}]},
        {"candidates": [{"content": "x", "groundingMetadata": 3, "urlContextMetadata": []}]},
        {"usageMetadata": "x"},
        {"later": {"deep": 1}},
    ],
)
def test_unknown_shapes_pass_in_both_ways(event: dict[str, Any]) -> None:
    events = [chunk({"text": "a"}), event, chunk({"text": "b"}, finish="STOP")]
    got = streamed(GENERATE, crlf(events))
    assert got == fed(GENERATE, events)
    assert (got.text, got.usage_raw) == ("ab", THOUGHT)


def test_only_content_bearing_chunks_say_so() -> None:
    stream = GenerateStream()
    assert stream.feed({"usageMetadata": THOUGHT}) is False
    assert stream.feed(chunk({"text": ""})) is False
    assert stream.feed(chunk({"text": "a"})) is True
    assert stream.feed(chunk({"functionCall": {"name": "f", "args": {}}})) is True


@pytest.mark.parametrize(
    ("url", "model", "is_stream"),
    [
        ("models/gemini-2.5-flash:generateContent", "gemini-2.5-flash", False),
        ("v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini-2.5-flash", True),
        ("https://h/v1/projects/p/locations/l/publishers/google/models/gemini-3:generateContent", "gemini-3", False),
        ("tunedModels/x:generateContent", None, False),
    ],
)
def test_the_model_stands_in_the_url(url: str, model: str | None, is_stream: bool) -> None:
    got = GENERATE.asked({"contents": []}, url)
    assert (got.model, got.is_stream) == (model, is_stream)


def test_a_request_tells_prompt_with_system_and_parameters() -> None:
    request = {
        "contents": [{"parts": [{"text": "Hi"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"temperature": 0.1, "maxOutputTokens": 9, "thinkingConfig": {"thinkingBudget": 5}},
    }
    got = GENERATE.asked(request, "models/g:generateContent")
    assert got.prompt == {"system": request["systemInstruction"], "contents": request["contents"]}
    assert got.parameters == {"temperature": 0.1, "maxOutputTokens": 9, "thinkingBudget": 5}


count = st.integers(0, 10**9)
maybe = st.none() | count


@given(count, maybe, maybe, maybe, st.data())
def test_no_part_exceeds_its_total_and_the_unknown_stays_unknown(
    prompt: int, tools: int | None, candidates: int | None, thoughts: int | None, data: st.DataObject
) -> None:
    cached = data.draw(st.none() | st.integers(0, prompt))
    total = prompt + (tools or 0) + (candidates or 0) + (thoughts or 0)
    raw = {"promptTokenCount": prompt, "toolUsePromptTokenCount": tools, "candidatesTokenCount": candidates,
           "thoughtsTokenCount": thoughts, "cachedContentTokenCount": cached, "totalTokenCount": total}  # fmt: skip
    got, flags = usage_of(raw)
    assert (faults(got), flags) == ((), ())
    assert got.total_tokens == total
    assert (got.cache_read_tokens, got.reasoning_tokens, got.input_audio_tokens) == (cached, thoughts, None)
