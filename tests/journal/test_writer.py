"""A writer's own promises: whole lines or none, one segment a process, by day, whatever the disk does."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tallybook.journal.layout import segments
from tallybook.journal.lock import try_lock
from tallybook.journal.writer import Disk, Writer
from tallybook.testing import FaultyDisk

NOON = 1_795_348_800_000_000
"""2026-11-22 12:00 UTC."""
DAY = "2026-11-22"
MB = 1 << 20


def writer(folder: Path, *, disk: Disk | None = None, size: int = MB, fsync: bool = False) -> Writer:
    return Writer(folder, "telemetry", segment_bytes_max=size, fsync=fsync, disk=disk)


def contents(folder: Path) -> dict[str, bytes]:
    return {segment.path.name: segment.path.read_bytes() for segment in segments(folder)}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The file as a living writer of another process holds it."""
    with path.open("rb") as file:
        assert try_lock(file.fileno())
        yield


def test_the_first_writer_of_a_day_takes_the_plain_name_and_the_next_one_another(tmp_path: Path) -> None:
    first, second = writer(tmp_path), writer(tmp_path)
    first.append(b"one\n", NOON)
    second.append(b"two\n", NOON)
    first.append(b"three\n", NOON)
    found = contents(tmp_path)
    assert found.pop("telemetry.jsonl") == b"one\nthree\n"
    assert list(found.values()) == [b"two\n"]


def test_files_and_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    writer(tmp_path / "new" / "ledger").append(b"one\n", NOON)
    place = tmp_path / "new" / "ledger" / DAY
    assert (place / "telemetry.jsonl").stat().st_mode & 0o777 == 0o600
    assert place.stat().st_mode & 0o777 == 0o700


def test_the_segment_is_locked_while_its_writer_lives_and_free_after(tmp_path: Path) -> None:
    mine = writer(tmp_path)
    mine.append(b"one\n", NOON)
    with (tmp_path / DAY / "telemetry.jsonl").open() as other:
        assert not try_lock(other.fileno())
        mine.close()
        assert try_lock(other.fileno())


def test_a_new_writer_goes_on_in_a_free_segment(tmp_path: Path) -> None:
    for number in range(5):
        one = writer(tmp_path)
        one.append(b"%d\n" % number, NOON)
        one.close()
    assert contents(tmp_path) == {"telemetry.jsonl": b"0\n1\n2\n3\n4\n"}


def test_a_torn_tail_stays_one_line_of_its_own(tmp_path: Path) -> None:
    place = tmp_path / DAY
    place.mkdir()
    (place / "telemetry.jsonl").write_bytes(b'{"a":1}\n{"torn')
    mine = writer(tmp_path)
    mine.append(b"two\n", NOON)
    mine.append(b"three\n", NOON)
    assert contents(tmp_path) == {"telemetry.jsonl": b'{"a":1}\n{"torn\ntwo\nthree\n'}


def test_a_segment_that_is_held_is_passed_over(tmp_path: Path) -> None:
    place = tmp_path / DAY
    place.mkdir()
    (place / "telemetry.jsonl").write_bytes(b"held\n")
    (place / "telemetry.free.jsonl").write_bytes(b"free\n")
    with locked(place / "telemetry.jsonl"):
        writer(tmp_path).append(b"mine\n", NOON)
    assert contents(tmp_path) == {"telemetry.jsonl": b"held\n", "telemetry.free.jsonl": b"free\nmine\n"}


def test_what_the_sealer_took_is_never_adopted(tmp_path: Path) -> None:
    place = tmp_path / DAY
    place.mkdir()
    (place / "telemetry.sealing-1.jsonl").write_bytes(b"sealed\n")
    (place / "telemetry.jsonl").write_bytes(b"held\n")
    with locked(place / "telemetry.jsonl"):
        writer(tmp_path).append(b"mine\n", NOON)
    found = contents(tmp_path)
    assert found.pop("telemetry.sealing-1.jsonl") == b"sealed\n"
    assert found.pop("telemetry.jsonl") == b"held\n"
    assert list(found.values()) == [b"mine\n"]


def test_a_full_segment_is_not_adopted_and_one_that_fills_is_left_for_a_new_one(tmp_path: Path) -> None:
    mine = writer(tmp_path, size=10)
    for _ in range(5):
        mine.append(b"seven7\n", NOON)
    sizes = sorted(map(len, contents(tmp_path).values()))
    assert sizes == [7, 14, 14]
    assert b"".join(contents(tmp_path).values()) == b"seven7\n" * 5


