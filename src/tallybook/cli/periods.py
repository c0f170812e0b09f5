"""`tallybook daily`, `weekly`, `monthly`: one row a period, with the columns that users of ccusage know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import click

from tallybook.cli import figure, heading, rows
from tallybook.cli.bar import bar
from tallybook.cli.option import Command, examples
from tallybook.cli.table import Column, Row, clean
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, by_option, compare_option, dimensions, report
from tallybook.query.periods import Period, Periods, periods
from tallybook.query.totals import Group

FIGURES = (
    Column("Calls", is_right=True, rank=5),
    Column("Input", is_right=True, rank=4),
    Column("Output", is_right=True, rank=4),
    Column("Cache Create", is_right=True, rank=7),
    Column("Cache Read", is_right=True, rank=6),
    Column("Total Tokens", is_right=True, rank=2),
    Column("Cost", is_right=True),
    Column("", rank=8),
)
BAR = 10
COMPACT = ("Total Tokens", "Cost")


def figures(group: Group, page: Page, currency: str, share: float | None = None) -> tuple[str, ...]:
    """Cells of `FIGURES`."""
    totals = group.totals
    return (
        figure.count(totals.calls, page),
        figure.count(totals.input_tokens, page),
        figure.count(totals.output_tokens, page),
        figure.count(totals.cache_write_tokens, page),
        figure.count(totals.cache_read_tokens, page),
        figure.count(totals.total_tokens, page),
        figure.cost(totals, page, currency),
        page.accent(bar(share, BAR, page)) if page.is_terminal else "",
    )


def _command(name: str, period: Period, days: int, text: str) -> click.Command:
    @click.option("--order", type=click.Choice(["asc", "desc"]), default="asc", help="Oldest first (asc) or newest.")
    @click.option("--breakdown", "-b", is_flag=True, help="A row for each model under each row; same as --by model.")
    @click.option("--compact", is_flag=True, help="Only the most important columns, as in a narrow terminal.")
    @by_option("A row for each of these under each row: any dimensions or metadata.KEY.")
    @compare_option
    @report(days=days)
    def run(view: View, order: str, breakdown: bool, compact: bool, by: tuple[str, ...], is_compared: bool) -> None:
        names = dimensions(by, ("model",) if breakdown else ())
        found = periods(
            view.store, view.scope, period, by=names, is_newest_first=order == "desc", is_compared=is_compared
        )
        if not view.is_blank(found.total.totals.calls):
            view.show(
                name,
                found,
                lines=lambda page: lines(found, page, name, is_compact=compact),
                rows=lambda: rows.of(found.groups, found.head.currency),
            )

    run.__doc__ = text
    epilog = examples(
        f"tallybook {name}",
        f"tallybook {name} --breakdown --order desc",
        f"tallybook {name} --since 2026-11-01 --by project --json",
    )
    typed: Command = run
    return click.command(name=name, help=text, epilog=epilog)(typed)


daily = _command(
    "daily", "day", 30, "One row a day: models, tokens, cost; totals at the end. The last 30 days by default."
)
weekly = _command(
    "weekly", "week", 84, "One row a week (from Monday); totals at the end. The last 12 weeks by default."
)
monthly = _command("monthly", "month", 366, "One row a month; totals at the end. The last 366 days by default.")


def lines(found: Periods, page: Page, name: str, *, is_compact: bool = False) -> Iterator[str]:
    """The report as text."""
    label = found.head.span.label
    yield from heading.above(found.head, "📅", page, f"{name.capitalize()}, {label[0].lower() + label[1:]}")
    first = {"day": "Date", "week": "Week", "month": "Month"}[found.period]
    has_parts = any(group.parts for group in found.groups)
    columns = [Column(first, min_width=24 if has_parts else None), Column("Models", rank=3, min_width=16), *FIGURES]
    top = max((group.totals.cost_nano or 0 for group in found.groups), default=0)
    table: list[Row] = []
    for group in found.groups:
        share = (group.totals.cost_nano or 0) / top if top else None
        models = "" if has_parts else _models(group.more["models"])
        cells = figures(group, page, found.head.currency, share)
        table.append(Row((_time(group.by["time"], found.period), models, *cells)))
        for part in group.parts:
            label = ", ".join(heading.value(dimension, value) for dimension, value in part.by.items())
            mark = "└ " if page.has_unicode else "- "
            table.append(Row((f"  {mark}{label}", "", *figures(part, page, found.head.currency)), "part"))
    total = found.total
    table.append(Row(("Total", "", *figures(total, page, found.head.currency)), "total"))
    if total.previous is not None:
        before = Group(by={}, totals=total.previous)
        table.append(Row(("Before", "", *figures(before, page, found.head.currency)), "part"))
        table.append(Row(("Change", "", *_changes(total, page)), "part"))
    kept = [index for index, column in enumerate(columns) if not is_compact or column.name in (first, *COMPACT)]
    kept = [index for index in kept if not (has_parts and columns[index].name == "Models")]
    columns = [columns[index] for index in kept]
    table = [Row(tuple(row.cells[index] for index in kept), row.kind) for row in table]
    yield from table_lines(columns, table, page)
    yield from heading.below(found.head, page)


def _changes(total: Group, page: Page) -> tuple[str, ...]:
    assert total.previous is not None
    names = (
        "calls", "input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens", "total_tokens",
        "cost_nano",
    )  # fmt: skip
    return (*(figure.change(getattr(total.totals, name), getattr(total.previous, name), page) for name in names), "")


def _models(names: Sequence[Any]) -> str:
    return ", ".join(clean(name) for name in names)


def _time(text: str, period: Period) -> str:
    if period == "month":
        return text[:7]
    if period == "week":
        last = date.fromisoformat(text) + timedelta(days=6)
        return f"{text} to {last:%m-%d}"
    return text
