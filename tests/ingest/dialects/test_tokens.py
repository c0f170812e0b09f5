"""Counts in normal form: what includes what, and that parts never exceed their totals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.ingest.dialects.tokens import FIELDS, counts_of, merged, settle
from tallybook.ingest.dialects.told import Counts
from tallybook.model.usage import Usage, faults


def _settled(provider="anthropic", **told):
    usage, flags = settle(Counts(**told), provider)
    return usage, flags


def test_input_includes_the_cache_unless_something_shows_otherwise():
    usage, _ = _settled(input=1167, output=5, cache_read=1163, cache_write_5m=0)
    assert usage.input_tokens == 1167


def test_parts_greater_than_the_input_are_beside_it():
    usage, flags = _settled(input=4, output=5, cache_read=1163)
    assert (usage.input_tokens, usage.cache_read_tokens, flags) == (1167, 1163, ())


def test_a_total_that_only_adds_up_with_the_parts_shows_that_they_are_beside():
    assert _settled(input=500, output=5, total=805, cache_read=300)[0].input_tokens == 800
    assert _settled(input=500, output=5, total=505, cache_read=300)[0].input_tokens == 500


def test_a_sender_known_to_leave_the_cache_out_is_believed():
    usage, _ = _settled(input=5000, cache_read=1500, cache_write=3000, is_input_without_cache=True)
    assert usage.input_tokens == 9500


def test_thoughts_beside_geminis_output_show_in_the_total():
    usage, flags = _settled("google", input=44, output=10, total=103)
    assert (usage.output_tokens, usage.reasoning_tokens, flags) == (59, 49, ("reasoning_from_total",))
    assert _settled("openai", input=44, output=10, total=103)[0].output_tokens == 10


def test_reasoning_greater_than_the_output_is_beside_it():
    usage, flags = _settled("openai", output=10, reasoning=49)
    assert (usage.output_tokens, flags) == (59, ("reasoning_beside_output",))


def test_how_long_a_written_cache_lives_is_taken_where_told_and_else_flagged():
    usage, flags = _settled(input=100, cache_write=30, cache_write_1h=20)
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens, flags) == (10, 20, ())
    usage, flags = _settled(input=100, cache_write=30)
    assert (usage.cache_write_5m_tokens, flags) == (30, ("cache_ttl_unknown",))
    assert _settled("openai", input=100, cache_write=30)[1] == ()


@given(
    st.builds(
        Counts,
        **{
            name: st.none() | st.integers(-5, 2000)
            for name in Counts.__struct_fields__
            if name != "is_input_without_cache"
        },
        is_input_without_cache=st.booleans(),
    ),
    st.sampled_from(["openai", "google", "anthropic", "unknown"]),
)
def test_no_part_ever_exceeds_its_total(counts, provider):
    assert faults(settle(counts, provider)[0]) == ()


def test_the_first_of_several_names_for_one_count_is_taken_and_nonsense_is_unknown():
    counts = counts_of({"gen_ai.usage.input_tokens": 5, "ai.usage.promptTokens": 7, "ai.usage.outputTokens": "9",
                        "gen_ai.usage.cache_read.input_tokens": "many", "llm.cost.total": 0.5})  # fmt: skip
    assert (counts.input, counts.output, counts.cache_read) == (5, 9, None)


@pytest.mark.parametrize("field", sorted(set(FIELDS.values())))
def test_every_name_fills_a_field_that_exists(field):
    assert field in Counts.__struct_fields__


def test_two_tellings_fill_each_other_in():
    first = Usage(input_tokens=100, output_tokens=5, cache_write_5m_tokens=30)
    second = Usage(input_tokens=100, output_tokens=5, cache_write_5m_tokens=10, cache_write_1h_tokens=20,
                   reasoning_tokens=3)  # fmt: skip
    both = merged(first, second)
    assert (both.cache_write_5m_tokens, both.cache_write_1h_tokens, both.reasoning_tokens) == (10, 20, 3)
    assert merged(second, first) == second
