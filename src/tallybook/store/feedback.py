"""What was said of a call or a run afterwards: scores, as lines of kind `feedback` among the amendments.

Such segments are small and stay as they are, so that they are read line by line and without a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from tallybook.model.call import Call

OBSERVATION = "langfuse_observation_id"
"""Key of a call's metadata, and of a line that was told before its call was known."""


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """One score. `value` is a number, a text or a truth value, as `data_type` says where it is told."""

    name: str | None = None
    value: str | int | float | bool | None = None
    data_type: str | None = None
    comment: str | None = None
    source: str | None = None
    told_at: str | None = None
    """ISO 8601, UTC."""


class _Line(Feedback, frozen=True, kw_only=True):
    kind: str | None = None
    call_id: str | None = None
    id: str | None = None
    run_id: str | None = None
    timestamp: str | None = None
    langfuse_observation_id: str | None = None
    project: str | None = None
    """Of the key that told it, which speaks of no other project's calls; `None`: of all."""


_decode = msgspec.json.Decoder(_Line).decode


def of_call(segments: Iterable[Path], call: Call) -> list[Feedback]:
    """The scores of a call, oldest first; of one that was told again the last telling.

    Raises FileNotFoundError when a segment is gone.
    """
    observation = call.metadata.get(OBSERVATION)
    names = {call.call_id, *([observation] if isinstance(observation, str) else [])}

    def is_meant(told: _Line) -> bool:
        return not names.isdisjoint((told.call_id, told.langfuse_observation_id))

    return _latest(segments, names, is_meant, call.project)


def of_run(segments: Iterable[Path], run_id: str, project: str | None) -> list[Feedback]:
    """The scores of a run of that project as a whole, as `of_call` tells those of a call."""

    def is_meant(told: _Line) -> bool:
        return told.run_id == run_id and told.langfuse_observation_id is None

    return _latest(segments, {run_id}, is_meant, project)


def _latest(
    segments: Iterable[Path], names: set[str], is_meant: Callable[[_Line], bool], project: str | None
) -> list[Feedback]:
    """Of each score among the lines that hold one of the names the last telling, oldest first."""
    needles = [name.encode() for name in names]
    found: dict[str, _Line] = {}
    for path in segments:
        data = path.read_bytes()
        if not any(needle in data for needle in needles):
            continue
        for line in data.split(b"\n"):
            if b'"feedback"' not in line or not any(needle in line for needle in needles):
                continue
            told = _read(line)
            if told is None or told.project not in (None, project) or not is_meant(told):
                continue
            key = told.id or f"{told.name} {told.timestamp}"
            if key not in found or (told.timestamp or "") >= (found[key].timestamp or ""):
                found[key] = told
    return [_shown(one) for one in sorted(found.values(), key=lambda one: (one.timestamp or "", one.name or ""))]


def _read(line: bytes) -> _Line | None:
    try:
        told = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None  # Sealing reports what is no record.
    return told if told.kind == "feedback" else None


def _shown(told: _Line) -> Feedback:
    fields: dict[str, Any] = {name: getattr(told, name) for name in Feedback.__struct_fields__}
    return Feedback(**{**fields, "told_at": told.timestamp})
