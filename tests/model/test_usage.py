"""Token accounting: parts never exceed their total, unknown is not 0, and what breaks the rules is named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tallybook.model.usage import INPUT_MODALITIES, INPUT_PARTS, OUTPUT_PARTS, TOKEN_FIELDS, Usage, faults

counts = st.one_of(st.none(), st.integers(-2, 40), st.integers(0, 10**9))
usages = st.builds(Usage, **dict.fromkeys(TOKEN_FIELDS, counts))


def sum_of(usage: Usage, names: tuple[str, ...]) -> int:
    return sum(getattr(usage, name) or 0 for name in names)


@given(usages)
def test_the_faults_are_exactly_the_rules_that_are_broken(usage: Usage) -> None:
    expected = set()
    if any((getattr(usage, name) or 0) < 0 for name in TOKEN_FIELDS):
        expected.add("negative_tokens")
    if usage.input_tokens is not None and (
        sum_of(usage, INPUT_PARTS) > usage.input_tokens or sum_of(usage, INPUT_MODALITIES) > usage.input_tokens
    ):
        expected.add("parts_exceed_input")
    if usage.output_tokens is not None and sum_of(usage, OUTPUT_PARTS) > usage.output_tokens:
        expected.add("parts_exceed_output")
    found = faults(usage)
    assert set(found) == expected
    assert len(found) == len(expected), "each once"


@given(st.integers(0, 10**9), st.data())
def test_parts_of_a_total_are_sound(total: int, data: st.DataObject) -> None:
    read = data.draw(st.integers(0, total))
    written = data.draw(st.integers(0, total - read))
    audio = data.draw(st.integers(0, total))
    usage = Usage(
        input_tokens=total,
        output_tokens=total,
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        input_audio_tokens=audio,
        input_image_tokens=total - audio,
        reasoning_tokens=audio,
        output_audio_tokens=total - audio,
    )
    assert faults(usage) == ()


@given(usages)
def test_the_total_is_unknown_only_where_both_sides_are(usage: Usage) -> None:
    both_unknown = usage.input_tokens is None and usage.output_tokens is None
    assert (usage.total_tokens is None) == both_unknown
    if not both_unknown:
        assert usage.total_tokens == (usage.input_tokens or 0) + (usage.output_tokens or 0)


def test_parts_of_an_unknown_total_are_no_fault() -> None:
    assert faults(Usage(cache_read_tokens=5, reasoning_tokens=7)) == ()


def test_every_token_field_of_a_usage_is_a_total_or_a_part() -> None:
    others = {"requests", "quantities"}
    assert set(Usage.__struct_fields__) - others == set(TOKEN_FIELDS)
    assert len(set(TOKEN_FIELDS)) == len(TOKEN_FIELDS)
