"""Tables: aligned, harmless, and in a narrow terminal without the less important columns."""

# ruff: noqa: RUF001  (a dash stands for unknown)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.cli.table import Column, Row, clean, cut, lines, listing, width_of, wrap
from tallybook.cli.terminal import Page

from .conftest import TERMINAL

COLUMNS = (
    Column("Name", min_width=6),
    Column("Calls", is_right=True, rank=2),
    Column("Note", rank=1),
    Column("Cost", is_right=True),
)
ROWS = [
    Row(("short", "1", "", "$1.00")),
    Row(("a longer name", "1,000", "x", "–")),
    Row(("Total", "1,001", "", "$1.00"), "total"),
]


def test_a_pipe_gets_aligned_columns_without_rules_colour_or_padding() -> None:
    assert lines(COLUMNS, ROWS, Page()) == [
        "Name           Calls  Note   Cost",
        "short              1        $1.00",
        "a longer name  1,000  x         –",
        "Total          1,001        $1.00",
    ]


def test_a_terminal_gets_rules_and_only_columns_that_fit() -> None:
    assert lines(COLUMNS, ROWS, TERMINAL._replace(width=22)) == [
        "Name       Note   Cost",
        "──────────────────────",
        "short            $1.00",
        "a longer…  x         –",
        "──────────────────────",
        "Total            $1.00",
        "Hidden at this width:",
        "Calls.",
    ]


def test_columns_without_any_value_are_left_out_unless_they_matter_most() -> None:
    assert lines(COLUMNS, [Row(("a", "–", "", "–"))], Page()) == ["Name  Cost", "a        –"]


def test_a_list_of_no_rows_has_no_lines() -> None:
    assert listing(COLUMNS, [], TERMINAL) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mred", "a?[31mred"),
        ("two\nlines\ttab", "two lines tab"),
        ("\x9b31m", "?31m"),
        ("\u202eevil", "?evil"),
        ("zero\u200bwidth", "zero?width"),
        ("grüße 日本", "grüße 日本"),
    ],
)
def test_text_from_outside_cannot_move_the_cursor(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_wide_and_combining_characters_are_measured_as_a_terminal_draws_them() -> None:
    assert width_of("日本") == 4
    assert width_of("e\u0301") == 1
    assert width_of("\x1b[1mab\x1b[0m") == 2


@given(st.text(max_size=30), st.integers(1, 20))
def test_cut_text_never_exceeds_its_width(text: str, width: int) -> None:
    assert width_of(cut(clean(text), width, TERMINAL)) <= max(width, 1)


@given(
    st.lists(st.text("ab ", min_size=1, max_size=8).map(str.strip).filter(bool), min_size=1, max_size=20),
    st.integers(8, 40),
)
def test_wrapping_keeps_every_word_in_order(words: list[str], width: int) -> None:
    text = " ".join(" ".join(words).split())
    found = wrap(text, width, "  ")
    assert " ".join(" ".join(found).split()) == text
    assert all(width_of(line) <= width or " " not in line.strip() for line in found)


@given(st.integers(40, 160))
def test_no_line_of_a_table_is_wider_than_the_terminal(width: int) -> None:
    found = lines(COLUMNS, [Row(("x" * 90, "1", "y" * 30, "$12.00"))], TERMINAL._replace(width=width))
    table = [line for line in found if not line.startswith("Hidden")]
    assert max(width_of(line) for line in table) <= width or "Note" not in found[0]
