"""`tallybook reprice --since …`, `--list`, `--undo ID`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from tallybook.cli import figure
from tallybook.cli.option import examples
from tallybook.cli.table import Column, Row, clean, remark
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, report
from tallybook.ingest import reprice as past
from tallybook.ingest.reprice import Change, Repricing
from tallybook.model.codec import unix_us_of
from tallybook.model.money import usd
from tallybook.query.filters import told
from tallybook.query.plain import iso, plain
from tallybook.store.open import open_state

_COLUMNS = (
    Column("Model", min_width=16),
    Column("Provider", rank=2),
    Column("Calls", is_right=True),
    Column("Before", is_right=True),
    Column("After", is_right=True),
    Column("Change", is_right=True),
    Column("Unpriced before", is_right=True, rank=3),
    Column("after", is_right=True, rank=3),
)
_ACTS = (
    Column("Id"),
    Column("What", min_width=14),
    Column("Calls", is_right=True),
    Column("Before", is_right=True, rank=1),
    Column("After", is_right=True, rank=1),
    Column("Status"),
)


@click.command(
    epilog=examples(
        "tallybook reprice --since 2026-11-01 --dry-run",
        "tallybook reprice --since 30d --model gpt-6.2-sol",
        "tallybook reprice --list",
        "tallybook reprice --undo 20261122",
    )
)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--undo", "undone", metavar="ID", help="Take a repricing back; its id or the beginning of it.")
@click.option("--list", "is_list", is_flag=True, help="List the repricings on record.")
@report()
def reprice(view: View, dry_run: bool, undone: str | None, is_list: bool) -> None:
    """Price past calls by the prices known now: show per model what changes, then do it.

    For calls that were sealed with a wrong price or none. Costs that the provider or the application stated stay.
    Both figures are kept on record, and --undo takes it back. Doing it twice changes nothing.
    """
    if is_list:
        _list(view)
        return
    if undone is not None:
        _undo(view, undone, dry_run=dry_run)
        return
    span = view.scope.span
    if span.since_us is None and not click.get_current_context().params.get("is_all"):
        raise click.UsageError("say from when on: --since 2026-11-01, --days 30, or --all.")
    folder = view.settings.folder
    if not dry_run and any(known.status == "writing" for known in past.listed(folder)):
        for known in with_state(view, lambda state: past.resume(folder, state)):
            view.host.remark(f"Repricing {known.id} had been broken off and was finished first.")
    act = past.plan(
        view.store, view.now_us, since_us=span.since_us, until_us=span.until_us,
        filters=view.scope.filters, told=told(view.scope.filters), folder=None if dry_run else folder,
    )  # fmt: skip
    if not dry_run and act.changes:
        with_state(view, lambda state: past.apply(folder, act, state))
    show(view, act, is_done=not dry_run)


def with_state(view: View, work: Any) -> Any:
    """Do something with the ledger's state open, and seal afterwards, so that what changed is folded in."""
    from tallybook.cli.tend import seal  # here, because dry runs need it not

    state = open_state(view.settings)
    try:
        done = work(state)
    finally:
        state.close()
    seal(view.settings)
    return done


def _undo(view: View, identity: str, *, dry_run: bool) -> None:
    folder = view.settings.folder
    if dry_run:
        act = past.undo(view.store, folder, identity, None, view.now_us, dry_run=True)
    else:
        act = with_state(view, lambda state: past.undo(view.store, folder, identity, state, view.now_us))
    show(view, act, is_done=not dry_run)


def show(view: View, act: Repricing, *, is_done: bool) -> None:
    """Write one act in the form asked for."""
    if view.is_json:
        view.write_json({"report": "reprice", "dry_run": not is_done, **_plain(act)})
    elif view.is_csv:
        view.write_csv(_rows(act))
    else:
        for line in lines(act, view.page, is_done=is_done):
            view.host.say(line)


