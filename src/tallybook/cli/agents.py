"""`tallybook agents`."""

from __future__ import annotations

import click

from tallybook.cli.ranked import DAYS, SORT_NAMES, show
from tallybook.cli.view import View, by_option, compare_option, dimensions, examples, report

TOP = 20


@click.command(
    epilog=examples(
        "tallybook agents",
        "tallybook agents --by agent,model --days 7",
        "tallybook agents --sort errors --environment production",
    )
)
@click.option("--top", type=click.IntRange(min=1), default=TOP, show_default=True, help="Agents shown.")
@click.option(
    "--sort", type=click.Choice(SORT_NAMES), default="calls", show_default=True, help="Largest first by this."
)
@by_option("Group by this instead: any dimensions or metadata.KEY, several by commas.")
@compare_option
@report(days=DAYS)
def agents(view: View, top: int, sort: str, by: tuple[str, ...], is_compared: bool) -> None:
    """Usage by agent: calls, tokens, cost, times, failures. The last 30 days by default."""
    show(view, "agents", dimensions(by, ("agent_name",)), picture="🧭", sort=sort, top=top, is_compared=is_compared)
