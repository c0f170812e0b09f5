from __future__ import annotations

import pytest

from tallybook.providers.base import Parsed, Payload
from tallybook.providers.loose import LooseStream, read_whole


class _Texts(LooseStream):
    __slots__ = ("texts",)

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def _take_mapping(self, event: Payload) -> bool:
        self.texts.append(str(event.get("a")))
        return True

    def _result(self) -> Parsed:
        return Parsed(text="".join(self.texts))


def _whole(body: Payload) -> Parsed:
    return Parsed(text=f"whole {body['a']}")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"a":1}', "whole 1"),
        (b'{"a":1}\n{"a":2}\n', "12"),
        (b'data: {"a":1}\n\ndata: {"a":2}\n\n', "12"),
        (b'data: 3\n\ndata: {"a":2}\n\n', "2"),
        (b'[{"a":1},3,{"a":2}]', "12"),
    ],
    ids=["object", "lines", "events", "not an object", "array"],
)
def test_a_body_is_read_as_what_it_is(raw: bytes, text: str) -> None:
    assert read_whole(raw, _whole, _Texts).text == text


def test_errors_and_other_bytes_are_told() -> None:
    assert read_whole(b'{"error":"no"}', _whole).error_message == "no"
    assert read_whole(b"<html>", _whole, _Texts).flags == ("body_unreadable",)
    assert read_whole(b"", _whole) == Parsed()
    assert read_whole(b"3", _whole).flags == ("usage_missing",)