class _SealedInBetween:
    """A disk on which the sealer renames a segment after it was opened and before it is locked."""

    write = staticmethod(os.write)
    fsync = staticmethod(os.fsync)

    def __init__(self) -> None:
        self.is_done = False

    def open(self, path: str, flags: int, mode: int) -> int:
        descriptor = os.open(path, flags, mode)
        if not self.is_done and not flags & os.O_EXCL:
            self.is_done = True
            Path(path).rename(Path(path).with_name("telemetry.sealing-9.jsonl"))
        return descriptor


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_segment_that_changed_its_name_before_the_lock_is_not_written(tmp_path: Path, is_replaced: bool) -> None:
    place = tmp_path / DAY
    place.mkdir()
    (place / "telemetry.jsonl").write_bytes(b"old\n")
    disk = _SealedInBetween()
    if is_replaced:
        real = disk.open

        def replaced(path: str, flags: int, mode: int) -> int:
            descriptor = real(path, flags, mode)
            Path(path).touch()
            return descriptor

        disk.open = replaced  # type: ignore[method-assign]
    mine = writer(tmp_path, disk=disk)
    mine.append(b"new\n", NOON)
    assert disk.is_done
    found = contents(tmp_path)
    assert found.pop("telemetry.sealing-9.jsonl") == b"old\n"
    assert b"".join(found.values()) == b"new\n"


def test_another_days_line_goes_to_that_days_folder(tmp_path: Path) -> None:
    mine = writer(tmp_path)
    end_of_day = NOON + 12 * 3_600_000_000
    mine.append(b"last\n", end_of_day - 1)
    mine.append(b"first\n", end_of_day)
    assert (tmp_path / DAY / "telemetry.jsonl").read_bytes() == b"last\n"
    assert (tmp_path / "2026-11-23" / "telemetry.jsonl").read_bytes() == b"first\n"
    with (tmp_path / DAY / "telemetry.jsonl").open() as other:
        assert try_lock(other.fileno()), "yesterday's segment is free for the sealer"


def test_a_folder_that_is_removed_while_open_is_made_again(tmp_path: Path) -> None:
    mine = writer(tmp_path / "ledger")
    mine.append(b"one\n", NOON)
    shutil.rmtree(tmp_path / "ledger")
    mine.append(b"two\n", NOON + 50_000)
    assert contents(tmp_path / "ledger") == {"telemetry.jsonl": b"two\n"}


def test_a_short_write_is_completed(tmp_path: Path) -> None:
    disk = FaultyDisk()
    mine = writer(tmp_path, disk=disk)
    disk.cut_writes(3)
    mine.append(b"a line longer than three\n", NOON)
    disk.heal()
    mine.append(b"two\n", NOON)
    assert contents(tmp_path) == {"telemetry.jsonl": b"a line longer than three\ntwo\n"}


def test_a_short_write_that_cannot_be_completed_is_taken_back(tmp_path: Path) -> None:
    disk = FaultyDisk()
    mine = writer(tmp_path, disk=disk)
    mine.append(b"one\n", NOON)
    disk.cut_writes(3)
    disk.fail("write", nth=3, times=None)
    with pytest.raises(OSError) as caught:
        mine.append(b"a line longer than three\n", NOON)
    assert caught.value.errno == errno.ENOSPC
    assert contents(tmp_path) == {"telemetry.jsonl": b"one\n"}
    disk.heal()
    mine.append(b"two\n", NOON)
    assert contents(tmp_path) == {"telemetry.jsonl": b"one\ntwo\n"}


def test_a_disk_that_takes_nothing_and_says_nothing_is_a_full_one(tmp_path: Path) -> None:
    disk = FaultyDisk()
    mine = writer(tmp_path, disk=disk)
    mine.append(b"one\n", NOON)
    disk.cut_writes(0)
    with pytest.raises(OSError) as caught:
        mine.append(b"two\n", NOON)
    assert caught.value.errno == errno.ENOSPC
    assert contents(tmp_path) == {"telemetry.jsonl": b"one\n"}


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    disk = FaultyDisk()
    mine = writer(tmp_path, disk=disk)
    mine.append(b"one\n", NOON)
    disk.fail("write")
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        mine.append(b"two\n", NOON)
    mine.append(b"three\n", NOON)
    assert contents(tmp_path) == {"telemetry.jsonl": b"one\nthree\n"}


def test_what_cannot_be_taken_back_stays_a_line_of_its_own_and_costs_no_later_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FaultyDisk()
    mine = writer(tmp_path, disk=disk)
    mine.append(b"one\n", NOON)

    def refused(descriptor: int, size: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "ftruncate", refused)
        disk.cut_writes(3)
        disk.fail("write", nth=2, times=None)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            mine.append(b"torn line\n", NOON)
    disk.heal()
    mine.append(b"two\n", NOON)
    disk.cut_writes(3)
    disk.fail("write", nth=2, times=None)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        mine.append(b"taken back\n", NOON)
    disk.heal()
    mine.append(b"three\n", NOON)
    assert contents(tmp_path) == {"telemetry.jsonl": b"one\ntor\ntwo\nthree\n"}


