"""The provider's usage object in a tenth of its bytes: its shape once, its numbers where they stand already.

Nearly every number in it is one of the call's token columns, or a sum or difference of two. A batch's shapes are
learnt from a sample; a row whose text follows exactly from a shape and its own columns is stored as the shape, with
`@i` for its input tokens and so on (a dictionary entry in Parquet); every other row as it is. Reading puts the
numbers back: what comes out is, byte for byte, what went in.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.schema import text_sql

_CACHED = "coalesce(cache_read_tokens, 0) + coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)"
MARKS: dict[str, str] = {
    "i": "input_tokens",
    "o": "output_tokens",
    "t": "input_tokens + output_tokens",
    "r": "coalesce(cache_read_tokens, 0)",
    "w": "coalesce(cache_write_5m_tokens, 0)",
    "h": "coalesce(cache_write_1h_tokens, 0)",
    "u": f"input_tokens - ({_CACHED})",
    "n": "coalesce(reasoning_tokens, 0)",
    "v": "output_tokens - coalesce(reasoning_tokens, 0)",
}
"""Letter behind `@`, and what it stands for."""
_NUMBER = re.compile(r"(?<=:)\d+(?=[,}\]])")
_SAMPLE_ROWS = 1_000
_SHAPES_MAX = 16


class Shape(NamedTuple):
    """A usage object without its digits, and the template of those that look so."""

    text: str
    template: str


def _without_digits(text: str) -> str:
    return re.sub(r"[0-9]", "", text)


def learnt(con: duckdb.DuckDBPyConnection, table: str) -> list[Shape]:
    """The most frequent shapes in a sample, each number with the one column that it equals in every sampled row.

    The sample is every so-many-th row of `table`, which must be a table and no view.
    """
    marks = ", ".join(f"CAST({sql} AS VARCHAR)" for sql in MARKS.values())
    count = con.execute(f"SELECT count(usage_raw) FROM {table}").fetchone() or (0,)
    if not count[0]:
        return []
    rows = con.execute(
        f"SELECT usage_raw, {marks} FROM {table} WHERE usage_raw IS NOT NULL "
        f"AND rowid % {max(count[0] // _SAMPLE_ROWS, 1)} = 0"
    ).fetchall()
    places: dict[str, list[list[set[str]]]] = {}
    texts: dict[str, str] = {}
    for text, *values in rows:
        if "@" in text:
            continue  # It could not be told from a template.
        known = dict(zip(MARKS, values, strict=True))
        shape = _without_digits(text)
        found = []
        for number in _NUMBER.findall(text):
            found.append({number} | {letter for letter, value in known.items() if value == number})
        places.setdefault(shape, []).append(found)
        texts.setdefault(shape, text)
    often = sorted(places, key=lambda shape: -len(places[shape]))[:_SHAPES_MAX]
    return [Shape(shape, _template(texts[shape], places[shape])) for shape in often]


def _template(text: str, seen: list[list[set[str]]]) -> str:
    """The text with each number that follows from a column replaced by its mark."""
    common = [set.intersection(*column) for column in zip(*seen, strict=True)] if seen[0] else []
    numbers = iter(common)

    def put(match: re.Match[str]) -> str:
        choice = next(numbers)
        letters = [letter for letter in MARKS if letter in choice]
        constant = match.group() if match.group() in choice else None
        return constant if constant is not None and len(seen) > 1 else f"@{letters[0]}" if letters else match.group()

    return _NUMBER.sub(put, text)


def encoded_sql(shapes: list[Shape]) -> str:
    """The column as it is stored. A text that could be taken for a template is stored behind a space."""
    plain = "CASE WHEN contains(usage_raw, ':@') THEN ' ' || usage_raw ELSE usage_raw END"
    if not any("@" in shape.template for shape in shapes):
        return plain
    cases = []
    for shape in shapes:
        if "@" in shape.template:
            pieces = shape.template.split("@")
            parts = [
                f"CAST({MARKS[part[0]]} AS VARCHAR), {text_sql(part[1:])}" if number else text_sql(part)
                for number, part in enumerate(pieces)
            ]
            # The end is compared first: it is cheap, and tells most shapes apart before numbers are put together.
            same = f"ends_with(usage_raw, {text_sql(pieces[-1][1:])}) AND usage_raw = concat({', '.join(parts)})"
            cases.append(f"WHEN {same} THEN {text_sql(shape.template)}")
    return f"CASE {' '.join(cases)} ELSE {plain} END"


def decoded_sql() -> str:
    """The column as it went in."""
    text = "usage_raw"
    for letter, sql in MARKS.items():
        text = f"replace({text}, ':@{letter}', ':' || coalesce(CAST({sql} AS VARCHAR), ''))"
    return (
        "CASE WHEN starts_with(usage_raw, ' ') THEN substr(usage_raw, 2) WHEN contains(usage_raw, ':@') "
        f"THEN {text} ELSE usage_raw END AS usage_raw"
    )
