"""`tallybook costs --days=30`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tallybook.cli import figure, heading, rows, section
from tallybook.cli.option import examples
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, by_option, compare_option, dimensions, report
from tallybook.query.costs import TOP, Costs
from tallybook.query.costs import costs as ask

DAYS = 30


@click.command(
    epilog=examples(
        "tallybook costs --days=30",
        "tallybook costs --by user --by metadata.customer --top 20",
        "tallybook costs --days 7 --compare previous --currency EUR",
        "tallybook costs --since 2026-11-01 --until 2026-11-15 --csv",
    )
)
@click.option("--top", type=click.IntRange(min=1), default=TOP, show_default=True, help="Groups shown in each section.")
@by_option("Sections to show: any dimension or metadata.KEY. Default: model, project.")
@compare_option
@report(days=DAYS)
def costs(view: View, top: int, by: tuple[str, ...], is_compared: bool) -> None:
    """What was spent: total, by model with shares, by project. The last 30 days by default."""
    found = ask(view.store, view.scope, dimensions(by, ("model", "project")), is_compared=is_compared, top=top)
    if not view.is_blank(found.total.totals.calls):
        view.show(
            "costs",
            found,
            lines=lambda page: lines(found, page),
            rows=lambda: rows.sections(found.total, found.sections, found.head.currency),
        )


def lines(found: Costs, page: Page) -> Iterator[str]:
    """The report as text."""
    head, totals, before = found.head, found.total.totals, found.total.previous
    yield from heading.above(head, "📊", page)
    change = ""
    if before is not None:
        was = figure.cost(before, page, head.currency)
        change = f"  {figure.change(totals.cost_nano, before.cost_nano, page, more_is_bad=True)} from {was}"
    yield f"  Total cost: {page.bold(figure.cost(totals, page, head.currency))}{change}"
    if found.days:
        first, last = found.days[0].by["time"], found.days[-1].by["time"]
        yield from section.spark("By day", found.days, page, figure.day(first), figure.day(last))
    for dimension, groups in found.sections.items():
        yield from section.by_cost(dimension, groups, page, head.currency)
    yield from heading.below(head, page)
