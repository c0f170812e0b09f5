"""`tallybook import`: what coding agents have on disk already."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from tallybook.cli import figure
from tallybook.cli.host import Host
from tallybook.cli.option import examples, folder_option
from tallybook.cli.progress import Progress
from tallybook.cli.table import Column, Row, clean
from tallybook.cli.table import lines as table_lines
from tallybook.cli.terminal import Page
from tallybook.config import Settings

if TYPE_CHECKING:
    from tallybook.ingest.importers.run import Imported, Surroundings

AGENTS = ("claude-code", "codex", "gemini-cli")
WATCH_S = 2.0
_COLUMNS = (
    Column("Agent"), Column("Sessions", is_right=True, rank=3), Column("Calls", is_right=True),
    Column("Input", is_right=True, rank=2), Column("Cache Read", is_right=True, rank=5),
    Column("Output", is_right=True, rank=2), Column("Cost", is_right=True),
)  # fmt: skip


@click.command(
    name="import",
    epilog=examples(
        "tallybook import all",
        "tallybook import claude-code --dry-run",
        "tallybook import codex ~/old-laptop/.codex/sessions --since 2026-01-01",
        "tallybook import all --watch",
    ),
)
@click.argument("agent", type=click.Choice([*AGENTS, "all"]))
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--dry-run", is_flag=True, help="Only tell what would be imported, and what it cost.")
@click.option("--since", metavar="WHEN", help="Leave out calls before: 2026-11-01, yesterday, 30d …")
@click.option("--watch", is_flag=True, help="Go on: import what the agents write, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
@folder_option
@click.pass_obj
def import_(
    host: Host,
    agent: str,
    paths: tuple[Path, ...],
    dry_run: bool,
    since: str | None,
    watch: bool,
    as_json: bool,
    quiet: bool,
    folder: Path | None,
) -> None:
    """Import the transcripts of coding agents: what they cost, without setting anything up.

    They are found where the agents keep them (CLAUDE_CONFIG_DIR, CODEX_HOME, else the usual folders); PATH names
    other folders or files. Importing again takes only what is new, and nothing twice. Sessions become runs, with their
    tools and subagents. Texts stay where they are unless LLM_STORE_RESPONSES says otherwise.
    """
    from tallybook.ingest.importers import run as importing  # here, because help needs it not

    if agent == "all" and paths:
        raise click.UsageError("PATH needs to know whose transcripts lie there: name the agent instead of `all`.")
    for path in paths:
        if not path.exists():
            raise click.UsageError(f"There is no {clean(path)}.")
    settings = host.settings(folder)
    agents = _where(AGENTS if agent == "all" else (agent,), paths)
    around = _around(host, settings)
    since_us = _since(since, host, settings)
    content = _content(settings)

    def once(is_shown: bool) -> Imported:
        progress = Progress(host, is_shown and not quiet)
        found = importing.run(agents, around, content=content, since_us=since_us, is_dry=dry_run, progress=progress.at)
        progress.done()
        return found

    began = time.monotonic()
    found = once(host.err_page.is_terminal)
    if as_json:
        host.say(msgspec.json.format(msgspec.json.encode(_data(found, dry_run))).decode())
    else:
        for line in _lines(found, host.page, agents, settings, dry_run, time.monotonic() - began):
            host.say(line)
    if watch and not dry_run:
        host.out.flush()
        _watch(host, once)


def _where(names: Sequence[str], paths: Sequence[Path]) -> dict[str, Sequence[Path]]:
    from tallybook.ingest.importers.places import folders  # here, because help needs it not

    return {name: paths or folders(name, os.environ, Path.home()) for name in names}


def _around(host: Host, settings: Settings) -> Surroundings:
    from tallybook.ingest.importers.run import Surroundings
    from tallybook.store.open import open_prices, open_state

    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Surroundings(
        settings.folder, open_prices(settings), lambda: open_state(settings), lambda: host.open_store(settings)
    )


def _content(settings: Settings) -> Any:
    from tallybook.ingest.importers.base import Content

    if settings.responses == "none":
        return Content()
    from tallybook.capture.redact import Redactor  # here, because nothing is kept by default

    return Content(settings.responses, Redactor(settings.redact_patterns) if settings.redact else None)


def _since(text: str | None, host: Host, settings: Settings) -> int | None:
    if text is None:
        return None
    from tallybook.query.span import between  # here, because most import everything

    return between(text, None, host.now_us(), settings.timezone or host.zone).since_us


def _watch(host: Host, once: Any) -> None:
    """Import again and again; what came is told in one line each time."""
    host.remark(host.err_page.dim(f"Watching; every {WATCH_S:g} s. Ctrl-C ends it."))
    while True:
        time.sleep(WATCH_S)
        found = once(False)
        calls = sum(one.calls for one in found.sums) - found.known
        if calls > 0:
            cost = figure.money(sum(one.cost_nanousd for one in found.sums), host.page)
            at = time.strftime("%H:%M:%S")
            host.say(f"{at}  {figure.plural(calls, 'call')}, {cost}: {clean(', '.join(_names(found)))}")
            host.out.flush()


def _names(found: Imported) -> list[str]:
    return sorted({one.project or one.agent for one in found.sums})


def _data(found: Imported, is_dry: bool) -> dict[str, Any]:
    """The report as plain data."""
    return {
        "dry_run": is_dry,
        "files": found.files,
        "files_read": found.read,
        "bytes_read": found.bytes,
        "calls": sum(one.calls for one in found.sums),
        "calls_known_already": found.known,
        "responses_repeated": found.repeated,
        "unreadable_lines": sum(found.bad.values()),
        "agents": [_figures(name, rows) for name, rows in _by_agent(found).items()],
    }


def _figures(name: str, rows: list[Any]) -> dict[str, Any]:
    calls, unpriced = sum(one.calls for one in rows), sum(one.unpriced for one in rows)
    cost = sum(one.cost_nanousd for one in rows)
    return {
        "agent": name,
        "sessions": len({one.run_id for one in rows}),
        "calls": calls,
        "errors": sum(one.errors for one in rows),
        "output_estimated_calls": sum(one.estimated for one in rows),
        "input_tokens": sum(one.input_tokens for one in rows),
        "cache_read_tokens": sum(one.cache_read_tokens for one in rows),
        "cache_write_tokens": sum(one.cache_write_tokens for one in rows),
        "output_tokens": sum(one.output_tokens for one in rows),
        "cost_usd": None if unpriced == calls else cost / 1e9,
        "unpriced_calls": unpriced,
    }


def _by_agent(found: Imported) -> dict[str, list[Any]]:
    by: dict[str, list[Any]] = {}
    for one in found.sums:
        by.setdefault(one.agent, []).append(one)
    return by


def _lines(
    found: Imported, page: Page, agents: dict[str, Sequence[Path]], settings: Settings, is_dry: bool, seconds: float
) -> list[str]:
    if not found.files:
        looked = [str(path) for paths in agents.values() for path in paths]
        return ["No transcripts found. Looked in:", *(f"  {clean(path)}" for path in looked)]
    if not found.read:
        return [f"Nothing new in {figure.plural(found.files, 'transcript')}."]
    table = []
    estimated = unpriced = 0
    for name, rows in sorted(_by_agent(found).items()):
        data = _figures(name, rows)
        estimated += data["output_estimated_calls"]
        unpriced += data["unpriced_calls"]
        nano = None if data["cost_usd"] is None else sum(one.cost_nanousd for one in rows)
        cells = [name, *(figure.count(data[key], page) for key in _KEYS)]
        table.append(Row((*cells, figure.money(nano, page, is_partial=data["unpriced_calls"] > 0))))
    told = table_lines(_COLUMNS, table, page) if table else ["No call in what is new."]
    verb = "would be imported to" if is_dry else "imported to"
    told.append(
        f"{figure.size(found.bytes)} of {figure.plural(found.read, 'transcript')} {verb} {clean(settings.folder)} "
        f"in {seconds:.1f} s."
    )
    if found.known:
        told.append(f"{figure.plural(found.known, 'call')} of these the ledger had already.")
    if found.repeated:
        told.append(
            page.dim(f"{figure.plural(found.repeated, 'response')} stood in more than one place: counted once.")
        )
    if estimated:
        told.append(
            page.warn(
                f"{figure.plural(estimated, 'call')} without a final output count in the transcript: estimated from "
                "the visible text, a lower bound."
            )
        )
    if unpriced:
        told.append(page.warn(f"{figure.plural(unpriced, 'call')} without a price."))
    for path, count in list(found.bad.items())[:5]:
        told.append(page.warn(f"{figure.plural(count, 'line')} not understood in {clean(path)}"))
    return told


_KEYS = ("sessions", "calls", "input_tokens", "cache_read_tokens", "output_tokens")
