"""`tallybook reconcile FILE`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from tallybook.cli import figure
from tallybook.cli.option import examples
from tallybook.cli.table import Column, Row, clean, wrap
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, report
from tallybook.model.errors import InputError
from tallybook.model.money import nanousd, usd
from tallybook.model.question import DIMENSIONS
from tallybook.query.bills.base import renamed, rezoned
from tallybook.query.bills.google import PACIFIC
from tallybook.query.bills.read import read
from tallybook.query.causes import explain
from tallybook.query.filters import ALIASES
from tallybook.query.plain import iso
from tallybook.query.plain import plain as plain_value
from tallybook.query.reconcile import Figures, Pair, Reconciliation, Tolerance, compare
from tallybook.query.span import local, zone_of

_COLUMNS = (
    Column("", rank=0),
    Column("Cost, export", is_right=True, rank=1),
    Column("Cost, ledger", is_right=True),
    Column("Differ", is_right=True),
    Column("Input, export", is_right=True, rank=3),
    Column("Input, ledger", is_right=True, rank=3),
    Column("Output, export", is_right=True, rank=4),
    Column("Output, ledger", is_right=True, rank=4),
    Column("Calls, export", is_right=True, rank=5),
    Column("Calls, ledger", is_right=True, rank=5),
)
ROWS_MAX = 40
"""Rows of one table. Beyond: those that differ most are shown; --json and --csv have all."""


@click.command(
    epilog=examples(
        "tallybook reconcile claude_api_tokens_2026_11.csv",
        "tallybook reconcile costs.json --tolerance 0.5 --key-by project",
        "tallybook reconcile activity.csv --since 2026-11-01 --json",
    )
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--tolerance", type=click.FloatRange(0, 100), default=1.0, show_default=True, metavar="PERCENT",
    help="Differences up to this share of the larger figure are within tolerance.",
)  # fmt: skip
@click.option(
    "--ignore-below", type=click.FloatRange(0), default=0.01, show_default=True, metavar="USD",
    help="Differences of money up to this amount are within tolerance too.",
)  # fmt: skip
@click.option(
    "--key-is",
    multiple=True,
    metavar="KEY=VALUE",
    help="What a key of the export is called in the ledger; with --key-by.",
)
@click.option("--key-by", metavar="WHAT", help="What stands for the export's keys or projects: project, metadata.KEY …")
@click.option(
    "--day-zone", metavar="ZONE", help="Where the export's days begin. Default: as the provider says, mostly UTC."
)
@report()
def reconcile(
    view: View,
    file: Path,
    tolerance: float,
    ignore_below: float,
    key_by: str | None,
    key_is: tuple[str, ...],
    day_zone: str | None,
) -> None:
    """Compare a provider's own usage or cost export with the ledger, by day, model and key, with likely causes.

    Exit code 0 when everything is within tolerance, 1 when something is not.
    """
    bill = read(file)
    if day_zone is not None:
        zone_of(day_zone)
        bill = rezoned(bill, day_zone)
    key = _dimension(key_by)
    bill = renamed(bill, _names(key_is, key_by))
    limits = Tolerance(share=tolerance / 100, floor_nanousd=nanousd(ignore_below))
    span, filters = view.scope.span, view.scope.filters
    found = compare(
        view.store, bill, tolerance=limits, since_us=span.since_us, until_us=span.until_us, filters=filters, key_by=key
    )
    inside = [line for line in bill.lines if found.since_us <= line.start_us < found.until_us]
    causes = explain(view.store, bill._replace(lines=inside), found, ("UTC", view.zone, PACIFIC), filters)
    found = msgspec.structs.replace(found, causes=causes)
    if view.is_json:
        view.write_json(plain(found))
    elif view.is_csv:
        view.write_csv(rows(found))
    else:
        for line in lines(found, view.page):
            view.host.say(line)
    if not found.is_within:
        raise click.exceptions.Exit(1)


def _dimension(word: str | None) -> str | None:
    if word is None:
        return None
    name = ALIASES.get(word, word)
    if name not in DIMENSIONS and not name.startswith("metadata."):
        raise InputError(f"{word!r} is no dimension of calls", field="--key-by", hint="project, user, metadata.KEY …")
    return name


def _names(pairs: tuple[str, ...], key_by: str | None) -> dict[str, str]:
    names = {}
    for pair in pairs:
        mine, separator, theirs = pair.partition("=")
        if not mine or not separator:
            raise InputError(f"{pair!r} is not KEY=VALUE", field="--key-is", hint="--key-is key_abc=report-writer")
        names[mine] = theirs
    if names and key_by is None:
        raise InputError("--key-is needs --key-by", field="--key-is", hint="say what the values are: --key-by project")
    return names


def lines(found: Reconciliation, page: Page) -> Iterator[str]:
    """The comparison as text."""
    first, last = local(found.since_us, found.zone).date(), local(found.until_us - 1, found.zone).date()
    yield page.bold(f"{page.mark('🧾')}{found.form}, {first} to {last} ({found.zone})")
    for title, pairs in (("Day", found.days), ("Model", found.models), ("Key", found.keys)):
        if pairs:
            yield ""
            yield from _table(title, pairs, found, page)
    yield ""
    for remark in found.remarks:
        yield from (page.dim(line) for line in wrap(f"Note: {clean(remark)}.", page.width, "  "))
    limit = f"{found.tolerance.share * 100:g}% or {figure.money(found.tolerance.floor_nanousd, page)}"
    if found.is_within:
        yield page.good(f"Within tolerance ({limit}).")
        return
    yield page.bad(f"Outside tolerance ({limit}).")
    yield "Likely causes:"
    for cause in found.causes:
        amount = "" if cause.cost_nanousd is None else f" ({figure.money(cause.cost_nanousd, page)})"
        yield from wrap(f"  - {clean(cause.text)}{amount}", page.width, "    ")
        if cause.remedy:
            yield from (page.dim(line) for line in wrap(f"    {cause.remedy}", page.width, "    "))


def _table(title: str, pairs: list[Pair], found: Reconciliation, page: Page) -> Iterator[str]:
    shown = pairs
    if len(pairs) > ROWS_MAX:
        worst = sorted(pairs, key=lambda pair: pair.is_within)[:ROWS_MAX]
        shown = [pair for pair in pairs if pair in worst]
    columns = (_COLUMNS[0]._replace(name=title, min_width=10), *_COLUMNS[1:])
    is_alone = all(pair.ledger.requests is None for pair in pairs)
    table = [Row(_cells(clean(_name(pair)), pair, found, page, is_alone=is_alone)) for pair in shown]
    table.append(Row(_cells("Total", found.total, found, page, is_alone=is_alone), "total"))
    yield from table_lines(columns, table, page, has_hint=False)
    if len(shown) < len(pairs):
        yield page.dim(f"{len(shown)} of {len(pairs)}; --csv has all.")


def _name(pair: Pair) -> str:
    value = next(iter(pair.by.values()), None)
    return "(none)" if value is None else str(value)


def _cells(name: str, pair: Pair, found: Reconciliation, page: Page, *, is_alone: bool) -> tuple[str, ...]:
    """`is_alone`: the ledger's side of these rows is not known."""
    bill, ledger = pair.bill, pair.ledger
    cost = differ = ""
    if ledger.cost_nanousd is not None:
        cost = figure.money(ledger.cost_nanousd, page, is_partial=ledger.unpriced_calls > 0)
    elif not is_alone:
        cost = "unpriced" if ledger.requests else page.dash
    if is_alone:
        pass
    elif bill.cost_nanousd is not None:
        differ = figure.money((ledger.cost_nanousd or 0) - bill.cost_nanousd, page)
    elif bill.input_tokens is not None or bill.output_tokens is not None:
        differ = figure.change(_tokens(ledger), _tokens(bill), page)
    cells = [
        name,
        "" if bill.cost_nanousd is None else figure.money(bill.cost_nanousd, page),
        "" if is_alone else cost,
        differ if pair.is_within or is_alone else page.bad(differ or page.dash),
    ]
    for field in ("input_tokens", "output_tokens", "requests"):
        told = getattr(found.total.bill, field) is not None  # Else the ledger's column would stand alone.
        mine, theirs = getattr(bill, field), getattr(ledger, field)
        cells.append("" if mine is None else figure.short(mine, page))
        cells.append("" if is_alone or not told else figure.short(theirs or 0, page))
    return tuple(cells)