def test_a_line_that_could_not_be_made_durable_is_taken_back_so_that_the_next_try_is_no_second_one(
    tmp_path: Path,
) -> None:
    disk = FaultyDisk()
    mine = writer(tmp_path, disk=disk, fsync=True)
    mine.append(b"one\n", NOON)
    disk.fail("fsync", error=errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        mine.append(b"two\n", NOON)
    mine.append(b"two\n", NOON)
    assert contents(tmp_path) == {"telemetry.jsonl": b"one\ntwo\n"}


def test_each_line_is_made_durable_only_where_that_is_set(tmp_path: Path) -> None:
    counts = {}
    for fsync in (True, False):
        disk = FaultyDisk()
        mine = writer(tmp_path / str(fsync), disk=disk, fsync=fsync)
        for _ in range(3):
            mine.append(b"one\n", NOON)
        counts[fsync] = disk.counts.get("fsync", 0)
        mine.sync()
        assert disk.counts["fsync"] == counts[fsync] + (1 if fsync else 3)
    assert counts == {True: 5, False: 0}, "three lines, and once the two folders of a new segment"


def test_another_users_segment_is_passed_over(tmp_path: Path) -> None:
    place = tmp_path / DAY
    place.mkdir()
    (place / "telemetry.jsonl").write_bytes(b"root's\n")

    class Forbidding(FaultyDisk):
        def open(self, path: str, flags: int, mode: int = 0o777) -> int:
            if path.endswith("/telemetry.jsonl") and not flags & os.O_EXCL:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            return super().open(path, flags, mode)

    writer(tmp_path, disk=Forbidding()).append(b"mine\n", NOON)
    found = contents(tmp_path)
    assert found.pop("telemetry.jsonl") == b"root's\n"
    assert list(found.values()) == [b"mine\n"]


def test_a_folder_that_cannot_be_written_is_an_error_and_not_an_endless_search(tmp_path: Path) -> None:
    disk = FaultyDisk()
    disk.fail("open", times=None, error=errno.EACCES)
    with pytest.raises(PermissionError):
        writer(tmp_path, disk=disk).append(b"one\n", NOON)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError):
        writer(tmp_path / "file").append(b"one\n", NOON)


def test_a_file_system_without_locks_is_an_error_and_not_an_endless_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", without)
    with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)):
        writer(tmp_path).append(b"one\n", NOON)
    assert len(list((tmp_path / DAY).iterdir())) <= 1


def test_a_forked_child_writes_its_own_segment_and_the_parent_keeps_its_own(tmp_path: Path) -> None:
    mine = writer(tmp_path)
    mine.append(b"parent 1\n", NOON)
    child = os.fork()
    if child == 0:
        try:
            mine.forked()
            mine.append(b"child 1\n", NOON)
            mine.append(b"child 2\n", NOON)
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    mine.append(b"parent 2\n", NOON)
    found = contents(tmp_path)
    assert found.pop("telemetry.jsonl") == b"parent 1\nparent 2\n"
    assert list(found.values()) == [b"child 1\nchild 2\n"]
    with (tmp_path / DAY / "telemetry.jsonl").open() as other:
        assert not try_lock(other.fileno()), "the child's leaving has not freed the parent's segment"


def test_a_killed_writer_leaves_every_line_whose_append_returned(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        mine = writer(tmp_path)
        number = 0
        while True:
            mine.append(json.dumps({"n": number, "fill": "x" * 200}).encode() + b"\n", NOON)
            os.write(writing, b"%d\n" % number)
            number += 1
    os.close(writing)
    told = b""
    while told.count(b"\n") < 500:
        told += os.read(reading, 4096)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while piece := os.read(reading, 65536):
        told += piece
    os.close(reading)
    *whole, tail = (tmp_path / DAY / "telemetry.jsonl").read_bytes().split(b"\n")
    numbers = [json.loads(line)["n"] for line in whole]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= told.count(b"\n")
    assert tail == b"" or len(tail) < 230


def test_threads_share_a_writer_without_mixing_lines(tmp_path: Path) -> None:
    mine = writer(tmp_path, size=20_000)

    def work(name: int) -> None:
        for number in range(200):
            mine.append(b"%d %d %s\n" % (name, number, b"x" * 50), NOON)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = b"".join(contents(tmp_path).values()).splitlines()
    assert len(lines) == 1600
    assert {tuple(map(int, line.split()[:2])) for line in lines} == {(a, b) for a in range(8) for b in range(200)}


def test_a_closed_writer_takes_a_segment_again(tmp_path: Path) -> None:
    mine = writer(tmp_path)
    mine.append(b"one\n", NOON)
    mine.close()
    mine.close()
    mine.sync()
    mine.append(b"two\n", NOON)
    assert contents(tmp_path) == {"telemetry.jsonl": b"one\ntwo\n"}


def test_the_name_of_a_new_segment_is_made_durable_with_its_first_line(tmp_path: Path) -> None:
    synced: list[tuple[int, int]] = []

    class Watching(FaultyDisk):
        def fsync(self, descriptor: int) -> None:
            status = os.fstat(descriptor)
            synced.append((status.st_dev, status.st_ino))

    def identity(path: Path) -> tuple[int, int]:
        return path.stat().st_dev, path.stat().st_ino

    mine = writer(tmp_path, disk=Watching())
    mine.append(b"one\n", NOON)
    mine.sync()
    assert synced == [identity(tmp_path / DAY / "telemetry.jsonl"), identity(tmp_path / DAY), identity(tmp_path)]
    mine.append(b"two\n", NOON)
    mine.sync()
    assert synced[3:] == synced[:1]
