"""One step told several times: a span that was sent again, a journal part that came twice."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tallybook.model.call import Step


def once(steps: Iterable[Step]) -> list[Step]:
    """Each step of a run once, by start and id: of several tellings the fullest, in whatever order they came.

    A telling with an end goes before one of a step that was still running, a later end before an earlier one.
    """
    kept: dict[str, Step] = {}
    for step in steps:
        known = kept.get(step.step_id)
        if known is None or _fullness(known) < _fullness(step):
            kept[step.step_id] = step
    return sorted(kept.values(), key=lambda step: (step.started_at_us, step.step_id))


def _fullness(step: Step) -> tuple[bool, int, int, bytes]:
    encoded = msgspec.json.encode(step)
    return step.duration_us is not None, step.started_at_us + (step.duration_us or 0), len(encoded), encoded
