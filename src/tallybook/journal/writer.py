"""Appends lines to this process's own segment: one unbuffered `os.write` a record.

When `append` returns, the line is in the kernel: killing the process cannot take it (power loss
can, unless `fsync`). The rules that writers, readers and the sealer share:

- A living writer holds the exclusive flock of its segment. Nobody else appends to it.
- A new writer adopts a free segment of the day (the plain `telemetry.jsonl` first) rather than making
  one more file. After taking the lock it checks that the path still names the file it locked.
  It starts with a newline where the last byte is not one, so that a torn tail stays one line.
- The sealer takes a free segment by locking it and renaming it to `telemetry.sealing-<random>.jsonl`
  before reading it. Writers never adopt such a name, so a sealed name never gets new lines and is never
  used again. A reader that listed the old name finds it gone and starts over.
- A segment is known by its first line (which holds a unique id), not by its name, where offsets must
  outlive the renaming.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import Protocol

from tallybook.journal.layout import Kind
from tallybook.journal.lock import try_lock

SEALING = "sealing-"
"""Writer names with this prefix belong to the sealer."""

_DAY_US = 86_400_000_000
_CHECK_US = 10_000
"""How often, at most, a writer looks whether its file was removed: real calls are rarer than this."""
_ADOPT_TRIES = 64
"""Segments looked at before a new one is made; a folder with more writers at once just gets new files."""
_MODE = 0o600


class Disk(Protocol):
    """The operating system's calls that a writer makes; tests hand in one that fails."""

    def open(self, path: str, flags: int, mode: int) -> int:
        """As os.open."""
        ...

    def write(self, descriptor: int, data: bytes) -> int:
        """As os.write."""
        ...

    def fsync(self, descriptor: int) -> None:
        """As os.fsync."""
        ...


class RealDisk:
    """The real thing."""

    open = staticmethod(os.open)
    write = staticmethod(os.write)
    fsync = staticmethod(os.fsync)


