"""Google's export: models out of SKUs, other services left out, currencies by the line's own rate."""

from __future__ import annotations

import json

import pytest

from tallybook.model.errors import InputError
from tallybook.query.bills.read import read_bytes


def line(sku: str, cost: float, amount: float = 1_000, service: str = "Vertex AI", **more: object) -> dict[str, object]:
    return {
        "service": {"id": "C7E2", "description": service}, "sku": {"id": "1", "description": sku},
        "usage_start_time": "2026-11-02T05:00:00Z", "usage_end_time": "2026-11-02T06:00:00Z",
        "project": {"id": "shop"}, "cost": cost, "cost_type": "regular", "currency": "USD",
        "usage": {"amount": amount, "unit": "count"}, "credits": [], **more,
    }  # fmt: skip


def read(*lines: dict[str, object]) -> list[tuple[object, ...]]:
    bill = read_bytes(json.dumps(list(lines)).encode(), "x.json")
    return [
        (one.model, one.item, one.input_tokens, one.output_tokens, one.cost_nanousd, one.project) for one in bill.lines
    ]


def test_the_model_and_the_side_are_read_out_of_the_sku() -> None:
    assert read(
        line("Generate content input token count gemini 2.5 flash short input text", 0.3),
        line("Generate content output token count gemini 2.5 flash lite", 0.4),
        line("Gemini 3.1 Pro Text Output - Predictions token", 0.5),
        line("Claude Opus 4.5 Input Tokens", 0.6),
        line("Web Grounding for Gemini", 0.7),
    ) == [
        ("gemini-2.5-flash", None, 1_000, None, 300_000_000, "shop"),
        ("gemini-2.5-flash-lite", None, None, 1_000, 400_000_000, "shop"),
        ("gemini-3.1-pro", None, None, 1_000, 500_000_000, "shop"),
        ("claude-opus-4.5", None, 1_000, None, 600_000_000, "shop"),
        (None, "Web Grounding for Gemini", None, None, 700_000_000, "shop"),
    ]


def test_other_services_are_left_out_and_counted() -> None:
    data = [line("Gemini 2.5 Pro input tokens", 1), line("N1 Core", 2, service="Compute Engine")]
    bill = read_bytes("\n".join(map(json.dumps, data)).encode(), "x.json")
    assert len(bill.lines) == 1
    assert bill.remarks == ("1 lines are of other services and were left out",)


def test_another_currency_is_converted_at_the_lines_rate() -> None:
    found = read(line("Gemini 2.5 Pro input tokens", 0.9, currency="EUR", currency_conversion_rate=0.9))
    assert found[0][4] == 1_000_000_000
    with pytest.raises(InputError, match="EUR without a conversion rate"):
        read(line("Gemini 2.5 Pro input tokens", 0.9, currency="EUR"))


def test_the_tables_of_bigquery_and_of_the_console_are_read() -> None:
    flat = (
        "service.description,sku.description,usage_start_time,usage_end_time,project.id,cost,currency,usage.amount,"
        "usage.unit\n"
        "Vertex AI,Gemini 2.5 Pro input tokens,2026-11-02 05:00:00 UTC,2026-11-02 06:00:00 UTC,shop,0.25,USD,2000,"
        "count\n"
    )
    bill = read_bytes(flat.encode(), "x.csv")
    assert (bill.zone, bill.lines[0].input_tokens, bill.lines[0].cost_nanousd) == ("UTC", 2_000, 250_000_000)
    console = (
        "Billing account: 0123,,,,,\n\n"
        "Project ID,Service description,SKU description,Usage start date,Usage end date,Usage amount,Usage unit,"
        "Cost ($)\n"
        "shop,Gemini API,Generate content output token count gemini 3.8 flash,2026-11-02,2026-11-02,"
        '"3,000",count,0.75\n'
        ",,,,,,Total,0.75\n"
    )
    bill = read_bytes(console.encode(), "x.csv")
    assert (bill.zone, bill.form) == ("America/Los_Angeles", "Google Cloud cost table, CSV")
    assert (bill.lines[0].output_tokens, bill.lines[0].model, len(bill.lines)) == (3_000, "gemini-3.8-flash", 1)
