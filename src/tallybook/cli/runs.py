"""`tallybook runs`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import click
import msgspec

from tallybook.cli import figure, heading, rows
from tallybook.cli.option import examples
from tallybook.cli.table import Column, Row, clean, remark, wrap
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, report
from tallybook.model.call import Run
from tallybook.model.errors import StorageError
from tallybook.model.run import RunStatus, SourceType
from tallybook.query.plain import OBJECTS, plain
from tallybook.query.runs import LIMIT, Runs
from tallybook.query.runs import runs as ask
from tallybook.query.totals import Scope

SOURCES, STATUSES = get_args(SourceType), get_args(RunStatus)
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


@click.command(
    epilog=examples(
        "tallybook runs", "tallybook runs --agent planner --days 7", "tallybook runs --starred --text invoice",
        "tallybook show RUN_ID",
    )
)  # fmt: skip
@click.option("--limit", "-n", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="Runs shown.")
@click.option("--starred", is_flag=True, help="Only starred runs.")
@click.option("--source", multiple=True, type=click.Choice(SOURCES), help="Only runs made from this.")
@click.option("--run-status", multiple=True, type=click.Choice(STATUSES), help="Only runs of this status.")
@click.option("--run-tag", multiple=True, metavar="TAG", help="Only runs with this tag; several: with all of them.")
@click.option("--text", metavar="TEXT", help="Only runs with this in name, description, tags or a message.")
@click.option("--deleted", is_flag=True, help="The runs in the bin instead.")
@report()
def runs(view: View, limit: int, **asked: Any) -> None:
    """List runs (conversations, agents, workflows), latest activity first; totals are over each whole run.

    Names, stars and tags are those given with `tallybook.runs` or over HTTP. `tallybook show ID` draws the execution
    tree of one.
    """
    found = _found(view, limit, _wanted(asked))
    if not view.is_blank(len(found.runs), "runs"):
        view.show(
            "runs",
            found,
            lines=lambda page: lines(found, view.scope, page),
            rows=lambda: (_flat(run) for run in found.runs),
        )


def _wanted(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for that only the state knows, as fields of its query."""
    named = {
        "is_starred": asked["starred"] or None, "source_types": asked["source"], "statuses": asked["run_status"],
        "tags": asked["run_tag"], "text": asked["text"], "in_bin": asked["deleted"],
    }  # fmt: skip
    return {name: value for name, value in named.items() if value}


def _found(view: View, limit: int, wanted: dict[str, Any]) -> Runs:
    if not (view.settings.folder / "state.db").exists():
        found = ask(view.store, view.scope, limit=limit)
        return msgspec.structs.replace(found, runs=[]) if wanted else found
    from tallybook.query.managed import kept, with_kept  # here, because a ledger without a state needs it not
    from tallybook.store.open import open_prices, open_state

    try:
        state = open_state(view.settings)
    except StorageError:
        if wanted:
            raise
        return ask(view.store, view.scope, limit=limit)  # A folder that may only be read.
    try:
        if wanted:
            from tallybook.ingest.follow import follow  # here, because the usual list reads the lake

            follow(view.settings.folder, state, open_prices(view.settings))
            return kept(state, view.scope, wanted, limit=limit)
        return with_kept(ask(view.store, view.scope, limit=limit), state, view.scope, limit=limit)
    finally:
        state.close()


def _flat(run: Run) -> dict[str, Any]:
    return rows.flat({name: value for name, value in plain(run).items() if name not in OBJECTS})


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


def _name(run: Run, page: Page) -> str:
    star = ("★ " if page.has_unicode else "* ") if run.is_starred else ""
    return star + clean(run.name or "")


def _row(run: Run, scope: Scope, page: Page) -> Row:
    return Row((
        clean(run.run_id),
        _name(run, page),
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
