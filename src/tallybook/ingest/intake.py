"""Takes records from outside into the journal: many at once, durable before they are acknowledged.

One thread writes what came in since its last turn with one `write` a kind of line and one fsync a segment, so that a
single record costs a share of an fsync and a flood costs one fsync a turn. A ticket tells when its records survive
power loss. What waits is bounded by bytes: beyond, `submit` refuses, and who asked comes back later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from tallybook.capture.bodies import BodyWriter, preview
from tallybook.capture.redact import Redactor
from tallybook.config import Settings
from tallybook.ingest.arrival import Arrival, Content
from tallybook.ingest.handed import Handed, Piece
from tallybook.ingest.segment import identity_of_open
from tallybook.journal.layout import Kind
from tallybook.journal.writer import Disk, Writer
from tallybook.model import codec
from tallybook.model.call import Call, Step
from tallybook.model.errors import TallybookError
from tallybook.model.limits import ERROR_MESSAGE_CHARS, INTAKE_BYTES, RECORD_BYTES, SEGMENT_BYTES

Record = TypeVar("Record", Call, Step)
log = logging.getLogger("tallybook.ingest")

Done = Callable[[BaseException | None], None]
"""Called once, on the writing thread: with `None` when the records are durable, else with what the disk said."""

RETRY_AFTER_S = 1
CLOSE_S = 10.0
"""A stop waits at most so long for what was accepted to become durable."""


class Overloaded(TallybookError):
    """Too much waits to be written. `retry_after_s` tells when to come back."""

    retry_after_s = RETRY_AFTER_S


class Lines(NamedTuple):
    """Whole lines by kind of segment, newline included."""

    of: dict[Kind, bytes]
    bytes: int
    calls: tuple[Call, ...] = ()
    """What reading the lines of calls would give, one of each, where that is known."""


class Intake:
    """The server's pen. `submit` may be called from any thread and does not wait."""

    def __init__(
        self, settings: Settings, *, fsync: bool = True, bytes_max: int = INTAKE_BYTES, disk: Disk | None = None
    ) -> None:
        self._folder: Path = settings.folder
        self._fsync = fsync
        self._bytes_max = bytes_max
        self._disk = disk
        self._settings = settings
        self._redact = Redactor(settings.redact_patterns, enabled=settings.redact)
        self._writers: dict[Kind, Writer] = {}
        self.handed = Handed()
        """For who follows in this process: the calls that were written."""
        self._segment: tuple[int, str | None] = (0, None)
        self._waiting: list[tuple[Lines, Done]] = []
        self._waiting_bytes = 0
        self._turn = threading.Condition()
        self._is_open = True
        self._is_rotating = False
        self.counters: Counter[str] = Counter()
        """`calls`, `steps` and `contents` written, `turns` of the thread, `refused` for overload, `disk` failures."""
        self._thread = threading.Thread(target=self._work, name="tallybook-intake", daemon=True)
        self._thread.start()

    @property
    def waiting_bytes(self) -> int:
        """Bytes accepted and not yet durable."""
        return self._waiting_bytes

    def submit(self, arrival: Arrival, done: Done) -> None:
        """Write the records; `done` is called when they are durable. Raises Overloaded, and nothing is taken then."""
        self.submit_lines(self.lines(arrival), done)
        self.counters["calls"] += len(arrival.calls)
        self.counters["steps"] += len(arrival.steps)
        self.counters["contents"] += len(arrival.contents)

    def submit_lines(self, lines: Lines, done: Done) -> None:
        """The same for lines that are made already."""
        with self._turn:
            if not self._is_open:
                raise Overloaded("the server is stopping", hint="send it again when it is back")
            if self._waiting_bytes and self._waiting_bytes + lines.bytes > self._bytes_max:
                self.counters["refused"] += 1
                raise Overloaded(
                    f"{self._waiting_bytes:,} bytes wait to be written, more than the disk keeps up with",
                    hint="send it again in a moment",
                )
            self._waiting.append((lines, done))
            self._waiting_bytes += lines.bytes
            self._turn.notify()

    def lines(self, arrival: Arrival) -> Lines:
        """The journal's lines of an arrival, texts kept as the settings say."""
        made: dict[Kind, list[bytes]] = {}
        calls = list(arrival.calls)
        if arrival.contents and self._keeps_texts:
            kept = {content.call_id: content for content in arrival.contents}
            calls = [self._with_previews(call, kept.get(call.call_id)) for call in calls]
            bodies = BodyWriter(self._redact, lambda kind, line: made.setdefault(kind, []).append(line))  # type: ignore[arg-type]
            for content in arrival.contents:
                self._write_bodies(bodies, content)
        if self._settings.responses != "full":
            calls = [_without_arguments(call) if call.tool_calls else call for call in calls]
        if calls:
            told = [_bounded(self._without_secrets(call) if call.error_message else call) for call in calls]
            made["telemetry"] = [line for line, _ in told]
            calls = [codec.as_read(call, line) for line, call in told]
        if arrival.steps:
            steps = [self._without_secrets(step) if step.error_message else step for step in arrival.steps]
            made["steps"] = [codec.encode_step(step) for step in steps]
        joined = {kind: b"".join(lines) for kind, lines in made.items()}
        return Lines(joined, sum(map(len, joined.values())), tuple(calls))

    def _without_secrets(self, record: Record) -> Record:
        """A failure's message, in which providers echo whole requests, as our own capture writes it."""
        message = self._redact((record.error_message or "")[: 4 * ERROR_MESSAGE_CHARS])[:ERROR_MESSAGE_CHARS]
        return msgspec.structs.replace(record, error_message=message)

    @property
    def _keeps_texts(self) -> bool:
        return self._settings.prompts != "none" or self._settings.responses != "none"

    def _with_previews(self, call: Call, content: Content | None) -> Call:
        if content is None:
            return call
        told = {}
        if self._settings.prompts != "none" and content.prompt is not None:
            told["prompt_preview"] = preview(content.prompt, self._redact)
        if self._settings.responses != "none" and content.response:
            told["response_preview"] = preview(content.response, self._redact)
        return msgspec.structs.replace(call, **told) if told else call

    def _write_bodies(self, bodies: BodyWriter, content: Content) -> None:
        timestamp = codec.time_of(content.started_at_us).isoformat().replace("+00:00", "Z")
        if self._settings.prompts == "full" and content.prompt is not None:
            bodies.prompt(content.call_id, timestamp, content.prompt)
        if self._settings.responses == "full" and content.response:
            bodies.response(content.call_id, timestamp, content.response)

    def rotate(self) -> None:
        """Give the segments up at the next turn, so that the sealer may take them."""
        with self._turn:
            self._is_rotating = True
            self._turn.notify()

    def close(self) -> bool:
        """Accept nothing more, write what waits and give the segments up; False when that took too long."""
        with self._turn:
            self._is_open = False
            self._turn.notify()
        self._thread.join(CLOSE_S)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._turn:
                while self._is_open and not self._waiting and not self._is_rotating:
                    self._turn.wait()
                turn, self._waiting = self._waiting, []
                is_rotating, self._is_rotating = self._is_rotating, False
                is_last = not self._is_open and not turn
            if turn:
                self._write(turn)
            if is_rotating or is_last:
                for writer in self._writers.values():
                    writer.close()
            if is_last:
                return

    def _write(self, turn: list[tuple[Lines, Done]]) -> None:
        """One turn: all lines of a kind in one write, one fsync a segment, then the news to all who wait."""
        together: dict[Kind, list[bytes]] = {}
        for lines, _ in turn:
            for kind, data in lines.of.items():
                together.setdefault(kind, []).append(data)
        failure: BaseException | None = None
        now_us = time.time_ns() // 1000
        try:
            # Bodies first: a call that is read has its texts.
            for kind in sorted(together, key=lambda kind: kind == "telemetry"):
                self._writer(kind).append(b"".join(together[kind]), now_us)
            if self._fsync:
                for kind in together:
                    self._writers[kind].sync()
        except OSError as error:
            self.counters["disk"] += 1
            failure = error
        else:
            if "telemetry" in together:
                self._hand_over([lines for lines, _ in turn])
        self.counters["turns"] += 1
        with self._turn:
            self._waiting_bytes -= sum(lines.bytes for lines, _ in turn)
        for _, done in turn:
            try:
                done(failure)
            except Exception:  # Whoever waits for it fails by itself: the pen goes on for all others.
                self.counters["listeners"] += 1
                log.exception("telling of a written record failed")

    def _hand_over(self, turn: list[Lines]) -> None:
        """The calls of a turn that was written, with the places of their lines."""
        writer = self._writers["telemetry"]
        opened, segment = self._segment
        if segment is None or opened != writer.opened:
            try:
                segment = identity_of_open(writer.descriptor)
            except OSError:
                return  # What was written is safe; the follower finds out what it can by itself.
            self._segment = (writer.opened, segment)
        if segment is None:
            return
        end = start = writer.end - sum([len(lines.of.get("telemetry", b"")) for lines in turn])
        calls: list[Call] = []
        for lines in turn:
            size = len(lines.of.get("telemetry", b""))
            if lines.calls:
                calls.extend(lines.calls)
                end += size
            elif size:
                if calls:
                    self.handed.put(segment, Piece(start, end, calls))
                end += size
                start, calls = end, []
        if calls:
            self.handed.put(segment, Piece(start, end, calls))

    def _writer(self, kind: Kind) -> Writer:
        writer = self._writers.get(kind)
        if writer is None:
            writer = self._writers[kind] = Writer(
                self._folder, kind, segment_bytes_max=SEGMENT_BYTES, fsync=False, disk=self._disk
            )
        return writer


def _without_arguments(call: Call) -> Call:
    """Tool calls without what they were given and gave back: texts are kept only with whole responses."""
    if not any(tool.arguments or tool.result for tool in call.tool_calls):
        return call
    tools = tuple([msgspec.structs.replace(tool, arguments=None, result=None) for tool in call.tool_calls])
    return msgspec.structs.replace(call, tool_calls=tools)


def _bounded(call: Call) -> tuple[bytes, Call]:
    """A call's line, and the call as it stands there: without its raw parts where it would be too long to read."""
    line = codec.encode(call)
    if len(line) <= RECORD_BYTES:
        return line, call
    short = msgspec.structs.replace(
        call, usage_raw=None, parameters={}, metadata={}, tool_calls=call.tool_calls[:100], prompt_preview=None,
        response_preview=None, flags=(*call.flags[:100], "record_cut"),
    )  # fmt: skip
    return codec.encode(short), short
