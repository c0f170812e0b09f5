from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.providers.sse import DONE, Frames, looks_like_sse


def events_of(*pieces: bytes) -> list[object]:
    frames = Frames()
    return [event for piece in pieces for event in frames.feed(piece)] + frames.flush()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'data: {"a":1}\n\ndata: [DONE]\n\n', [{"a": 1}, DONE]),
        (b'data:{"a":1}\n\n', [{"a": 1}]),
        (b'data: {"a":1}\r\n\r\ndata: {"a":2}\r\n\r\n', [{"a": 1}, {"a": 2}]),
        (b'data: {"a":1}\r\rdata: {"a":2}\r\r', [{"a": 1}, {"a": 2}]),
        (b': OPENROUTER PROCESSING\n\ndata: {"a":1}\n\n', [{"a": 1}]),
        (b': hi\ndata: {"a":1}\n\n', [{"a": 1}]),
        (b'id: 7\nevent: message\nretry: 10\ndata: {"a":1}\n\n', [{"a": 1}]),
        (b'event: ping\ndata: {"type": "ping"}\n\nevent: end\n\n', [{"type": "ping"}]),
        (b'data: {"a":\ndata: 1}\n\n', [{"a": 1}]),
        (b'data: {"a":1}\ndata: {"a":2}\n', [{"a": 1}, {"a": 2}]),
        (b'\xef\xbb\xbfdata: {"a":1}\n\n', [{"a": 1}]),
        (b'\n\n\ndata: {"a":1}\n\n', [{"a": 1}]),
        (b'data: {"a":1}\n\ndata: {"a":2}', [{"a": 1}, {"a": 2}]),
        (b'data: {"a":1}\n\ndata: {"a":', [{"a": 1}]),
        (b'data: {"a":1}\n\ndata: nonsense\n\ndata: {"a":3}\n\n', [{"a": 1}, {"a": 3}]),
        (b'data: {"a":1}\n\n{"error": {"message": "x"}}\n\n', [{"a": 1}, {"error": {"message": "x"}}]),
        (b'{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
        (b'{"a":1}\r\n{"a":2}', [{"a": 1}, {"a": 2}]),
        (b'{\n "a": 1\n}', [{"a": 1}]),
        (b'{\n "a": 1\n}\n', [{"a": 1}]),
        (b'{\n{"a": 1}\n', [{"a": 1}]),
        (b'[{"a":1}\n,\r\n{"a":{"b":[2,"]}"]}}]', [{"a": 1}, {"a": {"b": [2, "]}"]}}]),
        (b'[{"a":"\\\\"},{"a":"\\""}', [{"a": "\\"}, {"a": '"'}]),
        (b"", []),
        (b"<html>", []),
        (b"[]", []),
    ],
)
def test_framings_seen_in_the_wild_are_read(raw: bytes, expected: list[object]) -> None:
    assert events_of(raw) == expected


text = st.text(st.characters(codec="utf-8", include_characters='\n\r"\\[]{}:,'), max_size=12)
event = st.dictionaries(text, st.one_of(text, st.integers(), st.lists(text, max_size=3)), max_size=3)


@given(st.lists(event, min_size=1, max_size=5), st.sampled_from(["lf", "crlf", "named", "lines", "array"]), st.data())
def test_any_cut_gives_the_same_events(events: list[dict[str, object]], framing: str, data: st.DataObject) -> None:
    lines = [json.dumps(item, ensure_ascii=False).encode() for item in events]
    raw = {
        "lf": b"".join(b"data: " + line + b"\n\n" for line in lines),
        "crlf": b"".join(b"data: " + line + b"\r\n\r\n" for line in lines),
        "named": b"".join(b"event: x\ndata: " + line + b"\n\n" for line in lines),
        "lines": b"".join(line + b"\n" for line in lines),
        "array": b"[" + b",\n".join(lines) + b"]",
    }[framing]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=4)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert events_of(*pieces) == events


def test_every_single_byte_as_a_piece_gives_the_same_events() -> None:
    raw = b'event: a\r\ndata: {"a": "x\\"y"}\r\n\r\n: comment\r\n\r\ndata: [DONE]\r\n\r\n'
    assert events_of(*[raw[at : at + 1] for at in range(len(raw))]) == [{"a": 'x"y'}, DONE]


@pytest.mark.parametrize(
    ("raw", "is_sse"),
    [
        (b'data: {"a":1}', True),
        (b"event: message_start\n", True),
        (b": comment\n\n", True),
        (b"\n\nid: 3\n", True),
        (b'{"data": 1}', False),
        (b"datax: 1", False),
        (b"", False),
        (b"[1]", False),
    ],
)
def test_the_first_bytes_tell_a_stream_from_json(raw: bytes, is_sse: bool) -> None:
    assert looks_like_sse(raw) is is_sse
