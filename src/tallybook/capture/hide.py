"""Takes out of an OpenAI-shaped stream what only we asked for, so that the caller sees what it would have seen.

Where the caller did not set `stream_options.include_usage` and we did, the provider adds `"usage": null` to
every chunk and one last chunk with usage and no choices. Both are removed from the bytes. Inside JSON text a
quote is always escaped, so the key with its bare quotes can only be structure.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

_NULL = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,\s*')
_BOUNDARY = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class _Chunk(msgspec.Struct):
    choices: list[Any] = []
    usage: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


def is_usage_only(event: bytes) -> bool:
    """Whether one event is the extra chunk: usage, and no choices."""
    start = event.find(b"{")
    if start < 0 or b'"usage"' not in event:
        return False
    try:
        chunk = _decode(event[start:].rstrip())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return not chunk.choices and chunk.usage is not None


class UsageFilter:
    """Passes whole events on, without the extra. An event cut by the network waits for its rest."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def pass_on(self, chunk: bytes) -> bytes:
        """What the caller may see of a piece; may be empty."""
        if not self._tail and chunk.endswith(b"\n\n"):
            plain = chunk.replace(b',"usage":null', b"")
            if b'"usage"' not in plain:
                return plain  # The common piece: whole events, OpenAI's own spelling, not the extra chunk.
        data = self._tail + chunk if self._tail else chunk
        end = 0
        for match in _BOUNDARY.finditer(data, max(0, len(self._tail) - 3)):  # In the tail itself is none.
            end = match.end()
        self._tail = data[end:]
        data = data[:end]
        if b'"usage"' not in data:
            return data
        kept: list[bytes] = []
        start = 0
        for match in _BOUNDARY.finditer(data):
            event = data[start : match.end()]
            start = match.end()
            if b'"usage"' in event:
                if is_usage_only(event):
                    continue
                event = _NULL.sub(b"", event)
            kept.append(event)
        return b"".join(kept)

    def end(self) -> bytes:
        """What was held back when the stream ended without a boundary."""
        tail, self._tail = self._tail, b""
        return b"" if is_usage_only(tail) else _NULL.sub(b"", tail)
