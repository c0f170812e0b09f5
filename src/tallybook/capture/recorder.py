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
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from tallybook import config
from tallybook.capture import guard, unfinished
from tallybook.capture.begun import Begun
from tallybook.capture.bodies import BodyWriter
from tallybook.capture.place import Place
from tallybook.capture.redact import Redactor
from tallybook.journal.layout import Kind
from tallybook.journal.writer import Disk, Writer
from tallybook.model.call import Call, Step
from tallybook.model.codec import Line, Tool, encode_line, encode_step, line_of
from tallybook.model.errors import SettingError
from tallybook.model.ids import uuid7_of, uuid7_tail
from tallybook.model.limits import FIELD_CHARS, RECORD_BYTES, SEGMENT_BYTES

WAITING_BYTES = 4_194_304
"""Lines kept in memory while the disk refuses. Beyond: the oldest are dropped and counted `record_lost`."""

_random_bits = random.SystemRandom().getrandbits

WINDOW_US = 10_000_000
"""Calls that begin within the same ten seconds share the beginning of their timestamp and the look at the branch."""
_TAILS = 64
"""Random ends of ids made at once: one by one, between an application's own work, each costs five times as much."""


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
        self._tails: list[str] = []
        self.forms: dict[Any, Any] = {}
        """What `plain` keeps of lines."""
        self.window: tuple[int, str] = (0, "")
        """See `look`."""
        self._branch: str | None = None
        self.begun = Begun(self) if settings.started else None

    def _writer(self, kind: Kind) -> Writer:
        writer = self._writers.get(kind)
        if writer is None:
            writer = self._writers[kind] = Writer(
                self.settings.folder, kind, segment_bytes_max=SEGMENT_BYTES,
                fsync=self.settings.fsync == "always", disk=self._disk, adopts=kind != "started",
            )  # fmt: skip
        return writer

    def new_id(self, now_us: int) -> str:
        """A fresh UUIDv7 for a moment in microseconds."""
        try:
            tail = self._tails.pop()
        except IndexError:
            rng = random.Random(_random_bits(128))  # noqa: S311  (ids are no secrets)
            self._tails.extend([uuid7_tail(rng.getrandbits(74)) for _ in range(_TAILS)])
            tail = self._tails.pop()
        return uuid7_of(now_us // 1000, tail)

    def look(self, unix_us: int) -> tuple[int, str]:
        """The beginning of the ten seconds that a moment is in, in microseconds and as a timestamp begins; kept.

        Looks up the branch as well; what `plain` kept of lines is forgotten when it changed.
        """
        begin_us = unix_us - unix_us % WINDOW_US
        branch = self.place.branch(unix_us)
        if branch != self._branch:
            self._branch = branch
            self.forms.clear()
        self.window = (begin_us, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begin_us // 1_000_000))[:-1])
        return self.window

    def write(self, data: bytes, now_us: int) -> None:
        """Record a call that is bytes already."""
        if self._waiting:
            self._wait_or_drain(self._telemetry, data)
            return
        try:
            self._telemetry.append(data, now_us)
        except OSError as error:
            self._refused(self._telemetry, data, error)

    def call(self, call: Call) -> None:
        """Record a call."""
        self.line(line_of(call))

    def line(self, line: Line) -> None:
        """Record a call that is a line already."""
        try:
            data = encode_line(line)
        except UnicodeEncodeError:
            line = _mended(line)
            data = encode_line(line)
        if len(data) > RECORD_BYTES:
            data = encode_line(_cut(line))
        self._append(self._telemetry, data)

    def step(self, step: Step) -> None:
        """Record a step."""
        try:
            data = encode_step(step)
        except UnicodeEncodeError:
            data = encode_step(_mended(step))
        self._append(self._writer("steps"), data)

    def started(self, line: bytes) -> None:
        """Tell that a call began. Where the disk refuses, live views do without."""
        try:
            self._writer("started").append(line, time.time_ns() // 1000)
        except OSError as error:
            guard.failed("disk", error)

    def _append_body(self, kind: str, line: bytes) -> None:
        self._append(self._writer(kind), line)  # type: ignore[arg-type]

    def _append(self, writer: Writer, line: bytes) -> None:
        if self._waiting:
            self._wait_or_drain(writer, line)
            return
        try:
            writer.append(line, time.time_ns() // 1000)
        except OSError as error:
            self._refused(writer, line, error)

    def _refused(self, writer: Writer, line: bytes, error: OSError) -> None:
        self._keep(writer, line)
        guard.failed("disk", error, f"cannot write to {self.settings.folder}: {error}; records wait in memory")

    def _keep(self, writer: Writer, line: bytes) -> None:
        if len(line) > RECORD_BYTES:
            guard.failed("body_lost", None, "the disk refuses, and a body is too large to wait in memory")
            return  # It would drive out what waits already, and figures are worth more.
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
            self.drain()

    def drain(self) -> int:
        """Try once to write what waits; returns how many records still wait."""
        with self._waiting_lock:
            if not self._waiting:
                return 0
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
            return len(self._waiting)

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
        self._tails.clear()
        self.bodies.forked()
        self.begun = None if self.begun is None else Begun(self)
        for writer in self._writers.values():
            writer.forked()


def _cut(line: Line) -> Line:
    """A record too large for a line: without what is raw, and with every text and list of it short."""
    short = {
        name: value[:FIELD_CHARS]
        for name in line.__struct_fields__
        if isinstance(value := getattr(line, name), str) and len(value) > FIELD_CHARS
    }
    return msgspec.structs.replace(
        line,
        **short,
        usage_raw=None, parameters={}, attributes={}, requests={}, quantities={}, prompt_preview=None,
        response_preview=None, tags=line.tags[:100], finish_reasons=line.finish_reasons[:100],
        tool_calls=tuple([Tool(t.name[:100], t.id and t.id[:100]) for t in line.tool_calls[:100]]),
        flags=(*line.flags[:100], "record_cut"),
    )  # fmt: skip


def _mended(value: Any) -> Any:
    """A record whose texts hold halves of surrogate pairs (file names do), with `?` in their place."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_mended(key): _mended(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_mended(inner) for inner in value])
    if isinstance(value, msgspec.Struct):
        fields = {name: _mended(getattr(value, name)) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **fields)
    return value


class Companion(Protocol):
    """What goes along with a recorder and lies above capture, which knows no network: shipping."""

    recorder: type[Recorder]
    """The recorder that it wants to go along with."""

    def begin(self, recorder: Recorder) -> None:
        """The recorder is in place."""
        ...

    def flush(self) -> bool:
        """Send what was recorded so far; whether all of it arrived."""
        ...

    def end(self) -> None:
        """Another recorder takes this one's place."""
        ...

    def exit(self) -> None:
        """The process ends, and everything is written."""
        ...


companion_of: Callable[[config.Settings], Companion | None] | None = None
"""Finds the companion of a recorder with such settings; put in place by the package itself."""

_companion: Companion | None = None
_recorder: Recorder | None = None
_given: dict[str, Any] = {}
_making = threading.RLock()
_is_registered = False


def get() -> Recorder:
    """The process's recorder, made at first use with the settings then in force."""
    recorder = _recorder
    if recorder is not None:
        return recorder
    with _making:
        return _recorder if _recorder is not None else configure()


def configure(*, disk: Disk | None = None, **given: Any) -> Recorder:
    """Make the recorder (anew) with settings given in code over those of environment and file.

    What was given before holds on, until it is given differently. A setting that cannot be read is told once and
    has its default, for telemetry never breaks the application.
    """
    global _recorder, _companion  # noqa: PLW0603  (one per process, by design)
    with _making:
        _register()
        _given.update({field: value for field, value in given.items() if value is not None})
        wrong: list[SettingError] = []
        settings = config.load(tell=wrong.append, **_given)
        before, _companion = _companion, None
        if before is not None:
            with guard.contained("shipping"):
                before.end()
        if companion_of is not None and settings.enabled:
            with guard.contained("shipping"):
                _companion = companion_of(settings)
        recorder = (Recorder if _companion is None else _companion.recorder)(settings, disk=disk)
        if _recorder is not None:
            _recorder.close()
        _recorder = recorder
        if _companion is not None:
            with guard.contained("shipping"):
                _companion.begin(recorder)
        if wrong:
            guard.failed("settings", wrong[0], "; ".join(map(str, wrong)))
        return recorder


def forget() -> None:
    """Give up the recorder and all that was given in code, as if nothing had been recorded or configured yet."""
    global _recorder, _companion
    with _making:
        recorder, _recorder = _recorder, None
        companion, _companion = _companion, None
        _given.clear()
        if companion is not None:
            companion.end()
        if recorder is not None:
            recorder.close()


def _register() -> None:
    global _is_registered  # noqa: PLW0603
    if not _is_registered:
        _is_registered = True
        guard.on_first(_note_failure)
        os.register_at_fork(after_in_child=_forked)
        atexit.register(_at_exit)


def _note_failure(what: str, error: BaseException | None, message: str) -> None:
    """Leave a trace for `doctor` in DIR/failures.jsonl, as well as the disk allows."""
    del error
    recorder = _recorder
    if recorder is None or not recorder.settings.enabled:
        return
    note = {"timestamp": time.time(), "pid": os.getpid(), "reason": what, "message": recorder.redact(message)[:500]}
    try:
        recorder.settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (recorder.settings.folder / "failures.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(note) + "\n")
    except OSError:
        guard.counters["failure_unnoted"] += 1  # The disk itself is what fails; the log has it.


def _forked() -> None:
    global _making  # noqa: PLW0603
    _making = threading.RLock()
    unfinished.forget_all()
    if _recorder is not None:
        _recorder.forked()


def _at_exit() -> None:
    with guard.contained("exit"):
        unfinished.end_all()
        if _recorder is not None and (lost := _recorder.drain()):
            guard.failed("record_lost", None, f"{lost} records could not be written before the process ended")
        if _companion is not None:
            _companion.exit()


def ship() -> bool:
    """Let the companion send what was recorded so far; False when there is none or not all arrived in time."""
    return _companion is not None and _companion.flush()
