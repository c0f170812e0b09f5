"""OpenAI's exports: the columns of the dashboard's CSV, the buckets of the endpoints."""

from __future__ import annotations

import json

import pytest

from tallybook.model.errors import InputError
from tallybook.query.bills.read import read_bytes

USAGE = """start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,\
batch,service_tier,input_tokens,output_tokens,input_cached_tokens
1793491200,1793577600,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00,proj_a,3.0,,key_a,gpt-5.4-2026-03-05,False,\
default,1000,50,400
1793577600,1793664000,2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00,proj_a,1.0,,key_b,gpt-5.4-2026-03-05,True,\
default,10,5,
1793664000,1793750400,2026-11-03T00:00:00+00:00,2026-11-04T00:00:00+00:00,,,,,,,,,,
"""


def page(*results: dict[str, object]) -> bytes:
    bucket = {"object": "bucket", "start_time": 1793491200, "end_time": 1793577600, "results": list(results)}
    return json.dumps({"object": "page", "data": [bucket], "has_more": False, "next_page": None}).encode()


def test_the_usage_csv_tells_models_keys_and_cached_tokens() -> None:
    bill = read_bytes(USAGE.encode(), "completions_usage.csv")
    assert (bill.provider, bill.form, bill.zone) == ("openai", "OpenAI usage, CSV", "UTC")
    first, second, empty = bill.lines
    assert (first.start_us, first.end_us) == (1793491200_000_000, 1793577600_000_000)
    assert (first.model, first.key, first.project, first.requests) == ("gpt-5.4-2026-03-05", "key_a", "proj_a", 3)
    assert (first.input_tokens, first.output_tokens, first.cache_read_tokens) == (1000, 50, 400)
    assert (first.is_batch, second.is_batch, second.cache_read_tokens) == (False, True, None)
    assert (empty.model, empty.input_tokens) == (None, None)


def test_an_export_of_days_without_usage_is_told_by_its_four_columns() -> None:
    text = "start_time,end_time,start_time_iso,end_time_iso\n1793491200,1793577600,2026-11-01T00:00:00+00:00,\n"
    bill = read_bytes(text.encode(), "x.csv")
    assert bill.provider == "openai" and not bill.has_tokens and not bill.has_cost


def test_the_cost_csv_tells_money_by_line_item() -> None:
    text = (
        "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id\n"
        '1793491200,1793577600,,,0.25,usd,"gpt-5.4-2026-03-05, input",proj_a\n'
        "1793491200,1793577600,,,0.03,usd,Web search tool calls,proj_a\n"
    )
    bill = read_bytes(text.encode(), "cost.csv")
    assert bill.form == "OpenAI costs, CSV"
    assert [(line.model, line.item, line.cost_nanousd) for line in bill.lines] == [
        ("gpt-5.4-2026-03-05", None, 250_000_000),
        (None, "Web search tool calls", 30_000_000),
    ]


def test_the_endpoints_answers_are_read() -> None:
    usage = {
        "object": "organization.usage.completions.result", "input_tokens": 1000, "output_tokens": 50,
        "input_cached_tokens": 800, "num_model_requests": 5, "project_id": None, "api_key_id": "key_a",
        "model": "gpt-5.4", "batch": False,
    }  # fmt: skip
    line = read_bytes(page(usage), "x.json").lines[0]
    assert (line.model, line.key, line.project, line.requests) == ("gpt-5.4", "key_a", None, 5)
    cost = {
        "object": "organization.costs.result", "amount": {"value": 0.06, "currency": "usd"}, "line_item": None,
        "project_id": None,
    }  # fmt: skip
    bill = read_bytes(page(cost), "x.json")
    assert (bill.form, bill.lines[0].cost_nanousd) == ("OpenAI costs, JSON", 60_000_000)
    tool = {"object": "organization.usage.code_interpreter_sessions.result", "num_sessions": 3}
    assert read_bytes(page(tool), "x.json").lines[0].item == "code interpreter"


def test_another_currency_is_refused_where_it_stands() -> None:
    with pytest.raises(InputError, match=r"data\[0\]\.results\[0\], column amount_currency: 'eur'"):
        read_bytes(page({"amount": {"value": 1, "currency": "eur"}}), "x.json")
