"""Sends a folder's journal to a server and keeps how far it came. One shipper a folder and server at a time, by lock.

Promises: a line is sent until the server says that it is durable there, in the order of its segment; what was
acknowledged is not sent again; nothing is removed unless told to, and then only what is acknowledged to its end and
written by nobody any more. It reads what the kernel has: no writer is asked, waited for or slowed down.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from tallybook.journal.acknowledged import (
    LOCK_NAME,
    REFUSED_NAME,
    TAIL_BYTES,
    Destination,
    Mark,
    Segment,
    before,
    check_of,
    looked,
)
from tallybook.journal.growth import Found, Key, Lister, line_start, whole_lines
from tallybook.journal.ledger import ledger_of
from tallybook.journal.lock import try_lock
from tallybook.journal.writer import SEALING
from tallybook.model.errors import InputError
from tallybook.model.limits import SHIP_BATCH_BYTES
from tallybook.ship import wire
from tallybook.ship.pack import packed
from tallybook.ship.post import Connection, Reply, Unreachable
from tallybook.ship.wire import Answer, Part, Refused

BACKOFF_S = (0.5, 30.0)
"""The first wait after a failure, and the longest: a server that was down for hours is found again so soon."""
REFUSED_S = 60.0
"""The wait after an answer that trying again soon will not change: no key, no such address."""
RETRY_AFTER_S = 300.0
"""The longest `Retry-After` that is obeyed."""


class Step(NamedTuple):
    """What one step did."""

    sent: int
    """Bytes of the journal that were acknowledged."""
    waiting: int
    """Bytes that were found waiting before it."""
    wait_s: float | None
    """How long to wait before the next: 0 while there is more to send; `None` when nothing is there to send."""
    problem: str | None = None
    """Why nothing or not all could be sent."""


class Shipper:
    """Not safe for threads. `hold` first; it does nothing without the lock."""

    def __init__(
        self, folder: Path, url: str, key: str | None, *, keep: bool = True,
        connection: Connection | None = None, monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Raises SettingError for an address that is none."""
        self.destination = Destination(folder, url)
        self.refused = 0
        """Lines that the server would not take; they stand in `refused.jsonl` beside the offsets."""
        self._folder = folder
        self._keep = keep
        self._connection = connection or Connection(url, key)
        self._monotonic = monotonic
        self._lister = Lister(folder, wire.SHIPPED)
        self._known: dict[Key, Segment] = {}
        self._marks: dict[str, Mark] = {}
        self._lock = -1
        self._not_before = 0.0
        self._failures = 0
        self._batch_bytes = SHIP_BATCH_BYTES
        self._encodings: tuple[str, ...] = ("gzip",)
        self._ledger: str | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether it is too early to try again."""
        return self._not_before > self._monotonic()

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0 or self.is_waiting

    def hold(self) -> bool:
        """Take the lock, or keep it; False when another shipper has it. Raises OSError."""
        if self._lock >= 0:
            return True
        self.destination.make()
        descriptor = os.open(self.destination.place / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            return False
        self._lock = descriptor
        self._marks = self.destination.read()
        self._known.clear()
        self._ledger = ledger_of(self._folder)
        return True

    def release(self, *, is_final: bool = True) -> None:
        """Give the lock up, and finally the connection."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if is_final:
            self._connection.close()

    def leave(self) -> None:
        """In a forked child: the lock and the connection are the parent's, and stay so."""
        self.release(is_final=False)
        self._connection.leave()

    def look_again(self) -> None:
        """Without the lock: see how far its holder came."""
        self._marks = self.destination.read()
        self._known.clear()

    def waiting(self) -> int:
        """Bytes that are not acknowledged, a line that is being written included."""
        return sum(found.size - known.offset for found, known in self._looked() if found.size > known.offset)

    def targets(self) -> dict[Key, int]:
        """What there is to be acknowledged now: the end of the last whole line of each segment."""
        return {
            found.key: line_start(found.path, found.size)
            for found, known in self._looked()
            if found.size > known.offset
        }

    def has_reached(self, targets: dict[Key, int]) -> bool:
        """Whether all that is acknowledged, as far as it is still there."""
        known = {found.key: known.offset for found, known in self._looked()}
        return all(known.get(key, size) >= size for key, size in targets.items())

    def step(self, *, timeout_s: float | None = None, is_urgent: bool = False) -> Step:
        """Send one batch, if it is time. `is_urgent` does not wait for the end of a wait. Raises OSError."""
        wait_s = self._not_before - self._monotonic()
        if wait_s > 0 and not is_urgent:
            return Step(0, 0, wait_s)
        looked_at = self._looked()
        waiting = sum(found.size - known.offset for found, known in looked_at if found.size > known.offset)
        parts, keys, is_more = self._gather(looked_at)
        if not parts:
            if not self._keep:
                self._remove(looked_at)
            return Step(0, waiting, 0.0 if is_more else None)
        self.destination.touch()
        try:
            sent = self._send(parts, keys, timeout_s)
        except Unreachable as error:
            return Step(0, waiting, self._later(), f"cannot reach {self.destination.url}: {error}")
        except _Refusal as error:
            return Step(0, waiting, error.wait_s, str(error))
        self._failures = 0
        return Step(sent, waiting, 0.0)

    def _looked(self) -> list[tuple[Found, Segment]]:
        """All segments with how far they are acknowledged. Those without a whole line yet are left out."""
        found: list[tuple[Found, Segment]] = []
        segments = self._lister.look()
        for segment in segments:
            known = self._known.get(segment.key)
            if known is None or segment.size < known.offset:
                known = self._known_anew(segment)
            if known is not None:
                found.append((segment, known))
        if self._lister.is_whole:
            for key in self._known.keys() - {segment.key for segment in segments}:
                del self._known[key]
            if len(self._marks) > len(self._known):
                names = {known.name for known in self._known.values()}
                self._marks = {name: mark for name, mark in self._marks.items() if name in names}
        return found

    def _known_anew(self, found: Found) -> Segment | None:
        seen = looked(found.path, self._marks)
        if seen is None:
            self._known.pop(found.key, None)
        else:
            self._known[found.key] = seen
        return seen

    def _gather(self, looked_at: list[tuple[Found, Segment]]) -> tuple[list[Part], list[Key], bool]:
        """Parts of one batch, and whether more may be sent at once."""
        parts: list[Part] = []
        keys: list[Key] = []
        room = self._batch_bytes
        is_more = False
        for found, known in looked_at:
            if found.size <= known.offset:
                continue
            if room <= 0:
                return parts, keys, True
            if not _stands(found.path, known):
                # Another file under the number of one that was removed: known anew at the next look.
                del self._known[found.key]
                is_more = True
                continue
            data = whole_lines(found.path, known.offset, room)
            if data:
                parts.append(Part(found.kind, known.sent_as, known.offset, data))
                keys.append(found.key)
                room -= len(data)
                is_more = is_more or known.offset + len(data) < found.size
        return parts, keys, is_more

    def _send(self, parts: list[Part], keys: list[Key], timeout_s: float | None) -> int:
        body, encoding = packed(wire.encode(parts), self._encodings)
        headers = {"Content-Type": wire.MEDIA_TYPE, "Content-Encoding": encoding}
        if self._ledger is not None:
            headers[wire.LEDGER_HEADER] = self._ledger
        reply = self._connection.post(wire.PATH, body, headers, timeout_s=timeout_s)
        if reply.status != 200:
            return self._refusal(reply, parts, keys)
        try:
            answer = wire.decode_answer(reply.body)
        except InputError as error:
            raise _Refusal(f"{self.destination.url} answered with what is no answer: {error}", self._later()) from error
        self._batch_bytes = min(SHIP_BATCH_BYTES, self._batch_bytes * 2)
        self._encodings = answer.encodings
        return self._acknowledge(answer, parts, keys)

    def _acknowledge(self, answer: Answer, parts: list[Part], keys: list[Key]) -> int:
        sent = 0
        for part, key in zip(parts, keys, strict=True):
            end = answer.segments.get(part.segment, part.start)
            if not part.start < end <= part.start + len(part.data):
                continue
            sent += end - part.start
            self._mark(part, key, end)
        if not sent:
            raise _Refusal(f"{self.destination.url} acknowledged nothing of what it was sent", self._later())
        if answer.refused:
            self._note(answer.refused)
        self.destination.write(self._marks)
        return sent

    def _mark(self, part: Part, key: Key, end: int) -> None:
        known = self._known[key]
        tail = (known.tail + part.data[: end - part.start])[-TAIL_BYTES:]
        self._known[key] = known._replace(offset=end, tail=tail)
        self._marks[known.name] = Mark(end, check_of(tail), "" if known.sent_as == known.name else known.sent_as)

    def _refusal(self, reply: Reply, parts: list[Part], keys: list[Key]) -> int:
        """What a status other than 200 means. Gives the bytes passed over, or raises _Refusal."""
        told = f"{self.destination.url} answered {reply.status}"
        if reply.code:
            told += f" ({reply.code})"
        if reply.status == 413:
            if len(parts) + parts[0].data.count(b"\n") > 2:
                self._batch_bytes = max(1, min(self._batch_bytes, sum(len(part.data) for part in parts)) // 2)
                return 0
            if reply.code == "too_large":
                return self._pass_over(parts[0], keys[0])
        if reply.status in (429, 503) and reply.retry_after_s is not None:
            wait_s = min(reply.retry_after_s, RETRY_AFTER_S)
            self._not_before = self._monotonic() + wait_s
            raise _Refusal(f"{told}: asked to come back in {wait_s:.0f} s", wait_s)
        if reply.status in (400, 401, 403, 404, 405, 409, 415, 422) or 300 <= reply.status < 400:
            self._not_before = self._monotonic() + REFUSED_S
            raise _Refusal(f"{told}: {_said(reply)}", REFUSED_S)
        raise _Refusal(told, self._later())

    def _pass_over(self, part: Part, key: Key) -> int:
        """One line that the server finds too large, by itself: it is noted, and what comes after it is sent."""
        end = part.start + part.data.find(b"\n") + 1
        message = f"{end - part.start} bytes are more than the server takes at once"
        self._note((Refused(part.segment, part.start, "too_large", message),))
        self._mark(part, key, end)
        self.destination.write(self._marks)
        return end - part.start

    def _note(self, refused: tuple[Refused, ...]) -> None:
        self.refused += len(refused)
        with (self.destination.place / REFUSED_NAME).open("ab") as file:
            file.write(b"".join([msgspec.json.encode(one) + b"\n" for one in refused]))

    def _later(self) -> float:
        """The wait after a failure: longer each time, and not the same for all who wait."""
        first, longest = BACKOFF_S
        wait_s: float = min(longest, first * 2 ** min(self._failures, 20)) * random.uniform(0.75, 1.0)  # noqa: S311
        self._failures += 1
        self._not_before = self._monotonic() + wait_s
        return wait_s

    def _remove(self, looked_at: list[tuple[Found, Segment]]) -> None:
        """Remove segments that are acknowledged to their end and that nobody writes. The sealer's are the sealer's."""
        for found, known in looked_at:
            if found.size != known.offset or f".{SEALING}" in found.path.name:
                continue
            try:
                descriptor = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                # Whoever adopts it takes the lock first and then looks whether the path still names it.
                if try_lock(descriptor) and os.fstat(descriptor).st_size == known.offset:
                    found.path.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


class _Refusal(Exception):
    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def _stands(path: Path, known: Segment) -> bool:
    """Whether what stands before the mark is what stood there."""
    if not known.offset:
        return True
    try:
        with path.open("rb") as file:
            return before(file, known.offset) == known.tail
    except FileNotFoundError:
        return False


def _said(reply: Reply) -> str:
    try:
        return str(msgspec.json.decode(reply.body)["error"]["message"])[:300]
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return "see docs/ship.md"
