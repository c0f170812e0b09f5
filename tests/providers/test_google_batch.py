from __future__ import annotations

from typing import Any

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.google_batch import results

ANSWER = {
    "candidates": [{"content": {"parts": [{"text": "4"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 10},
}
ROWS: list[dict[str, Any]] = [
    {"response": ANSWER, "metadata": {"key": "a"}},
    {"error": {"code": 3, "message": "Bad"}, "metadata": {"key": "b"}},
]


def test_a_jobs_results_are_read_once_though_it_shows_them_twice() -> None:
    inlined = {"inlinedResponses": {"inlinedResponses": ROWS}}
    got = list(results(body({"name": "batches/x", "done": True, "metadata": {"output": inlined}, "response": inlined})))
    assert [(item.custom_id, item.parsed.usage, item.parsed.error_type) for item in got] == [
        ("a", Usage(input_tokens=9, output_tokens=1), None),
        ("b", None, "3"),
    ]


def test_a_job_in_progress_has_no_results() -> None:
    assert list(results(body({"name": "batches/x", "metadata": {"state": "BATCH_STATE_RUNNING"}}))) == []


def test_an_output_files_lines_are_read() -> None:
    lines = [body({"key": "a", "response": ANSWER}), b"", b"noise", body({"key": "b", "error": {"message": "Bad"}})]
    got = list(results(b"\n".join(lines)))
    assert [(item.custom_id, item.parsed.error_type) for item in got] == [("a", None), ("b", "error")]
