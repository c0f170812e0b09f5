"""Anthropic's exports: input in parts, cents in the report, dollars in the table."""

from __future__ import annotations

import json

from tallybook.query.bills.read import read_bytes

USAGE = """usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,\
usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,\
web_search_count,inference_geo,speed
2026-11-02,claude-opus-5,App,Default,standard,≤ 200k,100,20,3,4000,50,2,global,
2026-11-02,claude-haiku-4-5-20251001,"App, two",Default,batch,≤ 200k,7,0,0,0,1,0,global,
"""
COST = """usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,\
cost_type,inference_geo,speed
2026-11-02,Claude Haiku 4.5,Default,App,message,≤ 200k,input_no_cache,0.19,0.19,token,global,
2026-11-02,,Default,App,message,,,0.50,0.50,web_search,global,
"""


def test_the_usage_table_adds_the_parts_of_the_input_up() -> None:
    bill = read_bytes(USAGE.encode(), "x.csv")
    first, second = bill.lines
    assert (bill.provider, bill.form) == ("anthropic", "Anthropic usage, CSV")
    assert (first.input_tokens, first.cache_read_tokens, first.cache_write_tokens) == (4_123, 4_000, 23)
    assert (first.output_tokens, first.key, first.project, first.is_batch) == (50, "App", "Default", False)
    assert (second.key, second.is_batch, second.input_tokens) == ("App, two", True, 7)


def test_the_cost_table_is_in_dollars_and_names_fees() -> None:
    bill = read_bytes(COST.encode(), "x.csv")
    assert bill.form == "Anthropic cost, CSV"
    assert [(line.model, line.item, line.cost_nanousd) for line in bill.lines] == [
        ("Claude Haiku 4.5", None, 190_000_000),
        (None, "web search", 500_000_000),
    ]


def answer(result: dict[str, object]) -> bytes:
    bucket = {"starting_at": "2026-11-02T00:00:00Z", "ending_at": "2026-11-03T00:00:00Z", "results": [result]}
    return json.dumps({"data": [bucket], "has_more": False, "next_page": None}).encode()


def test_the_usage_report_adds_both_cache_writes() -> None:
    result = {
        "uncached_input_tokens": 1500, "cache_creation": {"ephemeral_1h_input_tokens": 1000,
        "ephemeral_5m_input_tokens": 500}, "cache_read_input_tokens": 200, "output_tokens": 500,
        "server_tool_use": {"web_search_requests": 10}, "api_key_id": "apikey_1", "workspace_id": None,
        "model": "claude-opus-5", "service_tier": "batch", "context_window": "0-200k",
    }  # fmt: skip
    line = read_bytes(answer(result), "x.json").lines[0]
    assert (line.input_tokens, line.cache_read_tokens, line.cache_write_tokens) == (3_200, 200, 1_500)
    assert (line.output_tokens, line.key, line.project, line.is_batch) == (500, "apikey_1", None, True)
    assert line.end_us - line.start_us == 86_400_000_000


def test_the_cost_report_is_in_cents() -> None:
    result = {"currency": "USD", "amount": "123.78912", "model": "claude-opus-5", "cost_type": "tokens"}
    bill = read_bytes(answer(result), "x.json")
    assert (bill.form, bill.lines[0].cost_nanousd) == ("Anthropic cost report, JSON", 1_237_891_200)
    assert bill.lines[0].item is None
    fee = read_bytes(answer({"amount": "100", "cost_type": "code_execution"}), "x.json").lines[0]
    assert (fee.item, fee.cost_nanousd) == ("code execution", 1_000_000_000)
