"""Described calls: what a case states, what its raw response tells, and how a line that cannot be read is answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tallybook.prices.book import PriceBook
from tallybook.query.price_case import answers, case_of, priced

NOW_US = 1_795_300_000_000_000
BOOK = PriceBook()


def answer(**case: Any) -> dict[str, Any]:
    case = {"provider": "openai", "model": "gpt-5", "timestamp": "2026-11-20T12:00:00Z"} | case
    return answers([json.dumps(case).encode()], BOOK, NOW_US)[0]


def test_a_case_is_priced_by_what_it_states() -> None:
    got = answer(id=7, usage={"input": 20_000, "cache_read": 10_000, "output": 2_000}, context={"service_tier": "flex"})
    assert got == {"id": 7, "cost_usd": 0.016875, "cost_status": "priced", "reasons": []}


def test_a_raw_response_is_enough() -> None:
    raw = {
        "type": "message", "role": "assistant", "model": "claude-opus-5-5",
        "usage": {"input_tokens": 2_000, "cache_read_input_tokens": 10_000, "cache_creation_input_tokens": 0,
                  "output_tokens": 1_000, "inference_geo": "us"},
    }  # fmt: skip
    got = answer(provider="anthropic", model="claude-opus-5-5", raw_response=raw)
    assert (got["cost_usd"], got["cost_status"]) == (0.033, "priced")


def test_the_model_that_answered_is_priced() -> None:
    raw = {
        "object": "chat.completion",
        "model": "gpt-4o-2024-08-06",
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 0},
    }
    assert answer(model="some-alias", raw_response=raw)["cost_usd"] == 0.0025


def test_bedrock_is_priced_by_the_profile_that_was_asked() -> None:
    raw = {"type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
           "usage": {"input_tokens": 10_000, "output_tokens": 1_000}}  # fmt: skip
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    got = answer(provider="aws", model=model, raw_response=raw, context={"aws_region": "us-east-1"})
    assert (got["cost_usd"], got["cost_status"]) == (0.0495, "priced")


def test_a_reported_cost_is_kept_but_a_zero_for_tokens_is_not_believed() -> None:
    usage = {"prompt_tokens": 10_000, "completion_tokens": 1_000, "total_tokens": 11_000, "cost": 0.0288}
    raw = {"object": "chat.completion", "model": "anthropic/claude-sonnet-4.5", "usage": usage}
    case = {"provider": "openrouter", "model": "anthropic/claude-sonnet-4.5"}
    assert answer(**case, raw_response=raw)["cost_status"] == "reported"
    usage["cost"] = 0
    got = answer(**case, raw_response=raw)
    assert got["cost_usd"] == 0.045
    assert "zero_cost_reported" in got["reasons"]


def test_the_tier_of_the_response_wins_over_the_one_that_was_asked() -> None:
    raw = {"object": "response", "model": "gpt-5-2025-08-07", "service_tier": "default",
           "usage": {"input_tokens": 1_000, "output_tokens": 0}}  # fmt: skip
    assert answer(raw_response=raw, context={"service_tier": "flex"})["cost_usd"] == 0.00125
    assert answer(raw_response=raw, context={"batch": True})["cost_usd"] == 0.000625


def test_what_is_not_understood_leaves_a_mark() -> None:
    usage = {"input": 1_000, "output": 0}
    assert answer(usage={**usage, "gpu_hours": 3})["reasons"] == ["unknown:gpu_hours"]
    assert answer(usage={**usage, "gpu_hours": 3})["cost_status"] == "partial"
    got = answer(usage=usage, context={"colour": "blue"})
    assert (got["cost_status"], got["reasons"]) == ("estimated", ["context_unmatched:context=colour=blue"])
    assert answer(usage=usage, context={"service_tier": "warp"})["reasons"] == ["tier:warp_price_unknown"]
    assert answer(usage=usage, timestamp=None)["reasons"] == ["timestamp_missing"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense", "line_unreadable"), ("[1]", "line_unreadable"), ("\xff", "line_unreadable"),
        ('{"model": 7}', "unreadable:model"), ('{"model": "m", "usage": {"input": -1}}', "unreadable:usage.input"),
        ('{"model": "m", "usage": {"input": "three"}}', "unreadable:usage.input"),
        ('{"model": "m", "usage": {"input": "nan"}}', "unreadable:usage.input"),
        ('{"model": "m", "usage": {"input": true}}', "unreadable:usage.input"),
        ('{"model": "m", "usage": {"input": 1e300}}', "unreadable:usage.input"),
        ('{"model": "m", "usage": []}', "unreadable:usage"),
        ('{"model": "m", "timestamp": "May"}', "unreadable:timestamp"),
        ('{"model": "m", "context": 3}', "unreadable:context"), ("{}", "usage_missing"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_answered_and_stops_nothing(line: str, reason: str) -> None:
    good = json.dumps({"id": 1, "provider": "openai", "model": "gpt-5", "usage": {"input": 1_000, "output": 0}})
    bad, fine = answers([line.encode("latin-1"), good.encode()], BOOK, NOW_US)
    assert (bad["cost_usd"], bad["cost_status"], bad["reasons"]) == (None, "unpriced", [reason])
    assert fine["cost_usd"] == 0.00125


@pytest.mark.parametrize(
    "raw", [3, "text", [], [{}], {"usage": 3}, {"usage": {"type": []}}, {"meta": {"billed_units": 0}}]
)
def test_a_raw_response_of_any_shape_raises_nothing(raw: Any) -> None:
    assert answer(usage={"input": 1_000, "output": 0}, raw_response=raw)["cost_usd"] == 0.00125


def test_every_hand_checked_case_is_right(corpus: Path) -> None:
    place = corpus.parent / "research" / "price-cases.jsonl"
    if not place.exists():
        pytest.skip(f"no hand-checked cases at {place}")
    cases = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
    costs = priced([case_of(case, NOW_US) for case in cases], BOOK)
    wrong = [
        (case["id"], case["true_cost_usd"], cost)
        for case, cost in zip(cases, costs, strict=True)
        if (case["true_cost_usd"] is None) != (cost.total_nanousd is None)
        or (cost.total_nanousd is not None and abs(cost.total_nanousd / 1e9 - case["true_cost_usd"]) > 1e-9)
    ]
    assert wrong == []


def test_numbers_written_as_text_and_moments_in_milliseconds_are_read() -> None:
    plain = answer(usage={"input": 1_000, "output": 100})
    assert plain["cost_status"] == "priced"
    assert answer(usage={"input": "1000", "output": "100"}) == plain
    assert answer(usage={"input": "1000", "output": 100}, timestamp=1_795_176_000_000) == plain
    assert answer(usage={"input": "1000", "output": 100}, timestamp="1795176000") == plain


def test_annotated_pages_are_billed_instead_of_plain_ones_not_besides() -> None:
    case = {"provider": "mistral", "model": "mistral-ocr-2505", "timestamp": "2025-08-01T00:00:00Z"}
    raw = {"pages": [], "model": "mistral-ocr-2505", "usage_info": {"pages_processed": 10}}
    got = answer(**case, usage={"annotated_pages": 10}, raw_response=raw)
    assert (got["cost_usd"], got["cost_status"]) == (0.03, "priced")
    both = answer(**case, usage={"pages": 10, "annotated_pages": 4})
    assert (both["cost_usd"], both["cost_status"]) == (0.018, "estimated")


def test_more_reasoning_than_output_is_no_sure_price() -> None:
    got = answer(usage={"input": 1_000, "output": 100, "reasoning": 500})
    assert (got["cost_status"], got["reasons"]) == ("estimated", ["parts_exceed_output"])


def test_a_short_recording_at_groq_is_billed_as_ten_seconds() -> None:
    got = answer(provider="groq", model="whisper-large-v3-turbo", usage={"audio_seconds": 2})
    assert (got["cost_usd"], got["cost_status"]) == (0.000111111, "priced")
