"""Whether a recorded stream was cut: it ends in the middle of an event, or before the event that has its usage.

A parser that listens to a live stream goes by what the events say, since an application may stop reading once it has
what it wanted. Of a recording the last bytes are there to be looked at.
"""

from __future__ import annotations

from tallybook.providers.base import Format, Parsed
from tallybook.providers.lenient import UNREADABLE, decode
from tallybook.providers.sse import looks_like_sse

_FIELDS = (b"data", b"event", b"id", b"retry")
_USAGE_LAST = frozenset(("openai.chat", "openai.completions"))
"""Formats whose usage follows the last text, in an event of its own before `[DONE]`."""

_PRELUDE = 12


def is_cut(fmt: Format, body: bytes, parsed: Parsed) -> bool:
    """Whether the body is a stream that breaks off."""
    if fmt.stream is None:
        return False
    if body[:2] == b"\0\0":
        return _is_binary_cut(body)
    if body[:16].lstrip()[:1] == b"[":
        return body.rstrip()[-1:] != b"]"
    is_events = looks_like_sse(body[:256])
    if not is_events and b"\n{" not in body:
        return False
    last = body.rstrip(b"\r\n \t").rsplit(b"\n", 1)[-1].strip()
    if is_events and fmt.name in _USAGE_LAST and parsed.usage is None and last != b"data: [DONE]":
        return not last.endswith(b"[DONE]")
    if is_events and not last.startswith(_FIELDS):
        # A comment, or the end of a document that was sent over several lines.
        return not last.startswith(b":") and body[-1:] not in b"\r\n"
    name, _, data = last.partition(b":") if is_events else (b"data", b"", last)
    if name != b"data":
        return name == b"event" and not body.endswith((b"\n\n", b"\r\n\r\n"))  # Some hosts put the name last.
    data = data.strip()
    return data != b"[DONE]" and not _is_json(data)


def _is_json(data: bytes) -> bool:
    try:
        decode(data)
    except UNREADABLE:
        return False
    return True


def _is_binary_cut(body: bytes) -> bool:
    """AWS's messages carry their length: a cut one has less."""
    place = 0
    while place + _PRELUDE <= len(body):
        size = int.from_bytes(body[place : place + 4], "big")
        if size < _PRELUDE:
            return False  # Damaged, which its parser tells.
        place += size
    return place != len(body)
