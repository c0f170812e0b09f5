"""The sender's own reckoning of a cost, where nothing better is known.

Rivals send a cost of their own making with each call. Ours is preferred, for it follows dated prices and the parts of
the usage; theirs is in the metadata. Only where no price is known here it becomes the call's cost, marked as estimated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from tallybook.model.call import Call, Cost
from tallybook.model.money import nanousd
from tallybook.prices.cost import COST_ESTIMATED

KEYS = ("estimated_cost_usd", "litellm_cost_usd", "langfuse_cost_usd", "otlp_cost_usd")
"""Keys of the metadata that hold a sender's reckoning, in USD."""


def with_reckoned(calls: Sequence[Call], is_known: Callable[[Call], bool]) -> tuple[Call, ...]:
    """The calls, those with the sender's cost whose cost is not known here."""
    return tuple([_with(call, is_known) for call in calls])


def _with(call: Call, is_known: Callable[[Call], bool]) -> Call:
    if not call.metadata:
        return call
    amount = next((call.metadata[key] for key in KEYS if key in call.metadata), None)
    if call.cost is not None or not isinstance(amount, int | float) or amount <= 0:
        return call
    if is_known(call):
        return call
    stated = Cost(status="reported", total_nanousd=nanousd(amount))
    return msgspec.structs.replace(call, cost=stated, flags=(*call.flags, COST_ESTIMATED))
