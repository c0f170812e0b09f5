"""Doubles for tests, ours and yours: a provider, a clock, ids, a failing disk, a ledger for the length of a test.

    from tallybook.testing import ReplayServer, temporary_ledger

    def test_my_program_counts_its_calls():
        with ReplayServer() as server, temporary_ledger() as ledger:
            client = openai.OpenAI(base_url=server.openai_url, api_key="any")
            ...
            assert [call.model for call in ledger.calls()] == ["gpt-4o"]

Nothing here needs a network, a key or a test framework.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tallybook.journal import layout
from tallybook.model import codec
from tallybook.model.call import Call, Step
from tallybook.model.ids import uuid7
from tallybook.replay.scenario import Scenario
from tallybook.replay.server import ReplayServer

__all__ = [
    "FaultyDisk",
    "FrozenClock",
    "ReplayServer",
    "Scenario",
    "SequentialIds",
    "TemporaryLedger",
    "temporary_ledger",
]

DiskCall = Literal["open", "write", "fsync", "replace", "unlink"]


class FrozenClock:
    """A clock that moves only when told to. `now_us` and `monotonic_ns` agree with each other."""

    def __init__(self, unix_us: int = 1_767_268_800_000_000) -> None:
        """Stands at `unix_us`, microseconds since 1970; by default noon of 1 January 2026, UTC."""
        self._unix_us = unix_us

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return self._unix_us

    def time(self) -> float:
        """Seconds since 1970, as `time.time`."""
        return self._unix_us / 1_000_000

    def monotonic_ns(self) -> int:
        """Nanoseconds, as `time.perf_counter_ns`."""
        return self._unix_us * 1_000

    def advance(self, *, seconds: float = 0, us: int = 0) -> None:
        """Let time pass."""
        self._unix_us += round(seconds * 1_000_000) + us


class SequentialIds:
    """Ids that are valid UUIDv7, in order and the same in every run. Safe for threads."""

    def __init__(self, clock: FrozenClock | None = None) -> None:
        self._clock = clock or FrozenClock()
        self._count = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """The next id."""
        with self._lock:
            self._count += 1
            return uuid7(self._clock.now_us() // 1_000, self._count)


class FaultyDisk:
    """The operating system's file calls, of which chosen ones fail. Everything else really happens.

    Hand it in where a disk is taken (`journal.writer.Writer(disk=…)`). `fail("write", nth=3)` lets the third
    write from now fail once; `times=None` lets all from there fail until `heal`.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        """Calls made so far, by name, failed ones included."""
        self._plans: dict[str, tuple[int, int | None, int]] = {}
        self._short: int | None = None
        self._lock = threading.Lock()

    def fail(self, call: DiskCall, *, nth: int = 1, times: int | None = 1, error: int = errno.ENOSPC) -> None:
        """Let the `nth` coming call fail, and `times` calls from it on (`None`: all), with an errno."""
        with self._lock:
            self._plans[call] = (self.counts.get(call, 0) + nth, times, error)

    def cut_writes(self, size: int | None) -> None:
        """Let every write take at most `size` bytes, as a disk does that is nearly full; `None` ends it."""
        self._short = size

    def heal(self) -> None:
        """End all failures."""
        with self._lock:
            self._plans.clear()
            self._short = None

    def _count(self, call: str, about: str) -> None:
        with self._lock:
            self.counts[call] = number = self.counts.get(call, 0) + 1
            first, times, error = self._plans.get(call, (0, 0, 0))
        if first and number >= first and (times is None or number < first + times):
            raise OSError(error, os.strerror(error), about)

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """As os.open."""
        self._count("open", path)
        return os.open(path, flags, mode)

    def write(self, descriptor: int, data: bytes) -> int:
        """As os.write."""
        self._count("write", f"descriptor {descriptor}")
        return os.write(descriptor, data if self._short is None else data[: self._short])

    def fsync(self, descriptor: int) -> None:
        """As os.fsync."""
        self._count("fsync", f"descriptor {descriptor}")
        os.fsync(descriptor)

    def replace(self, source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
        """As os.replace."""
        self._count("replace", os.fspath(source))
        os.replace(source, target)  # noqa: PTH105  (the call that is being doubled)

    def unlink(self, path: str | os.PathLike[str]) -> None:
        """As os.unlink."""
        self._count("unlink", os.fspath(path))
        os.unlink(path)  # noqa: PTH108  (the call that is being doubled)


class TemporaryLedger:
    """A folder and what was written to its journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lines(self, kind: layout.Kind = "telemetry") -> list[bytes]:
        """The journal's lines of a kind as they stand in the files, in order of file and place."""
        return [
            line
            for segment in layout.segments(self.folder, kind)
            for line in segment.path.read_bytes().splitlines()
            if line
        ]

    def calls(self) -> list[Call]:
        """The calls recorded so far, by time. Raises InputError on a line that is none."""
        return sorted(map(codec.decode, self.lines()), key=lambda call: (call.started_at_us, call.call_id))

    def steps(self) -> list[Step]:
        """The steps recorded so far, by time."""
        return sorted(map(codec.decode_step, self.lines("steps")), key=lambda step: (step.started_at_us, step.step_id))


@contextlib.contextmanager
def temporary_ledger(**settings: Any) -> Iterator[TemporaryLedger]:
    """Record into a temporary folder while the block runs; `settings` go to `tallybook.instrument`.

    The SDKs that are installed are instrumented at its begin and as they were at its end.
    """
    from tallybook.capture import recorder  # here and below: the doubles alone need no capture
    from tallybook.capture.instrument import instrument, uninstrument

    with tempfile.TemporaryDirectory(prefix="tallybook-") as folder:
        instrument(folder=Path(folder), **settings)
        try:
            yield TemporaryLedger(Path(folder))
        finally:
            uninstrument()
            recorder.forget()
