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
    text = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    digits = hashlib.blake2b(text, digest_size=10).hexdigest()
    variant = _VARIANT[digits[3]]
    return uuid7_of(max(at_us, 0) // 1000, f"7{digits[:3]}-{variant}{digits[4:7]}-{digits[7:19]}")
