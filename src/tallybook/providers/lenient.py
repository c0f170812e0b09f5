"""JSON as providers and proxies really send it: what strict JSON forbids and other readers accept.

Seen in the wild: halves of surrogate pairs (a stream cut inside an emoji), `NaN` and `-Infinity` among log
probabilities, raw control characters in text, a byte order mark, bytes that are no UTF-8. A body with one of these
has its usage all the same. Used only where the strict decoder gave up: it is many times slower.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from tallybook.providers.base import Parsed

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding may raise: no JSON, wrong types, no UTF-8, nested beyond the interpreter's limit."""

_strict = msgspec.json.Decoder().decode
_ESCAPES = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""Escaped backslashes and whole surrogate pairs are stepped over; the group is a half of a pair."""


def decode(raw: bytes) -> Any:
    """The value of a JSON text, strict or not. Raises one of `UNREADABLE` for what is no JSON at all."""
    try:
        return _strict(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _loosely(raw)


def _loosely(raw: bytes) -> Any:
    text = bytes(raw).decode("utf-8-sig", "replace")
    text = _ESCAPES.sub(lambda match: "\\ufffd" if match.group(1) else match.group(), text)
    try:
        return json.loads(text, strict=False, parse_constant=lambda _: None)
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from error


def repaired(raw: bytes) -> bytes | None:
    """The same JSON in strict form, for a typed decoder; `None` when it is strict already, or no JSON."""
    try:
        _strict(raw)
    except msgspec.ValidationError:
        pass  # A number beyond all sense.
    except UNREADABLE:
        pass
    else:
        return None
    try:
        return msgspec.json.encode(_loosely(raw))
    except (*UNREADABLE, ValueError, TypeError):
        return None


def unreadable(raw: bytes) -> Parsed:
    """What is told of a body that nothing could read: its flag; of an empty one nothing at all."""
    return Parsed(flags=("body_unreadable",), is_complete=False) if raw else Parsed()


def parsed_again(raw: bytes, parse: Callable[[bytes], Parsed]) -> Parsed:
    """What `parse` makes of a body that its typed decoder gave up on, once it is strict JSON; else `unreadable`."""
    fixed = repaired(raw)
    return unreadable(raw) if fixed is None else parse(fixed)
