"""`tallybook tail`: calls as they happen."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from tallybook.cli import figure
from tallybook.cli.calls import cost
from tallybook.cli.option import examples
from tallybook.cli.table import clean, cut, pad, width_of
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, report
from tallybook.config import Settings
from tallybook.model.call import Call, Cost
from tallybook.query.follow import Follower
from tallybook.query.span import local
from tallybook.query.totals import Scope

POLL_S = 0.2
LAST = 10
WORDS_MIN = 16
"""Columns that model and operation need; where they have less, tokens and duration go."""


@click.command(
    epilog=examples(
        "tallybook tail",
        "tallybook tail -n 0 --project shop --status error",
        "tallybook tail --json | jq -r .model",
    )
)
@click.option(
    "--last", "-n", type=click.IntRange(min=0), default=LAST, show_default=True, help="Calls shown to begin with."
)
@click.option("--json", "as_lines", is_flag=True, help="One JSON object a line.")
@report(has_format=False, has_days=False)
def tail(view: View, last: int, as_lines: bool) -> None:
    """Follow calls as they happen, each within a fifth of a second. Ends with Ctrl-C.

    `--since` sets how far back the calls reach that are shown to begin with.
    """
    follower = Follower(view.settings.folder, pricer(view.settings), view.scope.filters)
    span = view.scope.span
    before = (
        view.store.calls(view.scope.filters, since_us=span.since_us, until_us=span.until_us, limit=last) if last else []
    )
    write = _writer(view, as_lines)
    follower.mark(before)
    for call in reversed(before):
        write(call)
    view.host.out.flush()
    if not before and view.page.is_terminal and not as_lines:
        view.host.remark(view.host.err_page.dim(f"Waiting for calls in {view.settings.folder} … Ctrl-C ends."))
    view.close()
    while True:
        news = follower.poll()
        for complaint in news.complaints:
            view.host.remark(view.host.err_page.warn(f"Warning: {clean(complaint)}"))
        for call in news.calls:
            write(call)
        if news.calls:
            view.host.out.flush()
        time.sleep(POLL_S)


def pricer(settings: Settings) -> Callable[[Call], Cost]:
    """What a call costs by the prices in force in the folder; looked up once for each model."""
    from tallybook.prices.pricer import Pricer  # here, because only tail needs prices in Python
    from tallybook.store.open import open_prices

    return Pricer(open_prices(settings)).cost


def _writer(view: View, as_lines: bool) -> Callable[[Call], None]:
    if as_lines:
        from tallybook.export.json import line as json_line  # here, because a terminal needs it not

        return lambda call: view.host.say(json_line(call))

    def write(call: Call) -> None:
        now = view.scope.span._replace(now_us=view.host.now_us())
        scope = view.scope.during(now)
        view.host.say(line(call, scope, view.page))

    return write


def line(call: Call, scope: Scope, page: Page) -> str:
    """One call on one line: time, cost, tokens, duration, model, what for, how it ended."""
    at = local(call.started_at_us, scope.span.zone)
    tokens = f"{figure.short(call.usage.input_tokens, page)}>{figure.short(call.usage.output_tokens, page)}"
    arrow = "→" if page.has_unicode else ">"
    tokens = f"{figure.short(call.usage.input_tokens, page)}{arrow}{figure.short(call.usage.output_tokens, page)}"
    short = [f"{at:%H:%M:%S}", pad(cost(call, scope, page), 9, is_right=True)]
    whole = [*short, pad(tokens, 11, is_right=True), pad(figure.duration(call.duration_us, page), 7, is_right=True)]
    words = [call.response_model or call.model or "unknown model", call.name or call.operation]
    words += [part for part in (call.project, call.agent_name, call.user_id) if part]
    text = clean("  ".join(words))
    status = ""
    if call.status != "ok":
        status = "  " + clean(call.status if call.error_type is None else f"{call.status}: {call.error_type}")
    begin = "  ".join(whole)
    if page.width is not None:
        if page.width - width_of(begin) - 2 - width_of(status) < WORDS_MIN:
            begin = "  ".join(short)
        status = cut(status, max(WORDS_MIN, page.width - width_of(begin) - 2 - WORDS_MIN), page)
        text = cut(text, max(1, page.width - width_of(begin) - 2 - width_of(status)), page)
    return f"{begin}  {text}" + (page.bad(status) if status else "")
