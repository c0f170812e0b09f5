"""The table behind `models` and `agents`: its options, and groups in order with a total."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from tallybook.cli import figure, heading, rows
from tallybook.cli.bar import bar
from tallybook.cli.option import Command
from tallybook.cli.table import Column, Row, remark
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, by_option, compare_option, dimensions, report
from tallybook.query.ranking import SORTS, Ranking, ranking
from tallybook.query.totals import Group

DAYS = 30
SORT_NAMES = list(SORTS)
BAR = 10

_FIGURES = (
    Column("Calls", is_right=True),
    Column("Share", is_right=True, rank=7),
    Column("", rank=9),
    Column("Input", is_right=True, rank=4),
    Column("Output", is_right=True, rank=4),
    Column("Cost", is_right=True),
    Column("Of cost", is_right=True, rank=6),
    Column("Before", is_right=True, rank=3),
    Column("Change", is_right=True, rank=2),
    Column("Failed", is_right=True, rank=5),
    Column("Average", is_right=True, rank=3),
    Column("P95", is_right=True, rank=5),
    Column("Last used", rank=8),
)


def options(what: str, *, top: int) -> Callable[[Command], Command]:
    """The options of such a table, for `show`; `what` is the plural that its rows are called by, `top` their number."""

    def decorate(function: Command) -> Command:
        for option in (
            report(days=DAYS),
            compare_option,
            by_option("Group by this instead: any dimensions or metadata.KEY, several by commas."),
            click.option(
                "--sort", type=click.Choice(SORT_NAMES), default="calls", show_default=True,
                help="Largest first by this.",
            ),
            click.option("--top", type=click.IntRange(min=1), default=top, show_default=True, help=f"{what} shown."),
        ):  # fmt: skip
            function = option(function)
        return function

    return decorate


def show(
    view: View, name: str, dimension: str, picture: str, *, top: int, sort: str, by: tuple[str, ...], is_compared: bool
) -> None:
    """Ask and write the report."""
    chosen = dimensions(by, (dimension,))
    found = ranking(view.store, view.scope, chosen, sort=sort, top=top, is_compared=is_compared)  # type: ignore[arg-type]
    if view.is_blank(found.total.totals.calls):
        return
    view.show(
        name,
        found,
        lines=lambda page: lines(found, page, f"{name.capitalize()}, {_label(found)}", picture),
        rows=lambda: rows.of(found.groups, found.head.currency),
    )


def _label(found: Ranking) -> str:
    label = found.head.span.label
    return label[0].lower() + label[1:] if label.split(" ")[0] in ("Last", "Since", "Until", "All", "Today") else label


def lines(found: Ranking, page: Page, text: str, picture: str) -> Iterator[str]:
    """The report as text."""
    yield from heading.above(found.head, picture, page, text)
    names = [heading.name(dimension) for dimension in found.dimensions]
    columns = [Column(name[0].upper() + name[1:], min_width=14) for name in names] + list(_FIGURES)
    table = []
    for group in found.groups:
        labels = tuple(heading.value(dimension, group.by[dimension]) for dimension in found.dimensions)
        table.append(Row((*labels, *_figures(group, found, page))))
    blanks = ("",) * (len(names) - 1)
    cells = _figures(found.total, found, page)
    table.append(Row(("Total", *blanks, *cells), "total"))
    yield from table_lines(columns, table, page)
    if found.groups_in_all is None:
        yield from remark(f"The first {len(found.groups)}; --top shows more.", page)
    yield from heading.below(found.head, page)


def _figures(group: Group, found: Ranking, page: Page) -> tuple[str, ...]:
    totals, more, before = group.totals, group.more, group.previous
    currency = found.head.currency
    is_total = group is found.total
    failed = "" if not totals.errors else f"{totals.errors:,} ({figure.percent(totals.errors / totals.calls, page)})"
    return (
        figure.count(totals.calls, page),
        "" if is_total else figure.percent(group.share_of_calls, page),
        page.accent(bar(group.share_of_calls, BAR, page)) if page.is_terminal and not is_total else "",
        figure.short(totals.input_tokens, page),
        figure.short(totals.output_tokens, page),
        figure.cost(totals, page, currency),
        "" if is_total else figure.percent(group.share_of_cost, page),
        "" if before is None else figure.cost(before, page, currency),
        "" if before is None else figure.change(totals.cost_nano, before.cost_nano, page, more_is_bad=True),
        failed,
        figure.duration(more.get("duration_avg_us"), page),
        figure.duration(more.get("duration_p95_us"), page),
        figure.moment(more.get("last_at_us"), found.head.span.zone, page),
    )