class Writer:
    """One process's writer of one kind of lines. Safe for threads; forget it after a fork (`forked`)."""

    __slots__ = (
        "_adopts", "_bytes_max", "_day_end_us", "_disk", "_fd", "_folder", "_fsync", "_kind", "_lock", "_look_us",
        "_needs_newline", "_new_in", "_os_write", "_size", "opened",
    )  # fmt: skip

    def __init__(
        self, folder: Path, kind: Kind, *, segment_bytes_max: int, fsync: bool = False, disk: Disk | None = None,
        adopts: bool = True,
    ) -> None:  # fmt: skip
        """Without `adopts` every process has segments of its own: their locks tell whether it lives."""
        self._folder = folder
        self._kind = kind
        self._bytes_max = segment_bytes_max
        self._fsync = fsync
        self._adopts = adopts
        self._disk: Disk = disk or RealDisk()
        self._os_write = self._disk.write
        self._lock = threading.RLock()
        self._fd = -1
        self._size = 0
        self._day_end_us = 0
        self._look_us = 0
        """Until this moment a line may be written without a look at the segment; 0 asks for one in any case."""
        self._needs_newline = False
        self._new_in: Path | None = None
        """The folder of a segment that was just created: its name is not on the disk before the folder is."""
        self.opened = 0
        """How many segments it has taken so far: while it stays the same, so does the segment."""

    def append(self, line: bytes, now_us: int) -> None:
        """Write one line (with its newline) to the segment of the day of `now_us` (microseconds, UTC).

        Raises OSError when it could not be written whole, or not be made durable where that is set; nothing of it
        is left behind then, so that who tries again does not write it twice.
        """
        with self._lock:
            if now_us < self._look_us:  # The usual line, by as little code as can be.
                size = len(line)
                written = self._os_write(self._fd, line)
                if written != size:
                    self._finish(line, written)
                self._size += size
                if self._size >= self._bytes_max:
                    self._look_us = 0
                return
            line = self._looked(line, now_us)
            written = self._os_write(self._fd, line)
            if written != len(line):
                self._finish(line, written)
            self._size += len(line)
            self._settle(line, now_us)

    def _looked(self, line: bytes, now_us: int) -> bytes:
        """Make sure of the segment: of this day, not full, not removed. Gives the line as it has to be written."""
        is_over = now_us >= self._day_end_us or self._size >= self._bytes_max or self._fd < 0
        if is_over or os.fstat(self._fd).st_nlink == 0:
            self._reopen(now_us)
        return b"\n" + line if self._needs_newline else line

    def _settle(self, line: bytes, now_us: int) -> None:
        """After a look and a write that went well: make it durable where that is set, and decide on the next look."""
        if self._fsync:
            try:
                self._make_durable()
            except OSError:
                self._size -= len(line)
                self._take_back(len(line))
                raise
        self._needs_newline = False
        is_short = not self._fsync and self._size < self._bytes_max
        self._look_us = min(now_us + _CHECK_US, self._day_end_us) if is_short else 0

    def _finish(self, line: bytes, written: int) -> None:
        """Complete a short write (a full disk, a signal), or take back what was written and raise."""
        try:
            while written < len(line):
                more = self._os_write(self._fd, line[written:])
                if more == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                written += more
        except OSError:
            self._take_back(written)
            raise

    def _take_back(self, written: int) -> None:
        """Cut off what was written of a line. Where the disk refuses that too, it stays a torn line of its own."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._size += written
            self._needs_newline = True
            self._look_us = 0

    def _reopen(self, now_us: int) -> None:
        self.close()
        day_us = now_us - now_us % _DAY_US
        day = _day_name(day_us)
        place = self._folder / day
        if not place.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.mkdir(mode=0o700, exist_ok=True)
        adopts = self._adopts and (place / f"{self._kind}.jsonl").exists()
        self._fd = self._adopt(place) if adopts else -1
        if self._fd < 0:
            self._fd = self._create(place)
            self._new_in = place
        self.opened += 1
        self._size = os.fstat(self._fd).st_size
        self._needs_newline = self._size > 0 and os.pread(self._fd, 1, self._size - 1) != b"\n"
        self._day_end_us = day_us + _DAY_US

    def _adopt(self, place: Path) -> int:
        """Descriptor of a free segment of the day, locked; -1 when there is none."""
        prefix = f"{self._kind}."
        names = sorted(
            (path.name for path in place.iterdir() if path.name.startswith(prefix) and path.suffix == ".jsonl"), key=len
        )
        tries = 0
        for name in names:
            if name.startswith(prefix + SEALING):
                continue
            tries += 1
            if tries > _ADOPT_TRIES:
                break
            try:
                fd = self._take(place / name, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            except PermissionError:
                continue  # Another user's (root's, once): theirs to write, no reason not to have an own one.
            if fd >= 0:
                return fd
        return -1

    def _create(self, place: Path) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL
        fd = self._take(place / f"{self._kind}.jsonl", flags)
        while fd < 0:
            fd = self._take(place / f"{self._kind}.{os.urandom(4).hex()}.jsonl", flags)
        return fd

    def _take(self, path: Path, flags: int) -> int:
        """Open and lock; -1 when it is taken, full, or not the file of that name any more."""
        try:
            fd = self._disk.open(str(path), flags, _MODE)
        except (FileExistsError, FileNotFoundError):
            if path.parent.is_dir():
                return -1
            raise
        try:
            if try_lock(fd):
                mine = os.fstat(fd)
                named = path.stat()
                if mine.st_ino == named.st_ino and mine.st_dev == named.st_dev and mine.st_size < self._bytes_max:
                    return fd
        except FileNotFoundError:
            pass  # Removed or renamed between opening and looking: not ours any more.
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return -1

    @property
    def descriptor(self) -> int:
        """The segment that is written, for reading; -1 where there is none just now."""
        return self._fd

    @property
    def end(self) -> int:
        """Where the last line that was written ends in its segment, in bytes."""
        return self._size

    def sync(self) -> None:
        """Make what was written survive power loss. Raises OSError."""
        with self._lock:
            if self._fd >= 0:
                self._make_durable()

    def _make_durable(self) -> None:
        """fsync the segment, and once after it was created the folders that hold its name."""
        self._disk.fsync(self._fd)
        if self._new_in is None:
            return
        for place in (self._new_in, self._new_in.parent):
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._disk.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._new_in = None

    def close(self) -> None:
        """Give the segment up; the next `append` takes one again."""
        with self._lock:
            if self._fd >= 0:
                fd, self._fd = self._fd, -1
                self._day_end_us = self._look_us = 0
                os.close(fd)

    def forked(self) -> None:
        """In a child process: let go of the parent's segment (its lock stays the parent's) and take an own one."""
        self._lock = threading.RLock()
        self.close()


def _day_name(day_us: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day_us // 1_000_000))
