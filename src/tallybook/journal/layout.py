"""Names and places of the journal's files, and nothing else.

    DIR/2026-11-22/telemetry.jsonl            the day's first writer (S5's name)
    DIR/2026-11-22/telemetry.<writer>.jsonl   further writers, and rotated segments
    DIR/2026-11-22/steps.<writer>.jsonl, prompts.<writer>.jsonl, responses.<writer>.jsonl
    DIR/2026-11-22/started.<writer>.jsonl     calls that began, for live views; never sealed

The day is the UTC day of writing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["telemetry", "steps", "prompts", "responses", "messages", "amendments", "started"]
KINDS: tuple[Kind, ...] = ("telemetry", "steps", "prompts", "responses", "messages", "amendments", "started")

_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}\Z")
_SEGMENT = re.compile(
    r"^(telemetry|steps|prompts|responses|messages|amendments|started)(?:\.([A-Za-z0-9_-]+))?\.jsonl$"
)


class Segment(NamedTuple):
    """One file of the journal."""

    path: Path
    day: str
    kind: Kind
    writer: str
    """Empty for the plain name."""


def is_day(name: str) -> bool:
    """Whether a folder's name is a day."""
    return _DAY.match(name) is not None


def kind_of(name: str) -> Kind | None:
    """The kind of segment that a file of this name in a day's folder is; `None` when it is none."""
    match = _SEGMENT.match(name)
    return None if match is None else match.group(1)  # type: ignore[return-value]


def segment_of(path: Path) -> Segment | None:
    """The segment at `path`, or `None` when the name is not one."""
    match = _SEGMENT.match(path.name)
    if match is None or not is_day(path.parent.name):
        return None
    return Segment(path, path.parent.name, match.group(1), match.group(2) or "")  # type: ignore[arg-type]


def segments(folder: Path, kind: Kind = "telemetry") -> list[Segment]:
    """All segments of a kind, by day and name. Days or files that vanish meanwhile are passed over."""
    found: list[Segment] = []
    try:
        days = sorted(entry.name for entry in folder.iterdir() if is_day(entry.name))
    except FileNotFoundError:
        return found
    for day in days:
        try:
            names = sorted((folder / day).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            continue
        found.extend(seg for path in names if (seg := segment_of(path)) is not None and seg.kind == kind)
    return found