def lines(act: Repricing, page: Page, *, is_done: bool) -> Iterator[str]:
    """One act as text."""
    looked = f"{figure.plural(act.looked_at, 'call')} looked at"
    if act.stated:
        looked += f", {act.stated:,} with a stated cost left as they are"
    if act.skipped:
        looked += f", {act.skipped:,} changed otherwise since or gone, and left alone"
    if not act.changes:
        yield f"Nothing changes: {looked}."
        return
    table = [Row((clean(change.model or "(no model)"), clean(change.provider), *_cells(change, page)))
             for change in act.changes]  # fmt: skip
    total = _total(act)
    table.append(Row(("Total", "", *_cells(total, page)), "total"))
    yield from table_lines(_COLUMNS, table, page)
    yield from remark(f"{looked}.", page)
    if not is_done:
        yield "Nothing was changed: this was a dry run."
    elif act.undoes:
        yield f"Repricing {act.undoes} was undone, as {act.id}."
    else:
        yield f"Done, as {act.id}. `tallybook reprice --undo {act.id}` takes it back."


def _total(act: Repricing) -> Change:
    total = Change(provider="", model=None)
    for change in act.changes:
        total.calls += change.calls
        total.unpriced_before += change.unpriced_before
        total.unpriced_after += change.unpriced_after
        for name in ("before_nanousd", "after_nanousd"):
            amount = getattr(change, name)
            if amount is not None:
                setattr(total, name, (getattr(total, name) or 0) + amount)
    return total


def _cells(change: Change, page: Page) -> tuple[str, ...]:
    before, after = change.before_nanousd, change.after_nanousd
    moved = (after or 0) - (before or 0)
    return (
        f"{change.calls:,}",
        figure.money(before, page) if before is not None else "unpriced",
        figure.money(after, page) if after is not None else "unpriced",
        f"+{figure.money(moved, page)}" if moved > 0 else figure.money(moved, page),
        f"{change.unpriced_before:,}" if change.unpriced_before else "",
        f"{change.unpriced_after:,}" if change.unpriced_after else "",
    )


def _plain(act: Repricing) -> dict[str, Any]:
    return {
        "id": act.id,
        "at": iso(unix_us_of(act.at)),
        "status": act.status,
        "undoes": act.undoes,
        "undone_at": None if act.undone_at is None else iso(unix_us_of(act.undone_at)),
        "since": iso(act.since_us),
        "until": iso(act.until_us),
        "filters": act.filters,
        "looked_at": act.looked_at,
        "stated": act.stated,
        "skipped": act.skipped,
        "calls": act.calls,
        "total": plain(_total(act)),
        "models": [plain(change) for change in act.changes],
    }


def _rows(act: Repricing) -> Iterator[dict[str, Any]]:
    for change in act.changes:
        yield {
            "id": act.id,
            "provider": change.provider,
            "model": change.model,
            "calls": change.calls,
            "before_usd": None if change.before_nanousd is None else format(usd(change.before_nanousd), "f"),
            "after_usd": None if change.after_nanousd is None else format(usd(change.after_nanousd), "f"),
            "unpriced_before": change.unpriced_before,
            "unpriced_after": change.unpriced_after,
        }


def _list(view: View) -> None:
    acts = past.listed(view.settings.folder)
    if view.is_json:
        view.write_json({"report": "repricings", "repricings": [_plain(act) for act in acts]})
    elif view.is_csv:
        view.write_csv(row for act in acts for row in _rows(act))
    elif not acts:
        view.host.say("Nothing was repriced yet.")
    else:
        for line in table_lines(_ACTS, [Row(_act(act, view.page)) for act in acts], view.page):
            view.host.say(line)


def _act(act: Repricing, page: Page) -> tuple[str, ...]:
    total = _total(act)
    what = f"undoes {act.undoes}" if act.undoes else ", ".join(act.filters) or "all models"
    status = {"writing": "broken off: the next one finishes it"}.get(act.status, act.status)
    if act.undone_at is not None:
        status = f"undone {act.undone_at:%Y-%m-%d %H:%M}"
    return (
        act.id, clean(what), f"{act.calls:,}", figure.money(total.before_nanousd, page),
        figure.money(total.after_nanousd, page), status,
    )  # fmt: skip
