"""Sums over many calls with what they cost, faster than pricing each: calls under the same rate are added up first.

A rate multiplies tokens, so the cost of a sum is the sum of the costs, but for the rounding of each call to a
nano-dollar. What the ledger holds is priced call by call when it is sealed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tallybook.model.call import Call, Run
from tallybook.model.usage import TOKEN_FIELDS, Usage
from tallybook.prices.base import Key, Rate
from tallybook.prices.cost import cost_of, key_of, rate_at
from tallybook.prices.pricer import Rates


class Sum(msgspec.Struct):
    """Figures of some calls of one run and model."""

    agent: str
    run_id: str | None
    project: str | None
    model: str | None
    calls: int = 0
    errors: int = 0
    estimated: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_nanousd: int = 0
    first_at_us: int = 0
    last_at_us: int = 0


class _Bin:
    """Calls of one run and rate."""

    __slots__ = ("calls", "first", "like", "rate", "rates", "tokens")

    def __init__(self, like: Call, rate: Rate | None) -> None:
        self.like = like
        self.rate = rate
        self.calls: list[Call] = []


class Summing:
    """Takes calls; gives sums."""

    def __init__(self, prices: Rates | None) -> None:
        self._prices = prices
        self._rates: dict[Key, tuple[Rate, ...]] = {}
        self._bins: dict[Any, _Bin] = {}

    def add(self, call: Call) -> None:
        """One call."""
        key = key_of(call)
        rates = self._rates.get(key)
        if rates is None:
            rates = self._rates[key] = () if self._prices is None else self._prices.rates([key])[key]
        use = call.usage
        rate = (
            rates[0]
            if len(rates) == 1 and _is_plain(rates[0])
            else rate_at(rates, call.started_at_us, use.input_tokens)
        )
        plain = not call.flags and not use.requests and not use.quantities and call.cost is None
        told = use.input_tokens is not None and use.output_tokens is not None
        # Calls that the rules look at one by one stand alone.
        alone = None if plain and told and call.status == "ok" else call.call_id
        name = (call.run_id, call.model, id(rate), call.project, call.agent_name, alone)
        one = self._bins.get(name)
        if one is None:
            one = self._bins[name] = _Bin(call, rate)
        one.calls.append(call)

    def sums(self) -> list[Sum]:
        """What was added so far, by run and model."""
        found: dict[Any, Sum] = {}
        for one in self._bins.values():
            like = one.like
            name = (like.agent_name, like.run_id, like.project, like.model)
            total = found.get(name)
            if total is None:
                total = found[name] = Sum(like.agent_name or "", like.run_id, like.project, like.model)
            _account(total, one)
        return list(found.values())


def _is_plain(rate: Rate) -> bool:
    return rate.since_us is None and rate.until_us is None and not rate.above_input_tokens and not rate.days


def _account(total: Sum, one: _Bin) -> None:
    calls = one.calls
    uses = [call.usage for call in calls]
    tokens: dict[str, Any] = {name: sum([getattr(use, name) or 0 for use in uses]) for name in TOKEN_FIELDS}
    like = one.like
    whole = msgspec.structs.replace(like, usage=Usage(**tokens)) if len(calls) > 1 else like
    rates = () if one.rate is None else (msgspec.structs.replace(one.rate, above_input_tokens=0),)
    cost = cost_of(whole, rates).total_nanousd
    total.calls += len(calls)
    total.errors += sum(call.status == "error" for call in calls)
    total.estimated += sum("usage_estimated" in call.flags for call in calls if call.flags)
    if cost is None:
        total.unpriced += len(calls)
    else:
        total.cost_nanousd += cost
    total.input_tokens += tokens["input_tokens"]
    total.output_tokens += tokens["output_tokens"]
    total.cache_read_tokens += tokens["cache_read_tokens"]
    total.cache_write_tokens += tokens["cache_write_5m_tokens"] + tokens["cache_write_1h_tokens"]
    starts = [call.started_at_us for call in calls]
    total.first_at_us = min(starts) if not total.first_at_us else min(total.first_at_us, *starts)
    total.last_at_us = max(total.last_at_us, *starts)


def runs_of(sums: Iterable[Sum]) -> list[Run]:
    """What the sums add to their runs."""
    return [
        Run(
            run_id=one.run_id,
            project=one.project,
            session_id=one.run_id,
            agent_name=one.agent or None,
            created_at_us=one.first_at_us,
            updated_at_us=one.last_at_us,
            call_count=one.calls,
            error_count=one.errors,
            input_tokens=one.input_tokens,
            output_tokens=one.output_tokens,
            cost_nanousd=one.cost_nanousd,
            unpriced_count=one.unpriced,
        )
        for one in sums
        if one.run_id is not None
    ]
