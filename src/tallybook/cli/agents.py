"""`tallybook agents`."""

from __future__ import annotations

from typing import Any

import click

from tallybook.cli import ranked
from tallybook.cli.option import examples
from tallybook.cli.view import View


@click.command(
    epilog=examples(
        "tallybook agents",
        "tallybook agents --by agent,model --days 7",
        "tallybook agents --sort errors --environment production",
    )
)
@ranked.options("Agents", top=20)
def agents(view: View, **given: Any) -> None:
    """Usage by agent: calls, tokens, cost, times, failures. The last 30 days by default."""
    ranked.show(view, "agents", "agent_name", "🧭", **given)
