"""Lenient reading of JSON values: what is not of the expected kind is unknown, never an error and never 0."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

_USES_MAX = 1_000_000
"""No request uses a tool more often; a count beyond is not believed."""

_EMPTY: Mapping[str, Any] = {}


def whole(value: Any) -> int | None:
    """A whole number as int; also from an integral float or decimal text (gRPC sends 64-bit integers as text)."""
    if value is None or type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) < 20 and value.isascii() and value.removeprefix("-").isdigit():
        return int(value)
    return None


def uses(value: Any) -> int | None:
    """How often something was used: a whole number that can be one; `None` for none, for 0 and for what is beyond."""
    count = whole(value)
    return count if count is not None and 0 < count <= _USES_MAX else None


def number(value: Any) -> int | float | None:
    """A finite JSON number; booleans are none."""
    if type(value) is int or (isinstance(value, float) and math.isfinite(value)):
        return value
    return None


def milliseconds(seconds: Any) -> int | None:
    """Seconds, whole or not, as milliseconds; `None` for none, for 0, and for what no recording can last."""
    found = number(seconds)
    return round(found * 1000) if found is not None and 0 < found <= _USES_MAX else None


def word(value: Any) -> str | None:
    """A text that is not empty."""
    return value if isinstance(value, str) and value else None


def mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object, or an empty one for anything else."""
    if type(value) is dict:  # The look at the abstract class costs ten times as much.
        return value
    return value if isinstance(value, Mapping) else _EMPTY


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a JSON array; other elements are passed over."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []


_PLAIN = frozenset((str, int, float, bool))


def scalars(body: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Those of the named members that are plain values (text, number, boolean), in the body's order."""
    return {name: value for name, value in body.items() if type(value) in _PLAIN and name in names}
