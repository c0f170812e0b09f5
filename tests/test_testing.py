"""The public doubles keep what they promise."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tallybook.journal.writer import Writer
from tallybook.model.ids import is_uuid7
from tallybook.testing import FaultyDisk, FrozenClock, SequentialIds, TemporaryLedger


def test_a_frozen_clock_moves_only_when_told() -> None:
    clock = FrozenClock()
    assert clock.now_us() == clock.now_us() == 1_767_268_800_000_000
    clock.advance(seconds=1.5, us=1)
    assert clock.now_us() == 1_767_268_801_500_001
    assert clock.monotonic_ns() == clock.now_us() * 1_000


def test_sequential_ids_are_uuid7_in_order_and_the_same_in_every_run() -> None:
    first, second = SequentialIds(), SequentialIds()
    ids = [first() for _ in range(100)]
    assert ids == [second() for _ in range(100)] == sorted(set(ids))
    assert all(map(is_uuid7, ids))


def test_a_faulty_disk_fails_at_the_call_that_was_named_and_only_there(tmp_path: Path) -> None:
    disk = FaultyDisk()
    descriptor = disk.open(str(tmp_path / "file"), os.O_RDWR | os.O_CREAT)
    try:
        disk.fail("write", nth=2, error=errno.EIO)
        assert disk.write(descriptor, b"one") == 3
        with pytest.raises(OSError, match="Input/output error"):
            disk.write(descriptor, b"two")
        assert disk.write(descriptor, b"three") == 5
        disk.cut_writes(2)
        assert disk.write(descriptor, b"four") == 2
        disk.fail("fsync", times=None)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                disk.fsync(descriptor)
        disk.heal()
        disk.fsync(descriptor)
    finally:
        os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"onethreefo"


def test_a_ledger_reads_what_a_writer_wrote(tmp_path: Path) -> None:
    clock = FrozenClock()
    writer = Writer(tmp_path, "telemetry", segment_bytes_max=1_000_000, disk=FaultyDisk())
    writer.append(b'{"timestamp":"2026-01-01T12:00:00Z","model":"m"}\n', clock.now_us())
    writer.close()
    ledger = TemporaryLedger(tmp_path)
    assert [call.model for call in ledger.calls()] == ["m"]
    assert ledger.steps() == []
