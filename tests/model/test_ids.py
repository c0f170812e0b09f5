"""Ids that tell their time."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.model.ids import is_uuid7, unix_ms_of, uuid7

moments = st.integers(0, (1 << 48) - 1)
bits = st.integers(0, (1 << 74) - 1)


@given(moments, bits)
def test_an_id_is_a_uuid_of_version_7_that_gives_its_millisecond_back(unix_ms: int, random: int) -> None:
    text = uuid7(unix_ms, random)
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert is_uuid7(text)
    assert unix_ms_of(text) == unix_ms


@given(moments, bits, bits)
def test_all_74_random_bits_are_in_the_id(unix_ms: int, one: int, other: int) -> None:
    assert (uuid7(unix_ms, one) == uuid7(unix_ms, other)) == (one == other)


@given(moments, moments, bits, bits)
def test_ids_sort_as_their_moments_do(earlier: int, later: int, one: int, other: int) -> None:
    if earlier < later:
        assert uuid7(earlier, one) < uuid7(later, other)


def test_the_example_of_the_rfc_is_made_digit_by_digit() -> None:
    assert uuid7(0x017F22E279B0, 0xCC3 << 62 | 0x18C4DC0C0C07398F) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "call-1",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
        "017f22e279b07cc398c4dc0c0c07398f",
        "c7b1d7f0-6b1e-4c3a-9d52-8f0e4d3b2a10",
        "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
    ],
)
def test_anything_else_is_no_such_id_and_tells_no_time(text: str) -> None:
    assert not is_uuid7(text)
    assert unix_ms_of(text) is None
