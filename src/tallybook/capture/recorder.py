"""Writes records: one per process, made at the first use, one line and one write a record.

When a record's method returns, the line is in the kernel. If the disk refuses, the line waits in a
small bounded memory and is written before the next one that succeeds; one warning, a counter, and the
application goes on.
"""

from __future__ import annotations

import atexit
import json
import os
import random
import threading
import time
from collections import deque
from typing import Any

import msgspec

from tallybook import config
from tallybook.capture import guard, unfinished
from tallybook.capture.bodies import BodyWriter
from tallybook.capture.place import Place
from tallybook.capture.redact import Redactor
from tallybook.journal.layout import Kind
from tallybook.journal.writer import Disk, Writer
from tallybook.model.call import Call, Step
from tallybook.model.codec import Line, Tool, encode_line, encode_step, line_of
from tallybook.model.ids import uuid7
from tallybook.model.limits import RECORD_BYTES, SEGMENT_BYTES

WAITING_BYTES = 4_194_304
"""Lines kept in memory while the disk refuses. Beyond: the oldest are dropped and counted `record_lost`."""

_random_bits = random.SystemRandom().getrandbits


class Recorder:
    """The process's pen. All methods are safe for threads; none raises for what the disk does."""

    def __init__(self, settings: config.Settings, *, disk: Disk | None = None) -> None:
        self.settings = settings
        self.place = Place(project=settings.project)
        self.redact = Redactor(settings.redact_patterns, enabled=settings.redact)
        self.bodies = BodyWriter(self.redact, self._append_body)
        self.keeps_bodies = settings.prompts != "none" or settings.responses != "none"
        self._disk = disk
        self._writers: dict[str, Writer] = {}
        self._telemetry = self._writer("telemetry")
        self._waiting: deque[tuple[Writer, bytes]] = deque()
        self._waiting_bytes = 0
        self._waiting_lock = threading.RLock()
        self._random = random.Random(_random_bits(128))  # noqa: S311  (ids are no secrets)
        guard.on_first(self._note_failure)

    def _writer(self, kind: Kind) -> Writer:
        writer = self._writers.get(kind)
        if writer is None:
            writer = self._writers[kind] = Writer(
                self.settings.folder, kind, segment_bytes_max=SEGMENT_BYTES,
                fsync=self.settings.fsync == "always", disk=self._disk,
            )  # fmt: skip
        return writer

    def new_id(self, now_us: int) -> str:
        """A fresh UUIDv7 for a moment in microseconds."""
        return uuid7(now_us // 1000, self._random.getrandbits(74))

    def call(self, call: Call) -> None:
        """Record a call."""
        self.line(line_of(call))

    def line(self, line: Line) -> None:
        """Record a call that is a line already."""
        data = encode_line(line)
        if len(data) > RECORD_BYTES:
            data = encode_line(_cut(line))
        self.write(data)

    def write(self, line: bytes) -> None:
        """Append a finished telemetry line."""
        self._append(self._telemetry, line)

    def step(self, step: Step) -> None:
        """Record a step."""
        self._append(self._writer("steps"), encode_step(step))

    def _append_body(self, kind: str, line: bytes) -> None:
        self._append(self._writer(kind), line)  # type: ignore[arg-type]

    def _append(self, writer: Writer, line: bytes) -> None:
        if self._waiting:
            self._wait_or_drain(writer, line)
            return
        try:
            writer.append(line, time.time_ns() // 1000)
        except OSError as error:
            self._keep(writer, line)
            guard.failed("disk", error, f"cannot write to {self.settings.folder}: {error}; records wait in memory")

    def _keep(self, writer: Writer, line: bytes) -> None:
        with self._waiting_lock:
            self._waiting.append((writer, line))
            self._waiting_bytes += len(line)
            while self._waiting_bytes > WAITING_BYTES:
                _, dropped = self._waiting.popleft()
                self._waiting_bytes -= len(dropped)
                guard.failed("record_lost", None, "the disk refused for too long; the oldest records were dropped")

    def _wait_or_drain(self, writer: Writer, line: bytes) -> None:
        """Write what waits, oldest first, then `line`; keep all of it when the disk still refuses."""
        with self._waiting_lock:
            self._keep(writer, line)
            try:
                while self._waiting:
                    target, first = self._waiting[0]
                    target.append(first, time.time_ns() // 1000)
                    self._waiting.popleft()
                    self._waiting_bytes -= len(first)
            except OSError as error:
                guard.failed("disk", error)
            else:
                guard.recovered("disk")
                guard.log.warning("tallybook: writing to %s works again", self.settings.folder)

    def drain(self) -> None:
        """Try once to write what waits, without a new record."""
        with self._waiting_lock:
            if not self._waiting:
                return
            writer, line = self._waiting.popleft()
            self._waiting_bytes -= len(line)
            if not self._waiting:
                self._append(writer, line)
            else:
                self._waiting.appendleft((writer, line))
                self._waiting_bytes += len(line)
                last_writer, last = self._waiting.pop()
                self._waiting_bytes -= len(last)
                self._wait_or_drain(last_writer, last)

    def flush(self) -> None:
        """Write what waits and fsync the segments: after this, records survive power loss."""
        self.drain()
        for writer in list(self._writers.values()):
            with guard.contained("fsync"):
                writer.sync()

    def close(self) -> None:
        """Give the segments up. The recorder stays usable."""
        self.drain()
        for writer in list(self._writers.values()):
            writer.close()

    def forked(self) -> None:
        """In a child process: own segments, own randomness, and nothing of what the parent has still to write."""
        self._waiting_lock = threading.RLock()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._random = random.Random(_random_bits(128))  # noqa: S311  (ids are no secrets)
        for writer in self._writers.values():
            writer.forked()

    def _note_failure(self, what: str, error: BaseException | None, message: str) -> None:
        """Leave a trace for `doctor` in DIR/failures.jsonl, as well as the disk allows."""
        del error
        note = {"timestamp": time.time(), "pid": os.getpid(), "reason": what, "message": self.redact(message)[:500]}
        try:
            with open(self.settings.folder / "failures.jsonl", "a", encoding="utf-8") as file:  # noqa: PTH123
                file.write(json.dumps(note) + "\n")
        except OSError:
            guard.counters["failure_unnoted"] += 1  # The disk itself is what fails; the log has it.


def _cut(line: Line) -> Line:
    return msgspec.structs.replace(
        line, usage_raw=None, parameters={}, attributes={}, flags=(*line.flags, "record_cut"),
        tool_calls=tuple([Tool(t.name, t.id) for t in line.tool_calls[:100]]),
        prompt_preview=None, response_preview=None,
    )  # fmt: skip


_recorder: Recorder | None = None
_making = threading.RLock()


def get() -> Recorder:
    """The process's recorder, made at first use with the settings then in force."""
    recorder = _recorder
    return recorder if recorder is not None else configure()


def configure(*, disk: Disk | None = None, **given: Any) -> Recorder:
    """Make the recorder (anew) with settings given in code over those of environment and file.

    A setting that cannot be read is told once; the defaults hold then, for telemetry never breaks the application.
    """
    global _recorder  # noqa: PLW0603  (one per process, by design)
    with _making:
        first = _recorder is None
        try:
            settings = config.load(**given)
        except Exception as error:  # noqa: BLE001
            guard.failed("settings", error)
            settings = config.load(environ={}, **{k: v for k, v in given.items() if k == "folder"})
        if _recorder is not None:
            _recorder.close()
        _recorder = Recorder(settings, disk=disk)
        if first:
            os.register_at_fork(after_in_child=_forked)
            atexit.register(_at_exit)
        return _recorder


def _forked() -> None:
    global _making  # noqa: PLW0603
    _making = threading.RLock()
    unfinished.forget_all()
    if _recorder is not None:
        _recorder.forked()


def _at_exit() -> None:
    with guard.contained("exit"):
        unfinished.end_all()
        if _recorder is not None:
            _recorder.drain()
