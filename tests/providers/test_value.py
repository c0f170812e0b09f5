from __future__ import annotations

from typing import Any

import pytest

from tallybook.providers.value import mapping, mappings, milliseconds, number, scalars, uses, whole, word


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3), (-1, -1), (3.0, 3), ("42", 42), ("-7", -7), (3.5, None), (True, None), ("", None), ("4x", None),
     ("²", None), (None, None), ([], None), (float("nan"), None), (float("inf"), None), ("--1", None)],
)  # fmt: skip
def test_only_whole_numbers_are_whole(value: Any, expected: int | None) -> None:
    assert whole(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0), (0.5, 0.5), (True, None), ("1", None), (float("nan"), None), (float("-inf"), None), (None, None)],
)
def test_only_finite_numbers_are_numbers(value: Any, expected: float | None) -> None:
    assert number(value) == expected


def test_what_is_of_another_kind_is_unknown_or_empty() -> None:
    assert (word("a"), word(""), word(3), word(None)) == ("a", None, None, None)
    assert (mapping({"a": 1}), mapping([1]), mapping(None)) == ({"a": 1}, {}, {})
    assert (mappings([{"a": 1}, 2, None]), mappings({"a": 1}), mappings("x")) == ([{"a": 1}], [], [])
    assert scalars({"a": 1, "b": None, "c": [1], "d": False, "e": "x"}, "abcd") == {"a": 1, "d": False}


@pytest.mark.parametrize(
    ("value", "count"), [(3, 3), ("3", 3), (0, None), (-1, None), (10**25, None), ("x", None), (None, None)]
)
def test_uses_are_counts_that_a_request_can_have(value: object, count: int | None) -> None:
    assert uses(value) == count


def test_seconds_become_milliseconds_and_nonsense_becomes_unknown() -> None:
    assert (milliseconds(90), milliseconds(1.5)) == (90_000, 1_500)
    for nonsense in (None, 0, -1, -0.5, True, "9", float("nan"), float("inf"), 1e300):
        assert milliseconds(nonsense) is None
