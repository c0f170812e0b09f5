"""Responses that a recording put behind each other in one body, which no provider sends.

A stream of Anthropic's starts with one `message_start`, one of Responses with one `response.created`: another one
with another id begins another response. The same id again is the same response, told twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallybook.providers.base import Format, Parsed
from tallybook.providers.sse import Frames

_STARTS = {b'"message_start"': ("message_start", "message"), b'"response.created"': ("response.created", "response")}


def responses_in(fmt: Format, body: bytes) -> list[Parsed]:
    """Every response of a body that has several; empty for one with a single response."""
    if fmt.stream is None:
        return []
    for mark, (kind, holder) in _STARTS.items():
        if body.count(mark) > 1:
            parts = _parted(body, kind, holder)
            if len(parts) > 1:
                return [_fed(fmt, part) for part in parts]
    return []


def _parted(body: bytes, kind: str, holder: str) -> list[list[Any]]:
    frames = Frames()
    parts: list[list[Any]] = [[]]
    current: Any = None
    for event in [*frames.feed(body), *frames.flush()]:
        if isinstance(event, Mapping) and event.get("type") == kind:
            held = event.get(holder)
            id_ = held.get("id") if isinstance(held, Mapping) else None
            if current is not None and id_ != current:
                parts.append([])
            current = id_ if id_ is not None else current
        parts[-1].append(event)
    return parts


def _fed(fmt: Format, events: list[Any]) -> Parsed:
    assert fmt.stream is not None
    stream = fmt.stream()
    for event in events:
        stream.feed(event)
    return stream.result()
