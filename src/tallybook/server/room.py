"""The memory that bodies of requests under way may take together: taken as they arrive, given back with the answer."""

from __future__ import annotations

from tallybook.ingest.intake import Overloaded
from tallybook.model.limits import BODIES_BYTES


class Room:
    """What is free. Used on the event loop's thread alone."""

    def __init__(self, bytes_max: int = BODIES_BYTES) -> None:
        self._bytes_max = bytes_max
        self.held_bytes = 0

    def share(self) -> Share:
        """A request's share, empty at first."""
        return Share(self)

    def take(self, count: int) -> None:
        """Take so many bytes. Raises Overloaded; a single request is always let in."""
        if self.held_bytes and self.held_bytes + count > self._bytes_max:
            raise Overloaded(
                f"requests under way hold {self.held_bytes:,} bytes, more than the {self._bytes_max:,} that fit",
                hint="send it again in a moment, or in smaller batches",
            )
        self.held_bytes += count

    def give(self, count: int) -> None:
        """Give them back."""
        self.held_bytes -= count


class Share:
    """What one request holds."""

    __slots__ = ("_room", "held_bytes")

    def __init__(self, room: Room) -> None:
        self._room = room
        self.held_bytes = 0

    def grow(self, held_bytes: int) -> None:
        """Hold so many bytes altogether. Raises Overloaded."""
        if held_bytes > self.held_bytes:
            self._room.take(held_bytes - self.held_bytes)
            self.held_bytes = held_bytes

    def release(self) -> None:
        """Give all back."""
        if self.held_bytes:
            self._room.give(self.held_bytes)
            self.held_bytes = 0
