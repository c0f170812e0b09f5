from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tallybook.model.usage import TOKEN_FIELDS, Usage, faults
from tallybook.providers.accounting import settled

usages = st.fixed_dictionaries({name: st.none() | st.integers(-3, 40) for name in TOKEN_FIELDS}).map(
    lambda values: Usage(**values)
)


@given(usages)
def test_what_is_settled_is_sound_and_what_was_wrong_is_named(usage: Usage) -> None:
    got, found = settled(usage)
    assert found == faults(usage)
    assert faults(got) == ()


@given(usages)
def test_a_sound_usage_stays_itself(usage: Usage) -> None:
    got, found = settled(usage)
    if not found:
        assert got is usage


@given(usages)
def test_nothing_unknown_becomes_known_and_no_count_grows(usage: Usage) -> None:
    got, _ = settled(usage)
    for name in TOKEN_FIELDS:
        before, after = getattr(usage, name), getattr(got, name)
        assert after is None or (before is not None and after <= before)


def test_parts_are_cut_in_order_and_a_negative_count_is_unknown() -> None:
    got, found = settled(Usage(input_tokens=10, cache_read_tokens=8, cache_write_5m_tokens=8, input_audio_tokens=-1))
    assert got == Usage(input_tokens=10, cache_read_tokens=8, cache_write_5m_tokens=2, input_audio_tokens=None)
    assert found == ("negative_tokens", "parts_exceed_input")
