"""The JSON of reports: keys that stay, units in names, unknown as null."""

from __future__ import annotations

from tallybook.model.call import Call, Cost
from tallybook.query.costs import costs
from tallybook.query.plain import call, plain, report
from tallybook.query.span import last_days
from tallybook.query.totals import Scope

from .company import NOW_US, company

TOTAL_KEYS = [
    "calls", "errors", "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "cost_usd", "cost_nanousd", "cost", "priced_calls", "unpriced_calls", "estimated_calls",
]  # fmt: skip


def test_a_report_has_these_keys() -> None:
    found = report("costs", costs(company(), Scope(span=last_days(30, NOW_US, "UTC"))))
    assert list(found) == [
        "report", "span", "compared_with", "filters", "currency", "coverage", "warnings", "total", "sections", "days",
    ]  # fmt: skip
    assert list(found["total"]) == TOTAL_KEYS
    assert found["span"] == {
        "label": "Last 30 days", "since": "2026-10-24T00:00:00.000Z", "until": "2026-11-23T00:00:00.000Z",
        "timezone": "UTC",
    }  # fmt: skip
    assert found["coverage"] == {
        "calls": 293, "priced_calls": 289, "unpriced_calls": 4, "estimated_calls": 0, "unpriced_failed_calls": 1,
        "partial_calls": 0,
        "unpriced_models": [{"model": "mystery-1", "calls": 2}, {"model": "mystery-2", "calls": 1}],
    }  # fmt: skip
    first = found["sections"]["model"][0]
    assert list(first) == ["model", *TOTAL_KEYS, "share_of_calls", "share_of_cost"]
    assert (first["model"], first["cost_usd"], first["cost_nanousd"]) == ("gpt-4o", 6.33, 6_330_000_000)
    assert found["sections"]["model"][-1]["cost_usd"] is None


def test_units_are_in_the_names_of_keys() -> None:
    assert plain({"last_at_us": 0, "duration_avg_us": 1_500, "cost_nanousd": None, "cost_nano": 5}) == {
        "last_at": "1970-01-01T00:00:00.000Z",
        "duration_avg_ms": 1.5,
        "cost_usd": None,
        "cost_nanousd": None,
        "cost": 5e-9,
    }


def test_a_call_has_the_journals_keys_and_its_cost_by_part() -> None:
    found = call(
        Call(
            call_id="x", started_at_us=0, project="p", metadata={"customer": "acme"},
            cost=Cost(status="partial", total_nanousd=5, input_nanousd=5, reasons=("no_price_for:web_search",),
                      price="list"),
        )
    )  # fmt: skip
    assert found["cost"] == {
        "status": "partial",
        "price": "list",
        "reasons": ["no_price_for:web_search"],
        "input_nanousd": 5,
    }
    assert (found["cost_usd"], found["cost_nanousd"], found["metadata"]["customer"]) == (5e-9, 5, "acme")
    assert call(Call(call_id="x", started_at_us=0))["cost_usd"] is None
