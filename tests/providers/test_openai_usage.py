from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.model.usage import Usage, faults
from tallybook.providers.openai_usage import Counted, counted, stated_cost


def usage(prompt: int, completion: int, total: int | None = None, **more: Any) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion if total is None else total,
        **more,
    }


@pytest.mark.parametrize(
    "more",
    [
        {"prompt_tokens_details": {"cached_tokens": 64}},
        {"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36},
        {"cached_tokens": 64},
        {"num_cached_tokens": 64},
        {"prompt_token_details": {"cached_tokens": 64}},
    ],
    ids=["OpenAI", "DeepSeek", "Moonshot, Together", "Mistral", "Writer"],
)
def test_cached_tokens_are_found_where_each_host_puts_them(more: dict[str, Any]) -> None:
    assert counted(usage(100, 10, **more)).usage == Usage(input_tokens=100, output_tokens=10, cache_read_tokens=64)


def test_two_spellings_of_the_same_cached_tokens_are_not_added() -> None:
    raw = usage(100, 10, prompt_cache_hit_tokens=64, prompt_tokens_details={"cached_tokens": 64})
    assert counted(raw).usage.cache_read_tokens == 64


def test_cache_writes_are_read() -> None:
    raw = usage(100, 10, prompt_tokens_details={"cached_tokens": 0, "cache_write_tokens": 80})
    assert counted(raw).usage.cache_write_5m_tokens == 80


def test_reasoning_beside_the_output_is_billed_as_output() -> None:
    """xAI's chat: 9 visible, 91 reasoning, total 132 = 32 + 9 + 91."""
    got = counted(usage(32, 9, 132, completion_tokens_details={"reasoning_tokens": 91}))
    assert got == Counted(Usage(input_tokens=32, output_tokens=100, reasoning_tokens=91))


def test_reasoning_inside_the_output_is_left_there() -> None:
    got = counted(usage(32, 100, 132, completion_tokens_details={"reasoning_tokens": 91}))
    assert got == Counted(Usage(input_tokens=32, output_tokens=100, reasoning_tokens=91))


def test_thoughts_that_show_only_in_the_total_are_output_and_flagged() -> None:
    """Gemini's OpenAI endpoint: 35 + 12 beside a total of 109."""
    got = counted(usage(35, 12, 109))
    assert got == Counted(Usage(input_tokens=35, output_tokens=74, reasoning_tokens=62), ("reasoning_from_total",))


def test_audio_outside_the_prompt_is_input() -> None:
    """Mistral: 9 + 375 audio + 201 = 585."""
    raw = usage(9, 201, 585, prompt_tokens_details={"audio_tokens": 375}, prompt_audio_seconds=30)
    assert counted(raw).usage == Usage(
        input_tokens=384, output_tokens=201, input_audio_tokens=375, quantities={"audio_ms": 30_000}
    )


def test_gemini_behind_vercels_gateway_leaves_reasoning_out_of_output_and_total() -> None:
    raw = usage(223, 25, 248, completion_tokens_details={"reasoning_tokens": 266}, market_cost=0.001, cost=0.001)
    assert counted(raw).usage.output_tokens == 291
    small = usage(223, 25, 248, completion_tokens_details={"reasoning_tokens": 20}, market_cost=0.001, cost=0.001)
    assert counted(small, "google/gemini-2.5-pro").usage.output_tokens == 45
    assert counted(small, "openai/gpt-5").usage.output_tokens == 25


def test_parts_beyond_their_total_are_cut_and_flagged() -> None:
    """Grok on Azure: 161 cached of 7 prompt tokens. OpenRouter's Gemini route: the same tokens read and written."""
    got = counted(usage(7, 5, prompt_tokens_details={"cached_tokens": 161}))
    assert (got.usage.cache_read_tokens, got.flags) == (7, ("parts_exceed_input",))
    got = counted(usage(2200, 5, prompt_tokens_details={"cached_tokens": 2161, "cache_write_tokens": 2161}))
    assert (got.usage.cache_read_tokens, got.usage.cache_write_5m_tokens) == (2161, 39)
    assert got.flags == ("parts_exceed_input",)


@pytest.mark.parametrize(
    ("more", "nanousd"),
    [
        ({}, None),
        ({"cost": 0.00045}, 450_000),
        ({"cost": 0}, 0),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0012}}, 1_200_000),
        ({"cost": 0.00006, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0012}}, 1_260_000),
        ({"cost": 0.0076, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.0006}}, 7_600_000),
        ({"cost": 0, "is_byok": True, "market_cost": 0.002}, 2_000_000),
        ({"cost": 0, "is_byok": True}, None),
        ({"cost_in_usd_ticks": 5_456_000}, 545_600),
        ({"cost_in_usd_ticks": "160708500"}, 16_070_850),
        ({"cost_in_usd_ticks": 0}, None),
        ({"cost": {"input_tokens_cost": 0.0, "request_cost": 0.005, "total_cost": 0.005018}}, 5_018_000),
        ({"cost": {"currency": "USD"}}, None),
        ({"cost": "0.5"}, 500_000_000),
        ({"cost": "much"}, None),
        ({"cost": True}, None),
    ],
)
def test_a_stated_cost_is_exact(more: dict[str, Any], nanousd: int | None) -> None:
    assert counted(usage(100, 10, **more)).cost_nanousd == nanousd


