"""Assembles the arguments of a Gemini function call that is streamed in parts.

Each part names a place by a JSON path (`$.operations[0].action`) and brings a value for it; text comes in pieces
that are joined. Paths are object members and array positions only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tallybook.providers.value import mappings, whole

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]")
_POSITIONS_MAX = 10_000
"""A position beyond is not believed: a wrong one must not fill the memory."""


class Arguments:
    """One function call's arguments in the making."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value: dict[str, Any] = {}

    @property
    def value(self) -> dict[str, Any]:
        """What was assembled so far."""
        return self._value

    def add(self, parts: Any) -> None:
        """Further `partialArgs`; parts without a path or value are passed over."""
        for part in mappings(parts):
            path = part.get("jsonPath")
            if isinstance(path, str):
                self._put(_steps(path), part)

    def _put(self, steps: list[str | int], part: Mapping[str, Any]) -> None:
        if not steps:
            return
        holder: Any = self._value
        for step, following in pairwise(steps):
            holder = _child(holder, step, [] if isinstance(following, int) else {})
            if holder is None:
                return
        last = steps[-1]
        if isinstance(part.get("stringValue"), str):
            before = _child(holder, last, "")
            value: Any = (before if isinstance(before, str) else "") + part["stringValue"]
        elif "numberValue" in part:
            number = part["numberValue"]
            value = number if whole(number) is None else whole(number)
        elif "boolValue" in part:
            value = part["boolValue"]
        elif "nullValue" in part:
            value = None
        else:
            return
        _set(holder, last, value)


def _steps(path: str) -> list[str | int]:
    return [int(position) if position else name or quoted for name, position, quoted in _STEP.findall(path)]


def _child(holder: Any, step: str | int, default: Any) -> Any:
    """What stands at a step, after putting the default there if nothing does; `None` where it cannot stand."""
    if isinstance(holder, dict) and isinstance(step, str):
        return holder.setdefault(step, default)
    if isinstance(holder, list) and isinstance(step, int) and step < _POSITIONS_MAX:
        while len(holder) <= step:
            holder.append(None)
        if holder[step] is None:
            holder[step] = default
        return holder[step]
    return None


def _set(holder: Any, step: str | int, value: Any) -> None:
    if _child(holder, step, value) is not None:
        holder[step] = value
