"""`tallybook blocks`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from tallybook.cli import figure, heading, rows
from tallybook.cli.option import examples
from tallybook.cli.table import Column, Row, clean
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, report
from tallybook.query.blocks import HOURS, Block, Blocks
from tallybook.query.blocks import blocks as ask
from tallybook.query.plain import plain
from tallybook.query.span import local

DAYS = 7

_COLUMNS = (
    Column("Window"),
    Column("Models", rank=5, min_width=14),
    Column("Calls", is_right=True, rank=4),
    Column("Tokens", is_right=True, rank=1),
    Column("Tokens/min", is_right=True, rank=3),
    Column("Cost/h", is_right=True, rank=2),
    Column("Cost", is_right=True),
)


@click.command(
    epilog=examples(
        "tallybook blocks",
        "tallybook blocks --active",
        "tallybook blocks --hours 24 --days 30 --json",
    )
)
@click.option("--active", is_flag=True, help="Only the window that is running now.")
@click.option("--hours", type=click.IntRange(1, 168), default=HOURS, show_default=True, help="Length of a window.")
@click.option("--order", type=click.Choice(["asc", "desc"]), default="asc", help="Oldest first (asc) or newest.")
@report(days=DAYS)
def blocks(view: View, active: bool, hours: int, order: str) -> None:
    """Windows of five hours from the first call, with gaps, burn rate and where the running one will end.

    The last 7 days by default. A window begins on the UTC hour of its first call.
    """
    found = ask(view.store, view.scope, hours=hours)
    shown = [block for block in found.blocks if block.is_active or not active]
    if order == "desc":
        shown.reverse()
    found = Blocks(head=found.head, total=found.total, blocks=shown, hours=hours)
    if active and not shown and not (view.is_json or view.is_csv) and found.total.totals.calls:
        view.host.say(f"No call in the last {hours} hours: no window is running.")
        return
    if not view.is_blank(found.total.totals.calls):
        view.show(
            "blocks",
            found,
            lines=lambda page: lines(found, page, is_active_only=active),
            rows=lambda: (_flat(block, found.head.currency) for block in shown),
        )


def _flat(block: Block, currency: str) -> dict[str, Any]:
    data = plain(block)
    totals = data.pop("totals")
    return rows.flat({**data, **totals}, currency)


def lines(found: Blocks, page: Page, *, is_active_only: bool = False) -> Iterator[str]:
    """The report as text."""
    head, currency = found.head, found.head.currency
    label = head.span.label
    yield from heading.above(head, "⏱ ", page, f"Windows of {found.hours} hours, {label[0].lower() + label[1:]}")
    active = next((block for block in found.blocks if block.is_active), None)
    if not is_active_only:
        table = [_row(block, head.span.zone, page, currency) for block in found.blocks]
        total = found.total.totals
        cells = (
            "Total", "", figure.count(total.calls, page), figure.count(total.total_tokens, page), "", "",
            figure.cost(total, page, currency),
        )  # fmt: skip
        table.append(Row(cells, "total"))
        yield from table_lines(_COLUMNS, table, page)
    if active is not None:
        yield from _active(active, page, currency, head.span.zone)
    yield from heading.below(head, page)


def _row(block: Block, zone: str, page: Page, currency: str) -> Row:
    start, end = local(block.start_at_us, zone), local(block.end_at_us, zone)
    if block.is_gap:
        text = f"{page.mark('⋯')}gap of {figure.duration(block.end_at_us - block.start_at_us, page)}"
        return Row((text, "", "", "", "", "", ""), "note")
    mark = " now" if block.is_active else ""
    return Row((
        f"{start:%Y-%m-%d %H:%M}-{end:%H:%M}{mark}",
        ", ".join(clean(name) for name in block.models),
        figure.count(block.totals.calls, page),
        figure.count(block.totals.total_tokens, page),
        figure.count(block.tokens_per_minute, page),
        _rate(block, page, currency),
        figure.cost(block.totals, page, currency),
    ))  # fmt: skip


def _rate(block: Block, page: Page, currency: str) -> str:
    return page.dash if block.cost_per_hour is None else figure.money(round(block.cost_per_hour * 1e9), page, currency)


def _active(block: Block, page: Page, currency: str, zone: str) -> Iterator[str]:
    yield ""
    end = local(block.end_at_us, zone)
    gone, left = figure.duration(block.elapsed_us, page), figure.duration(block.remaining_us, page)
    yield page.bold(f"Running window: {gone} gone, {left} left ({end:%H:%M})")
    tokens = figure.short(block.totals.total_tokens, page)
    yield f"  So far:     {tokens} tokens, {figure.cost(block.totals, page, currency)}"
    if block.tokens_per_minute is None:
        yield page.dim("  No rate yet: less than a minute since its first call.")
        return
    yield f"  Burn rate:  {figure.short(block.tokens_per_minute, page)} tokens/min, {_rate(block, page, currency)}/h"
    partial = block.totals.unpriced_calls > 0
    cost = figure.money(block.projected_cost_nano, page, currency, is_partial=partial)
    yield f"  Projection: {figure.short(block.projected_tokens, page)} tokens, {cost} at its end"
