"""The short way to a usual chat answer says what the long way says, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from providers.short import says_the_same
from tallybook.providers.openai_chat import ChatStream, parse
from tallybook.providers.openai_quick import pieces, quick

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
    return says_the_same(quick(raw), parse(raw))


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


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": "b"}'}}


@pytest.mark.parametrize("content", [None, "", "Let me look."])
@pytest.mark.parametrize("calls", [[CALL], [CALL, {**CALL, "id": "d"}], [CALL, CALL]])
def test_calls_of_tools_are_read_the_short_way(content: str | None, calls: list[Any]) -> None:
    assert same(json.dumps(_message(content=content, tool_calls=calls)).encode())


@pytest.mark.parametrize(
    "answer",
    [
        _with(id=None), _with(id=""), _with(id=7), _with(model=""), _with(model="gpt-4o-search-preview"),
        _with(choices=[]), _with(choices=ANSWER["choices"] * 2), _with(error={"message": "x"}), _with(x_groq={"id": 1}),
        _with(usage=None), _with(usage={}), _choice(finish_reason=None), _choice(index=1), _choice(finish_reason=""),
        _message(content=None), _message(content=""), _message(content=[{"type": "text", "text": "x"}]),
        _message(refusal="no"), _message(reasoning_content="hm"), _message(audio={"id": "a", "transcript": "x"}),
        _message(tool_calls=[{**CALL, "index": 0}]), _message(tool_calls=[{**CALL, "id": None}]),
        _message(tool_calls=[{"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}]),
        _message(tool_calls=[{**CALL, "function": {"name": "", "arguments": "{}"}}]),
        _message(content=None, tool_calls=[]),
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


def _event(content: Any = "word ", **changes: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": content}, "logprobs": None, "finish_reason": None}
    return {"id": "chatcmpl-1", "model": "gpt-4o", "service_tier": "default", "choices": [choice], **changes}


def _bytes(events: list[dict[str, Any]]) -> bytes:
    return b"".join(b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n" for event in events)


LAST = [
    _event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
    _event(choices=[], usage=ANSWER["usage"]),
]
TOOL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}


def _both(events: list[dict[str, Any]]) -> tuple[Any, Any]:
    together, one_by_one = ChatStream(), ChatStream()
    together.feed(events[0])
    together.feed_bytes(_bytes(events[1:]) + b"data: [DONE]\n\n")
    for event in events:
        one_by_one.feed(event)
    one_by_one.feed_bytes(b"data: [DONE]\n\n")
    return together.result(), one_by_one.result()


@pytest.mark.parametrize("padding", [{}, {"obfuscation": "aB3"}])
def test_events_that_differ_in_their_text_alone_are_read_at_once(padding: dict[str, Any]) -> None:
    texts = [f'word {number} "\\ \u00e4\n,"obfuscation":"x" data: ' for number in range(60)]
    events = [
        _event(text, **{key: value + "x" * (n % 7) for key, value in padding.items()}) for n, text in enumerate(texts)
    ]
    found = pieces(_bytes([*events, *LAST]))
    assert found is not None
    assert found.texts == texts[:-1]
    assert (found.model, found.service_tier) == ("gpt-4o", "default")
    together, one_by_one = _both([*events, *LAST])
    assert together == one_by_one
    assert together.text == "".join(texts)


@pytest.mark.parametrize(
    "odd",
    [
        _event("x", model="other"), _event("x", service_tier="flex"), _event("x", usage={"prompt_tokens": 1}),
        _event("x", error={"message": "broken", "type": "server_error"}), _event(None), _event(""),
        _event("x", choices=[]),
        _event(choices=[{"index": 1, "delta": {"content": "second"}, "finish_reason": None}]),
        _event(choices=[{"index": 0, "delta": {"content": "x", "tool_calls": [TOOL]}, "finish_reason": None}]),
        _event(choices=[{"index": 0, "delta": {"content": "x", "reasoning": "hm"}, "finish_reason": None}]),
        _event(choices=[{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [1, 30, 59])
def test_an_event_with_more_than_a_text_is_not_passed_over(odd: dict[str, Any], place: int) -> None:
    events = [_event(f"word {number} ") for number in range(60)]
    events[place] = odd
    together, one_by_one = _both([*events, *LAST])
    assert together == one_by_one
    every, one_by_one = _both([events[0], *([odd] * 40), *LAST])
    assert every == one_by_one


@pytest.mark.parametrize("raw", [b"", b"data: {}\n\n" * 400, b"\n" * 3_000, b'data: {"content":"x"}\n\n' * 200])
def test_what_is_no_run_of_texts_is_left_to_the_long_way(raw: bytes) -> None:
    assert pieces(raw) is None
