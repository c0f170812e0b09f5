"""`Pricer`: one look-up a key, and the reference arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

from tallybook.model.call import Call, Cost
from tallybook.model.usage import Usage
from tallybook.prices.base import Key, Rate
from tallybook.prices.cost import cost_of
from tallybook.prices.pricer import Pricer

RATE = Rate(input_picousd=2_500_000, output_picousd=10_000_000, price="list")


class Counted:
    def __init__(self) -> None:
        self.asked: list[Key] = []

    def rates(self, keys: Sequence[Key]) -> dict[Key, tuple[Rate, ...]]:
        self.asked.extend(keys)
        return dict.fromkeys(keys, (RATE,))


def call(number: int, model: str = "m") -> Call:
    usage = Usage(input_tokens=number, output_tokens=2 * number)
    return Call(call_id=f"c{number}", started_at_us=number, provider="p", model=model, usage=usage)


def test_each_key_is_looked_up_once() -> None:
    prices = Counted()
    pricer = Pricer(prices)
    costs = [pricer.cost(call(number)) for number in range(1, 4)] + [pricer.cost(call(4, "other"))]
    assert prices.asked == [Key("p", "m"), Key("p", "other")]
    assert costs[:3] == [cost_of(call(number), (RATE,)) for number in range(1, 4)]


def test_without_prices_only_a_stated_cost_is_known() -> None:
    stated = Call(call_id="s", started_at_us=0, cost=Cost(status="reported", total_nanousd=7))
    assert Pricer(None).cost(stated).total_nanousd == 7
    assert Pricer(None).cost(call(1)).total_nanousd is None
