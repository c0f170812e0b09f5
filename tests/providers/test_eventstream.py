from __future__ import annotations

import struct
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.framing import aws, aws_message
from tallybook.providers.eventstream import Message, Messages, event_of, inner_bytes, inner_json

TWO = aws([{"messageStart": {"role": "assistant"}}, {"messageStop": {"stopReason": "end_turn"}}])


def test_a_message_is_headers_and_payload() -> None:
    raw = aws_message({":event-type": "metadata", ":message-type": "event"}, b'{"a":1}')
    assert Messages().feed(raw) == [Message({":event-type": "metadata", ":message-type": "event"}, b'{"a":1}')]


@given(st.lists(st.integers(0, len(TWO)), max_size=6))
def test_messages_are_the_same_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(TWO)]
    messages = Messages()
    found = [message for start, end in pairwise(places) for message in messages.feed(TWO[start:end])]
    assert [event_of(message) for message in found] == [
        {"messageStart": {"role": "assistant"}},
        {"messageStop": {"stopReason": "end_turn"}},
    ]
    assert not messages.is_damaged


@given(st.integers(0, len(TWO) - 1), st.integers(1, 255))
def test_a_changed_byte_is_told_and_never_read_as_data(place: int, change: int) -> None:
    raw = bytearray(TWO)
    raw[place] ^= change
    messages = Messages()
    found = messages.feed(bytes(raw))
    assert messages.is_damaged
    assert len(found) <= 1


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_without_raising(raw: bytes) -> None:
    messages = Messages()
    for message in messages.feed(raw):
        event_of(message)


def test_all_kinds_of_header_values_are_stepped_over() -> None:
    head = b"".join(
        bytes([1]) + name + bytes([kind]) + value
        for name, kind, value in (
            (b"a", 0, b""), (b"b", 1, b""), (b"c", 2, b"\x01"), (b"d", 3, b"\x00\x01"), (b"e", 4, b"\x00" * 4),
            (b"f", 5, b"\x00" * 8), (b"g", 6, b"\x00\x02hi"), (b"h", 7, b"\x00\x02ho"), (b"i", 8, b"\x00" * 8),
            (b"j", 9, b"\x00" * 16),
        )
    )  # fmt: skip
    prelude = struct.pack(">II", 16 + len(head), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head
    [found] = Messages().feed(message + struct.pack(">I", zlib.crc32(message)))
    assert found.headers["a"] is True
    assert found.headers["b"] is False
    assert found.headers["g"] == b"hi"
    assert found.headers["h"] == "ho"
    assert len(found.headers) == 10


def test_an_exception_message_is_an_error() -> None:
    raw = aws_message({":message-type": "exception", ":exception-type": "throttlingException"}, b'{"message":"Slow."}')
    [message] = Messages().feed(raw)
    assert event_of(message) == {"error": {"type": "throttlingException", "message": "Slow."}}


@pytest.mark.parametrize("payload", [{"bytes": "!!"}, {"bytes": "bm8="}, {}, None, {"bytes": 3}])
def test_what_holds_no_json_inside_gives_none(payload: object) -> None:
    assert inner_json(payload) is None


def test_inner_bytes_are_taken_decoded_or_not() -> None:
    assert inner_bytes({"bytes": "aGk="}) == b"hi"
    assert inner_bytes({"bytes": b"hi"}) == b"hi"
