"""OpenRouter's activity: single generations, days and models, and own keys beside credits."""

from __future__ import annotations

import json

from tallybook.query.bills.read import read_bytes

GENERATIONS = """generation_id,created_at,cost_total,cost_web_search,cost_cache,byok_usage_inference,tokens_prompt,\
tokens_completion,tokens_reasoning,tokens_cached,model_permaslug,provider_name,app_name,api_key_name
gen-1,2026-11-02 18:54:30.040,0.0125,0,0,,1000,20,5,400,anthropic/claude-4.7-opus-20260416,Anthropic,shop,main
"""
ACTIVITY = """Date,Slug,Usage,BYOK Usage,Requests,Prompt Tokens,Completion Tokens,Reasoning Tokens
"2026-11-02 00:00:00","anthropic/claude-opus-4.7","430.07","2","120","5000","600","0"
"""


def test_single_generations_are_calls() -> None:
    bill = read_bytes(GENERATIONS.encode(), "x.csv")
    line = bill.lines[0]
    assert (bill.provider, bill.form) == ("openrouter", "OpenRouter generations, CSV")
    assert (line.requests, line.input_tokens, line.output_tokens, line.cache_read_tokens) == (1, 1_000, 20, 400)
    assert (line.cost_nanousd, line.key, line.project) == (12_500_000, "main", "shop")
    assert line.end_us - line.start_us == 1


def test_days_add_what_the_own_key_was_charged() -> None:
    line = read_bytes(ACTIVITY.encode(), "x.csv").lines[0]
    assert (line.model, line.requests, line.cost_nanousd) == ("anthropic/claude-opus-4.7", 120, 432_070_000_000)
    assert line.end_us - line.start_us == 86_400_000_000


def test_the_endpoints_answer_is_read() -> None:
    item = {
        "date": "2026-11-02", "model": "openai/gpt-4.1", "model_permaslug": "openai/gpt-4.1-2025-04-14",
        "endpoint_id": "x", "provider_name": "OpenAI", "usage": 0.015, "byok_usage_inference": 0, "requests": 5,
        "prompt_tokens": 50, "completion_tokens": 125, "reasoning_tokens": 25,
    }  # fmt: skip
    bill = read_bytes(json.dumps({"data": [item]}).encode(), "x.json")
    line = bill.lines[0]
    assert (bill.form, line.model, line.cost_nanousd) == ("OpenRouter activity, JSON", "openai/gpt-4.1", 15_000_000)
    assert (line.requests, line.input_tokens, line.output_tokens) == (5, 50, 125)
