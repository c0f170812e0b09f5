"""Sums over many calls with what they cost, faster than pricing each: calls under the same rate are added up first.

A rate multiplies tokens, so the cost of a sum is the sum of the costs, but for the rounding of each call to a
nano-dollar. What the ledger holds is priced call by call when it is sealed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tallybook.ingest.importers.base import Plain
from tallybook.model.call import Call
from tallybook.model.usage import Usage
from tallybook.prices.base import DAY_MINUTES, Key, Rate
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
    """What calls of one run and rate add up to."""

    __slots__ = (
        "calls", "errors", "estimated", "first_at_us", "last_at_us", "like", "others", "output", "rate", "read",
        "total", "written_1h", "written_5m",
    )  # fmt: skip

    def __init__(self, like: Call, rate: Rate | None) -> None:
        self.like = like
        self.rate = rate
        self.calls = self.errors = self.estimated = 0
        self.total = self.output = self.read = self.written_5m = self.written_1h = 0
        self.others: dict[str, int] = {}
        self.first_at_us = self.last_at_us = like.started_at_us

    def take(self, at_us: int, use: Usage) -> None:
        """One call."""
        self.calls += 1
        self.total += use.input_tokens or 0
        self.output += use.output_tokens or 0
        self.read += use.cache_read_tokens or 0
        self.written_5m += use.cache_write_5m_tokens or 0
        self.written_1h += use.cache_write_1h_tokens or 0
        if at_us < self.first_at_us:
            self.first_at_us = at_us
        elif at_us > self.last_at_us:
            self.last_at_us = at_us


class Summing:
    """Takes calls; gives sums."""

    def __init__(self, prices: Rates | None) -> None:
        self._prices = prices
        self._rates: dict[Key, tuple[Rate, ...]] = {}
        self._plain: dict[Any, tuple[Rate, ...]] = {}
        self._bins: dict[Any, _Bin] = {}

    def add(self, call: Call) -> None:
        """One call."""
        use = call.usage
        rate = self._rate(call)
        plain = not call.flags and call.status == "ok" and not use.requests and not use.quantities
        told = use.input_tokens is not None and use.output_tokens is not None
        # Calls that the rules look at one by one stand alone.
        alone = None if plain and told and call.cost is None else call.call_id
        name = (call.run_id, call.model, id(rate), call.project, call.agent_name, alone)
        one = self._bins.get(name)
        if one is None:
            one = self._bins[name] = _Bin(call, rate)
        one.take(call.started_at_us, use)
        one.errors += call.status == "error"
        one.estimated += bool(call.flags) and "usage_estimated" in call.flags
        if use.reasoning_tokens:
            one.others["reasoning_tokens"] = one.others.get("reasoning_tokens", 0) + use.reasoning_tokens

    def add_plain(self, one: Plain, agent: str) -> None:
        """One call without anything particular."""
        model = one.model
        of = (one.provider, model, model, one.tier, one.project)
        rates = self._plain.get(of)
        if rates is None:
            self._rate(_call_of(one, agent))
            rates = self._plain[of]
        rate = _in_force(rates, one.at_us, one.usage.input_tokens)
        name = (one.run_id, model, id(rate), one.project, agent, None)
        found = self._bins.get(name)
        if found is None:
            found = self._bins[name] = _Bin(_call_of(one, agent), rate)
        found.take(one.at_us, one.usage)

    def _rate(self, call: Call) -> Rate | None:
        name = None
        rates = None
        if not call.flags and call.base_url is None and not call.is_batch:
            name = (call.provider, call.model, call.response_model, call.service_tier, call.project)
            rates = self._plain.get(name)
        if rates is None:
            key = key_of(call)
            rates = self._rates.get(key)
            if rates is None:
                rates = self._rates[key] = () if self._prices is None else self._prices.rates([key])[key]
            if name is not None:
                self._plain[name] = rates
        return _in_force(rates, call.started_at_us, call.usage.input_tokens)

    def sums(self) -> list[Sum]:
        """What was added so far, by run and model."""
        found: dict[Any, Sum] = {}
        for one in self._bins.values():
            like = one.like
            name = (like.agent_name, like.run_id, like.project, like.model)
            total = found.get(name)
            if total is None:
                total = found[name] = Sum(
                    like.agent_name or "", like.run_id, like.project, like.model, first_at_us=one.first_at_us
                )
            _account(total, one)
        return list(found.values())


def _call_of(one: Plain, agent: str) -> Call:
    return Call(
        call_id="", started_at_us=one.at_us, provider=one.provider, model=one.model, response_model=one.model,
        response_id=one.ident, run_id=one.run_id, usage=one.usage, project=one.project, agent_name=agent,
        service_tier=one.tier,
    )  # fmt: skip


def _in_force(rates: Sequence[Rate], at_us: int, input_tokens: int | None) -> Rate | None:
    if len(rates) == 1 and _is_plain(rates[0]):
        return rates[0]
    return rate_at(rates, at_us, input_tokens)


def _is_plain(rate: Rate) -> bool:
    return (
        rate.since_us is None and rate.until_us is None and not rate.above_input_tokens and not rate.days
        and not rate.from_minute and rate.to_minute == DAY_MINUTES
    )  # fmt: skip


def _account(total: Sum, one: _Bin) -> None:
    whole = one.like
    if one.calls > 1:
        usage = Usage(
            input_tokens=one.total,
            output_tokens=one.output,
            cache_read_tokens=one.read,
            cache_write_5m_tokens=one.written_5m,
            cache_write_1h_tokens=one.written_1h,
            **one.others,  # type: ignore[arg-type]
        )
        whole = msgspec.structs.replace(whole, usage=usage)
    rates = () if one.rate is None else (msgspec.structs.replace(one.rate, above_input_tokens=0),)
    cost = cost_of(whole, rates).total_nanousd
    total.calls += one.calls
    total.errors += one.errors
    total.estimated += one.estimated
    if cost is None:
        total.unpriced += one.calls
    else:
        total.cost_nanousd += cost
    total.input_tokens += one.total
    total.output_tokens += one.output
    total.cache_read_tokens += one.read
    total.cache_write_tokens += one.written_5m + one.written_1h
    total.first_at_us = min(total.first_at_us, one.first_at_us)
    total.last_at_us = max(total.last_at_us, one.last_at_us)
