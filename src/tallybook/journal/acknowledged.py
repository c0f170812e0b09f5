"""How far a server has the journal's segments, kept beside them: `DIR/ship/<server>/offsets.json`.

A segment is known by its day, kind, inode and first line, because the sealer renames it; a mark also holds a check of
the bytes before it, so that another file is never taken for it. Losing the file is harmless: lines have ids, and what
is sent twice is taken once. Sealed segments that a server still lacks are not removed (`Needed`).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from tallybook.journal.layout import segment_of

FOLDER = "ship"
LOCK_NAME = "ship.lock"
REFUSED_NAME = "refused.jsonl"
HOLD_S = 7 * 86_400
"""A server that nobody has tried to reach for so long keeps no segment from being removed any more."""

_OFFSETS_NAME = "offsets.json"
TAIL_BYTES = 1_024
"""So many bytes before a mark tell whether it is of this file: mostly a line with its id."""
_FIRST_BYTES = 65_536
_KINDS = frozenset({"telemetry", "steps", "prompts", "responses", "messages"})


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """How far one segment is acknowledged, in bytes, and what stands before that place."""

    offset: int
    check: str
    sent_as: str = ""
    """What the server knows the segment by, where that is not its name here."""


class _File(msgspec.Struct, frozen=True):
    url: str
    segments: dict[str, Mark] = {}


class Destination:
    """One server's place in a folder. Who holds its lock ships; anybody may read."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.place = folder / FOLDER / hashlib.blake2b(url.encode(), digest_size=8).hexdigest()

    def make(self) -> None:
        """Make the place, so that nothing is removed before it is shipped. Raises OSError."""
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.place / _OFFSETS_NAME).exists():
            self.write({})

    def read(self) -> dict[str, Mark]:
        """Marks by segment; none where the file is not there or damaged: everything is then sent again."""
        return _read(self.place)

    def write(self, marks: Mapping[str, Mark]) -> None:
        """Put the marks in place of the old ones, in one rename. Raises OSError."""
        temporary = self.place / f".{_OFFSETS_NAME}.{os.getpid()}.tmp"
        temporary.write_bytes(msgspec.json.encode(_File(self.url, dict(marks))))
        temporary.replace(self.place / _OFFSETS_NAME)

    def touch(self) -> None:
        """Note that somebody tries to reach the server."""
        try:
            os.utime(self.place / _OFFSETS_NAME)
        except FileNotFoundError:
            self.make()


def _read(place: Path) -> dict[str, Mark]:
    try:
        return msgspec.json.decode((place / _OFFSETS_NAME).read_bytes(), type=_File).segments
    except (FileNotFoundError, msgspec.DecodeError, ValueError):
        return {}


class Segment(NamedTuple):
    """How far a segment is acknowledged."""

    name: str
    """What it is known by."""
    offset: int
    tail: bytes
    """The last bytes before that place."""
    sent_as: str
    """What the server knows it by: its name, unless another file had the same name before."""


def looked(path: Path, marks: Mapping[str, Mark]) -> Segment | None:
    """What a segment is known by and how far it is acknowledged; `None` while it has no whole line, or is gone."""
    try:
        with path.open("rb") as file:
            first = file.read(_FIRST_BYTES)
            begin = len(first) - len(first.lstrip(b"\n"))
            end = first.find(b"\n", begin)
            if end < 0 and len(first) < _FIRST_BYTES:
                return None
            digest = hashlib.blake2b(first[begin : end if end >= 0 else None], digest_size=12).hexdigest()
            segment = segment_of(path)
            name = f"{path.parent.name}/{segment.kind if segment else ''}/{os.fstat(file.fileno()).st_ino:x}-{digest}"
            mark = marks.get(name)
            if mark is None:
                return Segment(name, 0, b"", name)
            tail = before(file, mark.offset)
            if check_of(tail) == mark.check:
                return Segment(name, mark.offset, tail, mark.sent_as or name)
            return Segment(name, 0, b"", f"{name}+{os.urandom(4).hex()}")
    except FileNotFoundError:
        return None


def before(file: BinaryIO, offset: int) -> bytes:
    """The last bytes before a place in an open file."""
    file.seek(max(0, offset - TAIL_BYTES))
    return file.read(min(offset, TAIL_BYTES))


def check_of(tail: bytes) -> str:
    """A check of the last bytes before a place."""
    return hashlib.blake2b(tail, digest_size=8).hexdigest()


class Needed:
    """Which segments of a folder some server still lacks."""

    def __init__(self, folder: Path, now_s: float | None = None) -> None:
        now = time.time() if now_s is None else now_s
        self._servers: list[dict[str, Mark]] = []
        for path in sorted((folder / FOLDER).glob(f"*/{_OFFSETS_NAME}")):
            try:
                if now - path.stat().st_mtime < HOLD_S:
                    self._servers.append(_read(path.parent))
            except FileNotFoundError:
                continue

    def __call__(self, path: Path) -> bool:
        """Whether the segment at `path` is of a kind that is shipped and not acknowledged to its end by all."""
        if not self._servers:
            return False
        segment = segment_of(path)
        if segment is None or segment.kind not in _KINDS:
            return False
        for marks in self._servers:
            seen = looked(path, marks)
            if seen is not None and path.stat().st_size > seen.offset:
                return True
        return False
