"""`DIR/digest.msgpack`: the sealed calls of the last days, condensed so that plain Python answers the usual questions.

A short command over a large ledger would otherwise pay for DuckDB to add up one day. Written after each sealing
(`condense`); it may be deleted at any time. It says of which files it was made, and counts only where the manifest
names exactly these. The format is documented in `docs/lake.md`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tallybook.store.lake.manifest import File, Manifest

NAME = "digest.msgpack"
VERSION = 2
HOUR_US = 3_600_000_000
DIMENSIONS = ("project", "provider", "model", "status", "cost_status")
MEASURES = (
    "calls", "errors", "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "cost_nanousd", "priced_calls", "estimated_calls", "duration_sum_us", "duration_count",
    "duration_max_us", "timed_output_tokens", "timed_output_us", "tool_calls", "first_at_us", "last_at_us",
)  # fmt: skip
"""Those of a question that add up, and `duration_count`, the calls whose duration is known."""


class Day(msgspec.Struct, frozen=True, array_like=True):
    """One UTC day: a table by hour and `DIMENSIONS` in columns, and what does not add up beside it."""

    hours: list[int]
    """Hours since 1970 of the rows, ascending."""
    values: list[list[Any]]
    """The distinct values of each dimension."""
    places: list[list[int]]
    """Of each dimension, the place of each row's value in `values`."""
    measures: list[list[int | None]]
    """One list for each of `MEASURES`."""
    durations: list[tuple[int, bytes]]
    """By hour, the known durations in microseconds, ascending, as native 64-bit integers."""
    users: tuple[list[str], list[int]]
    """Users, and of each the hours of the day in which it has calls, as bits."""
    runs: tuple[list[str], list[int]]
    """The same of runs (or else sessions)."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A day, and what it was made of."""

    day: str
    files: tuple[str, ...]
    content: msgspec.Raw


class Digest(msgspec.Struct, frozen=True):
    """The whole file."""

    version: int = VERSION
    byte_order: str = "little"
    entries: tuple[Entry, ...] = ()


_decode = msgspec.msgpack.Decoder(Digest).decode
_decode_day = msgspec.msgpack.Decoder(Day).decode


def day_of(entry: Entry) -> Day:
    """The content of an entry."""
    return _decode_day(entry.content)


def read(folder: Path) -> dict[str, Entry]:
    """Entries by day; none where there is no file, or one that cannot be used."""
    try:
        digest = _decode((folder / NAME).read_bytes())
    except (OSError, msgspec.DecodeError):  # It is made anew at the next sealing.
        return {}
    if digest.version != VERSION or digest.byte_order != sys.byteorder:
        return {}
    return {entry.day: entry for entry in digest.entries}


def files_of(manifest: Manifest, day: str) -> list[File]:
    """The files of calls of a day."""
    return [file for file in manifest.files if file.kind == "calls" and file.day == day]


def is_of(entry: Entry, files: Sequence[File]) -> bool:
    """Whether an entry was made of exactly these files."""
    return set(entry.files) == {file.path for file in files}
