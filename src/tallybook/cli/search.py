"""`tallybook search`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tallybook.cli.calls import ID_CHARS
from tallybook.cli.option import examples
from tallybook.cli.table import clean, remark
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, report
from tallybook.query.search import found
from tallybook.query.span import local
from tallybook.store.sought import Searched

LIMIT = 20
SECONDS = 60.0


@click.command(
    epilog=examples(
        "tallybook search invoice overdue",
        "tallybook search '\"order 4711\"' --days 7",
        "tallybook search refund --project shop --json | jq '.hits[].snippet'",
    )
)
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", "-n", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="Calls shown.")
@click.option("--seconds", type=click.FloatRange(min=0), default=SECONDS, show_default=True, help="End after so long.")
@report()
def search(view: View, text: tuple[str, ...], limit: int, seconds: float) -> None:
    """Find calls by what was sent and answered, newest first.

    Looks for all words, and "phrases in quotes", whatever the case, in stored prompts and responses, or in their
    previews where only those are kept.
    """
    span = view.scope.span
    got = view.store.search(
        " ".join(text), view.scope.filters, since_us=span.since_us, until_us=span.until_us, limit=limit, seconds=seconds
    )
    if view.is_json:
        view.write_json({"report": "search", **found(got)})
    elif view.is_csv:
        from tallybook.export.csv import cells  # here, because most runs write text

        view.write_csv({**cells(hit.call), "place": hit.place, "snippet": hit.snippet} for hit in got.hits)
    else:
        for line in lines(got, view, view.page):
            view.host.say(line)


def lines(got: Searched, view: View, page: Page) -> Iterator[str]:
    """The hits as text: a line that names the call, and one that shows the place."""
    for hit in got.hits:
        at = local(hit.call.started_at_us, view.scope.span.zone)
        call_id = hit.call.call_id[:ID_CHARS] if page.is_terminal else hit.call.call_id
        model = hit.call.response_model or hit.call.model or page.dash
        yield f"{at:%Y-%m-%d %H:%M:%S}  {clean(call_id)}  {clean(model)}  {clean(hit.call.project or '')}".rstrip()
        yield f"    {clean(hit.place)}: {clean(hit.snippet)}"
    if got.reached is not None:
        at = local(got.reached[0], view.scope.span.zone)
        yield from remark(f"Looked back to {at:%Y-%m-%d %H:%M}; --until goes on there, --limit shows more.", page)
    elif not got.hits:
        yield from remark("No stored prompt or response has these words.", page)
