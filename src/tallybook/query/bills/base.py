"""One shape for all providers' exports, and records that name line and column when a value is not what it should be.

A `Bill` is a list of lines: so many tokens, so much money, for a span of time, of a model, a key, a project, as far as
the export tells. Input is total input, cached included, as everywhere here; a cost is in nano-USD. What a line does not
tell is `None`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from tallybook.model.codec import unix_us_of
from tallybook.model.errors import InputError
from tallybook.model.money import nanousd
from tallybook.query.span import local, midnight_us

DAY = timedelta(days=1)


class Line(NamedTuple):
    """One line of an export. Times are microseconds since 1970, `start_us` included, `end_us` excluded."""

    start_us: int
    end_us: int
    model: str | None = None
    key: str | None = None
    """The API key, by the id or name that the export has."""
    project: str | None = None
    """OpenAI's project, Anthropic's workspace, Google's project."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    requests: int | None = None
    cost_nanousd: int | None = None
    is_batch: bool = False
    item: str | None = None
    """What was paid for, where it is not the tokens of a model: `web search`, `code execution` …"""


class Bill(NamedTuple):
    """An export: who wrote it, in which form, and its lines."""

    provider: str
    """As the price list calls it."""
    form: str
    """For people: `Anthropic usage, CSV`."""
    lines: Sequence[Line]
    zone: str = "UTC"
    """Where its days begin."""
    remarks: tuple[str, ...] = ()
    """What of it was left out, and why."""

    @property
    def has_cost(self) -> bool:
        """Whether it tells money."""
        return any(line.cost_nanousd is not None for line in self.lines)

    @property
    def has_tokens(self) -> bool:
        """Whether it tells tokens."""
        return any(line.input_tokens is not None or line.output_tokens is not None for line in self.lines)

    @property
    def has_models(self) -> bool:
        """Whether it tells models."""
        return any(line.model is not None for line in self.lines)


