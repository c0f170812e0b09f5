"""The largest groups of one dimension as an indented list: `- claude-haiku: $12.45 (74%)`, with a bar beside it."""

from __future__ import annotations

from collections.abc import Sequence

from tallybook.cli import figure, heading
from tallybook.cli.bar import bar, sparkline, squeezed
from tallybook.cli.table import Column, Row, listing
from tallybook.cli.terminal import Page
from tallybook.query.totals import Group

BAR = 12
SPARK = 48
"""Widest sparkline. Beyond: neighbouring values are added together."""

_COLUMNS = (
    Column("name", min_width=14),
    Column("cost", is_right=True),
    Column("share"),
    Column("change", is_right=True, rank=1),
    Column("bar", rank=3),
    Column("calls", is_right=True, rank=2),
)


def by_cost(dimension: str, groups: Sequence[Group], page: Page, currency: str) -> list[str]:
    """Title and one line a group; shares are of the known cost."""
    rows = []
    for group in groups:
        share = "" if group.share_of_cost is None else f"({figure.percent(group.share_of_cost, page)})"
        change = ""
        if group.previous is not None:
            change = figure.change(group.totals.cost_nano, group.previous.cost_nano, page, more_is_bad=True)
        drawn = page.accent(bar(group.share_of_cost, BAR, page)) if page.is_terminal else ""
        rows.append(
            Row((
                f"- {heading.value(dimension, group.by[dimension])}:",
                figure.cost(group.totals, page, currency),
                share,
                change,
                drawn,
                figure.calls(group.totals.calls),
            ))
        )  # fmt: skip
    return [f"  By {heading.name(dimension)}:", *listing(_COLUMNS, rows, page)] if rows else []


def spark(title: str, series: Sequence[Group], page: Page, first: str, last: str) -> list[str]:
    """The course of the cost as a sparkline between the names of its ends; of the calls where no cost is known."""
    if not page.is_terminal or len(series) < 2:
        return []
    costs = [group.totals.cost_nano for group in series]
    values = costs if any(costs) else [group.totals.calls for group in series]
    what = "" if any(costs) else " (calls)"
    room = min(SPARK, (page.width or 80) - len(title) - len(first) - len(last) - 9)
    drawn = sparkline(squeezed(values, max(8, room)), page)
    return [f"  {title}{what}: {page.dim(first)} {page.accent(drawn)} {page.dim(last)}"] if drawn else []
