from __future__ import annotations

from typing import Any

import pytest

from providers.framing import aws_message, body, chunks, fed, streamed
from tallybook.model.usage import Usage
from tallybook.providers.bedrock_invoke import INVOKE, headed, parse

CLAUDE = {
    "id": "msg_bdrk_1", "type": "message", "role": "assistant", "model": "claude-3-5-sonnet-20241022",
    "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn",
    "usage": {"input_tokens": 4, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 6, "output_tokens": 2},
}  # fmt: skip
NOVA = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "stopReason": "end_turn",
    "usage": {"inputTokens": 4, "outputTokens": 2, "cacheReadInputTokenCount": 100, "cacheWriteInputTokenCount": 6},
}  # fmt: skip
JAMBA = {
    "id": "chatcmpl-1", "model": "jamba-1.5-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 16, "completion_tokens": 19, "total_tokens": 35},
}  # fmt: skip
TITAN = {"inputTextTokenCount": 6, "results": [{"tokenCount": 26, "outputText": "Hi", "completionReason": "FINISH"}]}
LLAMA = {"generation": "Hi", "prompt_token_count": 158, "generation_token_count": 128, "stop_reason": "length"}
MISTRAL = {"outputs": [{"text": "Hi", "stop_reason": "stop"}]}
COHERE = {"id": "g", "generations": [{"id": "1", "text": "Hi", "finish_reason": "MAX_TOKENS"}], "prompt": "x"}
LEGACY = {"completion": "Hi", "stop_reason": "stop_sequence", "stop": "\n\nHuman:"}
EMBEDDED = {"embedding": [0.1, 0.2], "inputTextTokenCount": 8}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (CLAUDE, Usage(input_tokens=110, output_tokens=2, cache_read_tokens=100, cache_write_5m_tokens=6)),
        (NOVA, Usage(input_tokens=110, output_tokens=2, cache_read_tokens=100, cache_write_5m_tokens=6)),
        (JAMBA, Usage(input_tokens=16, output_tokens=19)),
        (TITAN, Usage(input_tokens=6, output_tokens=26)),
        (LLAMA, Usage(input_tokens=158, output_tokens=128)),
        (EMBEDDED, Usage(input_tokens=8)),
        (MISTRAL, None),
        (COHERE, None),
        (LEGACY, None),
    ],
    ids=["claude", "nova", "jamba", "titan", "llama", "embeddings", "mistral", "cohere", "legacy"],
)
def test_every_vendors_body_is_counted_by_its_own_rule(answer: dict[str, Any], expected: Usage | None) -> None:
    got = parse(body(answer))
    assert got.usage == expected
    assert got.is_complete
    assert ("usage_missing" in got.flags) == (expected is None)
    if answer is not EMBEDDED:
        assert got.text == "Hi"
        assert len(got.finish_reasons) == 1


@pytest.mark.parametrize("answer", [MISTRAL, COHERE, LEGACY], ids=["mistral", "cohere", "legacy"])
def test_headers_count_what_the_body_does_not(answer: dict[str, Any]) -> None:
    headers = {
        "x-amzn-bedrock-input-token-count": "40",
        "x-amzn-bedrock-output-token-count": "20",
        "x-amzn-bedrock-cache-read-input-token-count": "5",
        "x-amzn-requestid": "r-1",
    }
    got = headed(parse(body(answer)), headers)
    assert got.usage == Usage(input_tokens=45, output_tokens=20, cache_read_tokens=5)
    assert got.flags == ()
    assert got.response_id == "r-1" or answer is COHERE


def test_headers_that_tell_otherwise_than_the_body_are_flagged() -> None:
    headers = {"x-amzn-bedrock-input-token-count": "6", "x-amzn-bedrock-output-token-count": "27"}
    assert headed(parse(body(TITAN)), headers).flags == ("headers_differ",)
    same = {"x-amzn-bedrock-input-token-count": "6", "x-amzn-bedrock-output-token-count": "26"}
    assert headed(parse(body(TITAN)), same).flags == ()
    cached = {"x-amzn-bedrock-input-token-count": "4", "x-amzn-bedrock-cache-read-input-token-count": "100",
              "x-amzn-bedrock-cache-write-input-token-count": "6"}  # fmt: skip
    assert headed(parse(body(CLAUDE)), cached).flags == ()


