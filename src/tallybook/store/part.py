"""What arrives in parts waits here until it is whole: a row for each thing that a sender tells of in several messages.

A store knows nothing of what a part says. It promises that what was put survives the process being killed, and that
reading, judging and putting is one step that nobody else comes between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

T = TypeVar("T")
Key = tuple[str, str, str]
"""Scope (dialect and project), kind, and the sender's id."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """All that was told of one thing so far."""

    scope: str
    kind: str
    id: str
    group: str | None = None
    """What it belongs to, in the sender's word: the trace of an observation."""
    data: bytes
    touched_us: int
    """When it was last told of, microseconds since 1970."""
    due_us: int | None = None
    """When to look at it again if nothing more is told; `None`: not at all."""

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.scope, self.kind, self.id


class Box(Protocol):
    """The parts during one step."""

    def get(self, keys: Sequence[Key]) -> dict[Key, Part]:
        """Those of these parts that are there."""
        ...

    def members(self, scope: str, kind: str, groups: Sequence[str]) -> list[Part]:
        """All parts of a kind that belong to these groups."""
        ...

    def put(self, parts: Sequence[Part]) -> None:
        """Store parts, in place of what was there under their keys."""
        ...


class PartStore(Protocol):
    """The part of a state store where things wait to become whole."""

    def rework(self, work: Callable[[Box], T]) -> T:
        """What `work` gives; all of it is one transaction, and nothing is stored where it raises."""
        ...

    def due_parts(self, scope: str, before_us: int, limit: int) -> list[Part]:
        """Parts of scopes that begin so and are due before a moment, the earliest first."""
        ...

    def forget_parts(self, before_us: int) -> int:
        """Remove parts that were last told of before a moment and are not due; how many."""
        ...


class MemoryParts:
    """A `PartStore` in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: dict[Key, Part] = {}

    def rework(self, work: Callable[[Box], T]) -> T:
        """See `PartStore.rework`."""
        box = _MemoryBox(dict(self._parts))
        result = work(box)
        self._parts = box.parts
        return result

    def due_parts(self, scope: str, before_us: int, limit: int) -> list[Part]:
        """See `PartStore.due_parts`."""
        found = [
            part for part in self._parts.values()
            if part.scope.startswith(scope) and part.due_us is not None and part.due_us < before_us
        ]  # fmt: skip
        return sorted(found, key=lambda part: (part.due_us, part.key))[:limit]

    def forget_parts(self, before_us: int) -> int:
        """See `PartStore.forget_parts`."""
        old = [key for key, part in self._parts.items() if part.due_us is None and part.touched_us < before_us]
        for key in old:
            del self._parts[key]
        return len(old)


class _MemoryBox:
    def __init__(self, parts: dict[Key, Part]) -> None:
        self.parts = parts

    def get(self, keys: Sequence[Key]) -> dict[Key, Part]:
        return {key: self.parts[key] for key in keys if key in self.parts}

    def members(self, scope: str, kind: str, groups: Sequence[str]) -> list[Part]:
        wanted = set(groups)
        found = [p for p in self.parts.values() if p.scope == scope and p.kind == kind and p.group in wanted]
        return sorted(found, key=lambda part: part.key)

    def put(self, parts: Sequence[Part]) -> None:
        self.parts.update({part.key: part for part in parts})
