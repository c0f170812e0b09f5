from __future__ import annotations

from typing import Any

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.openai_batch import looks_like_results, results

COUNT = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
    "usage": COUNT,
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "output": [],
    "usage": {"input_tokens": 7, "output_tokens": 1, "total_tokens": 8},
}
VECTORS = {"object": "list", "data": [], "model": "e", "usage": {"prompt_tokens": 4, "total_tokens": 4}}
ERROR = {"error": {"message": "Bad", "type": "invalid_request_error", "code": None}}


def row(custom_id: str, answer: Any, status: int = 200, error: Any = None) -> bytes:
    response = None if answer is None else {"status_code": status, "request_id": "r", "body": answer}
    return body({"id": "batch_req_1", "custom_id": custom_id, "response": response, "error": error})


def test_each_line_is_read_by_the_kind_of_its_body() -> None:
    lines = [row("a", CHAT), row("b", RESPONSE), b"", b"noise", row("c", VECTORS), b'{"other": 1}']
    got = list(results(b"\n".join(lines)))
    assert [(item.custom_id, item.operation) for item in got] == [("a", "chat"), ("b", "chat"), ("c", "embeddings")]
    assert [item.parsed.usage for item in got] == [
        Usage(input_tokens=3, output_tokens=2),
        Usage(input_tokens=7, output_tokens=1),
        Usage(input_tokens=4),
    ]
    assert got[0].parsed.text == "Hi"


def test_failed_requests_are_errors() -> None:
    expired = {"code": "batch_expired", "message": "This request could not be executed."}
    got = list(results(row("a", ERROR, 400) + b"\n" + row("b", None, error=expired)))
    assert [(item.custom_id, item.http_status, item.parsed.error_type) for item in got] == [
        ("a", 400, "invalid_request_error"),
        ("b", None, "batch_expired"),
    ]


def test_a_batchs_output_is_told_from_other_files() -> None:
    assert looks_like_results(row("a", CHAT) + b"\n" + row("b", CHAT))
    assert not looks_like_results(b'{"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {}}')
    assert not looks_like_results(b"%PDF-1.7")
    assert not looks_like_results(b"")
