"""`tallybook patterns`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tallybook.cli import figure, heading
from tallybook.cli.bar import bar, cell
from tallybook.cli.option import examples
from tallybook.cli.section import BAR
from tallybook.cli.table import Column, Row, listing
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, by_option, dimensions, report, single
from tallybook.query.patterns import DAYS as WEEKDAYS
from tallybook.query.patterns import TOP, Patterns
from tallybook.query.patterns import patterns as ask

DAYS = 30

_COLUMNS = (
    Column("name", min_width=14),
    Column("calls", is_right=True),
    Column("share", rank=1),
    Column("bar", rank=2),
)


@click.command(
    epilog=examples(
        "tallybook patterns",
        "tallybook patterns --days 90 --timezone Europe/Berlin",
        "tallybook patterns --user mia --by model",
    )
)
@click.option("--top", type=click.IntRange(min=1), default=TOP, show_default=True, help="Common operations shown.")
@by_option("What to count instead of your operations (task): any dimension or metadata.KEY.")
@report(days=DAYS)
def patterns(view: View, top: int, by: tuple[str, ...]) -> None:
    """Peak hours, most active day, common operations, and the week as a heat map. The last 30 days by default."""
    dimension = single(dimensions(by, ("task",)))
    found = ask(view.store, view.scope, top=top, by=dimension)
    if not view.is_blank(found.total.totals.calls):
        view.show("patterns", found, lines=lambda page: lines(found, page, dimension), rows=lambda: heat_rows(found))


def heat_rows(found: Patterns) -> Iterator[dict[str, object]]:
    """Weekday, hour, calls: 168 rows."""
    for weekday, hours in zip(WEEKDAYS, found.heat, strict=True):
        for hour, calls in enumerate(hours):
            yield {"weekday": weekday, "hour": hour, "calls": calls}


def lines(found: Patterns, page: Page, dimension: str) -> Iterator[str]:
    """The report as text."""
    head = found.head
    yield from heading.title("Usage Patterns", "🔍", [head.span.label, *head.filters], head.span, page)
    peaks = ", ".join(
        "all day" if run == (0, 24) else f"{figure.hour(run[0])}-{figure.hour(run[1])}" for run in found.peaks
    )
    yield f"  Peak hours: {peaks}"
    yield f"  Most active day: {found.busiest_day}"
    noun = heading.name(dimension)
    yield f"  Common {noun if noun.endswith('s') else noun + 's'}:"
    rows = []
    for group in found.operations:
        share = group.share_of_calls
        rows.append(
            Row((
                f"- {heading.value(dimension, group.by[dimension])}:",
                figure.calls(group.totals.calls),
                f"({figure.percent(share, page)})",
                page.accent(bar(share, BAR, page)) if page.is_terminal else "",
            ))
        )  # fmt: skip
    yield from listing(_COLUMNS, rows, page)
    if page.is_terminal:
        yield from _heat(found, page)
    yield from heading.below(head, page)


def _heat(found: Patterns, page: Page) -> Iterator[str]:
    wide = 2 if (page.width or 80) >= 64 else 1
    top = max(max(hours) for hours in found.heat)
    marks = [f"{hour:<{6 * wide}}" for hour in (0, 6, 12, 18)]
    yield f"  Calls by hour {page.dim(f'({head_zone(found)})')}:"
    yield page.dim(f"         {''.join(marks)}".rstrip())
    for weekday, hours in zip(WEEKDAYS, found.heat, strict=True):
        cells = "".join(cell(calls, top, page) * wide for calls in hours)
        yield f"    {weekday[:3]}  {page.accent(cells)}"


def head_zone(found: Patterns) -> str:
    """The zone that hours are in."""
    return found.head.span.zone
