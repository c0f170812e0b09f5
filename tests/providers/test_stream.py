from __future__ import annotations

import pytest

from tallybook.providers.openai_chat import ChatStream
from tallybook.providers.stream import crlf_events, named_events, plain_events


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'data: {"a":1}\n\ndata: {"a":2}\n\n', (b'[{"a":1},{"a":2}]', False)),
        (b'data: {"a":1}\n\ndata: [DONE]\n\n', (b'[{"a":1}]', True)),
        (b"data: [DONE]\n\n", (b"[]", True)),
        (b'data: {"a":1}\n', None),
        (b'event: x\ndata: {"a":1}\n\n', None),
        (b"", None),
    ],
)
def test_plain_events_become_one_array(raw: bytes, expected: tuple[bytes, bool] | None) -> None:
    assert plain_events(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'event: x\ndata: {"a":1}\n\nevent: y\ndata: {"a":2}\n\n', (b'[{"a":1},{"a":2}]', False)),
        (b'event: x\ndata: {"a":1}\n\n: comment\n\nevent: y\ndata: {"a":2}\n\n', None),
        (b'event: x\nid: 1\ndata: {"a":1}\n\n', None),
        (b'event: x\ndata: {"a":1}\n', None),
        (b"event: x\n\n", None),
    ],
)
def test_named_events_become_one_array(raw: bytes, expected: tuple[bytes, bool] | None) -> None:
    assert named_events(raw) == expected


def test_events_with_carriage_returns_become_one_array() -> None:
    assert crlf_events(b'data: {"a":1}\r\n\r\ndata: {"a":2}\r\n\r\n') == (b'[{"a":1},{"a":2}]', False)
    assert crlf_events(b'data: {"a":1}\n\n') == (b'[{"a":1}]', False)
    assert crlf_events(b'data: {"a":1}\r\n') is None


@pytest.mark.parametrize("noise", [b": ping\n\n", b"id: 4\n", b"\n", b"data: nonsense\n\n"])
def test_noise_between_events_is_passed_over(noise: bytes) -> None:
    piece = b'data: {"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    stream = ChatStream()
    stream.feed_bytes(piece + noise + piece)
    stream.feed_bytes(piece)
    assert stream.result().text == "aaa"


def test_an_event_cut_in_two_is_whole_with_the_next_piece() -> None:
    piece = b'data: {"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    stream = ChatStream()
    stream.feed_bytes(piece + piece[:20])
    stream.feed_bytes(piece[20:])
    stream.feed_bytes(piece)
    assert stream.result().text == "aaa"


def test_a_result_asked_for_in_the_middle_of_an_event_loses_nothing() -> None:
    piece = b'data: {"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    stream = ChatStream()
    stream.feed_bytes(piece[:30])
    assert stream.result().text is None
    stream.feed_bytes(piece[30:])
    assert stream.result().text == "a"


def test_a_result_may_be_asked_for_while_the_stream_goes_on() -> None:
    piece = b'data: {"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    stream = ChatStream()
    stream.feed_bytes(piece)
    assert stream.result().text == "a"
    stream.feed_bytes(piece)
    assert stream.result() == stream.result()
    assert stream.result().text == "aa"
