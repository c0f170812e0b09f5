"""Tables for a terminal or a pipe: aligned columns, no boxes; in a narrow terminal the less important columns go.

Knows no data. Text from outside is made harmless here (`clean`): a project's name must not move anyone's cursor.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tallybook.cli.terminal import Page

GAP = 2
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Column(NamedTuple):
    """One column. `rank` 0 always stays; of the others the highest rank goes first when width is short."""

    name: str
    is_right: bool = False
    rank: int = 0
    min_width: int | None = None
    """May be cut down to this width, with an ellipsis; `None` never."""


class Row(NamedTuple):
    """Cells of one line. `kind` `total` stands under a rule and is bold; `part` belongs to the row above it."""

    cells: tuple[str, ...]
    kind: str = ""


def clean(text: object) -> str:
    """One line without control characters and direction marks; these become a visible `?` or a space."""
    return _CONTROL.sub(lambda match: " " if match.group() in "\t\n\r" else "?", str(text))


def width_of(text: str) -> int:
    """Columns that a text takes in a terminal; colour takes none."""
    bare = _ESCAPE.sub("", text) if "\x1b" in text else text
    if bare.isascii():
        return len(bare)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in bare
    )


def cut(text: str, width: int, page: Page) -> str:
    """The text in at most `width` columns, with an ellipsis where something is missing. Not for coloured text."""
    if width_of(text) <= width:
        return text
    mark = "…" if page.has_unicode else "~"
    kept: list[str] = []
    used = 1
    for char in text:
        used += width_of(char)
        if used > width:
            break
        kept.append(char)
    return "".join(kept).rstrip() + mark


def pad(text: str, width: int, *, is_right: bool = False) -> str:
    """The text filled up with spaces."""
    space = " " * max(0, width - width_of(text))
    return space + text if is_right else text + space


def lines(columns: Sequence[Column], rows: Iterable[Row], page: Page, *, has_hint: bool = True) -> list[str]:
    """The table's lines. Columns without any value are left out."""
    all_rows = list(rows)
    shown = [index for index in range(len(columns)) if _has_value(all_rows, index, page) or columns[index].rank == 0]
    widths = {
        index: max([width_of(columns[index].name), *(width_of(row.cells[index]) for row in all_rows)])
        for index in shown
    }
    hidden: list[str] = []
    if page.width is not None:
        shown, hidden = _fit(columns, shown, widths, page.width)
    found = [
        _line([page.bold(columns[i].name) for i in shown], [columns[i] for i in shown], [widths[i] for i in shown])
    ]
    full = sum(widths[index] for index in shown) + GAP * (len(shown) - 1)
    rule = page.dim(("─" if page.has_unicode else "-") * full) if page.is_terminal else None
    if rule is not None:
        found.append(rule)
    for row in all_rows:
        cells = []
        for index in shown:
            text = row.cells[index]
            if columns[index].min_width is not None and "\x1b" not in text:
                text = cut(text, widths[index], page)
            if row.kind == "total" and "\x1b" not in text:
                text = page.bold(text)
            elif row.kind in ("part", "note") and "\x1b" not in text:
                text = page.dim(text)
            cells.append(text)
        if row.kind == "total" and rule is not None:
            found.append(rule)
        found.append(_line(cells, [columns[index] for index in shown], [widths[index] for index in shown]))
    if hidden and has_hint:
        # The hint is one remark, so it may wrap; names of what is missing help more than a count.
        found.extend(page.dim(part) for part in wrap(f"Hidden at this width: {', '.join(hidden)}.", page.width))
    return found


def listing(columns: Sequence[Column], rows: Iterable[Row], page: Page, indent: str = "    ") -> list[str]:
    """Aligned lines without a header; in a narrow terminal the less important columns go silently."""
    all_rows = list(rows)
    shown = [index for index in range(len(columns)) if any(row.cells[index] for row in all_rows)]
    widths = {index: max(width_of(row.cells[index]) for row in all_rows) for index in shown}
    if page.width is not None:
        shown, _ = _fit(columns, shown, widths, page.width - len(indent))
    found = []
    for row in all_rows:
        cells = [
            cut(row.cells[index], widths[index], page) if columns[index].min_width is not None else row.cells[index]
            for index in shown
        ]
        found.append(indent + _line(cells, [columns[index] for index in shown], [widths[index] for index in shown]))
    return found


def wrap(text: str, width: int | None, indent: str = "") -> list[str]:
    """Words of a text on lines of at most `width` columns; later lines begin with `indent`."""
    if width is None or width_of(text) <= width:
        return [text]
    found: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else (indent + word if found else word)
        if line and width_of(joined) > width:
            found.append(line)
            joined = indent + word
        line = joined
    return [*found, line]


def remark(text: str, page: Page) -> list[str]:
    """A side remark below a report, dim, on as many lines as it needs."""
    return [page.dim(line) for line in wrap(text, page.width, "  ")]


def _has_value(rows: Sequence[Row], index: int, page: Page) -> bool:
    return any(row.cells[index] not in ("", page.dash) for row in rows)


def _fit(
    columns: Sequence[Column], shown: list[int], widths: dict[int, int], width: int
) -> tuple[list[int], list[str]]:
    """Columns that fit, and the names of those that do not. Narrows what may be cut before and after leaving out."""
    hidden: list[int] = []
    while True:
        spare = width - sum(widths[index] for index in shown) - GAP * (len(shown) - 1)
        if spare >= 0:
            break
        elastic = [index for index in shown if columns[index].min_width is not None]
        slack = sum(max(0, widths[index] - (columns[index].min_width or 0)) for index in elastic)
        if slack >= -spare:
            _narrow(columns, elastic, widths, -spare)
            break
        droppable = [index for index in shown if columns[index].rank > 0]
        if not droppable:
            _narrow(columns, elastic, widths, slack)
            break
        worst = max(droppable, key=lambda index: (columns[index].rank, index))
        shown = [index for index in shown if index != worst]
        hidden.append(worst)
    return shown, [columns[index].name for index in sorted(hidden) if columns[index].name]


def _narrow(columns: Sequence[Column], elastic: Sequence[int], widths: dict[int, int], excess: int) -> None:
    """Take `excess` columns from the widest of the elastic ones, evenly."""
    while excess > 0:
        able = [index for index in elastic if widths[index] > (columns[index].min_width or 0)]
        if not able:
            return
        widest = max(able, key=lambda index: widths[index])
        widths[widest] -= 1
        excess -= 1


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts = [
        pad(cell, width, is_right=column.is_right) for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    return (" " * GAP).join(parts).rstrip()
