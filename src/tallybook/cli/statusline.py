"""`tallybook statusline`: one line for the prompt of a coding agent."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from tallybook.cli import figure
from tallybook.cli.host import Host
from tallybook.cli.option import examples, folder_option
from tallybook.cli.table import clean
from tallybook.cli.terminal import Page
from tallybook.config import Settings
from tallybook.model.errors import TallybookError

if TYPE_CHECKING:
    from tallybook.ingest.importers.recent import Used

HOURS = 5


class _Model(msgspec.Struct):
    id: Any = None
    display_name: Any = None


class _Cost(msgspec.Struct):
    total_cost_usd: float | None = None


class Told(msgspec.Struct):
    """What Claude Code writes to a status line's standard input; unknown keys are passed over."""

    session_id: Any = None
    transcript_path: Any = None
    model: _Model | str | None = None
    cost: _Cost | None = None


@click.command(epilog=examples("tallybook statusline < status.json"))
@click.option("--hours", type=click.IntRange(1, 24), default=HOURS, show_default=True, help="Length of a window.")
@folder_option
@click.pass_obj
def statusline(host: Host, hours: int, folder: Path | None) -> None:
    """One line for the prompt of Claude Code: model, session, today, running window, burn rate.

    Reads the JSON that Claude Code hands to its status line on standard input, and the transcripts of the last three
    days, of which it only reads what was added: the figures are never older than the transcripts. Put
    {"statusLine": {"type": "command", "command": "tallybook statusline"}} in ~/.claude/settings.json.
    """
    told = told_by("" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read())
    settings = host.settings(folder)
    host.say(line(told, _used(told, settings, host), host.page, _now(host, settings), hours))


def told_by(text: str) -> Told:
    """What standard input tells; nothing where it is empty or of another shape."""
    try:
        return msgspec.json.decode(text, type=Told) if text.strip() else Told()
    except msgspec.MsgspecError:
        return Told()


def _roots(told: Told) -> list[Path]:
    """Where the transcripts lie: beside the one that was told, else in the usual folders."""
    from tallybook.ingest.importers.places import folders  # here, because help needs it not

    found = folders("claude-code", os.environ, Path.home())
    if isinstance(told.transcript_path, str) and told.transcript_path:
        own = Path(told.transcript_path).parent.parent
        if own.name == "projects" and own not in found:
            found.append(own)
    return found


def _used(told: Told, settings: Settings, host: Host) -> list[Used]:
    from tallybook.ingest.importers.claude_code import ClaudeCode  # here, because help needs none of it
    from tallybook.ingest.importers.recent import recent
    from tallybook.store.open import open_prices

    cache = None
    try:
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        cache = settings.folder
        return recent(ClaudeCode(), _roots(told), cache, open_prices(settings), host.now_us())
    except (OSError, TallybookError) as error:
        host.remark(host.err_page.dim(f"The transcripts could not be read: {error}"))
        return []


class _Now:
    """Now, and when today began where the person is."""

    def __init__(self, now_us: int, today_us: int) -> None:
        self.us = now_us
        self.today_us = today_us


def _now(host: Host, settings: Settings) -> _Now:
    from tallybook.query.span import local, midnight_us  # here, because help needs it not

    zone = settings.timezone or host.zone
    now_us = host.now_us()
    return _Now(now_us, midnight_us(local(now_us, zone).date(), zone))


def line(told: Told, used: Sequence[Used], page: Page, now: Any, hours: int = HOURS) -> str:
    """The line. A part that is not known is left out."""
    from tallybook.ingest.importers.recent import window  # here, because help needs it not

    parts = [_model(told)]
    session = _session(told, used, page)
    if session is not None:
        parts.append(f"{session} session")
    parts.append(f"{_cost([one for one in used if one.at_us >= now.today_us], page)} today")
    running = window(used, now.us, hours)
    if running is not None:
        left = figure.duration(running.end_us - now.us, page)
        parts.append(f"{_cost(running.used, page)} window, {left} left")
        rate = _rate(running.used, page, now.us)
        if rate is not None:
            parts.append(rate)
    return (" · " if page.has_unicode else " | ").join(part for part in parts if part)


def _model(told: Told) -> str:
    model = told.model
    name = model if isinstance(model, str) else None if model is None else model.display_name or model.id
    return clean(name)[:40] if isinstance(name, str) else ""


def _session(told: Told, used: Sequence[Used], page: Page) -> str | None:
    """What the tool says that the session cost; else what its transcript of the last days did."""
    if told.cost is not None and told.cost.total_cost_usd is not None:
        return figure.money(round(told.cost.total_cost_usd * 1e9), page)
    own = [one for one in used if one.session_id == told.session_id]
    return _cost(own, page) if own else None


def _cost(used: Iterable[Used], page: Page) -> str:
    found = list(used)
    priced = [one.cost_nanousd for one in found if one.cost_nanousd is not None]
    if found and not priced:
        return "unpriced"
    return figure.money(sum(priced), page, is_partial=len(priced) < len(found))


def _rate(used: Sequence[Used], page: Page, now_us: int) -> str | None:
    """Dollars an hour since the window's first call; `None` for less than a minute."""
    busy_us = now_us - used[0].at_us
    if busy_us < 60_000_000:
        return None
    cost = sum(one.cost_nanousd or 0 for one in used)
    return f"{figure.money(round(cost * 3_600_000_000 / busy_us), page)}/h"
