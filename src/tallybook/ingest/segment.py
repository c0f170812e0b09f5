"""What a segment is known by, whatever the sealer names it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_FIRST_BYTES = 65_536


def identity_of(path: Path) -> str | None:
    """A hash of its first line and its number on the file system; `None` while the first line is not complete.

    The line alone does not tell two segments apart that begin with the same record, sent twice; the number alone may
    be given again. Raises FileNotFoundError.
    """
    with path.open("rb") as file:
        return identity_of_open(file.fileno())


def identity_of_open(descriptor: int) -> str | None:
    """The same of an open segment."""
    first = os.pread(descriptor, _FIRST_BYTES, 0)
    number = os.fstat(descriptor).st_ino
    start = len(first) - len(first.lstrip(b"\n"))
    end = first.find(b"\n", start)
    if end < 0 and len(first) < _FIRST_BYTES:
        return None
    line = first[start : end if end >= 0 else None]
    return hashlib.blake2b(line, digest_size=12, salt=number.to_bytes(8, "big")).hexdigest()
