"""Which of several records of one call counts in its run's totals, while some are sealed and some are not.

A run's totals are what the lake holds of it (its base) and what lines that are not sealed add. Each record that was
followed weighs 1, 0 or -1 on top of the base: 1 where it is not sealed and counts, 0 where it is in the base or lost
against a better record, -1 where it is in the base and a better record is on its way there. When all is sealed all
weights are 0, and the totals are the lake's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from tallybook.model.call import Call, Cost
from tallybook.store.quality import quality_number


class Entry(NamedTuple):
    """What one record of a call adds to its run."""

    call_id: str
    response: int | None
    """What stands for provider and response id, which tell the call across sources: `response_key`."""
    run_id: str | None
    quality: int
    """The smaller the better: `quality.quality_number`."""
    started_at_us: int
    ended_at_us: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost_nanousd: int | None
    project: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    agent_name: str | None = None
    tags: tuple[str, ...] = ()


class Record(NamedTuple):
    """An entry that was followed."""

    number: int
    call_id: str
    response: int | None
    segment: str
    run_id: str | None
    quality: int
    started_at_us: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost_nanousd: int | None
    is_sealed: int
    weight: int


class Figures(NamedTuple):
    """What adds up."""

    calls: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanousd: int = 0
    unpriced: int = 0

    def plus(self, other: Figures, times: int = 1) -> Figures:
        """The sum, or with `times` -1 the difference."""
        return Figures(*(mine + times * its for mine, its in zip(self, other, strict=True)))


def response_key(told: str) -> int:
    """Provider and response id as 64 bits with a sign: an index of numbers takes a third of what one of texts does.

    Among a million calls two have one key by chance in one of thirty million ledgers.
    """
    raw = hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(raw, "little", signed=True)


def entry_of(call: Call, cost: Cost) -> Entry:
    """A call that was read from a line, with its cost, as what it adds. Its run is its run, else its session."""
    usage = call.usage
    return Entry(
        call.call_id,
        None if call.response_id is None else response_key(f"{call.provider}\x1f{call.response_id}"),
        call.run_id if call.run_id is not None else call.session_id,
        quality_number(call),
        call.started_at_us,
        call.started_at_us + (call.duration_us or 0),
        int(call.status == "error"),
        usage.input_tokens or 0,
        usage.output_tokens or 0,
        cost.total_nanousd,
        call.project,
        call.user_id,
        call.session_id,
        call.agent_name,
        call.tags,
    )


def figures_of(one: Entry | Record) -> Figures:
    """What the record adds where it counts."""
    return Figures(
        1, one.errors, one.input_tokens, one.output_tokens, one.cost_nanousd or 0, int(one.cost_nanousd is None)
    )


def rank(one: Entry | Record) -> tuple[int, int, str]:
    """Of two records that are not sealed the smaller stays."""
    return one.quality, one.started_at_us, one.call_id


def survivor(earlier: Sequence[Record], together: Sequence[Record]) -> Record:
    """The record of a call that the lake keeps: the best of those sealed together, if it is better than an earlier."""
    best = min(together, key=rank)
    kept = min(earlier, key=rank, default=None)
    return kept if kept is not None and kept.quality <= best.quality else best


def weights(records: Sequence[Record]) -> list[int]:
    """The weights of all records of one call, of which at most one is sealed."""
    fresh = [one for one in records if not one.is_sealed]
    sealed = next((one for one in records if one.is_sealed), None)
    best = min(fresh, key=rank, default=None)
    if best is None or (sealed is not None and best.quality >= sealed.quality):
        return [0] * len(records)
    return [1 if one is best else -1 if one.is_sealed else 0 for one in records]