def test_server_tools_are_counted_by_kind() -> None:
    assert counted(usage(1, 1, server_tool_use_details={"web_search_requests": 2})).usage.requests == {"web_search": 2}
    details = {"web_search_calls": 2, "x_search_calls": 0, "code_interpreter_calls": 1}
    raw = usage(1, 1, server_side_tool_usage_details=details)
    assert counted(raw).usage.requests == {"web_search": 2, "code_execution": 1}
    assert counted(usage(1, 1, num_search_queries=3)).usage.requests == {"web_search": 3}


@pytest.mark.parametrize("raw", [{}, {"prompt_tokens": None}, {"prompt_tokens": "many", "total_tokens": []}])
def test_nothing_told_stays_unknown(raw: dict[str, Any]) -> None:
    assert counted(raw) == Counted(Usage())


count = st.integers(0, 10**9)


@given(count, count, st.data())
def test_consistent_numbers_come_through_unchanged(prompt: int, completion: int, data: st.DataObject) -> None:
    cached = data.draw(st.integers(0, prompt))
    written = data.draw(st.integers(0, prompt - cached))
    reasoning = data.draw(st.integers(0, completion))
    got = counted(
        usage(
            prompt, completion,
            prompt_tokens_details={"cached_tokens": cached, "cache_write_tokens": written},
            completion_tokens_details={"reasoning_tokens": reasoning},
        )
    )  # fmt: skip
    assert got == Counted(
        Usage(
            input_tokens=prompt, output_tokens=completion, cache_read_tokens=cached, cache_write_5m_tokens=written,
            reasoning_tokens=reasoning,
        )
    )  # fmt: skip


anything = st.sampled_from([None, 0, 1, -5, 17, 10**6, 0.5, float("nan"), float("inf"), "", "7", "x", True, []])


names = st.sampled_from(
    [
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "reasoning_tokens",
        "cost",
        "market_cost",
        "is_byok",
        "cost_in_usd_ticks",
        "prompt_audio_seconds",
        "num_search_queries",
    ]
)
parts = st.sampled_from(["cached_tokens", "audio_tokens", "image_tokens", "reasoning_tokens"])


@given(st.dictionaries(names, anything), st.dictionaries(parts, anything))
def test_whatever_is_sent_no_part_exceeds_its_total_and_nothing_raises(
    raw: dict[str, Any], details: dict[str, Any]
) -> None:
    got = counted({**raw, "prompt_tokens_details": details, "completion_tokens_details": details})
    assert faults(got.usage) == ()


@pytest.mark.parametrize("cost", ["9" * 5000, -1, 1e30, {"total_cost": 1e12}, "x"])
def test_a_cost_beyond_all_sense_is_none(cost: Any) -> None:
    assert stated_cost({"cost": cost}) is None