def test_an_output_that_a_guardrail_left_out_comes_from_the_headers() -> None:
    headers = {"x-amzn-bedrock-input-token-count": "30", "x-amzn-bedrock-output-token-count": "51"}
    got = headed(parse(body({**NOVA, "usage": {"inputTokens": 30}})), headers)
    assert got.usage == Usage(input_tokens=30, output_tokens=51)
    assert got.flags == ()


METRICS = {"inputTokenCount": 14, "outputTokenCount": 10, "invocationLatency": 506, "firstByteLatency": 281}
STREAMS: dict[str, list[dict[str, Any]]] = {
    "claude": [
        {"type": "message_start", "message": {"id": "m", "model": "claude-2.0", "content": [],
                                              "usage": {"input_tokens": 14, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 10}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS},
    ],
    "nova": [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Hi"}, "contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "max_tokens"}},
        {"metadata": {"usage": {"inputTokens": 14, "outputTokens": 10}},
         "amazon-bedrock-invocationMetrics": METRICS},
    ],
    "titan": [
        {"outputText": "Hi", "index": 0, "totalOutputTextTokenCount": 10, "completionReason": "LENGTH",
         "inputTextTokenCount": 14, "amazon-bedrock-invocationMetrics": METRICS},
    ],
    "llama": [
        {"generation": "H", "prompt_token_count": 14, "generation_token_count": 1, "stop_reason": None},
        {"generation": "i", "prompt_token_count": None, "generation_token_count": 10, "stop_reason": "length",
         "amazon-bedrock-invocationMetrics": METRICS},
    ],
    "legacy": [
        {"completion": "Hi", "stop_reason": None},
        {"completion": "", "stop_reason": "max_tokens", "amazon-bedrock-invocationMetrics": METRICS},
    ],
    "mistral": [
        {"outputs": [{"text": "Hi", "stop_reason": None}]},
        {"outputs": [{"text": "", "stop_reason": "length"}], "amazon-bedrock-invocationMetrics": METRICS},
    ],
    "openai": [
        {"id": "c", "model": "gpt-oss", "choices": [{"index": 0, "delta": {"content": "Hi"}}]},
        {"id": "c", "model": "gpt-oss", "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}],
         "amazon-bedrock-invocationMetrics": METRICS},
    ],
}  # fmt: skip


@pytest.mark.parametrize("vendor", STREAMS)
def test_every_vendors_stream_is_counted(vendor: str) -> None:
    got = streamed(INVOKE, chunks(STREAMS[vendor]))
    assert got.usage == Usage(input_tokens=14, output_tokens=10)
    assert got.text == "Hi"
    assert len(got.finish_reasons) == 1
    assert got.is_complete
    assert got.flags == ()
    assert fed(INVOKE, STREAMS[vendor]) == got
    assert parse(chunks(STREAMS[vendor])) == got


def test_a_stream_that_breaks_off_is_incomplete() -> None:
    got = streamed(INVOKE, chunks(STREAMS["llama"][:1]))
    assert not got.is_complete
    error = aws_message({":message-type": "exception", ":exception-type": "throttlingException"}, b'{"message":"No"}')
    got = streamed(INVOKE, chunks(STREAMS["legacy"][:1]) + error)
    assert (got.error_type, got.error_message) == ("throttlingException", "No")


def test_the_request_tells_its_prompt_and_parameters_in_any_vendors_words() -> None:
    url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.titan-text-lite-v1/invoke-with-response-stream"
    got = INVOKE.asked({"inputText": "Hello", "textGenerationConfig": {"maxTokenCount": 10}}, url)
    assert (got.model, got.is_stream, got.prompt) == ("amazon.titan-text-lite-v1", True, "Hello")
    assert got.parameters == {"maxTokenCount": 10}
    url = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc/invoke"
    got = INVOKE.asked(
        {"anthropic_version": "bedrock-2023-05-31", "messages": [{"role": "user"}], "max_tokens": 5}, url
    )
    assert got.model == "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"
    assert got.parameters == {"max_tokens": 5}
