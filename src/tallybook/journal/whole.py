"""A whole segment at once: written beside the journal under a name that nobody reads, then put in place by one rename.

For imports, which write a hundred thousand lines in a second: nobody sees half of them, and a crash leaves none.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from tallybook.journal.layout import Kind

_STALE_S = 86_400


class WholeSegment:
    """A new segment of the day of `now_us` (microseconds, UTC), in the folder from `done` on."""

    def __init__(self, folder: Path, kind: Kind, now_us: int) -> None:
        self._place = folder / time.strftime("%Y-%m-%d", time.gmtime(now_us // 1_000_000))
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._name = f"{kind}.{os.urandom(8).hex()}.jsonl"
        self._file = (self._place / f".{self._name}.tmp").open("xb", buffering=1 << 20)
        self.size = 0

    def append(self, lines: bytes) -> None:
        """Add whole lines. Raises OSError."""
        self._file.write(lines)
        self.size += len(lines)

    def done(self) -> Path:
        """Make the segment durable and part of the journal; its path. Raises OSError."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        path = self._place / self._name
        (self._place / f".{self._name}.tmp").replace(path)
        return path

    def drop(self) -> None:
        """Remove what was written."""
        self._file.close()
        (self._place / f".{self._name}.tmp").unlink(missing_ok=True)


def sweep(folder: Path, now_s: float) -> None:
    """Remove what processes that were killed left more than a day ago."""
    for path in folder.glob("????-??-??/.*.jsonl.tmp"):
        try:
            if now_s - path.stat().st_mtime > _STALE_S:
                path.unlink()
        except FileNotFoundError:
            continue  # Another sweep was first.
