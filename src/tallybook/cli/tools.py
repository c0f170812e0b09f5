"""`tallybook tools`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tallybook.cli import figure, heading, rows
from tallybook.cli.bar import bar
from tallybook.cli.option import examples
from tallybook.cli.table import Column, Row
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, by_option, report
from tallybook.model.errors import InputError
from tallybook.model.question import TOOL_DIMENSIONS
from tallybook.query.filters import ALIASES
from tallybook.query.plain import plain
from tallybook.query.tools import Tools
from tallybook.query.tools import tools as ask

DAYS = 30
TOP = 20

_FIGURES = (
    Column("Uses", is_right=True),
    Column("", rank=6),
    Column("Failed", is_right=True, rank=1),
    Column("Average", is_right=True, rank=2),
    Column("P95", is_right=True, rank=3),
    Column("Runs", is_right=True, rank=4),
    Column("Last used", rank=5),
)


@click.command(epilog=examples("tallybook tools", "tallybook tools --by tool,agent --days 7", "tallybook tools --json"))
@click.option("--top", type=click.IntRange(min=1), default=TOP, show_default=True, help="Tools shown.")
@by_option(f"Group by: {', '.join(TOOL_DIMENSIONS)}. Default: tool.")
@report(days=DAYS)
def tools(view: View, top: int, by: tuple[str, ...]) -> None:
    """Tools that models asked for or used: how often, how long, how often they failed. The last 30 days by default."""
    words = [ALIASES.get(part.strip(), part.strip()) for text in by for part in text.split(",")] or ["tool"]
    for word in words:
        if word not in TOOL_DIMENSIONS:
            raise InputError(
                f"tool uses cannot be grouped by {word!r}", field="--by", hint=f"one of {', '.join(TOOL_DIMENSIONS)}"
            )
    found = ask(view.store, view.scope, words, top=top)
    if view.is_blank(len(found.tools), "tool uses"):
        return
    view.show(
        "tools",
        found,
        lines=lambda page: lines(found, page),
        rows=lambda: (rows.flat(plain(row)) for row in found.tools),
    )


def lines(found: Tools, page: Page) -> Iterator[str]:
    """The report as text."""
    yield from heading.title(f"Tools, {found.span.label.lower()}", "🔧", found.filters, found.span, page)
    names = [heading.name(dimension) for dimension in found.dimensions]
    columns = [Column(name[0].upper() + name[1:], min_width=14) for name in names] + list(_FIGURES)
    top = max(row["uses"] for row in found.tools)
    table = []
    for row in found.tools:
        labels = tuple(heading.value(dimension, row[dimension]) for dimension in found.dimensions)
        share = page.accent(bar(row["uses"] / top, 10, page)) if page.is_terminal else ""
        table.append(Row((*labels, *_figures(row, share, found, page))))
    table.append(Row(("Total", *("",) * (len(names) - 1), *_figures(found.total, "", found, page)), "total"))
    yield from table_lines(columns, table, page)
    yield from heading.warnings(found.warnings, page)


def _figures(row: dict[str, int], share: str, found: Tools, page: Page) -> tuple[str, ...]:
    failed = row["failures"]
    return (
        figure.count(row["uses"], page),
        share,
        f"{failed:,} ({figure.percent(failed / row['uses'], page)})" if failed else "",
        figure.duration(row["duration_avg_us"], page),
        figure.duration(row.get("duration_p95_us"), page),
        figure.count(row.get("runs"), page),
        figure.moment(row["last_at_us"], found.span.zone, page),
    )
