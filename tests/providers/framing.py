"""Writes events as providers frame them, for the tests here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tallybook.providers.base import Format, Parsed


def plain(events: Iterable[Any], *, done: bool = True) -> bytes:
    """`data:` lines only, as OpenAI's chat."""
    lines = [b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n" for event in events]
    return b"".join(lines) + (b"data: [DONE]\n\n" if done else b"")


def named(events: Iterable[dict[str, Any]]) -> bytes:
    """`event:` and `data:` lines, as Anthropic and OpenAI's Responses."""
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode() for event in events
    )


def crlf(events: Iterable[Any]) -> bytes:
    """`data:` lines with CRLF, as Google."""
    return b"".join(f"data: {json.dumps(event)}\r\n\r\n".encode() for event in events)


def streamed(form: Format, raw: bytes) -> Parsed:
    """The result of a stream handed in as one buffer."""
    assert form.stream is not None
    stream = form.stream()
    stream.feed_bytes(raw)
    return stream.result()


def fed(form: Format, events: Iterable[Any]) -> Parsed:
    """The result of a stream handed in event by event."""
    assert form.stream is not None
    stream = form.stream()
    for event in events:
        stream.feed(event)
    return stream.result()


def body(value: Any) -> bytes:
    """JSON bytes."""
    return json.dumps(value).encode()
