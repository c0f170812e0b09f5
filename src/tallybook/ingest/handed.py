"""What the intake wrote, handed to the follower of the same process, so that it need not read and decode it again.

Nothing depends on it: what was not handed over, or was forgotten for want of room, the follower reads from the segment.
So a crash loses nothing here, and other processes follow as ever. Pieces are known by the segment's identity and the
place of their lines in it, and the follower takes one only at the very offset that it has come to.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Sequence
from typing import NamedTuple

from tallybook.model.call import Call

HANDED_BYTES = 32 * 1024 * 1024
"""Lines whose calls wait for the follower, some two seconds of the fastest intake. Beyond: it reads them."""


class Piece(NamedTuple):
    """Calls of whole lines that lie together in a segment, and the bytes from `start` to `end` that these are."""

    start: int
    end: int
    calls: Sequence[Call]


class Handed:
    """Pieces by segment. Safe for threads."""

    def __init__(self, bytes_max: int = HANDED_BYTES) -> None:
        self._lock = threading.Lock()
        self._bytes_max = bytes_max
        self._bytes = 0
        self._pieces: dict[str, deque[Piece]] = {}

    def put(self, segment: str, piece: Piece) -> None:
        """Hand a piece over: `piece.calls` are what reading its lines would give."""
        size = piece.end - piece.start
        with self._lock:
            if self._bytes + size <= self._bytes_max:
                self._bytes += size
                self._pieces.setdefault(segment, deque()).append(piece)

    def pieces(self, segment: str) -> list[Piece]:
        """What waits of a segment, in the order of places."""
        with self._lock:
            return list(self._pieces.get(segment, ()))

    def segments(self) -> set[str]:
        """Segments of which something waits."""
        with self._lock:
            return set(self._pieces)

    def taken(self, segment: str, offset: int) -> None:
        """The follower has come to `offset`: what begins before it is not wanted any more."""
        with self._lock:
            waiting = self._pieces.get(segment)
            while waiting and waiting[0].start < offset:
                piece = waiting.popleft()
                self._bytes -= piece.end - piece.start
            if waiting is not None and not waiting:
                del self._pieces[segment]

    def drop(self, segments: Collection[str]) -> None:
        """Nothing of these is wanted any more."""
        with self._lock:
            for segment in segments:
                self._bytes -= sum(piece.end - piece.start for piece in self._pieces.pop(segment, ()))
