"""The streams of this process that have not ended yet, so that none is lost at exit or told twice after a fork."""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from tallybook.model.call import Status


class Unfinished(Protocol):
    """A stream that records itself when it ends."""

    def end(self, status: Status | None = None) -> None:
        """Record what was seen, once."""
        ...

    def forget(self) -> None:
        """Record nothing: another process does."""
        ...


_streams: weakref.WeakSet[Any] = weakref.WeakSet()


def add(stream: Unfinished) -> None:
    """Know of a stream until it is gone."""
    _streams.add(stream)


def end_all() -> None:
    """At exit: what was read so far of each is recorded as incomplete."""
    for stream in list(_streams):
        stream.end("incomplete")


def forget_all() -> None:
    """In a forked child: the parent's streams are the parent's to record."""
    for stream in list(_streams):
        stream.forget()
    _streams.clear()
