"""What only we asked for is taken out of a stream, and the caller sees byte for byte what it would have seen."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallybook.capture.hide import UsageFilter, is_usage_only

QUICK = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])

ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
NASTY = ('"usage":null', ',"usage": null', '\\"usage\\":null,', "usage", '{"usage":{}}', "data: x\n\n", "é😀", "")

texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=12))


def chunk_of(number: int, content: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "gpt-4o",
        "choices": [{"index": 0, "delta": {"content": content}, "logprobs": None, "finish_reason": None}],
        "obfuscation": "x" * (number % 4),
    }


def spelled(chunk: dict[str, Any], place: int, spaces: bool, with_usage: bool) -> bytes:
    """A chunk as providers write it: `usage` first, between or last, with or without spaces."""
    items = list(chunk.items())
    if with_usage:
        items.insert(place % (len(items) + 1), ("usage", None))
    return json.dumps(dict(items), separators=(", ", ": ") if spaces else (",", ":"), ensure_ascii=False).encode()


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A stream with `include_usage`, and the same one without: what the provider would send to either."""
    end = draw(st.sampled_from(ENDS))
    spaces = draw(st.booleans())
    place = draw(st.integers(0, 6))
    with_, without = bytearray(), bytearray()
    for number, content in enumerate(draw(st.lists(texts, max_size=6))):
        if draw(st.integers(0, 5)) == 0:
            comment = b": keep-alive" + end
            with_ += comment
            without += comment
        chunk = chunk_of(number, content)
        with_ += b"data: " + spelled(chunk, place, spaces, True) + end
        without += b"data: " + spelled(chunk, place, spaces, False) + end
    extra = {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}
    with_ += b"data: " + spelled(extra, 0, spaces, False) + end
    tail = draw(st.sampled_from([b"data: [DONE]" + end, b"data: [DONE]", b""]))
    return bytes(with_ + tail), bytes(without + tail)


def passed(data: bytes, cuts: list[int]) -> bytes:
    hidden = UsageFilter()
    seen = b""
    start = 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        seen += hidden.pass_on(data[start:cut])
        start = cut
    return seen + hidden.end()


@given(streams(), st.lists(st.integers(0, 10_000), max_size=12))
@QUICK
def test_however_the_network_cuts_it_the_caller_sees_the_stream_it_asked_for(
    stream: tuple[bytes, bytes], cuts: list[int]
) -> None:
    with_, without = stream
    assert passed(with_, cuts) == without


@given(streams())
@QUICK
def test_byte_by_byte_it_is_the_same(stream: tuple[bytes, bytes]) -> None:
    with_, without = stream
    hidden = UsageFilter()
    assert b"".join(hidden.pass_on(with_[at : at + 1]) for at in range(len(with_))) + hidden.end() == without


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_nothing_is_lost_of_what_is_no_such_stream(pieces: list[bytes]) -> None:
    hidden = UsageFilter()
    seen = b"".join(map(hidden.pass_on, pieces)) + hidden.end()
    assert seen == b"".join(pieces) or b'"usage"' in b"".join(pieces)


@pytest.mark.parametrize("end", ENDS)
def test_an_event_is_passed_on_as_soon_as_it_is_whole(end: bytes) -> None:
    hidden = UsageFilter()
    event = b'data: {"choices":[{"delta":{"content":"Hi"}}],"usage":null}'
    assert hidden.pass_on(event[:20]) == b""
    assert hidden.pass_on(event[20:] + end[:1]) == b""
    assert hidden.pass_on(end[1:] + b"da") == event.replace(b',"usage":null', b"") + end
    assert hidden.pass_on(b"ta: [DONE]" + end) == b"data: [DONE]" + end


def test_text_that_speaks_of_usage_is_the_callers_own() -> None:
    content = json.dumps({"choices": [{"delta": {"content": 'say ,"usage":null, and "usage": null'}}]}).encode()
    event = b"data: " + content + b"\n\n"
    assert UsageFilter().pass_on(event) == event


def test_usage_beside_choices_is_the_providers_own_habit_and_stays() -> None:
    event = b'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}\n\n'
    assert UsageFilter().pass_on(event) == event


def test_an_unfinished_tail_comes_out_at_the_end_and_the_extra_chunk_does_not() -> None:
    hidden = UsageFilter()
    assert hidden.pass_on(b'data: {"choices":[{"delta":{"content":"Hi') == b""
    assert hidden.end() == b'data: {"choices":[{"delta":{"content":"Hi'
    assert hidden.end() == b""
    assert hidden.pass_on(b'data: {"choices":[],"usage":{"prompt_tokens":1}}') == b""
    assert hidden.end() == b""


@pytest.mark.parametrize(
    ("event", "is_extra"),
    [
        (b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n', True),
        (b'data:{"usage":{"prompt_tokens":1},"choices":[]}\r\n\r\n', True),
        (b'data: {"id":"x","usage":{"total_tokens":0}}\n\n', True),
        (b'data: {"choices":[],"prompt_filter_results":[{}]}\n\n', False),
        (b'data: {"choices":[],"usage":null}\n\n', False),
        (b'data: {"choices":[{}],"usage":{"prompt_tokens":1}}\n\n', False),
        (b"data: [DONE]\n\n", False),
        (b'data: "usage"\n\n', False),
        (b'data: {"usage":\xff}\n\n', False),
    ],
)
def test_the_extra_chunk_has_usage_and_no_choices(event: bytes, is_extra: bool) -> None:
    assert is_usage_only(event) is is_extra


def test_a_large_event_in_small_pieces_takes_no_time_that_grows_with_its_square() -> None:
    event = b'data: {"choices":[{"delta":{"content":"' + b"a" * 2_000_000 + b'"}}],"usage":null}\n\n'
    hidden = UsageFilter()
    started = time.perf_counter()
    seen = b"".join(hidden.pass_on(event[at : at + 4_096]) for at in range(0, len(event), 4_096))
    assert time.perf_counter() - started < 1
    assert seen == event.replace(b',"usage":null', b"")
