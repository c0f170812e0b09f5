"""Recordings put behind each other are parted; what a provider sends as one stays one."""

from __future__ import annotations

from typing import Any

from providers.framing import named, plain
from tallybook.providers.anthropic_messages import MESSAGES
from tallybook.providers.openai_chat import CHAT
from tallybook.providers.openai_embeddings import EMBEDDINGS
from tallybook.providers.openai_responses import RESPONSES
from tallybook.query.several import responses_in


def message(id_: str, tokens: int) -> list[dict[str, Any]]:
    usage = {"input_tokens": tokens, "output_tokens": 1}
    return [
        {"type": "message_start", "message": {"id": id_, "usage": usage}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]


def response(id_: str, tokens: int) -> list[dict[str, Any]]:
    usage = {"input_tokens": tokens, "output_tokens": 1, "total_tokens": tokens + 1}
    return [
        {"type": "response.created", "response": {"id": id_, "status": "in_progress"}},
        {"type": "response.completed", "response": {"id": id_, "status": "completed", "usage": usage}},
    ]


def test_messages_with_ids_of_their_own_are_parted() -> None:
    found = responses_in(MESSAGES, named([*message("a", 10), *message("b", 20), *message("c", 30)]))
    assert [(one.response_id, one.usage and one.usage.input_tokens) for one in found] == [
        ("a", 10),
        ("b", 20),
        ("c", 30),
    ]
    assert all(one.is_complete for one in found)


def test_responses_are_parted_too() -> None:
    found = responses_in(RESPONSES, named([*response("a", 10), *response("b", 20)]))
    assert [one.usage and one.usage.input_tokens for one in found] == [10, 20]


def test_a_start_told_twice_begins_no_second_response() -> None:
    assert responses_in(MESSAGES, named([message("a", 10)[0], *message("a", 10)])) == []


def test_a_single_response_and_other_formats_are_left_alone() -> None:
    assert responses_in(MESSAGES, named(message("a", 10))) == []
    assert responses_in(CHAT, plain([{"choices": []}, {"choices": []}])) == []
    assert responses_in(EMBEDDINGS, b'"message_start" "message_start"') == []


def test_a_text_that_speaks_of_starts_is_no_start() -> None:
    events = message("a", 10)
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '"message_start"'}}
    assert responses_in(MESSAGES, named([events[0], text, *events[1:]])) == []
