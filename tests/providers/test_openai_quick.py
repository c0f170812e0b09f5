"""The short way to a usual chat answer says what the long way says, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tallybook.model.codec import tokens_of
from tallybook.providers.openai_chat import parse
from tallybook.providers.openai_quick import quick

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_767_268_800,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Two: Phobos and \u201cDeimos\u201d.", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 12,
        "completion_tokens": 7,
        "total_tokens": 19,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
    "service_tier": "default",
}


def same(raw: bytes) -> bool:
    """Whether the short way serves; it must say the same then."""
    said = quick(raw)
    if said is None:
        return False
    parsed = parse(raw)
    assert parsed.usage is not None
    assert (said.model, said.text, said.finish_reasons) == (parsed.response_model, parsed.text, parsed.finish_reasons)
    assert (json.loads(said.response_id), said.service_tier) == (parsed.response_id, parsed.service_tier)
    assert said.tokens == tokens_of(parsed.usage)
    assert json.loads(said.usage_raw) == parsed.usage_raw
    assert "\n" not in said.usage_raw + said.response_id
    assert parsed.is_complete
    assert not (parsed.flags or parsed.tool_calls or parsed.further or parsed.cost_nanousd or parsed.error_type)
    assert not (parsed.usage.requests or parsed.usage.quantities)
    return True


@pytest.mark.parametrize("indent", [None, 2])
def test_the_usual_answer_is_read_the_short_way_however_it_is_laid_out(indent: int | None) -> None:
    assert same(json.dumps(ANSWER, indent=indent).encode())


def test_an_id_with_quotes_and_escapes_stays_json(indent: int | None = None) -> None:
    assert same(json.dumps({**ANSWER, "id": 'a"b\\c\u2028'}, indent=indent).encode())


def _with(**changes: Any) -> dict[str, Any]:
    return {**ANSWER, **changes}


def _choice(**changes: Any) -> dict[str, Any]:
    return _with(choices=[{**ANSWER["choices"][0], **changes}])


def _message(**changes: Any) -> dict[str, Any]:
    return _choice(message={**ANSWER["choices"][0]["message"], **changes})


def _usage(**changes: Any) -> dict[str, Any]:
    return _with(usage={**ANSWER["usage"], **changes})


@pytest.mark.parametrize(
    "answer",
    [
        _with(id=None), _with(id=""), _with(id=7), _with(model=""), _with(model="gpt-4o-search-preview"),
        _with(choices=[]), _with(choices=ANSWER["choices"] * 2), _with(error={"message": "x"}), _with(x_groq={"id": 1}),
        _with(usage=None), _with(usage={}), _choice(finish_reason=None), _choice(index=1), _choice(finish_reason=""),
        _message(content=None), _message(content=""), _message(content=[{"type": "text", "text": "x"}]),
        _message(refusal="no"), _message(reasoning_content="hm"), _message(audio={"id": "a", "transcript": "x"}),
        _message(tool_calls=[{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]),
        _message(function_call={"name": "f", "arguments": "{}"}), _message(executed_tools=[{"type": "search"}]),
        _usage(total_tokens=20), _usage(prompt_tokens=3), _usage(completion_tokens=-1), _usage(cost=0.5),
        _usage(prompt_tokens_details={"cached_tokens": 13}), _usage(prompt_tokens_details={"odd_tokens": 1}),
        _usage(prompt_tokens_details={"audio_tokens": 9, "image_tokens": 9}),
        _usage(completion_tokens_details={"reasoning_tokens": 8}), _usage(prompt_tokens="12"),
    ],
)  # fmt: skip
def test_an_answer_with_anything_unusual_is_left_to_the_long_way(answer: dict[str, Any]) -> None:
    assert quick(json.dumps(answer).encode()) is None


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"data: {}\n\n", b'{"id":"\xff"}', b"null"])
def test_what_is_no_answer_at_all_is_left_to_the_long_way(raw: bytes) -> None:
    assert quick(raw) is None


def test_both_ways_say_the_same_of_all_recorded_chat_answers(corpus: Path) -> None:
    seen = served = 0
    for path in sorted(corpus.glob("*chat*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            body = json.loads(line)["response"]["body"]
            if isinstance(body, str) and body:
                seen += 1
                served += same(body.encode())
    assert seen > 500
    assert served > 100
