"""Figures as people read them."""

# ruff: noqa: RUF001  (a dash stands for unknown)

from __future__ import annotations

import pytest

from tallybook.cli import figure
from tallybook.cli.bar import bar, cell, sparkline, squeezed
from tallybook.cli.terminal import Page
from tallybook.query.totals import Totals

PAGE = Page()
ASCII = Page(has_unicode=False)


@pytest.mark.parametrize(
    ("nano", "expected"),
    [
        (None, "–"),
        (0, "$0.00"),
        (12_400_000_000, "$12.40"),
        (1_234_567_890_000, "$1,234.57"),
        (420_000_000, "$0.42"),
        (100_000_000, "$0.10"),
        (30_000_000, "$0.03"),
        (31_234_000, "$0.0312"),
        (3_100_000, "$0.0031"),
        (3_100, "$0.0000031"),
        (1, "$0.000000001"),
        (-12_400_000_000, "-$12.40"),
    ],
)
def test_money(nano: int | None, expected: str) -> None:
    assert figure.money(nano, PAGE) == expected


def test_money_in_other_currencies() -> None:
    assert figure.money(12_400_000_000, PAGE, "EUR") == "€12.40"
    assert figure.money(12_400_000_000, ASCII, "EUR") == "EUR 12.40"
    assert figure.money(12_400_000_000, PAGE, "CHF") == "CHF 12.40"
    assert figure.money(1_240_000_000_000, PAGE, "JPY") == "¥1,240"
    assert figure.money(None, ASCII) == "-"


def test_a_cost_that_lacks_calls_says_so_and_an_unknown_one_is_never_nothing() -> None:
    assert figure.cost(Totals(calls=3, cost_nano=10**9, unpriced_calls=1), PAGE) == "$1.00+"
    assert figure.cost(Totals(calls=3, cost_nano=10**9), PAGE) == "$1.00"
    assert figure.cost(Totals(calls=3, unpriced_calls=3), PAGE) == "unpriced"
    assert figure.cost(Totals(cost_nano=0), PAGE) == "$0.00"


@pytest.mark.parametrize(
    ("us", "expected"),
    [
        (None, "–"), (0, "0ms"), (900, "0.9ms"), (340_000, "340ms"), (999_600, "1.0s"), (1_200_000, "1.2s"),
        (59_960_000, "1m 00s"), (125_000_000, "2m 05s"), (3_780_000_000, "1h 03m"), (273_600_000_000, "3d 4h"),
    ],
)  # fmt: skip
def test_durations(us: int | None, expected: str) -> None:
    assert figure.duration(us, PAGE) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "–"),
        (512, "512"),
        (999, "999"),
        (1_000, "1.0k"),
        (1_240_000, "1.2M"),
        (999_960, "1.0M"),
        (340_000, "340k"),
        (2.5e9, "2.5G"),
    ],
)
def test_short_counts(value: int | None, expected: str) -> None:
    assert figure.short(value, PAGE) == expected


@pytest.mark.parametrize(
    ("share", "expected"), [(None, "–"), (0, "0%"), (0.0001, "<0.1%"), (0.003, "0.3%"), (0.744, "74%"), (1, "100%")]
)
def test_shares(share: float | None, expected: str) -> None:
    assert figure.percent(share, PAGE) == expected


def test_changes() -> None:
    assert figure.change(112, 100, PAGE) == "+12%"
    assert figure.change(97, 100, PAGE) == "-3%"
    assert figure.change(100, 0, PAGE) == "new"
    assert figure.change(None, 100, PAGE) == "–"
    assert figure.change(100_000, 100, PAGE) == "x1000"
    assert "\x1b[31m" in figure.change(2, 1, Page(has_color=True), more_is_bad=True)
    assert "\x1b[32m" in figure.change(1, 2, Page(has_color=True), more_is_bad=True)


def test_hours() -> None:
    assert [figure.hour(value) for value in (0, 9, 12, 13, 23, 24)] == ["12am", "9am", "12pm", "1pm", "11pm", "12am"]


def test_bars_show_something_for_anything_and_never_more_than_their_width() -> None:
    assert bar(None, 8, PAGE) == bar(0, 8, PAGE) == ""
    assert bar(0.0001, 8, PAGE) == "▏"
    assert bar(0.5, 8, PAGE) == "████"
    assert bar(7, 8, PAGE) == "████████"
    assert bar(0.5, 8, ASCII) == "####"


def test_sparklines_are_blank_where_nothing_happened() -> None:
    assert sparkline([0, 1, None, 4, 8], PAGE) == " ▁ ▄█"
    assert sparkline([0, 0], PAGE) == ""
    assert squeezed([1, 2, 3, 4, 5], 3) == [3, 7, 5]


def test_heat_cells_have_five_shades() -> None:
    assert [cell(value, 100, PAGE) for value in (0, 1, 30, 60, 100)] == ["·", "░", "▒", "▓", "█"]
    assert cell(5, 0, ASCII) == "."


@pytest.mark.parametrize(
    ("nano", "text"),
    [(148_500, "$0.0001485"), (1_500_000_000, "$1.50"), (0, "$0.00"), (1, "$0.000000001"), (-20_000_000, "-$0.02"),
     (1_234_000_000_000, "$1,234.00")],
)  # fmt: skip
def test_exact_money_has_every_nano_dollar(nano: int, text: str) -> None:
    assert figure.exact(nano, PAGE) == text
