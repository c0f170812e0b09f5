from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tallybook.ingest.dialects.ident import call_id
from tallybook.model.ids import is_uuid7, unix_ms_of

AT = 1_795_668_255_437_818


@given(st.integers(0, 4_000_000_000_000_000), st.lists(st.text(), max_size=4))
def test_an_id_is_a_uuid7_of_the_start_and_always_the_same(at_us: int, parts: list[str]) -> None:
    made = call_id(at_us, *parts)
    assert is_uuid7(made) and unix_ms_of(made) == at_us // 1000
    assert call_id(at_us, *parts) == made


def test_each_part_tells_apart_and_so_does_their_border() -> None:
    assert len({call_id(AT, "a", "b"), call_id(AT, "a", "c"), call_id(AT, "ab"), call_id(AT, "b", "a")}) == 4
