"""One step told several times: a span that was sent again, a journal part that came twice, a start and then an end.

The rule is here twice, for steps in hand and for rows of a table with `STEP_FIELDS`, and a test holds both equal.
"""

from __future__ import annotations

from collections.abc import Iterable

from tallybook.model.call import Step

_TEXTS = ("parent_id", "error_message", "tool_call_id", "input_preview", "output_preview")

FULLEST_SQL = (
    "duration_us IS NOT NULL DESC, epoch_us(started_at) + coalesce(duration_us, 0) DESC, "
    + " + ".join(f"({name} IS NOT NULL)::INT" for name in (*_TEXTS, "metadata"))
    + " DESC, started_at, status DESC, name DESC"
)
"""Order of the tellings of a step: the first stays."""


def once(steps: Iterable[Step]) -> list[Step]:
    """Each step of a run once, by start and id: of several tellings the fullest, in whatever order they came.

    A telling with an end goes before one of a step that was still running, a later end before an earlier one.
    """
    kept: dict[tuple[str | None, str], Step] = {}
    for step in steps:
        key = step.run_id, step.step_id
        known = kept.get(key)
        if known is None or _fullness(known) < _fullness(step):
            kept[key] = step
    return sorted(kept.values(), key=lambda step: (step.started_at_us, step.step_id))


def once_sql(table: str) -> str:
    """The rows of `table`, each step once, as `once`."""
    return f"SELECT * FROM {table} QUALIFY row_number() OVER (PARTITION BY run_id, step_id ORDER BY {FULLEST_SQL}) = 1"


def _fullness(step: Step) -> tuple[bool, int, int, int, str, str]:
    known = sum(getattr(step, name) is not None for name in _TEXTS) + bool(step.metadata)
    ended_us = step.started_at_us + (step.duration_us or 0)
    return step.duration_us is not None, ended_us, known, -step.started_at_us, step.status, step.name