class Record(NamedTuple):
    """One row of a table, or one object of a JSON document. Names of columns are as `plain_name` makes them."""

    file: str
    where: str
    """`line 5`, or `data[0].results[2]`."""
    fields: Mapping[str, Any]

    def wrong(self, column: str, what: str, hint: str | None = None) -> InputError:
        """The error for a value that cannot be read."""
        return InputError(
            f"{self.file}: {self.where}, column {column}: {what}",
            field=column,
            hint=hint or "mend that value, or export the file anew without opening it in a spreadsheet",
        )

    def text(self, *columns: str) -> str | None:
        """The first of the columns that has a value, as text."""
        for column in columns:
            value = self.fields.get(column)
            if value is not None and str(value).strip() not in ("", "null", "None"):
                return str(value).strip()
        return None

    def whole(self, *columns: str) -> int | None:
        """A whole number, 0 or more; also written as `1000.0` or `1,000`."""
        for column in columns:
            value = self.text(column)
            if value is None:
                continue
            number = self._number(column, value)
            if number != int(number) or number < 0:
                raise self.wrong(column, f"{value!r} is not a whole number, 0 or more")
            return int(number)
        return None

    def sum(self, *columns: str) -> int | None:
        """The sum of those columns that have a value; `None` when none has."""
        values = [value for column in columns if (value := self.whole(column)) is not None]
        return sum(values) if values else None

    def money(self, *columns: str, per_unit: int = 1) -> int | None:
        """An amount in nano-USD; `per_unit` 100 for an amount in cents."""
        for column in columns:
            value = self.text(column)
            if value is not None:
                return nanousd(self._number(column, value.lstrip("$")) / per_unit)
        return None

    def _number(self, column: str, text: str) -> Decimal:
        try:
            number = Decimal(text.replace(",", "").replace(" ", ""))
        except InvalidOperation as error:
            raise self.wrong(column, f"{text!r} is not a number") from error
        if not number.is_finite():
            raise self.wrong(column, f"{text!r} is not a number")
        return number

    def flag(self, *columns: str) -> bool:
        """Whether a column says yes."""
        return (self.text(*columns) or "").lower() in ("true", "1", "yes", "batch")

    def moment(self, *columns: str) -> int | None:
        """A moment: seconds since 1970, or ISO 8601; without an offset it is UTC."""
        for column in columns:
            value = self.text(column)
            if value is None:
                continue
            if value.replace(".", "", 1).isdecimal():
                return int(Decimal(value) * 1_000_000)
            try:
                at = datetime.fromisoformat(value.removesuffix(" UTC"))
            except ValueError as error:
                raise self.wrong(column, f"{value!r} is neither a date nor a time") from error
            return unix_us_of(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
        return None

    def span(self, start: Sequence[str], end: Sequence[str] = (), zone: str = "UTC") -> tuple[int, int]:
        """The span of a line: its start, and its end or, without one, the end of the day in `zone`."""
        text = self.text(*start)
        if text is None:
            raise self.wrong(start[0], "no date", "every line must say which day it is of")
        if len(text) == 10 and not text.isdecimal():
            try:
                day = date.fromisoformat(text.replace("/", "-"))
            except ValueError as error:
                raise self.wrong(start[0], f"{text!r} is not a date") from error
            return midnight_us(day, zone), midnight_us(day + DAY, zone)
        begin = self.moment(*start)
        assert begin is not None
        finish = self.moment(*end)
        if finish is not None and finish <= begin:
            raise self.wrong(end[0], f"{self.text(*end)!r} is not after the start")
        return begin, begin + 1 if finish is None else finish


def plain_name(column: str) -> str:
    """A column's name as it is compared: lower case, `_` for everything that is no letter or digit but a dot."""
    kept = "".join(char if char.isalnum() or char == "." else "_" for char in column.strip().lower())
    while "__" in kept:
        kept = kept.replace("__", "_")
    return kept.strip("_")


def flattened(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects as one level: `amount.value`. Lists stay as they are."""
    found: dict[str, Any] = {}
    for name, item in value.items():
        key = f"{prefix}{plain_name(str(name))}"
        if isinstance(item, Mapping):
            found.update(flattened(item, f"{key}."))
        else:
            found[key] = item
    return found


def buckets(pages: Sequence[Any], file: str) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """(where, bucket, result) of the pages that OpenAI's and Anthropic's usage and cost endpoints answer with."""
    for number, page in enumerate(pages):
        above = f"[{number}]." if len(pages) > 1 else ""
        for index, bucket in enumerate(page.get("data") or ()):
            where = f"{above}data[{index}]"
            if not isinstance(bucket, Mapping):
                raise InputError(f"{file}: {where} is not an object", hint="give the answer of the endpoint as it came")
            for place, result in enumerate(bucket.get("results") or bucket.get("result") or ()):
                if not isinstance(result, Mapping):
                    raise InputError(f"{file}: {where}.results[{place}] is not an object")
                yield f"{where}.results[{place}]", bucket, result


def pages_left(pages: Sequence[Any]) -> tuple[str, ...]:
    """A remark when the last page says that there are more."""
    if pages and isinstance(pages[-1], Mapping) and pages[-1].get("has_more"):
        return ("the last page says has_more: later days are missing; fetch next_page and give all pages in one list",)
    return ()


def rezoned(bill: Bill, zone: str) -> Bill:
    """The bill with the days of its lines beginning in another zone; lines of hours or moments stay where they are."""

    def moved(line: Line) -> Line:
        day = local(line.start_us, bill.zone).date()
        if (line.start_us, line.end_us) != (midnight_us(day, bill.zone), midnight_us(day + DAY, bill.zone)):
            return line
        return line._replace(start_us=midnight_us(day, zone), end_us=midnight_us(day + DAY, zone))

    return bill._replace(lines=[moved(line) for line in bill.lines], zone=zone)


def renamed(bill: Bill, names: Mapping[str, str]) -> Bill:
    """The bill with its keys and projects called as the ledger calls them."""
    if not names:
        return bill
    lines = [
        line._replace(key=names.get(line.key or "", line.key), project=names.get(line.project or "", line.project))
        for line in bill.lines
    ]
    return bill._replace(lines=lines)
