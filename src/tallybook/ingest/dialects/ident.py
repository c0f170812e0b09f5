"""Ids of calls from others' ids: the same record gets the same id however often and by whatever way it comes."""

from __future__ import annotations

import hashlib

from tallybook.model.ids import uuid7_of

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""Two random bits under the two fixed ones of a UUID's variant."""


def call_id(at_us: int, *parts: str) -> str:
    """A UUIDv7 of a start in microseconds, and of what sender and provider call the thing.

    Parts before the first that tells it apart (the dialect's name, the project) keep senders out of each other's way.
    """
    return uuid7_of(max(at_us, 0) // 1000, _tail("\x1f".join(parts).encode("utf-8", "surrogatepass")))


def _tail(told: bytes) -> str:
    """Version, variant and 74 bits of a hash, as a UUIDv7 has them after its time."""
    digits = hashlib.blake2b(told, digest_size=10).hexdigest()
    return f"7{digits[:3]}-{_VARIANT[digits[3]]}{digits[4:7]}-{digits[7:19]}"


def span_tail(trace_id: bytes, span_id: bytes) -> str:
    """What stands for a span in the ids made of it.

    A call's id has the time of its start in front, a step's the time 0 (`model.ids.span_ident`). So the last 22
    characters of an id tell which span it is of.
    """
    return _tail(trace_id + b"\x1f" + span_id)


def span_call_id(started_at_us: int, tail: str) -> str:
    """The id of the call that a span is of."""
    return uuid7_of(min(max(started_at_us // 1000, 0), _MS_MAX), tail)


def span_step_id(tail: str) -> str:
    """The id of the step that a span is of, and by which its children name it."""
    return uuid7_of(0, tail)


def tail_of(ident: str) -> str:
    """What stands for the span in the id of a call or step that is of one."""
    return ident[_TIME_CHARS:]


_MS_MAX = (1 << 48) - 1
_TIME_CHARS = len("00000000-0000-")
