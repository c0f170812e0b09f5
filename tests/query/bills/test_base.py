"""Lines, zones and names of exports."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tallybook.model.errors import InputError
from tallybook.query.bills.base import Bill, Line, Record, flattened, plain_name, renamed, rezoned

DAY_US = 86_400_000_000
START_US = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp()) * 1_000_000


def record(**fields: object) -> Record:
    return Record("x.csv", "line 2", fields)


def test_columns_are_compared_without_case_spaces_and_signs() -> None:
    assert plain_name(" Cost ($) ") == "cost"
    assert plain_name("Usage start date") == "usage_start_date"
    assert plain_name("sku.description") == "sku.description"


def test_nested_objects_become_one_level() -> None:
    assert flattened({"amount": {"value": 1, "x": {"y": 2}}, "list": [1]}) == {
        "amount.value": 1, "amount.x.y": 2, "list": [1]
    }  # fmt: skip


def test_amounts_are_exact_in_dollars_and_cents() -> None:
    assert record(cost="0.0123456789").money("cost") == 12_345_679
    assert record(amount="123.45").money("amount", per_unit=100) == 1_234_500_000
    assert record(cost="-1.5").money("cost") == -1_500_000_000
    assert record(cost="$1,000.50").money("cost") == 1_000_500_000_000
    assert record(cost="").money("cost") is None


def test_a_span_is_a_day_in_its_zone_or_what_the_line_says() -> None:
    assert record(day="2026-11-02").span(["day"]) == (START_US, START_US + DAY_US)
    pacific = record(day="2026-11-02").span(["day"], zone="America/Los_Angeles")
    assert pacific[0] == START_US + 8 * 3_600_000_000
    hour = record(start="2026-11-02T05:00:00Z", end="2026-11-02T06:00:00Z").span(["start"], ["end"])
    assert hour == (START_US + 5 * 3_600_000_000, START_US + 6 * 3_600_000_000)
    assert record(at="1793577600").span(["at"])[0] == 1793577600_000_000
    with pytest.raises(InputError, match="not after the start"):
        record(start="2026-11-02T05:00:00Z", end="2026-11-02T04:00:00Z").span(["start"], ["end"])


def test_days_move_to_another_zone_and_moments_stay() -> None:
    bill = Bill("x", "x", [Line(START_US, START_US + DAY_US), Line(START_US + 5, START_US + 6)])
    day, moment = rezoned(bill, "Asia/Tokyo").lines
    assert (day.start_us, day.end_us) == (START_US - 9 * 3_600_000_000, START_US + 15 * 3_600_000_000)
    assert moment == bill.lines[1]


def test_keys_are_called_as_the_ledger_calls_them() -> None:
    bill = Bill("x", "x", [Line(0, 1, key="key_1"), Line(0, 1, project="proj_1"), Line(0, 1, key="key_2")])
    lines = renamed(bill, {"key_1": "shop", "proj_1": "bot"}).lines
    assert [(line.key, line.project) for line in lines] == [("shop", None), (None, "bot"), ("key_2", None)]


def test_a_bill_knows_what_it_tells() -> None:
    tokens, money = Bill("x", "x", [Line(0, 1, input_tokens=1)]), Bill("x", "x", [Line(0, 1, cost_nanousd=0)])
    assert (tokens.has_tokens, tokens.has_cost, tokens.has_models) == (True, False, False)
    assert (money.has_tokens, money.has_cost) == (False, True)
