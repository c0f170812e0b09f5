"""Private folders for what a reader must copy or spill: gone with their owner, closed or not.

A process that was killed leaves its folders; `remove_left` takes those whose process is no more. A folder's name tells
its process and the kernel's namespace of process numbers, since containers may share a temporary directory.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from pathlib import Path

_NAME = re.compile(r"tallybook-(?:scratch|spill)-(\d+)-(\d+)-")


def _namespace() -> int:
    """The namespace in which this process has its number; 0 where there are none."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def _prefix(use: str) -> str:
    return f"tallybook-{use}-{_namespace()}-{os.getpid()}-"


class Scratch:
    """A temporary folder, readable by this user alone. It is removed by `cleanup`, with the object, or at exit."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_prefix("scratch")))
        self._remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def cleanup(self) -> None:
        """Remove the folder now."""
        self._remove()


def spill_path() -> Path:
    """Where one connection may write what does not fit in memory. DuckDB makes the folder when it needs it.

    Each connection has its own: two of one process would use the same names in one folder.
    """
    return Path(tempfile.gettempdir()) / f"{_prefix('spill')}{os.urandom(4).hex()}"


def remove_left() -> int:
    """Remove folders of this user's processes that are no more; how many there were."""
    count = 0
    for path in Path(tempfile.gettempdir()).glob("tallybook-s*"):
        match = _NAME.match(path.name)
        if match is None or int(match[1]) != _namespace() or _is_alive(int(match[2])):
            continue
        try:
            is_mine = path.stat().st_uid == os.geteuid() if hasattr(os, "geteuid") else True
        except FileNotFoundError:
            continue
        if is_mine:
            shutil.rmtree(path, ignore_errors=True)
            count += 1
    return count


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
