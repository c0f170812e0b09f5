"""Writes events as providers frame them, for the tests here."""

from __future__ import annotations

import base64
import json
import struct
import zlib
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


def lines(events: Iterable[Any]) -> bytes:
    """JSON lines, as Ollama and recorded sockets."""
    return b"".join(json.dumps(event, separators=(",", ":")).encode() + b"\n" for event in events)


def aws(events: Iterable[dict[str, Any]]) -> bytes:
    """Binary messages, as Bedrock: each event is `{type: payload}`."""
    return b"".join(
        aws_message({":event-type": kind, ":content-type": "application/json", ":message-type": "event"}, body(payload))
        for event in events
        for kind, payload in event.items()
    )


def aws_message(headers: dict[str, str], payload: bytes) -> bytes:
    """One binary message with text headers and right checksums."""
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack(">I", zlib.crc32(message))


def chunks(parts: Iterable[Any]) -> bytes:
    """Binary messages of Bedrock's invoke: each with its JSON in base64."""
    return aws({"chunk": {"bytes": base64.b64encode(body(part)).decode(), "p": "abc"}} for part in parts)
