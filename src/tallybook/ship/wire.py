"""What passes between a shipper and `POST /api/v1/journal`: parts of segments, as the bytes they are.

A body is any number of parts; a part is one line of JSON (kind, segment, where it starts, how many bytes) and then
exactly those bytes, whole lines of the journal. The answer says how far each segment is durable. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from tallybook.journal.layout import Kind
from tallybook.model.errors import InputError

PATH = "/api/v1/journal"
MEDIA_TYPE = "application/vnd.tallybook.journal"
SHIPPED: tuple[Kind, ...] = ("telemetry", "steps", "messages", "prompts", "responses")
"""Kinds that are shipped. A later fact (`amendments`) is a matter of the ledger that it was made in, and calls that
began (`started`) are over when they come."""
LEDGER_HEADER = "Tallybook-Ledger"
"""The sender's ledger, so that a server refuses to be sent its own journal."""

_HEAD_BYTES = 4_096


class Head(msgspec.Struct, frozen=True):
    """The line before a part's bytes."""

    kind: str
    segment: str
    start: int
    bytes: int


class Part(NamedTuple):
    """Whole lines of one segment."""

    kind: Kind
    segment: str
    """What the sender knows it by."""
    start: int
    data: bytes


class Refused(msgspec.Struct, frozen=True):
    """A line that the server does not take, now or later."""

    segment: str
    offset: int
    code: str
    message: str


class Answer(msgspec.Struct, frozen=True):
    """How far segments are durable on the server, in bytes of the sender's."""

    segments: dict[str, int]
    calls: int = 0
    """Calls that were new."""
    repeated: int = 0
    refused: tuple[Refused, ...] = ()
    encodings: tuple[str, ...] = ("gzip",)
    """Content encodings that the server takes."""


_decode_head = msgspec.json.Decoder(Head).decode
_decode_answer = msgspec.json.Decoder(Answer).decode
_encode = msgspec.json.Encoder().encode


def encode(parts: Iterable[Part]) -> bytes:
    """A body."""
    pieces: list[bytes] = []
    for part in parts:
        pieces += (_encode(Head(part.kind, part.segment, part.start, len(part.data))), b"\n", part.data)
    return b"".join(pieces)


def decode(body: bytes) -> list[Part]:
    """The parts of a body. Raises InputError that says where it is not one."""
    parts: list[Part] = []
    at = 0
    while at < len(body):
        end = body.find(b"\n", at, at + _HEAD_BYTES)
        if end < 0:
            raise InputError(f"byte {at}: a part begins with one line of JSON", field="body")
        try:
            head = _decode_head(body[at:end])
        except (msgspec.DecodeError, ValueError) as error:
            raise InputError(f"byte {at}: {error}", field="body", hint="see docs/ship.md for the format") from error
        at = end + 1
        if head.kind not in SHIPPED:
            raise InputError(f"byte {at}: {head.kind!r} is no kind that is shipped", field="kind")
        if head.start < 0 or head.bytes < 0 or at + head.bytes > len(body):
            raise InputError(f"byte {at}: a part of {head.bytes} bytes is not whole", field="bytes")
        parts.append(Part(head.kind, head.segment, head.start, body[at : at + head.bytes]))
        at += head.bytes
    return parts


def encode_answer(answer: Answer) -> bytes:
    """An answer's body."""
    return _encode(answer)


def decode_answer(body: bytes) -> Answer:
    """An answer. Raises InputError when it is none: a proxy's page, half a body."""
    try:
        return _decode_answer(body)
    except (msgspec.DecodeError, ValueError) as error:
        raise InputError(f"not an answer of a Tallybook server: {error}") from error
