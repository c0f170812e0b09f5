"""`tallybook models --top=5`."""

from __future__ import annotations

from typing import Any

import click

from tallybook.cli import ranked
from tallybook.cli.view import View, examples


@click.command(
    epilog=examples(
        "tallybook models --top=5",
        "tallybook models --sort cost --compare previous",
        "tallybook models --by provider,model --project shop",
    )
)
@ranked.options("Models", top=10)
def models(view: View, **given: Any) -> None:
    """The most used models with calls, tokens, cost, shares and times. The last 30 days by default."""
    ranked.show(view, "models", "model", "🤖", **given)
