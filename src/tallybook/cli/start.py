"""The screen of `tallybook` alone: where the ledger is, today's figure, what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from tallybook.cli import figure, heading
from tallybook.cli.blank import empty
from tallybook.cli.host import Host
from tallybook.cli.table import clean
from tallybook.cli.terminal import Page
from tallybook.cli.view import View
from tallybook.query.span import current
from tallybook.query.totals import head, total

NEXT = (
    ("tallybook stats today", "today in more detail (also: week, month)"),
    ("tallybook costs --days=30", "by model, project, day"),
    ("tallybook tail", "follow calls as they happen"),
    ("tallybook doctor", "when something is missing"),
    ("tallybook --help", "all commands"),
)


def start(host: Host) -> None:
    """Write the screen."""
    view = View(host, {"folder": None}, (None, "day"))
    try:
        for line in lines(view):
            host.say(line)
    finally:
        view.close()


def lines(view: View) -> Iterator[str]:
    """The screen's lines."""
    page = view.page
    if not view.store.calls(limit=1):
        yield from empty(view)
        return
    yield f"Ledger: {clean(view.settings.folder)}"
    day = total(view.store, view.scope)
    month_scope = view.scope.during(current("month", view.now_us, view.zone))
    month = total(view.store, month_scope)
    for label, group in (("Today", day), (month_scope.span.label, month)):
        totals = group.totals
        cost = page.bold(figure.cost(totals, page, view.scope.currency) if totals.calls else "$0.00")
        failed = f", {page.bad(f'{totals.errors:,} failed')}" if totals.errors else ""
        yield f"{label}: {cost} for {figure.plural(totals.calls, 'call')}{failed}"
    yield from _lacking(view, page, month_scope, month)
    yield ""
    for command, text in NEXT:
        yield f"  {command:<27}{page.dim(text)}"


def _lacking(view: View, page: Page, scope: object, month: object) -> Iterator[str]:
    found = head(view.store, scope, month.totals)  # type: ignore[arg-type, attr-defined]
    yield from heading.coverage(found.coverage, page)
    for warning in found.warnings:
        yield page.warn(f"Warning: {clean(warning)}")
