"""Locks of whole files: exclusive among open files, freed with the file, and honest about file systems without them."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from tallybook.journal.lock import lock, try_lock, unlock


def test_a_lock_is_held_by_one_open_file_at_a_time(tmp_path: Path) -> None:
    with (tmp_path / "f").open("w") as first, (tmp_path / "f").open() as second:
        assert try_lock(first.fileno())
        assert not try_lock(second.fileno())
        unlock(first.fileno())
        assert try_lock(second.fileno())


def test_closing_the_file_frees_the_lock(tmp_path: Path) -> None:
    with (tmp_path / "f").open("w") as first:
        assert try_lock(first.fileno())
    with (tmp_path / "f").open() as second:
        assert try_lock(second.fileno())


def test_waiting_for_a_lock_ends_when_it_is_given_back(tmp_path: Path) -> None:
    with (tmp_path / "f").open("w") as first, (tmp_path / "f").open() as second:
        lock(first.fileno())
        threading.Timer(0.02, unlock, (first.fileno(),)).start()
        lock(second.fileno())
        assert not try_lock(first.fileno())


def test_a_file_system_without_locks_is_an_error_and_not_a_taken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", without)
    with (tmp_path / "f").open("w") as file, pytest.raises(OSError, match=os.strerror(errno.ENOLCK)):
        try_lock(file.fileno())
