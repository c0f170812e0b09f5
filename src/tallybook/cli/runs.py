"""`tallybook runs`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tallybook.cli import figure, heading, rows
from tallybook.cli.table import Column, Row, clean, remark, wrap
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, examples, report
from tallybook.model.call import Run
from tallybook.query.plain import plain
from tallybook.query.runs import LIMIT, Runs
from tallybook.query.runs import runs as ask
from tallybook.query.totals import Scope

_COLUMNS = (
    Column("Run", min_width=13),
    Column("Name", rank=4, min_width=10),
    Column("Project", rank=6, min_width=8),
    Column("Agent", rank=7, min_width=8),
    Column("User", rank=8, min_width=6),
    Column("Calls", is_right=True),
    Column("Failed", is_right=True, rank=2),
    Column("Tokens", is_right=True, rank=3),
    Column("Length", is_right=True, rank=5),
    Column("Cost", is_right=True),
    Column("Last activity", rank=1),
)


@click.command(epilog=examples("tallybook runs", "tallybook runs --agent planner --days 7", "tallybook show RUN_ID"))
@click.option("--limit", "-n", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="Runs shown.")
@report()
def runs(view: View, limit: int) -> None:
    """List runs (conversations, agents, workflows), latest activity first; totals are over each whole run.

    `tallybook show ID` draws the execution tree of one.
    """
    found = ask(view.store, view.scope, limit=limit)
    if not view.is_blank(len(found.runs), "runs"):
        view.show(
            "runs",
            found,
            lines=lambda page: lines(found, view.scope, page),
            rows=lambda: (rows.flat(plain(run)) for run in found.runs),
        )


def lines(found: Runs, scope: Scope, page: Page) -> Iterator[str]:
    """The list as text."""
    if found.filters:
        yield from heading.title("Runs", "", found.filters, found.span, page)
    yield from table_lines(_COLUMNS, [_row(run, scope, page) for run in found.runs], page)
    unpriced = sum(run.unpriced_count for run in found.runs)
    if unpriced:
        text = f"{figure.plural(unpriced, 'call')} of these runs unpriced; `tallybook doctor` says why"
        yield from (page.warn(line) for line in wrap(text, page.width, "  "))
    if found.is_cut:
        yield from remark(f"There are more than these {len(found.runs)}: --limit, --since or a filter.", page)


def cost(run: Run, scope: Scope, page: Page) -> str:
    """The cost of a run, converted at the rate of its last day; `unpriced` when no call has a price."""
    if run.unpriced_count and run.unpriced_count >= run.call_count:
        return "unpriced"
    amount = scope.amount(run.cost_nanousd, run.updated_at_us)
    return figure.money(amount, page, scope.currency, is_partial=run.unpriced_count > 0)


def _row(run: Run, scope: Scope, page: Page) -> Row:
    return Row((
        clean(run.run_id),
        clean(run.name or ""),
        clean(run.project or ""),
        clean(run.agent_name or ""),
        clean(run.user_id or ""),
        figure.count(run.call_count, page),
        page.bad(f"{run.error_count:,}") if run.error_count else "",
        figure.short(run.input_tokens + run.output_tokens, page),
        figure.duration(run.updated_at_us - run.created_at_us, page),
        cost(run, scope, page),
        figure.moment(run.updated_at_us, scope.span.zone, page),
    ))  # fmt: skip
