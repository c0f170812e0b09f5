"""Rows of a file of prices: which are read, which are told, and whom they are for."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tallybook.prices.base import Key
from tallybook.prices.row import Row, read, unit_attousd

GOOD = '[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\n'


def row(text: str) -> Row:
    found = read('[[price]]\nprovider = "openai"\nmodel = "m"\n' + text, "prices.toml")
    assert not found.faults
    return found.rows[0]


def test_a_wrong_row_leaves_the_others_and_is_named_with_its_line() -> None:
    found = read(f"{GOOD}\n[[price]]\nprovider = 3\nmodel = 'm'\ninput = 2\n{GOOD}", "prices.toml")
    assert [each.name for each in found.rows] == ["prices.toml: price 1", "prices.toml: price 3"]
    (fault,) = found.faults
    assert str(fault).startswith("prices.toml, line 6, price 2: provider must be given as text")


def test_a_row_that_is_no_toml_leaves_the_others_and_is_named_with_the_line_of_the_file() -> None:
    found = read(f"{GOOD}\n[[price]]\nprovider = \n\n{GOOD}", "prices.toml")
    assert len(found.rows) == 2
    assert "at line 7" in str(found.faults[0])


def test_a_calendar_that_is_wrong_is_told_and_so_are_the_rows_that_need_it() -> None:
    found = read(f"[holidays]\ncn = [1]\n{GOOD}days = 'work'\nholidays = 'cn'\n", "prices.toml")
    assert [str(fault).split(": ", 1)[1][:20] for fault in found.faults] == [
        "holidays.cn must be ",
        "no calendar 'cn' und",
    ]


def test_globs_stand_for_any_part_of_a_name_and_exceptions_are_left_out() -> None:
    each = row('input = 1\nexcept = "*-mini*"\n')._replace(models=("gpt-*",))
    assert each.names(Key("openai", "GPT-5"), {})
    assert not each.names(Key("openai", "gpt-5-mini"), {})
    assert not each.names(Key("openai", "ft:gpt-5"), {})
    assert not each.names(Key("azure", "gpt-5"), {})


def test_a_bracket_in_a_name_is_no_pattern() -> None:
    each = row("input = 1\n")._replace(models=("claude[1m]*",))
    assert each.names(Key("openai", "claude[1m]-x"), {})
    assert not each.names(Key("openai", "claude1"), {})


def test_deployment_endpoint_project_and_facts_must_be_told_to_match() -> None:
    each = row(
        'input = 1\ndeployment = "team-*"\nbase_url = "*.example"\nproject = "shop"\nwhere = { region = "!eu-*" }\n'
    )
    key = Key("openai", "m", deployment="Team-A", base_url="a.example", project="Shop")
    assert each.names(key, {"region": "us-east-1"})
    assert not each.names(key, {"region": "eu-west-1"})
    assert each.names(key._replace(base_url="https://llm.example/v1"), {"region": "us-east-1"})
    assert not each.names(key._replace(base_url="https://llm.other/example"), {"region": "us-east-1"})
    assert not each.names(key, {})
    assert not each.names(key._replace(project=None), {"region": "us-east-1"})
    assert not each.names(key._replace(deployment="other"), {"region": "us-east-1"})


def test_hours_over_midnight_become_two_stretches() -> None:
    found = read(GOOD + 'hours = "16:30-00:30"\n', "prices.toml").rows
    assert [(each.rate.from_minute, each.rate.to_minute) for each in found] == [(990, 1440), (0, 30)]


def test_units_are_exact_down_to_a_billionth_of_a_billionth() -> None:
    rate = row("units = { audio_hour = 0.111, thousand_searches = 2 }\n").rate
    assert rate.units_attousd == {"audio_ms": 30_833_333_333, "search_units": 2_000_000_000_000_000}
    assert unit_attousd.__doc__


def test_a_factor_may_be_a_fraction() -> None:
    assert row('multiply = "5/3"\n').factor == Fraction(5, 3)
    assert row("multiply = 0.85\n").factor == Fraction(17, 20)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("multiply = -1", "multiply must not be negative"),
        ('multiply = "half"', "multiply must be a number"),
        ("multiply = 0.5\ninput = 1", "sets no price of its own"),
        ("input = 1\nhours = '25:00-26:00'", "hours must be UTC times"),
        ("input = 1\nhours = '01:00-01:00'", "hours must lie between"),
        ("input = 1\ndays = 'monday'", "days must be work or rest"),
        ("input = 1\nmode = 'add'", "mode must be set, fill or amend"),
        ("units = { parsec = 1 }", "units: unknown 'parsec'"),
        ("multiply = 2\nparts = ['wheels']", "parts: unknown 'wheels'"),
        ("input = 1\nwhere = { colour = 'blue' }", "where must be a table of facts"),
        ("input = 1\nproject = ['a', 'b']", "project must be one text"),
        ("input = 1\nexcept = 3", "except must be given as text"),
    ],
)
def test_a_field_that_cannot_be_used_is_told(text: str, said: str) -> None:
    found = read(f'[[price]]\nprovider = "p"\nmodel = "m"\n{text}\n', "prices.toml")
    assert not found.rows
    assert said in str(found.faults[0])
    assert found.faults[0].hint
