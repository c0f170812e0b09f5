from __future__ import annotations

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.xai_batch import results

CHAT = {
    "id": "c", "object": "chat.completion", "model": "grok-4.3",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 204, "completion_tokens": 2, "total_tokens": 268, "cost_in_usd_ticks": 2244800,
              "prompt_tokens_details": {"cached_tokens": 128}, "completion_tokens_details": {"reasoning_tokens": 62}},
}  # fmt: skip


def test_each_row_of_a_page_is_a_call() -> None:
    rows = [
        {"batch_request_id": "0", "batch_result": {"response": {"chat_get_completion": CHAT}}},
        {"batch_request_id": "1", "batch_result": {"error": {"code": "bad", "message": "No."}}},
    ]
    first, second = results(body({"results": rows, "pagination_token": None}))
    assert first.parsed.usage == Usage(input_tokens=204, output_tokens=64, cache_read_tokens=128, reasoning_tokens=62)
    assert (first.custom_id, first.parsed.cost_nanousd) == ("0", 224_480)
    assert (second.custom_id, second.parsed.error_message) == ("1", "No.")


def test_what_is_no_page_of_results_gives_none() -> None:
    assert list(results(body({"batch_id": "b", "state": {"num_requests": 2}}))) == []
    assert list(results(b"<html>")) == []
