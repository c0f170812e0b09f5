"""The short way to a usual answer of the Responses API says what the long way says, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from providers.short import says_the_same
from tallybook.providers.openai_responses import parse
from tallybook.providers.openai_responses_quick import quick

PART: dict[str, Any] = {"type": "output_text", "text": "Two: Phobos and \u201cDeimos\u201d.", "annotations": []}
MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [PART],
}  # fmt: skip
REASONING: dict[str, Any] = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
CALL: dict[str, Any] = {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
NO_TOOLS = {"image_gen": {"input_tokens": 0, "output_tokens": 0}, "web_search": {"num_requests": 0}}
ANSWER: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_767_268_800,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "gpt-5-2025-08-07",
    "output": [REASONING, MESSAGE],
    "service_tier": "default",
    "tools": [],
    "tool_usage": NO_TOOLS,
    "usage": {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 19,
    },
}


def same(raw: bytes) -> bool:
    """Whether the short way serves; it must say the same then."""
    return says_the_same(quick(raw), parse(raw))


def _with(**changes: Any) -> dict[str, Any]:
    return {**ANSWER, **changes}


def _usage(**changes: Any) -> dict[str, Any]:
    return _with(usage={**ANSWER["usage"], **changes})


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "answer",
    [
        ANSWER, _with(output=[MESSAGE]), _with(service_tier=None), _with(service_tier=""), _with(tool_usage=None),
        _with(output=[REASONING, REASONING, MESSAGE]), _with(id='a"b\\c\u2028'), _with(tool_usage={"web_search": {}}),
        _with(output=[{**REASONING, "content": [{"type": "reasoning_text", "text": "x"}]}, MESSAGE]),
        _with(output=[{**MESSAGE, "content": [{**PART, "refusal": "no"}]}]), _with(output=[MESSAGE, REASONING]),
        _with(output=[CALL]), _with(output=[REASONING, CALL, MESSAGE, {**CALL, "name": "g"}]),
    ],
)  # fmt: skip
def test_the_usual_answer_is_read_the_short_way_however_it_is_laid_out(
    answer: dict[str, Any], indent: int | None
) -> None:
    assert same(json.dumps(answer, indent=indent).encode())


@pytest.mark.parametrize(
    "answer",
    [
        _with(id=None), _with(id=""), _with(id=7), _with(model=""), _with(model=None), _with(status="in_progress"),
        _with(status="incomplete", incomplete_details={"reason": "max_output_tokens"}), _with(status=None),
        _with(incomplete_details={"reason": "content_filter"}), _with(error={"message": "x"}), _with(output=None),
        _with(output=[]), _with(output=[REASONING]), _with(output=[MESSAGE] * 2),
        _with(output=[{**MESSAGE, "content": []}]), _with(output=[{**MESSAGE, "content": [PART, PART]}]),
        _with(output=[{**MESSAGE, "content": [{"type": "refusal", "refusal": "no"}]}]),
        _with(output=[{**MESSAGE, "content": [{**PART, "text": ""}]}]), _with(output=[{"id": "x"}]),
        _with(output=[{"type": "web_search_call", "id": "ws_1", "status": "completed"}, MESSAGE]),
        _with(output=[{**CALL, "call_id": None}]), _with(output=[{**CALL, "name": ""}]),
        _with(output=[{**CALL, "error": "broken"}]), _with(output=[{**CALL, "type": "custom_tool_call"}]),
        _with(tool_usage={"web_search": {"num_requests": 1}}), _with(tool_usage={"image_gen": {"input_tokens": 3}}),
        _with(tool_usage={"image_gen": {"output_tokens": 3}}), _with(usage=None), _with(usage={}),
        _usage(total_tokens=20), _usage(input_tokens=3), _usage(output_tokens=-1), _usage(cost=0.5),
        _usage(input_tokens_details={"cached_tokens": 13}), _usage(input_tokens_details={"odd_tokens": 1}),
        _usage(input_tokens_details={"audio_tokens": 9, "image_tokens": 9}), _usage(input_tokens="12"),
        _usage(output_tokens_details={"reasoning_tokens": 8}), _usage(prompt_tokens=12),
    ],
)  # fmt: skip
def test_an_answer_with_anything_unusual_is_left_to_the_long_way(answer: dict[str, Any]) -> None:
    assert quick(json.dumps(answer).encode()) is None


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"data: {}\n\n", b'{"id":"\xff"}', b"null"])
def test_what_is_no_answer_at_all_is_left_to_the_long_way(raw: bytes) -> None:
    assert quick(raw) is None


def test_both_ways_say_the_same_of_all_recorded_answers(corpus: Path) -> None:
    seen = served = 0
    for path in sorted(corpus.glob("*responses*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            body = json.loads(line)["response"]["body"]
            if isinstance(body, str) and body:
                seen += 1
                served += same(body.encode())
    assert seen > 300
    assert served > 100
