"""The same figures in the span before, beside those of now."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tallybook.query.span import Span, previous
from tallybook.query.totals import Group, Scope, Totals, groups
from tallybook.store.base import CallStore


def before(scope: Scope) -> Span:
    """The span that this one is compared with. Raises InputError when the scope has no start."""
    return previous(scope.span)


def beside(store: CallStore, scope: Scope, now: Sequence[Group], dimensions: Sequence[str]) -> list[Group]:
    """The groups of `now` with their totals in the previous span. Groups of then that are gone are not added."""
    found = groups(store, scope.during(before(scope)), dimensions)
    then = {tuple(group.by.values()): group.totals for group in found}
    return [msgspec.structs.replace(group, previous=then.get(tuple(group.by.values()), NOTHING)) for group in now]


NOTHING = Totals(
    input_tokens=0, output_tokens=0, total_tokens=0, cache_read_tokens=0, cache_write_tokens=0, reasoning_tokens=0,
    cost_nanousd=0, cost_nano=0,
)  # fmt: skip


def change(now: float | None, then: float | None) -> float | None:
    """Relative change, 0.12 for 12 % more; `None` when either is unknown or there was nothing then."""
    return None if now is None or not then else (now - then) / then
