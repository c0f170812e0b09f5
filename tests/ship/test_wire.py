"""What passes between a shipper and a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.model.errors import InputError
from tallybook.ship.wire import SHIPPED, Answer, Part, Refused, decode, decode_answer, encode, encode_answer

PART = st.builds(
    Part, kind=st.sampled_from(SHIPPED), segment=st.text(max_size=30), start=st.integers(0, 1 << 50),
    data=st.binary(max_size=200),
)  # fmt: skip


@given(st.lists(PART, max_size=8))
def test_parts_come_back_as_they_went(parts: list[Part]) -> None:
    assert decode(encode(parts)) == parts


@given(st.lists(PART, min_size=1, max_size=3), st.data())
def test_a_body_that_was_cut_is_refused_or_is_shorter_by_whole_parts(parts: list[Part], data: st.DataObject) -> None:
    body = encode(parts)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    try:
        assert decode(cut) == parts[: len(decode(cut))]
    except InputError:
        pass


@given(st.binary(max_size=300))
def test_bytes_that_are_no_body_are_refused_and_nothing_else(body: bytes) -> None:
    try:
        decode(body)
    except InputError:
        pass


@pytest.mark.parametrize(
    "head",
    [b'{"kind":"amendments","segment":"s","start":0,"bytes":0}',
     b'{"kind":"telemetry","segment":"s","start":-1,"bytes":0}',
     b'{"kind":"telemetry","segment":"s","start":0,"bytes":5}', b'{"kind":"telemetry"}', b"[]", b"x" * 5_000],
)  # fmt: skip
def test_what_is_no_part_is_refused_with_its_place(head: bytes) -> None:
    with pytest.raises(InputError, match="byte"):
        decode(head + b"\n")


def test_an_answer_comes_back_and_a_proxys_page_is_none() -> None:
    answer = Answer({"a": 7}, 3, 1, (Refused("a", 4, "no_time", "no timestamp"),), ("gzip", "zstd"))
    assert decode_answer(encode_answer(answer)) == answer
    for page in (b"<html>", b"", b"[]", b'{"segments":{"a":"x"}}', b"\xff"):
        with pytest.raises(InputError, match="not an answer"):
            decode_answer(page)
