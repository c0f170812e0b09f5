"""A recorded stream that breaks off is told from one that ended."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest

from providers.framing import crlf, named, plain
from tallybook.providers.anthropic_messages import MESSAGES
from tallybook.providers.base import Format, Parsed
from tallybook.providers.google_generate import GENERATE
from tallybook.providers.openai_chat import CHAT
from tallybook.providers.openai_embeddings import EMBEDDINGS
from tallybook.providers.table import match
from tallybook.query.cut import is_cut

FINISH = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
MESSAGE = [
    {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
]
CHUNK = {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}


def verdict(form: Format, body: bytes) -> bool:
    return is_cut(form, body, form.parse(body))


WHOLE = [
    (CHAT, plain([FINISH, USAGE])),
    (CHAT, plain([FINISH, USAGE], done=False)),
    (CHAT, plain([FINISH])),
    (CHAT, b": comment\n\n" + plain([FINISH, USAGE]) + b": bye\n\n"),
    (CHAT, b'{"choices": [], "usage": {"prompt_tokens": 1}}'),
    (MESSAGES, named(MESSAGE)),
    (GENERATE, crlf([CHUNK])),
    (GENERATE, b'[{"candidates": []}\n,\n{"candidates": []}\n]\n'),
    (EMBEDDINGS, b'{"data": ['),
]


@pytest.mark.parametrize(("form", "body"), WHOLE)
def test_what_ended_is_not_cut(form: Format, body: bytes) -> None:
    assert not verdict(form, body)


def test_an_event_whose_name_comes_after_its_data_is_whole() -> None:
    body = b"".join(b'data: {"type": "%s"}\nevent: %s\n\n' % (name, name) for name in (b"ping", b"message_stop"))
    assert not is_cut(MESSAGES, body, Parsed())


@pytest.mark.parametrize(
    ("form", "body"),
    [(CHAT, plain([FINISH, USAGE])), (MESSAGES, named(MESSAGE)), (GENERATE, crlf([CHUNK, CHUNK]))],
)
def test_what_ends_inside_an_event_is_cut(form: Format, body: bytes) -> None:
    last = body.rstrip().rfind(b"data:")
    for end in range(last + 7, len(body.rstrip()) - 1):
        assert verdict(form, body[:end]), body[:end][-60:]


def test_a_chat_that_ends_before_its_usage_and_its_end_mark_is_cut() -> None:
    assert verdict(CHAT, plain([FINISH], done=False))


def test_an_array_without_its_bracket_is_cut() -> None:
    assert verdict(GENERATE, b'[{"candidates": []}\n,\n{"candidates": []}')


def test_json_lines_that_end_inside_a_line_are_cut() -> None:
    form = match("ollama", "post", "/api/chat")
    assert form is not None
    whole = b'{"model":"m","message":{"content":"a"},"done":false}\n{"model":"m","done":true,"eval_count":3}\n'
    assert not verdict(form, whole)
    assert verdict(form, whole[:-5])


def test_binary_events_are_cut_where_the_last_is_shorter_than_it_says() -> None:
    form = match("bedrock", "post", "/model/x/converse-stream")
    assert form is not None
    prelude = struct.pack(">II", 16, 0)
    message = prelude + struct.pack(">I", crc32(prelude))
    message += struct.pack(">I", crc32(message))
    assert not is_cut(form, message * 3, Parsed())
    assert is_cut(form, message * 2 + message[:7], Parsed())
