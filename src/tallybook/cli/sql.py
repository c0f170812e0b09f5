"""`tallybook sql "…"`: read-only SQL over the ledger."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import click

from tallybook.cli import figure
from tallybook.cli.option import examples
from tallybook.cli.table import Column, Row, clean
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, report
from tallybook.model.question import Answer
from tallybook.store.cell import cell

LIMIT = 1_000
"""Rows written unless `--limit` says otherwise; that there are more is told."""
CELL_CHARS = 200
"""Widest cell of the table. Beyond: cut in the terminal, whole in JSON and CSV."""


@click.command(
    epilog=examples(
        'tallybook sql "SELECT model, count(*), sum(cost_nanousd) / 1e9 AS usd FROM calls GROUP BY 1 ORDER BY 3 DESC"',
        "tallybook sql \"SELECT * FROM calls WHERE status = 'error' ORDER BY started_at DESC LIMIT 5\" --json",
        'tallybook sql "DESCRIBE calls"',
        "tallybook sql - < question.sql",
    )
)
@click.argument("statement")
@click.option("--limit", type=click.IntRange(min=0), default=LIMIT, show_default=True, help="Rows at most; 0 for all.")
@report(has_filters=False)
def sql(view: View, statement: str, limit: int) -> None:
    """Ask in SQL, read-only. The views are calls, tool_calls, runs and prompts.

    Times are UTC; amounts are integers of a billionth of a US dollar (cost_nanousd), null where unknown.
    A statement of - is read from standard input.
    """
    text = sys.stdin.read() if statement == "-" else statement
    answer = view.store.sql(text, limit=limit + 1 if limit else None)
    is_cut = bool(limit) and len(answer.rows) > limit
    rows = answer.rows[:limit] if limit else answer.rows
    answer = Answer(answer.columns, rows, answer.warnings)
    if view.is_json:
        view.write_json(list(_plain(answer)))
    elif view.is_csv:
        view.write_csv(_plain(answer), answer.columns)
    else:
        for line in lines(answer, view.page):
            view.host.say(line)
    if is_cut:
        view.host.remark(view.host.err_page.dim(f"There are more rows than these {limit:,}: --limit 0 gives all."))
    for warning in answer.warnings:
        view.host.remark(view.host.err_page.warn(f"Warning: {clean(warning)}"))


def _plain(answer: Answer) -> Iterator[dict[str, Any]]:
    """The rows with values that JSON has."""
    return ({name: cell(value) for name, value in row.items()} for row in answer.dicts())


def lines(answer: Answer, page: Page) -> Iterator[str]:
    """The rows as a table."""
    numbers = [
        all(isinstance(row[index], int | float | Decimal) or row[index] is None for row in answer.rows)
        and bool(answer.rows)
        for index in range(len(answer.columns))
    ]
    columns = [
        Column(clean(name), is_right=is_number, rank=index, min_width=None if is_number else 8)
        for index, (name, is_number) in enumerate(zip(answer.columns, numbers, strict=True))
    ]
    table = [Row(tuple(_text(value, page) for value in row)) for row in answer.rows]
    yield from table_lines(columns, table, page)
    yield page.dim(figure.plural(len(answer.rows), "row"))


def _text(value: Any, page: Page) -> str:
    if value is None:
        return page.dash
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e15 else f"{value:.6e}"
    text = clean(cell(value) if not isinstance(value, bool) else str(value).lower())
    return text if len(text) <= CELL_CHARS or page.width is None else text[: CELL_CHARS - 1] + "…"
