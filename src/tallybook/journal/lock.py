"""Whole-file advisory locks (flock): who holds a segment writes it, who holds `seal.lock` seals.

Local disks only: network file systems do not keep flock's promise across machines (`store.open` refuses them).
"""

from __future__ import annotations

import fcntl


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock of an open file without waiting; False when another process has it.

    Raises OSError where the file system knows no locks: that is no reason to try the next file.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(descriptor: int) -> None:
    """Take the exclusive lock of an open file, waiting for it."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def unlock(descriptor: int) -> None:
    """Give the lock back; closing the file does so too."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_held(descriptor: int) -> bool:
    """Whether another process holds the lock of an open file. One that wants it meanwhile takes another file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
