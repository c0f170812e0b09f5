from __future__ import annotations

import base64
import gzip
from typing import Any

from providers.framing import aws, body, lines, plain
from tallybook.model.usage import Usage
from tallybook.providers.exchange import Exchange, of_record, read

CHAT = {
    "id": "c", "model": "gpt-x",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10},
}  # fmt: skip


def _record(url: str, answer: Any, status: int = 200, **more: Any) -> dict[str, Any]:
    return {
        "id": "x", "provider": "openai", "api": "openai-chat", "kind": "recorded",
        "request": {"method": "POST", "url": url, "body": '{"model":"gpt","messages":[]}'},
        "response": {"status": status, "headers": {"Content-Type": "application/json"}, "body": answer}, **more,
    }  # fmt: skip


def test_a_record_is_read_by_its_address() -> None:
    got = read(of_record(_record("https://api.openai.com/v1/chat/completions", body(CHAT).decode())))
    assert (got.provider, got.operation, got.status, got.asked.model) == ("openai", "chat", "ok", "gpt")
    assert got.parsed.usage == Usage(input_tokens=8, output_tokens=2)


def test_a_record_without_address_is_read_by_its_name_and_then_by_its_shape() -> None:
    got = read(of_record(_record("", body(CHAT).decode())))
    assert got.format is not None
    assert (got.provider, got.format.name) == ("openai", "openai.chat")
    got = read(Exchange(url="https://example.com/x", body=body(CHAT)))
    assert got.format is not None
    assert (got.provider, got.format.name) == ("openai", "openai.chat")
    streamed = read(Exchange(url="https://example.com/x", body=plain([CHAT])))
    assert streamed.operation == "chat"


def test_a_fixtures_name_goes_before_its_guessed_address() -> None:
    record = _record("https://api.mistral.ai/v1/chat/completions", '{"pages":[],"usage_info":{"pages_processed":6}}')
    got = read(of_record({**record, "provider": "mistral", "api": "mistral-ocr", "kind": "fixture-response-only"}))
    assert (got.operation, got.parsed.usage) == ("ocr", Usage(quantities={"pages": 6}))


def test_what_is_no_model_call_says_so() -> None:
    record = _record("https://api.openai.com/v1/models", '{"object":"list","data":[]}')
    got = read(of_record({**record, "request": {"method": "GET", "url": "https://api.openai.com/v1/models"}}))
    assert (got.operation, got.format, got.parsed.usage, got.status) == (None, None, None, "ok")


def test_an_error_tells_type_and_message_by_body_status_and_header() -> None:
    url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/x/converse"
    record = _record(url, '{"message":"No such model."}', status=400)
    record["response"]["headers"] = {"x-amzn-errortype": "ValidationException:http://internal.amazon.com/"}
    got = read(of_record(record))
    assert (got.status, got.parsed.error_type, got.parsed.error_message) == (
        "error", "ValidationException", "No such model.",
    )  # fmt: skip
    assert got.parsed.flags == ()


def test_binary_answers_are_decoded_and_headers_used() -> None:
    url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse-stream"
    raw = aws([{"messageStop": {"stopReason": "end_turn"}}, {"metadata": {"usage": {"inputTokens": 5,
                                                                                    "outputTokens": 1}}}])  # fmt: skip
    record = _record(url, base64.b64encode(raw).decode())
    record["response"] |= {"body_encoding": "base64", "headers": {"X-Amzn-RequestId": "r-1"}}
    got = read(of_record(record))
    assert (got.asked.model, got.parsed.response_id) == ("amazon.nova-lite-v1:0", "r-1")
    assert got.parsed.usage == Usage(input_tokens=5, output_tokens=1)


def test_decoded_events_stand_in_for_bytes_that_were_dropped() -> None:
    url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse-stream"
    record = _record(url, "<base64 900 chars dropped>")
    record["response"] |= {
        "body_encoding": "base64",
        "decoded_events": [
            {"event": "messageStop", "payload": {"stopReason": "end_turn"}},
            {"event": "metadata", "payload": {"usage": {"inputTokens": 5, "outputTokens": 1}}},
        ],
    }
    assert read(of_record(record)).parsed.usage == Usage(input_tokens=5, output_tokens=1)


def test_several_calls_in_one_answer_are_told_and_summed() -> None:
    rows = [{"custom_id": str(n), "response": {"status_code": 200, "body": CHAT}} for n in range(3)]
    got = read(
        Exchange(method="GET", url="https://api.openai.com/v1/files/file-1/content", http_status=200, body=lines(rows))
    )
    assert len(got.results) == 3
    assert got.parsed.usage == Usage(input_tokens=24, output_tokens=6)
    other = read(Exchange(method="GET", url="https://api.openai.com/v1/files/file-1/content", body=b"a picture"))
    assert other.operation is None


def test_what_the_request_alone_tells_is_part_of_the_usage() -> None:
    got = read(
        Exchange(
            url="https://api.openai.com/v1/audio/speech", request=b'{"model":"tts-1","input":"Hello"}', body=b"ID3"
        )
    )
    assert got.parsed.usage == Usage(quantities={"characters": 5})


def test_records_of_any_shape_never_raise() -> None:
    for record in ({}, {"request": 3}, {"request": {"url": 3}, "response": {"body": {"a": 1}, "status": "x"}},
                   {"response": {"body": "!", "body_encoding": "base64", "headers": []}}):  # fmt: skip
        read(of_record(record))


def test_a_body_kept_gzipped_is_unpacked_and_a_cut_one_as_far_as_it_goes() -> None:
    url = "https://api.openai.com/v1/chat/completions"
    packed = gzip.compress(body(CHAT))
    record = _record(url, base64.b64encode(packed).decode())
    record["response"]["body_encoding"] = "base64"
    assert read(of_record(record)).parsed.usage == Usage(input_tokens=8, output_tokens=2)
    record["response"]["body"] = base64.b64encode(packed[:-8]).decode()
    assert read(of_record(record)).parsed.usage == Usage(input_tokens=8, output_tokens=2)
    record["response"]["body"] = base64.b64encode(b"\x1f\x8b\x08 no gzip at all").decode()
    assert read(of_record(record)).parsed.usage is None
