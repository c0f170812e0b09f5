"""`tallybook models --top=5`."""

from __future__ import annotations

import click

from tallybook.cli.ranked import DAYS, SORT_NAMES, show
from tallybook.cli.view import View, by_option, compare_option, dimensions, examples, report

TOP = 10


@click.command(
    epilog=examples(
        "tallybook models --top=5",
        "tallybook models --sort cost --compare previous",
        "tallybook models --by provider,model --project shop",
    )
)
@click.option("--top", type=click.IntRange(min=1), default=TOP, show_default=True, help="Models shown.")
@click.option(
    "--sort", type=click.Choice(SORT_NAMES), default="calls", show_default=True, help="Largest first by this."
)
@by_option("Group by this instead: any dimensions or metadata.KEY, several by commas.")
@compare_option
@report(days=DAYS)
def models(view: View, top: int, sort: str, by: tuple[str, ...], is_compared: bool) -> None:
    """The most used models with calls, tokens, cost, shares and times. The last 30 days by default."""
    show(view, "models", dimensions(by, ("model",)), picture="🤖", sort=sort, top=top, is_compared=is_compared)
