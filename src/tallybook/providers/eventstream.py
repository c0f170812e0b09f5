"""AWS's binary event stream (`application/vnd.amazon.eventstream`): bytes to messages.

A message is a prelude (total length, length of the headers, CRC32 of both), headers, a payload and a CRC32 of all
before it; numbers are big-endian. The rules are those of Smithy's "Amazon Event Stream" specification.

A message whose own checksum fails is passed over. After a prelude that fails nothing can be found again, so reading
stops. Both are told by `is_damaged`.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple
from zlib import crc32

from tallybook.providers.lenient import UNREADABLE, decode
from tallybook.providers.loose import LooseStream
from tallybook.providers.value import mapping

_PRELUDE = struct.Struct(">III")
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type; 6 (bytes) and 7 (text) carry their length in two bytes."""

_MESSAGE_BYTES = 25_165_824
"""No message is larger (16 MiB of payload, 128 KiB of headers, with room): else the prelude is damaged."""


class Message(NamedTuple):
    """One message: headers by name (texts; other kinds as bytes) and the payload."""

    headers: Mapping[str, Any]
    payload: bytes


class Messages:
    """Cuts a stream into messages; what is not yet a whole one is kept for the next piece."""

    def __init__(self) -> None:
        self._held = b""
        self.is_damaged = False
        self._is_lost = False

    def feed(self, piece: bytes) -> list[Message]:
        """The messages that this piece completes. Never raises for what the bytes are."""
        if self._is_lost:
            return []
        data = self._held + piece if self._held else piece
        found: list[Message] = []
        start = 0
        while len(data) - start >= _PRELUDE.size:
            total, header_bytes, checksum = _PRELUDE.unpack_from(data, start)
            is_sound = crc32(data[start : start + 8]) == checksum and 16 + header_bytes <= total <= _MESSAGE_BYTES
            if not is_sound:
                self.is_damaged = self._is_lost = True
                self._held = b""
                return found
            if len(data) - start < total:
                break
            block = data[start : start + total]
            start += total
            if crc32(block[:-4]) != int.from_bytes(block[-4:], "big"):
                self.is_damaged = True
                continue
            end = 12 + header_bytes
            found.append(Message(_headers(block[12:end]), block[end:-4]))
        self._held = data[start:]
        return found


def _headers(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name = data[at + 1 : name_end].decode("utf-8", "replace")
        if name_end >= len(data):
            break
        kind = data[name_end]
        at = name_end + 1
        if kind in (6, 7):
            size = int.from_bytes(data[at : at + 2], "big")
            at += 2
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            break
        value = data[at : at + size]
        found[name] = value.decode("utf-8", "replace") if kind == 7 else kind == 0 if kind in (0, 1) else value
        at += size
    return found


def event_of(message: Message) -> Mapping[str, Any] | None:
    """A message as `{event type: decoded payload}`, as AWS's own SDKs hand it out; an exception as `{"error": …}`.

    `None` for a message that holds no JSON.
    """
    try:
        payload = decode(message.payload) if message.payload else {}
    except UNREADABLE:
        return None
    kind = message.headers.get(":message-type")
    if kind in ("exception", "error"):
        name = message.headers.get(":exception-type") or message.headers.get(":error-code") or "error"
        text = mapping(payload).get("message") or message.headers.get(":error-message")
        return {"error": {"type": name, "message": text}}
    name = message.headers.get(":event-type")
    return {name: payload} if isinstance(name, str) else None


def inner_json(payload: Any) -> Any:
    """The JSON inside a `{"bytes": base64}` payload of invoke and agents; `None` when there is none."""
    raw = inner_bytes(payload)
    if raw is None:
        return None
    try:
        return decode(raw)
    except UNREADABLE:
        return None


def inner_bytes(payload: Any) -> bytes | None:
    """The bytes inside a `{"bytes": base64}` payload."""
    text = mapping(payload).get("bytes")
    if isinstance(text, (bytes, bytearray)):
        return bytes(text)
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None


class BinaryStream(LooseStream):
    """A stream that is binary messages on the wire; also takes their decoded form, as JSON lines or one by one."""

    __slots__ = ("_messages",)

    def __init__(self) -> None:
        super().__init__()
        self._messages: Messages | None = None

    @property
    def is_damaged(self) -> bool:
        """Whether a checksum failed: something may be missing."""
        return self._messages is not None and self._messages.is_damaged

    def feed_bytes(self, raw: bytes) -> None:
        """Take raw bytes, cut anywhere. Never raises for their content."""
        if self._messages is None:
            if self._frames is not None or raw[:1] not in (b"", b"\0"):
                super().feed_bytes(raw)
                return
            if not raw:
                return
            self._messages = Messages()
        for message in self._messages.feed(raw):
            event = event_of(message)
            if event is not None:
                self.feed(event)
