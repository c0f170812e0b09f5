"""`tallybook stats today|week|month`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tallybook.cli import figure, heading, rows, section
from tallybook.cli.option import examples
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, by_option, compare_option, dimensions, report
from tallybook.query.span import local
from tallybook.query.stats import Stats
from tallybook.query.stats import stats as ask

PERIODS = {"today": "day", "week": "week", "month": "month"}


@click.command(
    epilog=examples(
        "tallybook stats today",
        "tallybook stats week --by agent --by user",
        "tallybook stats month --compare previous",
        "tallybook stats --since 7d --project shop --json",
    )
)
@click.argument("period", type=click.Choice(list(PERIODS)), required=False)
@by_option("Sections to show: any dimension or metadata.KEY. Default: model, project.")
@compare_option
@report(periods=PERIODS)
def stats(view: View, by: tuple[str, ...], is_compared: bool) -> None:
    """Usage today (the default), this week or this month: cost, calls, tokens, times, largest parts.

    Weeks begin on Monday. A current day, week or month is compared with the one before up to the same time.
    """
    found = ask(view.store, view.scope, dimensions(by, ("model", "project")), is_compared=is_compared)
    if not view.is_blank(found.total.totals.calls):
        view.show(
            "stats",
            found,
            lines=lambda page: lines(found, page),
            rows=lambda: rows.sections(found.total, found.sections, found.head.currency),
        )


def lines(found: Stats, page: Page) -> Iterator[str]:
    """The report as text."""
    head, totals, more = found.head, found.total.totals, found.total.more
    before = found.total.previous
    yield from heading.above(head, "📊", page)

    def against(name: str, *, more_is_bad: bool | None = None) -> str:
        if before is None:
            return ""
        text = figure.change(getattr(totals, name), getattr(before, name), page, more_is_bad=more_is_bad)
        return f"  {text}"

    yield f"  Total cost: {page.bold(figure.cost(totals, page, head.currency))}{against('cost_nano', more_is_bad=True)}"
    failed = ""
    if totals.errors:
        failed = f" ({page.bad(f'{totals.errors:,} failed')}, {figure.percent(totals.errors / totals.calls, page)})"
    yield f"  Calls: {figure.count(totals.calls, page)}{failed}{against('calls')}"
    yield f"  Tokens: {tokens(found, page)}{against('total_tokens')}"
    average, p95 = more["duration_avg_us"], more["duration_p95_us"]
    if average is not None:
        yield f"  Response time: {figure.duration(average, page)} average, {figure.duration(p95, page)} P95"
    counted = (("users", "user"), ("runs", "run"), ("tool_calls", "tool call"))
    parts = [figure.plural(more[name], noun) for name, noun in counted if more.get(name)]
    if parts:
        yield f"  Of: {', '.join(parts)}"
    yield from course(found, page)
    for dimension, groups in found.sections.items():
        if any(group.by[dimension] is not None for group in groups):
            yield from section.by_cost(dimension, groups, page, head.currency)
    yield from heading.below(head, page)


def tokens(found: Stats, page: Page) -> str:
    """`1.2M in, 340k out, 61% of input from cache`."""
    totals = found.total.totals
    parts = [f"{figure.short(totals.input_tokens, page)} in", f"{figure.short(totals.output_tokens, page)} out"]
    if totals.cache_read_tokens and totals.input_tokens:
        parts.append(f"{figure.percent(totals.cache_read_tokens / totals.input_tokens, page)} of input from cache")
    return ", ".join(parts)


def course(found: Stats, page: Page) -> list[str]:
    """The cost over time as a sparkline."""
    series = found.series
    if not series:
        return []
    first, last = series[0].by["time"], series[-1].by["time"]
    if len(first) > 10:
        now = local(found.head.span.now_us, found.head.span.zone)
        ends = (f"{first[11:]}:00", "now" if last == f"{now:%Y-%m-%dT%H}" else f"{last[11:]}:59")
        return section.spark("By hour", series, page, *ends)
    return section.spark("By day", series, page, figure.day(first), figure.day(last))
