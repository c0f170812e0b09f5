"""`tallybook performance`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from tallybook.cli import figure, heading, rows
from tallybook.cli.bar import bar
from tallybook.cli.option import examples
from tallybook.cli.section import BAR
from tallybook.cli.table import Column, Row, listing
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, by_option, compare_option, dimensions, report
from tallybook.query.latency import TOP, Latency, latency, tokens_per_second
from tallybook.query.totals import Group

DAYS = 30

_COLUMNS = (
    Column("name", min_width=14),
    Column("average", is_right=True),
    Column("p95", is_right=True, rank=1),
    Column("bar", rank=4),
    Column("speed", is_right=True, rank=3),
    Column("calls", is_right=True, rank=2),
)


@click.command(
    epilog=examples(
        "tallybook performance",
        "tallybook performance --by provider --by model --days 7",
        "tallybook performance --operation doc-search --compare previous",
    )
)
@click.option("--top", type=click.IntRange(min=1), default=TOP, show_default=True, help="Groups shown in each section.")
@by_option("Sections to show, slowest first. Default: task (your operation), model.")
@compare_option
@report(days=DAYS)
def performance(view: View, top: int, by: tuple[str, ...], is_compared: bool) -> None:
    """Response times: average, P95, the slowest operations. The last 30 days by default."""
    found = latency(view.store, view.scope, dimensions(by, ("task", "model")), is_compared=is_compared, top=top)
    if not view.is_blank(found.total.totals.calls):
        view.show(
            "performance",
            found,
            lines=lambda page: lines(found, page),
            rows=lambda: rows.sections(found.total, found.sections, found.head.currency),
        )


def lines(found: Latency, page: Page) -> Iterator[str]:
    """The report as text."""
    head, totals, more = found.head, found.total.totals, found.total.more
    yield from heading.title("Performance Stats", "⚡", [head.span.label, *head.filters], head.span, page)

    def against(name: str) -> str:
        if found.before is None:
            return ""
        then = found.before.more[name]
        return f"  {figure.change(more[name], then, page, more_is_bad=True)} from {figure.duration(then, page)}"

    if more["duration_avg_us"] is None:
        yield f"  No response times: none of {figure.plural(totals.calls, 'call')} has a duration."
        return
    yield f"  Average response time: {figure.duration(more['duration_avg_us'], page)}{against('duration_avg_us')}"
    yield f"  P95 response time: {figure.duration(more['duration_p95_us'], page)}{against('duration_p95_us')}"
    median, p99, longest = (figure.duration(more[f"duration_{name}_us"], page) for name in ("p50", "p99", "max"))
    yield f"  Median {median}, P99 {p99}, longest {longest}"
    if more["ttft_p50_us"] is not None:
        yield (
            f"  First token: {figure.duration(more['ttft_p50_us'], page)} median, "
            f"{figure.duration(more['ttft_p95_us'], page)} P95"
        )
    failed = f", {figure.percent(totals.errors / totals.calls, page)} failed" if totals.errors else ""
    yield f"  Over {figure.plural(totals.calls, 'call')}{failed}"
    for dimension, groups in found.sections.items():
        if groups:
            yield f"  Slowest {_many(heading.name(dimension))}:"
            yield from _slowest(dimension, groups, page)
    yield from heading.below(head, page)


def _many(noun: str) -> str:
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def _slowest(dimension: str, groups: Sequence[Group], page: Page) -> list[str]:
    top = max(group.more["duration_avg_us"] for group in groups)
    found = []
    for group in groups:
        speed = tokens_per_second(group)
        average = group.more["duration_avg_us"]
        found.append(
            Row((
                f"- {heading.value(dimension, group.by[dimension])}:",
                f"{figure.duration(average, page)} avg",
                f"{figure.duration(group.more['duration_p95_us'], page)} P95",
                page.accent(bar(average / top if top else 0, BAR, page)) if page.is_terminal else "",
                "" if speed is None else f"{speed:,.0f} tok/s",
                figure.calls(group.totals.calls),
            ))
        )  # fmt: skip
    return listing(_COLUMNS, found, page)