def _tokens(side: Figures) -> int:
    return (side.input_tokens or 0) + (side.output_tokens or 0)


def plain(found: Reconciliation) -> dict[str, Any]:
    """The comparison as plain data."""
    return {
        "report": "reconcile",
        "is_within": found.is_within,
        "form": found.form,
        "provider": found.provider,
        "zone": found.zone,
        "since": iso(found.since_us),
        "until": iso(found.until_us),
        "tolerance": {"share": found.tolerance.share, "floor_nanousd": found.tolerance.floor_nanousd},
        "total": _pair(found.total),
        "days": [_pair(pair) for pair in found.days],
        "models": [_pair(pair) for pair in found.models],
        "keys": [_pair(pair) for pair in found.keys],
        "causes": plain_value(found.causes),
        "remarks": found.remarks,
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        **pair.by, "is_within": pair.is_within, "export": plain_value(pair.bill), "ledger": plain_value(pair.ledger)
    }  # fmt: skip


def rows(found: Reconciliation) -> Iterator[dict[str, Any]]:
    """The comparison as flat rows: a section, its value, both sides."""
    sections = (("total", [found.total]), ("day", found.days), ("model", found.models), ("key", found.keys))
    for section, pairs in sections:
        for pair in pairs:
            row: dict[str, Any] = {
                "section": section, "value": next(iter(pair.by.values()), None), "is_within": pair.is_within
            }  # fmt: skip
            for name in ("cost_nanousd", "input_tokens", "output_tokens", "requests"):
                mine, theirs = getattr(pair.bill, name), getattr(pair.ledger, name)
                if name == "cost_nanousd":
                    row["export_cost_usd"], row["ledger_cost_usd"] = _usd(mine), _usd(theirs)
                else:
                    row[f"export_{name}"], row[f"ledger_{name}"] = mine, theirs
            yield row


def _usd(amount: int | None) -> str | None:
    return None if amount is None else format(usd(amount), "f")
