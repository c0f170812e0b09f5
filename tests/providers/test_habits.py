from __future__ import annotations

from typing import Any

import pytest

from tallybook.model.usage import Usage
from tallybook.providers.habits import HABITS, least_billed, of_host, rule, shown, timed, told
from tallybook.providers.openai_usage import counted
from tallybook.providers.table import ROWS, loaded

CASES: list[tuple[str, dict[str, Any], str | None, Usage, int | None]] = [
    ("reasoning_beside_output",
     {"prompt_tokens": 204, "completion_tokens": 1, "total_tokens": 285,
      "completion_tokens_details": {"reasoning_tokens": 80}},
     None, Usage(input_tokens=204, output_tokens=81, reasoning_tokens=80), None),
    ("reasoning_from_total", {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
     None, Usage(input_tokens=35, output_tokens=74, reasoning_tokens=62), None),
    ("reasoning_left_out",
     {"prompt_tokens": 223, "completion_tokens": 25, "total_tokens": 248, "cost": 0.001, "market_cost": 0.001,
      "completion_tokens_details": {"reasoning_tokens": 266}},
     "google/gemini-2.5-pro", Usage(input_tokens=223, output_tokens=291, reasoning_tokens=266), 1_000_000),
    ("audio_beside_input",
     {"prompt_tokens": 9, "completion_tokens": 201, "total_tokens": 585,
      "prompt_tokens_details": {"audio_tokens": 375}},
     None, Usage(input_tokens=384, output_tokens=201, input_audio_tokens=375), None),
    ("audio_beside_input",
     {"prompt_tokens": 4, "completion_tokens": 1072, "total_tokens": 5201, "prompt_audio_seconds": 316},
     None,
     Usage(input_tokens=4129, output_tokens=1072, input_audio_tokens=4125, quantities={"audio_ms": 316000}), None),
    ("cache_beyond_input",
     {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9, "prompt_tokens_details": {"cached_tokens": 161}},
     "grok-3", Usage(input_tokens=7, output_tokens=2, cache_read_tokens=7), None),
    ("cache_hit_and_miss",
     {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22, "prompt_cache_hit_tokens": 12,
      "prompt_cache_miss_tokens": 8},
     None, Usage(input_tokens=20, output_tokens=2, cache_read_tokens=12), None),
    ("flat_cached_tokens", {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22, "cached_tokens": 12},
     None, Usage(input_tokens=20, output_tokens=2, cache_read_tokens=12), None),
    ("num_cached_tokens", {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22, "num_cached_tokens": 12},
     None, Usage(input_tokens=20, output_tokens=2, cache_read_tokens=12), None),
    ("singular_details",
     {"prompt_tokens": 40, "completion_tokens": 300, "total_tokens": 340,
      "prompt_token_details": {"cached_tokens": 4}, "completion_token_details": {"reasoning_tokens": 3}},
     None, Usage(input_tokens=40, output_tokens=300, cache_read_tokens=4, reasoning_tokens=3), None),
    ("cost_in_ticks", {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10, "cost_in_usd_ticks": 5456000},
     None, Usage(input_tokens=8, output_tokens=2), 545_600),
    ("own_key",
     {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10, "cost": 0, "is_byok": True,
      "cost_details": {"upstream_inference_cost": 0.0006}},
     None, Usage(input_tokens=8, output_tokens=2), 600_000),
    ("cost_of_parts",
     {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10, "cost": {"request_cost": 0.005,
                                                                               "total_cost": 0.00513}},
     None, Usage(input_tokens=8, output_tokens=2), 5_130_000),
    ("cost_stated", {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10, "cost": 0.0076},
     None, Usage(input_tokens=8, output_tokens=2), 7_600_000),
    ("cost_estimated_by_gateway",
     {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10, "pydantic_ai_gateway": {"cost_estimate": 1.0}},
     None, Usage(input_tokens=8, output_tokens=2), None),
    ("queue_times",
     {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10, "queue_time": 0.1, "total_time": 0.2},
     None, Usage(input_tokens=8, output_tokens=2), None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "raw", "model", "usage", "cost"), CASES, ids=[case[0] for case in CASES])
def test_every_habit_is_counted_and_told(
    name: str, raw: dict[str, Any], model: str | None, usage: Usage, cost: int | None
) -> None:
    got = counted(raw, model)
    assert (got.usage, got.cost_nanousd) == (usage, cost)
    assert name in [habit.name for habit in shown(raw)]


def test_every_habit_of_the_table_has_a_case_here() -> None:
    assert {habit.name for habit in HABITS} == {case[0] for case in CASES} | {"timings"}


def test_openais_own_usage_shows_no_habit() -> None:
    raw = {"prompt_tokens": 8, "completion_tokens": 20, "total_tokens": 28,
           "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
           "completion_tokens_details": {"reasoning_tokens": 10}}  # fmt: skip
    assert shown(raw) == ()
    assert shown(None) == ()


def test_llama_cpps_timings_tell_the_cached_part_and_stand_in_for_usage() -> None:
    timings = {"cache_n": 134, "prompt_n": 5, "predicted_n": 51}
    assert timed(Usage(input_tokens=139, output_tokens=51), timings)[0] == Usage(
        input_tokens=139, output_tokens=51, cache_read_tokens=134
    )
    assert timed(None, timings)[0] == Usage(input_tokens=139, output_tokens=51, cache_read_tokens=134)
    known = Usage(input_tokens=139, cache_read_tokens=3)
    assert timed(known, timings)[0] == known
    assert timed(None, {"cache_n": 3})[0] is None


def test_every_format_has_a_rule() -> None:
    for row in ROWS:
        assert rule(loaded(row.format).name), row


def test_the_rule_and_the_habits_are_told_together() -> None:
    text = told("openai.chat", {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cached_tokens": 1})
    assert text == (
        "input includes cached tokens, output includes reasoning; total = input + output; "
        "the cached part of the prompt stands beside it, not in details"
    )
    assert told("ollama.chat", {"cached_tokens": 1}).startswith("what was evaluated")


def test_a_hosts_habits_are_found_by_its_name() -> None:
    assert [habit.name for habit in of_host("x-ai")] == ["reasoning_beside_output", "cost_in_ticks"]


def test_groq_bills_no_recording_as_shorter_than_ten_seconds() -> None:
    short, long = Usage(quantities={"audio_ms": 2_000}), Usage(quantities={"audio_ms": 12_000})
    assert least_billed("groq", short).quantities == {"audio_ms": 10_000}
    assert least_billed("groq", long) is long
    assert least_billed("openai", short) is short
    assert least_billed("groq", Usage(input_tokens=1)) == Usage(input_tokens=1)
