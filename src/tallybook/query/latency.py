"""How long calls took: average and percentiles, slowest operations, by model."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tallybook.query import compare
from tallybook.query.totals import Group, Head, Scope, groups, head, total
from tallybook.store.base import CallStore

MEASURES = (
    "duration_avg_us", "duration_p50_us", "duration_p95_us", "duration_p99_us", "duration_max_us", "duration_sum_us",
    "timed_output_tokens", "timed_output_us", "ttft_p50_us", "ttft_p95_us",
)  # fmt: skip
TOP = 5


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Durations of a scope. Calls whose duration is not known are in no figure of time."""

    head: Head
    total: Group
    sections: dict[str, list[Group]]
    """The slowest groups of each dimension by average duration."""
    before: Group | None = None


def latency(
    store: CallStore, scope: Scope, by: Sequence[str] = ("task", "model"), *, is_compared: bool = False, top: int = TOP
) -> Latency:
    """The report; each of `by` is a section, slowest average first."""
    whole = total(store, scope, MEASURES)
    then = None
    compared = compare.before(scope) if is_compared else None
    if compared is not None:
        then = total(store, scope.during(compared), MEASURES)
    sections = {
        dimension: [
            group
            for group in groups(store, scope, (dimension,), MEASURES, order=(("duration_avg_us", "desc"),), limit=top)
            if group.more["duration_avg_us"] is not None
        ]
        for dimension in (by if whole.totals.calls else ())
    }
    return Latency(head=head(store, scope, whole.totals, compared), total=whole, sections=sections, before=then)


def tokens_per_second(group: Group) -> float | None:
    """Output tokens by second of call time, over the calls that tell both; `None` where none does."""
    tokens, time_us = group.more.get("timed_output_tokens"), group.more.get("timed_output_us")
    return None if tokens is None or not time_us else tokens * 1_000_000 / time_us
