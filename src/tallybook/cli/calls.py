"""`tallybook calls`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from tallybook.cli import figure, heading
from tallybook.cli.option import examples
from tallybook.cli.table import Column, Row, clean, remark, wrap
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, report
from tallybook.model.call import Call
from tallybook.model.question import Filter
from tallybook.query.filters import told
from tallybook.query.plain import call as plain_call
from tallybook.query.span import local
from tallybook.query.totals import Scope

LIMIT = 50

COLUMNS = (
    Column("Time"),
    Column("Call", rank=2),
    Column("Model", min_width=14),
    Column("Operation", rank=4, min_width=10),
    Column("Project", rank=6, min_width=8),
    Column("User", rank=7, min_width=6),
    Column("Input", is_right=True, rank=3),
    Column("Output", is_right=True, rank=3),
    Column("Time taken", is_right=True, rank=5),
    Column("Cost", is_right=True),
    Column("Status", rank=1, min_width=9),
)
ID_CHARS = 18
"""Characters of an id that lists show: its millisecond and twelve random bits, enough for `show`."""


@click.command(
    epilog=examples(
        "tallybook calls",
        "tallybook calls --status error --days 7",
        "tallybook calls --user mia --model ~sonnet --slower 5",
        "tallybook calls --since today --json | jq '.calls[].cost_usd'",
    )
)
@click.option("--limit", "-n", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="Calls shown.")
@click.option("--oldest", is_flag=True, help="Oldest first instead of newest.")
@click.option("--slower", type=float, metavar="SECONDS", help="Only calls that took at least this long.")
@click.option("--dearer", type=float, metavar="USD", help="Only calls that cost at least this much.")
@report()
def calls(view: View, limit: int, oldest: bool, slower: float | None, dearer: float | None) -> None:
    """List calls, newest first. `tallybook show ID` tells everything about one."""
    filters = list(view.scope.filters)
    if slower is not None:
        filters.append(Filter("duration_us", "gte", round(slower * 1_000_000)))
    if dearer is not None:
        filters.append(Filter("cost_nanousd", "gte", round(dearer * 1_000_000_000)))
    span = view.scope.span
    found = view.store.calls(
        filters, since_us=span.since_us, until_us=span.until_us, limit=limit + 1, oldest_first=oldest
    )
    is_cut = len(found) > limit
    found = found[:limit]
    if view.is_json:
        view.write_json({"report": "calls", "is_cut": is_cut, "calls": [plain_call(call) for call in found]})
    elif view.is_csv:
        from tallybook.export import csv  # here, because most runs write text

        sum(csv.calls([found], view.host.out))
    elif not view.is_blank(len(found)):
        for line in lines(found, view.scope, view.page, is_cut=is_cut):
            view.host.say(line)


def lines(found: Sequence[Call], scope: Scope, page: Page, *, is_cut: bool) -> Iterator[str]:
    """The list as text."""
    span = scope.span
    if scope.filters:
        yield from heading.title("Calls", "", told(scope.filters), span, page)
    yield from table_lines(COLUMNS, [row(call, scope, page) for call in found], page)
    unpriced = sum(call.cost is None or call.cost.total_nanousd is None for call in found)
    if unpriced:
        text = f"{unpriced:,} of these {figure.plural(len(found), 'call')} unpriced; `tallybook doctor` says why"
        yield from (page.warn(line) for line in wrap(text, page.width, "  "))
    if is_cut:
        yield from remark(f"There are more than these {len(found)}: --limit, --since or a filter.", page)


def row(call: Call, scope: Scope, page: Page) -> Row:
    """One call's cells."""
    at = local(call.started_at_us, scope.span.zone)
    is_today = at.date() == local(scope.span.now_us, scope.span.zone).date()
    status = call.status
    if status != "ok":
        text = status if call.error_type is None else f"{status}: {clean(call.error_type)}"
        status = page.bad(text) if status == "error" and page.has_color else text  # type: ignore[assignment]
    return Row((
        f"{at:%H:%M:%S}" if is_today and page.is_terminal else f"{at:%Y-%m-%d %H:%M:%S}",
        clean(call.call_id[:ID_CHARS] if page.is_terminal else call.call_id),
        clean(call.response_model or call.model or page.dash),
        clean(call.name or call.operation),
        clean(call.project or ""),
        clean(call.user_id or ""),
        figure.count(call.usage.input_tokens, page),
        figure.count(call.usage.output_tokens, page),
        figure.duration(call.duration_us, page),
        cost(call, scope, page),
        status,
    ))  # fmt: skip


def cost(call: Call, scope: Scope, page: Page) -> str:
    """The cost of one call; `+` when part of it has no price, `~` when it is an estimate."""
    if call.cost is None or call.cost.total_nanousd is None:
        return "unpriced"
    amount = scope.amount(call.cost.total_nanousd, call.started_at_us)
    text = figure.money(amount, page, scope.currency, is_partial=call.cost.status == "partial")
    return f"~{text}" if call.cost.status == "estimated" else text
