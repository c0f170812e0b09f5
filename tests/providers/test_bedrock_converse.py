from __future__ import annotations

from typing import Any

import pytest

from providers.framing import aws, aws_message, body, fed, lines, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.bedrock_converse import CONVERSE, headed, model_in, parse, usage_of

WHOLE = {
    "metrics": {"latencyMs": 363},
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hmm.", "signature": "s"}}},
                {"text": "Let me look."},
                {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"at": "sky"}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "serviceTier": {"type": "flex"},
    "usage": {
        "cacheReadInputTokenCount": 2098,
        "cacheReadInputTokens": 2098,
        "cacheWriteInputTokenCount": 10,
        "cacheWriteInputTokens": 10,
        "inputTokens": 458,
        "outputTokens": 4,
        "serverToolUsage": {},
        "totalTokens": 2570,
    },
}

EVENTS: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant", "p": "abc"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hmm."}}}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "Let me"}}},
    {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": " look."}}},
    {"contentBlockStart": {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "look"}}}},
    {"contentBlockDelta": {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"at":'}}}},
    {"contentBlockDelta": {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '"sky"}'}}}},
    {"messageStop": {"stopReason": "tool_use"}},
    {"metadata": {"usage": WHOLE["usage"], "metrics": {"latencyMs": 9}, "serviceTier": {"type": "flex"}}},
]

EXPECTED = Usage(input_tokens=2566, output_tokens=4, cache_read_tokens=2098, cache_write_5m_tokens=10)


def test_input_is_fresh_read_and_written_and_both_spellings_count_once() -> None:
    got = parse(body(WHOLE))
    assert got.usage == EXPECTED
    assert got.usage_raw == WHOLE["usage"]
    assert got.flags == ()


def test_a_whole_answer_tells_text_tools_tier_and_end() -> None:
    got = parse(body(WHOLE))
    assert got.text == "Let me look."
    assert got.tool_calls == (ToolCall(name="look", id="t1", arguments='{"at":"sky"}'),)
    assert (got.service_tier, got.finish_reasons, got.reasoning_chars) == ("flex", ("tool_use",), 4)
    assert got.is_complete
    assert (got.response_id, got.response_model) == (None, None)


@pytest.mark.parametrize("raw", [aws(EVENTS), lines(EVENTS)], ids=["binary", "lines"])
def test_a_stream_counts_as_the_whole_answer(raw: bytes) -> None:
    whole = parse(body(WHOLE))
    assert streamed(CONVERSE, raw) == whole
    assert parse(raw) == whole
    assert fed(CONVERSE, EVENTS) == whole


def test_content_is_told_for_the_time_to_the_first_token() -> None:
    assert CONVERSE.stream is not None
    stream = CONVERSE.stream()
    assert [stream.feed(event) for event in EVENTS[:4]] == [False, True, False, True]


def test_usage_before_the_stop_is_read_too() -> None:
    got = fed(CONVERSE, [*EVENTS[:-2], EVENTS[-1], EVENTS[-2]])
    assert got.usage == EXPECTED
    assert got.is_complete


def test_writes_are_told_apart_by_their_time_to_live() -> None:
    usage, flags = usage_of(
        {
            "inputTokens": 5,
            "outputTokens": 1,
            "cacheWriteInputTokens": 300,
            "cacheDetails": [{"inputTokens": 200, "ttl": "1h"}, {"inputTokens": 100, "ttl": "5m"}],
            "totalTokens": 306,
        }
    )
    assert (usage.input_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (305, 100, 200)
    assert flags == ()


def test_uses_of_server_side_tools_are_counted() -> None:
    usage, _ = usage_of({"inputTokens": 5, "outputTokens": 1, "serverToolUsage": {"webSearchRequests": 2, "other": 0}})
    assert usage.requests == {"web_search": 2}


def test_a_total_that_does_not_add_up_is_flagged() -> None:
    assert usage_of({"inputTokens": 5, "outputTokens": 1, "totalTokens": 60})[1] == ("total_differs",)


def test_policy_units_of_a_guardrail_are_no_tokens() -> None:
    trace = {"guardrail": {"inputAssessment": {"x": {"invocationMetrics": {"usage": {"topicPolicyUnits": 1}}}}}}
    got = parse(body({**WHOLE, "trace": trace, "stopReason": "guardrail_intervened"}))
    assert got.usage == EXPECTED
    assert got.finish_reasons == ("guardrail_intervened",)


def test_the_model_behind_a_prompt_router_is_the_one_that_answered() -> None:
    got = parse(body({**WHOLE, "trace": {"promptRouter": {"invokedModelId": "arn:aws:bedrock:::x/nova-lite"}}}))
    assert got.response_model == "arn:aws:bedrock:::x/nova-lite"


def test_an_exception_in_a_stream_is_its_error() -> None:
    raw = aws(EVENTS[:4]) + aws_message(
        {":message-type": "exception", ":exception-type": "modelStreamErrorException"}, b'{"message":"Broke."}'
    )
    got = streamed(CONVERSE, raw)
    assert (got.error_type, got.error_message) == ("modelStreamErrorException", "Broke.")
    assert not got.is_complete


def test_a_damaged_stream_says_so() -> None:
    raw = bytearray(aws(EVENTS))
    raw[-5] ^= 1
    got = streamed(CONVERSE, bytes(raw))
    assert got.usage is None
    assert "stream_damaged" in got.flags


@pytest.mark.parametrize(
    ("url", "model", "is_stream"),
    [
        ("https://x/model/us.amazon.nova-lite-v1%3A0/converse", "us.amazon.nova-lite-v1:0", False),
        ("https://x/model/anthropic.claude-v2:1/converse-stream", "anthropic.claude-v2:1", True),
        ("https://x/model/arn%3Aaws%3Abedrock%3Aus%3A1%3Ainference-profile%2Fa.b/converse",
         "arn:aws:bedrock:us:1:inference-profile/a.b", False),
    ],
)  # fmt: skip
def test_the_model_stands_in_the_url(url: str, model: str, is_stream: bool) -> None:
    got = CONVERSE.asked({"messages": [], "inferenceConfig": {"maxTokens": 5}}, url)
    assert (got.model, got.is_stream, got.parameters) == (model, is_stream, {"maxTokens": 5})
    assert model_in(url + "?x=1") == model


def test_the_request_id_is_the_headers() -> None:
    assert headed(parse(body(WHOLE)), {"x-amzn-requestid": "r-1"}).response_id == "r-1"
    assert headed(parse(body(WHOLE)), {}).response_id is None
