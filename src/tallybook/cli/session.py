"""`tallybook session`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tallybook.cli import figure, heading, rows
from tallybook.cli.option import examples
from tallybook.cli.periods import FIGURES, figures
from tallybook.cli.table import Column, Row, clean, remark
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, report
from tallybook.query.sessions import LIMIT, Sessions, sessions

DAYS = 30


@click.command(
    epilog=examples(
        "tallybook session",
        "tallybook session --sort cost --limit 10",
        "tallybook session --user mia --since yesterday --json",
    )
)
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="Sessions shown.")
@click.option("--sort", type=click.Choice(["last", "cost", "tokens", "calls"]), default="last", show_default=True)
@report(days=DAYS)
def session(view: View, limit: int, sort: str) -> None:
    """One row a session, latest active first; totals over all at the end. The last 30 days by default."""
    found = sessions(view.store, view.scope, sort=sort, limit=limit)  # type: ignore[arg-type]
    if not view.is_blank(found.total.totals.calls, "calls with a session"):
        view.show(
            "session",
            found,
            lines=lambda page: lines(found, page),
            rows=lambda: rows.of(found.sessions, found.head.currency),
        )


def lines(found: Sessions, page: Page) -> Iterator[str]:
    """The report as text."""
    head = found.head
    label = head.span.label
    filters = [text for text in head.filters if text != "any session_id"]
    text = f"Sessions, {label[0].lower() + label[1:]}"
    yield from heading.title(text, "💬", filters, head.span, page)
    columns = [
        Column("Session", min_width=12),
        Column("Project", rank=6, min_width=8),
        Column("Models", rank=7, min_width=14),
        *FIGURES[:-1],
        Column("Last activity", rank=1),
    ]
    table = []
    for group in found.sessions:
        more = group.more
        table.append(
            Row((
                clean(group.by["session_id"]),
                clean(more["project"] or ""),
                ", ".join(clean(name) for name in more["models"]),
                *figures(group, page, head.currency)[:-1],
                figure.moment(more["last_at_us"], head.span.zone, page),
            ))
        )  # fmt: skip
    table.append(Row(("Total", "", "", *figures(found.total, page, head.currency)[:-1], ""), "total"))
    yield from table_lines(columns, table, page)
    if found.sessions_in_all > len(found.sessions):
        shown = f"{len(found.sessions)} of {found.sessions_in_all:,} sessions; the total is over all."
        yield from remark(f"{shown} --limit shows more.", page)
    if found.calls_without_session:
        count = figure.plural(found.calls_without_session, "call")
        yield from remark(f"{count} without a session not included.", page)
    yield from heading.below(head, page)
