"""Framing of streams: bytes as they come off the wire, to decoded JSON events.

Takes server-sent events (LF, CRLF or CR line ends, comments, `id:` and `retry:` lines, data over several lines,
with and without `event:`), newline-delimited JSON, one JSON array sent piece by piece, and a single JSON object
over several lines; which of them it is, the first bytes tell, not the content type, which is often missing or
wrong. What is no JSON is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tallybook.providers.lenient import UNREADABLE, decode

DONE: Mapping[str, Any] = {"type": "[DONE]"}
"""Stands for the `data: [DONE]` that ends OpenAI-shaped streams."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")
_FIELD = re.compile(rb"(data|event|id|retry)[ \t]*:|:|(data|event|id|retry)[ \t]*[\r\n]")
_NAMED = re.compile(rb"event: [\w.]+\n")
_STRUCTURE = re.compile(rb'[\[\]{}"\\]')


def looks_like_sse(raw: bytes) -> bool:
    """Whether a body is a stream of server-sent events, whatever its content type says."""
    return _FIELD.match(raw.removeprefix(_BOM).lstrip()) is not None


class Frames:
    """Cuts a stream into events. What is not yet a whole event is kept for the next piece."""

    def __init__(self) -> None:
        self._tail = b""
        self._kind: str | None = None
        self._is_begun = False
        self._array = _Array()

    @property
    def pending(self) -> bool:
        """Whether the framing depends on earlier bytes, so that a piece cannot be read by itself."""
        return bool(self._tail) or self._kind in {"array", "lines", "document"}

    def feed(self, piece: bytes) -> list[Any]:
        """The decoded events that this piece completes. Never raises for what the bytes are."""
        if not self._tail and self._kind in _MAYBE_EVENTS and (found := _only(piece)) is not None:
            self._kind = "events"
            return found
        data = self._tail + piece if self._tail else piece
        self._tail = b""
        if self._kind is None:
            data = data.removeprefix(_BOM).lstrip()
            if not data:
                return []
            if not (kind := _kind_of(data)):
                self._tail = data
                return []
            self._kind = kind
        if self._kind == "array":
            return self._array.feed(data)
        if self._kind == "document":
            self._tail = data
            return []
        return self._events(data) if self._kind == "events" else self._lines(data)

    def flush(self) -> list[Any]:
        """The event in the tail, if the stream ended without the blank line or line end that closes it."""
        tail, self._tail = self._tail, b""
        if not tail:
            return []
        if self._kind == "events":
            found = _event(tail)
        else:
            found = _json(tail) or [event for line in tail.split(b"\n") for event in _json(line.strip())]
        if not found:
            self._tail = tail
        return found

    def hand_over(self) -> bytes | None:
        """The unfinished event, for who goes on with `feed_bytes`; `None` while only this object can go on."""
        if self._kind != "events":
            return None
        tail, self._tail = self._tail, b""
        return tail

    def _events(self, data: bytes) -> list[Any]:
        found: list[Any] = []
        start = 0
        for match in _EVENT_END.finditer(data):
            if data.endswith(b"\r") and match.end() == len(data):
                break
            found += _event(data[start : match.start()])
            start = match.end()
        self._tail = data[start:]
        return found

    def _lines(self, data: bytes) -> list[Any]:
        *lines, self._tail = data.split(b"\n")
        if lines and not self._is_begun:
            self._is_begun = True
            if not _json(lines[0].strip()):
                # One object over several lines: an error in place of the stream that was asked for.
                self._kind, self._tail = "document", data
                return []
        return [event for line in lines for event in _json(line.strip())]


_MAYBE_EVENTS = (None, "events")


def _only(piece: bytes) -> list[Any] | None:
    """The event in a piece that is exactly one, `data:` alone or after `event:`, as most servers send them."""
    if not piece.endswith(b"}\n\n"):
        return None
    head, _, data = piece.partition(b"data: ")
    if b"\n" in data[:-2] or b"\r" in data or (head and not _NAMED.fullmatch(head)):
        return None
    return _json(data[:-2]) or None


def _kind_of(data: bytes) -> str | None:
    """`events`, `array` or `lines`; `None` when the first bytes do not yet tell."""
    first = data[:1]
    if first == b"[":
        return "array"
    if first == b"{":
        return "lines"
    if _FIELD.match(data) or len(data) > 16 or b"\n" in data:
        return "events"
    return None


def _event(block: bytes) -> list[Any]:
    parts = []
    for line in _LINE_END.split(block):
        if line.startswith(b"data:"):
            parts.append(line[6:] if line[5:6] == b" " else line[5:])
    if not parts:
        return _json(block.strip()) if block.lstrip()[:1] == b"{" else []
    found = _data(b"\n".join(parts))
    if not found and len(parts) > 1:
        # Some recordings and proxies leave out the blank line between events.
        return [event for part in parts for event in _data(part)]
    return found


def _data(data: bytes) -> list[Any]:
    data = data.strip()
    return [DONE] if data == b"[DONE]" else _json(data)


def _json(data: bytes) -> list[Any]:
    if not data:
        return []
    try:
        return [decode(data)]
    except UNREADABLE:
        return []


class _Array:
    """Elements of one JSON array as their closing bracket arrives."""

    def __init__(self) -> None:
        self._held = b""
        self._scanned = 0
        self._start = 0
        self._depth = 0
        self._in_text = False

    def feed(self, piece: bytes) -> list[Any]:
        data = self._held + piece
        found: list[Any] = []
        position = self._scanned
        while (match := _STRUCTURE.search(data, position)) is not None:
            mark = match.group()
            position = match.end()
            if self._in_text:
                if mark == b"\\":
                    if position == len(data):
                        position -= 1
                        break
                    position += 1
                elif mark == b'"':
                    self._in_text = False
            elif mark == b'"':
                self._in_text = True
            elif mark in b"[{":
                self._depth += 1
                if self._depth == 2:
                    self._start = match.start()
            elif mark in b"]}":
                self._depth -= 1
                if self._depth == 1:
                    found += _json(data[self._start : position])
                    self._start = position
        else:
            position = len(data)
        keep = self._start if self._depth >= 2 else position
        self._held = data[keep:]
        self._scanned = position - keep
        self._start = 0
        return found
