"""`tallybook export`: calls to a file or to standard output."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TextIO

import click

from tallybook.cli import figure
from tallybook.cli.bar import bar
from tallybook.cli.host import Host
from tallybook.cli.option import examples
from tallybook.cli.view import View, report
from tallybook.export import csv, json, otlp, parquet
from tallybook.export.file import whole
from tallybook.model.call import Call

FORMATS = ("csv", "json", "jsonl", "parquet", "otlp")
PROGRESS_S = 0.2


@click.command(
    epilog=examples(
        "tallybook export --output calls.parquet",
        "tallybook export --format csv --days 30 --project shop > calls.csv",
        "tallybook export --since 2026-11-01 --until 2026-11-30 --output november.jsonl",
        "tallybook export --days 1 --format otlp --output spans.otlp",
    )
)
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Default: by the name's ending, else csv.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File to write; it appears when it is complete.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
@report(has_format=False)
def export(view: View, format_: str | None, output: Path | None, quiet: bool) -> None:
    """Write all matching calls, oldest first, as CSV, JSON (an array), JSON lines, Parquet or OTLP. There is no cap.

    OTLP is OTLP/JSON, each line the body of a POST to a collector's /v1/traces, spans by the GenAI conventions.
    To standard output unless --output is given; Parquet needs a file. The whole ledger unless a time is given.
    """
    chosen = format_ or _by_name(output)
    if output is None and chosen == "parquet":
        raise click.UsageError("Parquet needs a file: give --output calls.parquet.")
    progress = Progress(
        view.host, 0 if quiet else _expected(view), is_shown=not quiet and view.host.err_page.is_terminal
    )
    if chosen == "parquet":
        assert output is not None
        span = view.scope.span
        with whole(output) as path:
            count = parquet.calls(view.store, path, view.scope.filters, since_us=span.since_us, until_us=span.until_us)
    else:
        count = 0
        with (
            whole(output) if output else nullcontext() as beside,
            beside.open("w", encoding="utf-8", newline="") if beside else nullcontext(view.host.out) as out,
        ):
            for written in _write(view, chosen, out):
                count += written
                progress.at(count)
    progress.done()
    if output is not None:
        size = output.stat().st_size
        view.host.remark(f"{figure.plural(count, 'call')} written to {output} ({figure.size(size)}).")


def _by_name(output: Path | None) -> str:
    ending = output.suffix.lstrip(".").lower() if output else ""
    if ending == "ndjson":
        return "jsonl"
    if output is not None and ending not in FORMATS:
        raise click.UsageError(f"{output.name} tells no format by its ending: give --format.")
    return ending or "csv"


def _expected(view: View) -> int:
    from tallybook.query.totals import total  # here, because only the bar needs it

    return total(view.store, view.scope).totals.calls if view.host.err_page.is_terminal else 0


def _write(view: View, format_: str, out: TextIO) -> Iterator[int]:
    writers: dict[str, Callable[..., Iterator[int]]] = {
        "csv": csv.calls,
        "json": json.array,
        "jsonl": json.lines,
        "otlp": otlp.lines,
    }
    span = view.scope.span
    batches: Iterator[list[Call]] = view.store.scan(view.scope.filters, since_us=span.since_us, until_us=span.until_us)
    return writers[format_](batches, out)


class Progress:
    """A bar on standard error, redrawn in place; nothing where that is no terminal."""

    def __init__(self, host: Host, expected: int, *, is_shown: bool, noun: str = "call") -> None:
        """`expected` things make a full bar."""
        self._noun = noun
        self._host = host
        self._expected = expected
        self._is_shown = is_shown
        self._next = time.monotonic() + PROGRESS_S
        self._was_drawn = False

    def at(self, count: int) -> None:
        """So many are done."""
        if not self._is_shown or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PROGRESS_S
        self._was_drawn = True
        page = self._host.err_page
        share = min(1.0, count / self._expected) if self._expected else 0.0
        self._host.err.write(f"\r\x1b[K{bar(share, 24, page):<24} {share:4.0%}  {figure.plural(count, self._noun)}")
        self._host.err.flush()

    def done(self) -> None:
        """Clear the bar."""
        if self._was_drawn:
            self._host.err.write("\r\x1b[K")
            self._host.err.flush()
