"""Reading an export: its form is found by what is in it, never by its name.

CSV may be parted by commas, semicolons or tabs; JSON may be one document, a list of pages, or one object a line. Raises
InputError that names the file, the line and the column, and what to do.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from tallybook.model.errors import InputError
from tallybook.query.bills import anthropic, google, openai, openrouter
from tallybook.query.bills.base import Bill, Record, plain_name

FORMS: tuple[ModuleType, ...] = (openai, anthropic, openrouter, google)
BYTES_MAX = 512_000_000
"""Larger files are refused: an export of a year by hour, key and model is a tenth of that."""
_KNOWN = (
    "known are OpenAI's usage and cost exports, Anthropic's usage and cost exports, OpenRouter's activity, and the "
    "Google Cloud billing export, as CSV or JSON (docs/reconcile.md)"
)


def read(path: Path) -> Bill:
    """The bill in a file. Raises InputError, and OSError when the file cannot be read."""
    if path.stat().st_size > BYTES_MAX:
        raise InputError(f"{path.name}: larger than {BYTES_MAX // 1_000_000} MB", hint="export fewer days at a time")
    return read_bytes(path.read_bytes(), path.name)


def read_bytes(data: bytes, file: str) -> Bill:
    """The bill in the bytes of a file called `file`."""
    text = _text(data, file)
    start = text.lstrip()[:1]
    if not start:
        raise InputError(f"{file}: the file is empty", hint="export it anew")
    bill = _from_json(text, file) if start in "[{" else _from_csv(text, file)
    if not bill.lines:
        raise InputError(
            f"{file}: {bill.form}, but without a line of usage",
            hint="choose a span of time with usage and export again",
        )
    return bill


def _text(data: bytes, file: str) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{file}: line {line} is not UTF-8 text", hint="export it anew as CSV or JSON") from error


def _from_csv(text: str, file: str) -> Bill:
    first = text.lstrip("\n\r").partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header: list[str] = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                header = [plain_name(cell) for cell in row]
                if _form(header) is not None:
                    break
                if reader.line_num > 20:  # Google's cost table has a few lines of its own above the header.
                    break
        form = _form(header)
        if form is None:
            columns = ", ".join(first.split(delimiter)[:8])
            raise InputError(f"{file}: no known export has these columns: {columns[:200]}", hint=_KNOWN)
        bill: Bill = form.from_table(header, _rows(reader, header, file))
    except csv.Error as error:
        raise InputError(f"{file}: line {reader.line_num}: {error}", hint="export it anew") from error
    return bill


def _form(header: Sequence[str]) -> ModuleType | None:
    return next((form for form in FORMS if form.is_table(header)), None)


def _rows(reader: Any, header: Sequence[str], file: str) -> Iterator[Record]:
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) > len(header):
            raise InputError(
                f"{file}: line {reader.line_num} has {len(row)} columns, the header {len(header)}",
                hint="a text with the separator in it must stand in quotes; export it anew",
            )
        yield Record(file, f"line {reader.line_num}", dict(zip(header, row, strict=False)))


def _from_json(text: str, file: str) -> Bill:
    pages = _pages(text, file)
    for form in FORMS:
        if any(form.is_page(page) for page in pages):
            bill: Bill = form.from_pages(pages, file)
            return bill
    if any("data" in page and not page["data"] for page in pages):
        raise InputError(f"{file}: an answer without data", hint="ask the endpoint for a span of time with usage")
    names = ", ".join(list(pages[0])[:8]) if pages else "nothing"
    raise InputError(f"{file}: no known export has these fields: {names[:200]}", hint=_KNOWN)


def _pages(text: str, file: str) -> list[Mapping[str, Any]]:
    try:
        decoded = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        decoded = _by_line(text, file, error)
    found = decoded if isinstance(decoded, list) else [decoded]
    for index, page in enumerate(found):
        if not isinstance(page, Mapping):
            raise InputError(f"{file}: [{index}] is not an object", hint=_KNOWN)
    # A list of buckets or of lines, as some save them, is a page without its cover.
    if found and "data" not in found[0] and any(name in found[0] for name in ("results", "model_permaslug")):
        return [{"data": found}]
    return found


def _by_line(text: str, file: str, error: msgspec.DecodeError) -> list[Any]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line))
            except msgspec.DecodeError as wrong:
                where = f"line {number}: {wrong}" if found else str(error)
                raise InputError(f"{file}: not JSON: {where}", hint="export it anew; it may be cut short") from wrong
    return found
