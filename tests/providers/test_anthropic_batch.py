from __future__ import annotations

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.anthropic_batch import results

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": "4"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 5, "service_tier": "batch"},
}


def test_each_line_is_a_message_or_an_error() -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "Bad"}}
    rows = [
        {"custom_id": "a", "result": {"type": "succeeded", "message": MESSAGE}},
        {"custom_id": "b", "result": {"type": "errored", "error": error}},
        {"custom_id": "c", "result": {"type": "expired"}},
        {"custom_id": "d"},
    ]
    got = list(results(b"noise\n" + b"\n".join(body(row) for row in rows)))
    assert [(item.custom_id, item.parsed.error_type) for item in got] == [
        ("a", None),
        ("b", "invalid_request_error"),
        ("c", "expired"),
    ]
    first = got[0].parsed
    assert (first.usage, first.service_tier) == (Usage(input_tokens=9, output_tokens=5), "batch")
    assert (first.text, first.response_id) == ("4", "msg_1")
