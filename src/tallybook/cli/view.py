"""The options that every report shares, and what they come to: a store, a scope, and the way the answer is written.

`@report(days=30)` gives a command the shared options and hands it a `View`; the command asks `query` and hands
report, lines and rows to `View.show`, which writes text, JSON or CSV.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import click
import msgspec

from tallybook.cli.host import Host
from tallybook.cli.option import Command, folder_option
from tallybook.cli.terminal import Page
from tallybook.config import Settings
from tallybook.model.errors import InputError
from tallybook.query import currency, filters, span
from tallybook.query.plain import report as plain_report
from tallybook.query.totals import Scope
from tallybook.store.base import CallStore

Lines = Callable[[Page], Iterable[str]]
Rows = Callable[[], Iterable[Mapping[str, Any]]]

_FILTER_HELP = {
    "project": "Only this project. Every filter may be repeated (any of them); !x: not x, ~x: contains x, -: has none.",
    "user": "Only this user.",
    "model": "Only this model (the one that answered).",
    "provider": "Only this provider.",
    "operation": "Only this operation: your own name for it, or its kind (chat, embeddings …).",
    "agent": "Only this agent.",
    "tag": "Only calls with this tag.",
    "status": "Only calls that ended so: ok, error, cancelled, incomplete.",
    "environment": "Only this environment.",
}


class View:
    """One command's store, scope and output. The store is opened at the first use, so that usage errors are quick."""

    def __init__(self, host: Host, given: dict[str, Any], default: tuple[int | None, str | None]) -> None:
        """`given` are the shared options' values; `default` the days (or unit) shown when no time is asked for."""
        self.host = host
        self.settings: Settings = host.settings(given["folder"])
        self.is_json: bool = bool(given.get("as_json"))
        self.is_csv: bool = bool(given.get("as_csv"))
        if self.is_json and self.is_csv:
            raise click.UsageError("--json and --csv cannot be had at once.")
        self.zone: str = given.get("timezone") or self.settings.timezone or host.zone
        span.zone_of(self.zone)
        self.now_us = host.now_us()
        code = (given.get("currency") or self.settings.currency).strip().upper()
        self.scope = Scope(
            span=self._span(given, default),
            filters=filters.build({name: given.get(name, ()) for name in filters.OPTIONS}, given.get("metadata", ())),
            rates=currency.load(code, self.settings.rates_file),
        )
        self._store: CallStore | None = None

    def _span(self, given: dict[str, Any], default: tuple[int | None, str | None]) -> span.Span:
        since, until, days, is_all = (given.get(name) for name in ("since", "until", "days", "is_all"))
        if sum((bool(since or until), days is not None, bool(is_all))) > 1:
            raise click.UsageError("give one of --since/--until, --days or --all.")
        if since or until:
            return span.between(since, until, self.now_us, self.zone)
        if days is not None:
            return span.last_days(days, self.now_us, self.zone)
        default_days, unit = default
        if is_all or (default_days is None and unit is None):
            return span.everything(self.now_us, self.zone)
        if unit is not None:
            return span.current(unit, self.now_us, self.zone)  # type: ignore[arg-type]
        assert default_days is not None
        return span.last_days(default_days, self.now_us, self.zone)

    @property
    def store(self) -> CallStore:
        """The ledger's store."""
        if self._store is None:
            self._store = self.host.open_store(self.settings)
        return self._store

    @property
    def page(self) -> Page:
        """What lines are drawn for."""
        return self.host.page

    def close(self) -> None:
        """Release the store."""
        if self._store is not None:
            self._store.close()

    def show(self, name: str, found: msgspec.Struct, *, lines: Lines, rows: Rows) -> None:
        """Write a report as JSON, CSV or text, whichever was asked for."""
        if self.is_json:
            self.write_json(plain_report(name, found))
        elif self.is_csv:
            self.write_csv(rows())
        else:
            for line in lines(self.page):
                self.host.say(line)

    def write_json(self, data: Any) -> None:
        """One indented JSON document."""
        text = msgspec.json.format(msgspec.json.encode(data), indent=2).decode()
        self.host.say(text if self.page.has_unicode else _ascii(text))

    def write_csv(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
        """A header and the rows; the header `columns` where there is no row."""
        from tallybook.export.csv import write  # here, because most runs write text

        write(rows, self.host.out, columns)

    def is_blank(self, count: int, noun: str = "calls") -> bool:
        """Whether there is nothing to show; then says where was looked and what to do. Never for JSON or CSV."""
        if count or self.is_json or self.is_csv:
            return False
        from tallybook.cli.blank import blank  # here, because most ledgers are not empty

        for line in blank(self, noun):
            self.host.say(line)
        return True


def _ascii(text: str) -> str:
    return "".join(char if char.isascii() else "".join(f"\\u{unit:04x}" for unit in _utf16(char)) for char in text)


def _utf16(char: str) -> Iterator[int]:
    raw = char.encode("utf-16-be")
    for at in range(0, len(raw), 2):
        yield int.from_bytes(raw[at : at + 2], "big")


def zone_options(function: Command) -> Command:
    """`--timezone` and `--currency`."""
    for option in (
        click.option("--currency", metavar="CODE", help="Show amounts in it, at each day's rate from the rates file."),
        click.option("--timezone", "-z", metavar="ZONE", help="IANA name; days and hours are local there."),
    ):
        function = option(function)
    return function


def format_options(function: Command) -> Command:
    """`--json` and `--csv`."""
    for option in (
        click.option("--csv", "as_csv", is_flag=True, help="Write CSV."),
        click.option("--json", "as_json", is_flag=True, help="Write JSON; its keys are described in docs/cli.md."),
    ):
        function = option(function)
    return function


def time_options(function: Command, *, has_days: bool = True) -> Command:
    """`--since`, `--until`, `--days`, `--all`."""
    when = "A date, a time, 7d, 24h, today, yesterday."
    options = [
        click.option("--since", metavar="WHEN", help=f"From then on. {when}"),
        click.option("--until", metavar="WHEN", help="Up to then; a date is included."),
    ]
    if has_days:
        options += [
            click.option("--days", type=click.IntRange(min=1), metavar="N", help="Today and the N-1 days before."),
            click.option("--all", "is_all", is_flag=True, help="All time."),
        ]
    for option in reversed(options):
        function = option(function)
    return function


def filter_options(function: Command) -> Command:
    """One option a filter."""
    function = click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="Only calls with this metadata.")(
        function
    )
    for name in reversed(filters.OPTIONS):
        function = click.option(f"--{name}", multiple=True, metavar="X", help=_FILTER_HELP[name])(function)
    return function


