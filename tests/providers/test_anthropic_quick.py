"""The short way to a usual message says what the long way says, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from providers.short import says_the_same
from tallybook.providers.anthropic_messages import parse
from tallybook.providers.anthropic_quick import quick

ANSWER: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [{"type": "text", "text": "Two: Phobos and \u201cDeimos\u201d."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 12,
        "output_tokens": 7,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 6,
        "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 1},
        "service_tier": "standard",
    },
}
USE: dict[str, Any] = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1]}}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "x"}


def same(raw: bytes) -> bool:
    """Whether the short way serves; it must say the same then."""
    return says_the_same(quick(raw), parse(raw))


def _with(**changes: Any) -> dict[str, Any]:
    return {**ANSWER, **changes}


def _usage(**changes: Any) -> dict[str, Any]:
    return _with(usage={**ANSWER["usage"], **changes})


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER, _usage(cache_creation=None), _usage(cache_creation_input_tokens=None), _usage(inference_geo="global"),
        _usage(cache_creation_input_tokens=5), _usage(service_tier=None),
        _with(usage={"input_tokens": 1, "output_tokens": 0}), _with(content=[USE]),
        _with(content=[THINKING, *ANSWER["content"], USE, {**USE, "id": "u"}]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("indent", [None, 2])
def test_the_usual_message_is_read_the_short_way_however_it_is_laid_out(
    answer: dict[str, Any], indent: int | None
) -> None:
    assert same(json.dumps(answer, indent=indent).encode())


@pytest.mark.parametrize(
    "answer",
    [
        _with(id=None), _with(id=""), _with(model=None), _with(type="error"), _with(content=[]),
        _with(stop_reason=None),
        _with(content=ANSWER["content"] * 2), _with(content=[{"type": "text", "text": ""}]), _with(usage=None),
        _with(content=[{**USE, "id": None}]), _with(content=[{**USE, "name": ""}]), _with(content=[THINKING]),
        _with(content=[{**USE, "type": "server_tool_use"}]), _usage(input_tokens=None),
        _usage(cache_creation_input_tokens=7), _usage(inference_geo="us"), _usage(speed="fast"),
        _usage(output_tokens=-1),
        _usage(server_tool_use={"web_search_requests": 1}), _usage(iterations=[]), _usage(service_tier="a b"),
        _usage(output_tokens=1 << 60), _usage(output_tokens_details={"thinking_tokens": 2}),
    ],
)  # fmt: skip
def test_a_message_with_anything_unusual_is_left_to_the_long_way(answer: dict[str, Any]) -> None:
    assert quick(json.dumps(answer).encode()) is None


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"event: x\ndata: {}\n\n", b'{"id":"\xff"}', b"null", b"\0\0"])
def test_what_is_no_message_at_all_is_left_to_the_long_way(raw: bytes) -> None:
    assert quick(raw) is None


def test_both_ways_say_the_same_of_all_recorded_messages(corpus: Path) -> None:
    seen = served = 0
    for path in sorted(corpus.glob("*anthropic*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            body = json.loads(line)["response"]["body"]
            if isinstance(body, str) and body:
                seen += 1
                served += same(body.encode())
    assert seen > 100
    assert served > 20
