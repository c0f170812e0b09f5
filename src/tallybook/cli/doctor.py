"""`tallybook doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from tallybook.cli import figure
from tallybook.cli.option import examples
from tallybook.cli.table import clean, wrap
from tallybook.cli.terminal import Page
from tallybook.cli.view import View, report
from tallybook.model.errors import StorageError
from tallybook.query.doctor import Examined, examine
from tallybook.query.finding import Finding
from tallybook.query.plain import plain
from tallybook.store.base import CallStore

_MARKS = {"good": ("✓", "ok"), "note": ("•", "note"), "warn": ("!", "warn"), "bad": ("✗", "bad")}


@click.command(
    epilog=examples("tallybook doctor", "tallybook doctor --json", "tallybook doctor --dir /srv/llm-telemetry")
)
@report(has_filters=False)
def doctor(view: View) -> None:
    """Look for the reasons why calls are missing, unpriced or slow to read, and say how to mend each.

    Ends with code 1 when data is lost or cannot be read.
    """
    store: CallStore | None
    refused = None
    try:
        store = view.store
    except StorageError as error:
        store, refused = None, error
    found = examine(store, view.settings, view.now_us)
    if refused is not None and not any(finding.text == str(refused) for finding in found.findings):
        finding = Finding(check="open", grade="bad", text=str(refused), remedy=refused.hint)
        found = Examined(folder=found.folder, findings=[finding, *found.findings])
    view.show("doctor", found, lines=lambda page: lines(found.findings, page), rows=lambda: map(_row, found.findings))
    if found.is_bad:
        click.get_current_context().exit(1)


def _row(finding: Finding) -> dict[str, Any]:
    data: dict[str, Any] = plain(finding)
    return {name: data[name] for name in ("check", "grade", "text", "remedy")}


def lines(findings: Sequence[Finding], page: Page) -> Iterator[str]:
    """Findings, those that need something done last so that they stand above the prompt."""
    paint = {"good": page.good, "note": page.dim, "warn": page.warn, "bad": page.bad}
    order = ("good", "note", "warn", "bad")
    for finding in sorted(findings, key=lambda finding: order.index(finding.grade)):
        mark = _MARKS[finding.grade][0 if page.has_unicode else 1]
        first, *rest = wrap(clean(finding.text), None if page.width is None else page.width - 2)
        yield f"{paint[finding.grade](mark)} {first}"
        yield from (f"  {line}" for line in rest)
        if finding.remedy:
            text = wrap(clean(finding.remedy), None if page.width is None else page.width - 5)
            arrow = "→ " if page.has_unicode else "> "
            for number, line in enumerate(text):
                yield f"  {page.dim(arrow) if number == 0 else '  '}{line}"
    counts = {grade: sum(finding.grade == grade for finding in findings) for grade in order}
    yield ""
    if counts["bad"] or counts["warn"]:
        yield page.bold(f"{figure.plural(counts['bad'], 'fault')}, {figure.plural(counts['warn'], 'warning')}.")
    else:
        yield page.bold("Nothing is wrong.")
