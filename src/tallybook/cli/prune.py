"""`tallybook prune`: retention, on request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tallybook.cli import figure
from tallybook.cli.host import Host
from tallybook.cli.option import examples, folder_option
from tallybook.cli.table import clean
from tallybook.config import Settings
from tallybook.model.limits import BIN_DAYS
from tallybook.store.base import Removed

MB = 1_000_000


@click.command(
    epilog=examples(
        "tallybook prune --dry-run",
        "tallybook prune --days 90 --yes",
        "tallybook prune --max-mb 500 --body-days 7 --dry-run --json",
    )
)
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--days", type=click.IntRange(min=0), metavar="N", help="Keep calls of N days; 0 keeps all. Default: the setting."
)
@click.option("--body-days", type=click.IntRange(min=0), metavar="N", help="Keep prompts and responses of N days.")
@click.option(
    "--max-mb", type=click.IntRange(min=0), metavar="N", help="Keep at most so much, newest first; 0: no limit."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@folder_option
@click.pass_obj
def prune(
    host: Host,
    dry_run: bool,
    yes: bool,
    days: int | None,
    body_days: int | None,
    max_mb: int | None,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Remove calls that are older than retention keeps, or that exceed the size. Totals stay.

    Whole days go, oldest first, never the current one. By default LLM_RETENTION_DAYS (30) and LLM_STORAGE_MAX_SIZE_MB
    (100) hold. Sums by hour, model, project, user and tool outlive the calls; single calls, runs and bodies are gone
    for good.
    """
    settings = host.settings(folder)
    limits = {
        "days": settings.retention_days if days is None else days,
        "body_days": settings.body_retention_days if body_days is None else body_days,
        "bytes_max": (settings.storage_max_mb if max_mb is None else max_mb) * MB,
    }
    if not settings.folder.is_dir():
        _tell(host, Removed(0, 0, 0), as_json=as_json, is_done=False)
        return
    planned = _retain(settings, limits, dry_run=True)
    if dry_run:
        _tell(host, planned, as_json=as_json, is_done=False)
        return
    if not yes:
        if not host.err_page.is_terminal:
            raise click.UsageError("prune removes calls for good: give --yes, or --dry-run to see what would go.")
        host.remark(_text(planned, is_done=False))
        if planned.files and not click.confirm("Remove them?", err=True):
            return
    from tallybook.cli.tend import seal  # here, because help and dry runs need it not

    seal(settings)
    _empty_bin(settings, host)
    _tell(host, _retain(settings, limits, dry_run=False), as_json=as_json, is_done=True)


def _empty_bin(settings: Settings, host: Host) -> None:
    """Delete for good the runs that have been in the bin for `BIN_DAYS`."""
    from tallybook.store.open import open_state  # here, because help needs it not

    state = open_state(settings)
    try:
        gone = state.purge_runs(before_us=host.now_us() - BIN_DAYS * 86_400_000_000)
    finally:
        state.close()
    if gone:
        host.remark(
            f"{figure.plural(len(gone), 'run')} deleted for good, {BIN_DAYS} days after they were put into the bin."
        )


def _retain(settings: Settings, limits: dict[str, Any], *, dry_run: bool) -> Removed:
    from tallybook.ingest.retain import retain  # here, because help needs it not

    return retain(
        settings.folder,
        days=limits["days"] or None,
        body_days=limits["body_days"] or None,
        bytes_max=limits["bytes_max"] or None,
        dry_run=dry_run,
        now_s=None,
    )


def _tell(host: Host, removed: Removed, *, as_json: bool, is_done: bool) -> None:
    if as_json:
        import msgspec  # here, because text needs it not

        data = {"report": "prune", "dry_run": not is_done, **removed._asdict()}
        host.say(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())
    else:
        host.say(_text(removed, is_done=is_done))


def _text(removed: Removed, *, is_done: bool) -> str:
    if not removed.files:
        return "Nothing is older or larger than retention allows."
    files = figure.plural(removed.files, "file")
    what = f"{figure.plural(removed.calls, 'call')} in {files}, {figure.size(removed.bytes)}"
    days = f", {clean(removed.days[0])} to {clean(removed.days[-1])}" if removed.days else " of prompts and responses"
    return f"{'Removed' if is_done else 'Would go'}: {what}{days}. Totals stay."
