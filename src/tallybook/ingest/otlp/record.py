"""Spans and log records as they are after decoding, whether they came as protobuf or as JSON.

An attribute's value is text, number, boolean, list or object as Python has them. Of spans only the attributes that some
dialect reads are there (`key`), and what may hold a conversation stands apart in `content`, not yet decoded.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Resource(msgspec.Struct, gc=False):
    """Who sent: a service's own attributes."""

    attributes: dict[str, Any] = {}


class Scope(msgspec.Struct, gc=False):
    """What made the spans: the instrumentation's name and version."""

    name: str = ""
    version: str = ""


class Event(msgspec.Struct, gc=False):
    """Something that happened within a span."""

    name: str
    time_ns: int
    attributes: dict[str, Any] = {}


class Span(msgspec.Struct, gc=False):
    """One span. Ids are raw bytes, empty where there is none; times are nanoseconds since 1970."""

    resource: Resource
    scope: Scope
    trace_id: bytes = b""
    span_id: bytes = b""
    parent_id: bytes = b""
    name: str = ""
    kind: int = 0
    start_ns: int = 0
    end_ns: int = 0
    attributes: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    """Attributes that count something, as received."""
    content: dict[str, Any] = {}
    """Attributes that may hold a conversation: bytes where they came as text, else a value."""
    events: list[Event] = []
    status: int = 0
    """0 unset, 1 ok, 2 error."""
    status_message: str = ""


class Log(msgspec.Struct, gc=False):
    """One log record, with all of its attributes."""

    resource: Resource
    scope: Scope
    time_ns: int = 0
    event_name: str = ""
    trace_id: bytes = b""
    span_id: bytes = b""
    attributes: dict[str, Any] = {}
    body: Any = None
