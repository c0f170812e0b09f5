"""Costs of calls one by one in Python, with the rates of each key looked up once.

What it promises: the reference arithmetic (`cost.cost_of`). It does not know where rates come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tallybook.model.call import Call, Cost
from tallybook.prices.base import Key, Rate
from tallybook.prices.cost import cost_of, is_known, key_of


class Rates(Protocol):
    """Where rates come from: `prices.book.PriceBook`, or a table in tests."""

    def rates(self, keys: Sequence[Key]) -> dict[Key, tuple[Rate, ...]]:
        """All dated rates of each key; empty for an unknown model."""
        ...


class Pricer:
    """Not safe for several threads at once."""

    def __init__(self, prices: Rates | None) -> None:
        """Without `prices` only stated costs, refused and unpriced calls are known."""
        self._prices = prices
        self._rates: dict[Key, tuple[Rate, ...]] = {}

    def cost(self, call: Call) -> Cost:
        """The cost of a call."""
        if call.cost is not None and call.cost.status == "reported":
            return cost_of(call, ())  # Rates do not bear on it.
        return cost_of(call, self._rates_of(call))

    def knows(self, call: Call) -> bool:
        """Whether the cost of a call that states none has an amount, in less time than it takes to work it out."""
        return is_known(call, self._rates_of(call))

    def _rates_of(self, call: Call) -> tuple[Rate, ...]:
        key = key_of(call)
        if key not in self._rates:
            self._rates[key] = () if self._prices is None else self._prices.rates([key])[key]
        return self._rates[key]
