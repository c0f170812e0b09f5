"""The short way to a usage is the provider's own, for every shape."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tallybook.ingest.importers.claude_rows import figures_of, usual
from tallybook.providers.anthropic_messages import usage_of

number = st.integers(0, 10**6) | st.none()
shapes = st.fixed_dictionaries(
    {"input_tokens": st.integers(0, 10**6), "output_tokens": st.integers(0, 10**6)},
    optional={
        "cache_creation_input_tokens": number,
        "cache_read_input_tokens": number,
        "cache_creation": st.fixed_dictionaries(
            {"ephemeral_5m_input_tokens": number, "ephemeral_1h_input_tokens": number}
        ),
        "server_tool_use": st.dictionaries(st.sampled_from(("web_search_requests", "other")), st.integers(0, 3)),
        "iterations": st.lists(
            st.fixed_dictionaries({"type": st.just("compaction"), "input_tokens": st.integers(0, 9)}), max_size=1
        ),
        "inference_geo": st.sampled_from((None, "", "not_available", "global", "us")),
        "speed": st.sampled_from((None, "standard", "fast")),
        "output_tokens_details": st.none() | st.fixed_dictionaries({"thinking_tokens": st.integers(0, 9)}),
    },
)  # fmt: skip


@given(shapes)
def test_the_short_way_agrees_with_the_providers_reader(shape: dict[str, object]) -> None:
    figures = figures_of(msgspec.Raw(json.dumps(shape).encode()))
    found = None if figures is None else usual(figures)
    if found is not None:
        expected, flags, further = usage_of(shape)
        assert (found, flags, further) == (expected, (), ())