SHARED = (
    "folder", "timezone", "currency", "as_json", "as_csv", "since", "until", "days", "is_all", "metadata",
    *filters.OPTIONS,
)  # fmt: skip


def report(
    *,
    days: int | None = None,
    periods: Mapping[str, str] | None = None,
    has_days: bool = True,
    has_format: bool = True,
    has_filters: bool = True,
) -> Callable[[Command], Command]:
    """Give a command the shared options and hand it a `View` in their place, closed afterwards.

    Without a time option the report covers `days`; or, where the command has an argument `period`, the current unit
    that `periods` gives for its word (the first when none is given); else all time.
    """

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def run(**given: Any) -> None:
            shared = {name: given.pop(name) for name in SHARED if name in given}
            unit = None
            if periods is not None:
                word = given.pop("period")
                unit = periods[word or next(iter(periods))]
                if word and any(shared.get(name) for name in ("since", "until", "days", "is_all")):
                    raise click.UsageError(f"give {word!r} or a span of time, not both.")
            view = View(click.get_current_context().obj, shared, (days, unit))
            try:
                function(view, **given)
            finally:
                view.close()
            view.host.tend(view.settings)

        wrapped: Command = folder_option(run)
        if has_format:
            wrapped = format_options(wrapped)
        wrapped = zone_options(wrapped)
        if has_filters:
            wrapped = filter_options(wrapped)
        return time_options(wrapped, has_days=has_days) if has_filters else wrapped

    return decorate


def by_option(text: str) -> Callable[[Command], Command]:
    """`--by`, whose value arrives as the words given."""
    return click.option("--by", multiple=True, metavar="WHAT", help=text)


def compare_option(function: Command) -> Command:
    """`--compare previous`; arrives as `is_compared`."""
    return click.option(
        "--compare", "is_compared", type=click.Choice(["previous"]), callback=lambda _c, _p, value: value is not None,
        help="Set beside the same length of time before.",
    )(function)  # fmt: skip


def dimensions(words: Sequence[str], default: Sequence[str]) -> tuple[str, ...]:
    """What `--by` names, else the default. Raises InputError."""
    return filters.dimensions(words) if words else tuple(default)


def single(found: Sequence[str]) -> str:
    """The one dimension where a report takes only one. Raises InputError."""
    if len(found) != 1:
        raise InputError("this report takes one --by", field="--by")
    return found[0]
