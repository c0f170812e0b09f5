"""Several calls of one session, socket or file taken together, for who asks what the whole of it used.

The ledger keeps the calls one by one; this sum is for a transcript or a batch output looked at as one thing.
"""

from __future__ import annotations

from collections.abc import Iterable

from tallybook.model.usage import Usage
from tallybook.providers.accounting import added, settled
from tallybook.providers.base import Further, Parsed


def summed(calls: Iterable[Parsed]) -> Parsed:
    """The sum of calls: usage of the first model named in `usage`, of every other model in `further`.

    A cost is told only where each call with usage tells one. No call gives an empty `Parsed`.
    """
    found = list(calls)
    if len(found) == 1:
        return found[0]
    model = next((call.response_model for call in found if call.response_model and call.usage is not None), None)
    model = model or next((call.response_model for call in found if call.response_model), None)
    usage: Usage | None = None
    others: dict[str, Usage] = {}
    further: list[Further] = []
    flags: dict[str, None] = {}
    for call in found:
        further += call.further
        flags.update(dict.fromkeys(call.flags))
        if call.usage is None:
            continue
        if call.response_model in (None, model):
            usage = call.usage if usage is None else added(usage, call.usage)
        else:
            name = call.response_model or ""
            others[name] = added(others.get(name, Usage()), call.usage)
    if usage is not None:
        # A call that tells a part and no total makes parts that exceed the others' total.
        usage, faults = settled(usage)
        flags.update(dict.fromkeys(faults))
    counted = [call for call in found if call.usage is not None]
    costs = [call.cost_nanousd for call in counted if call.cost_nanousd is not None]
    failed = next((call for call in found if call.error_type is not None), Parsed())
    texts = [call.text for call in found if call.text]
    further += [Further(model=name, usage=settled(value)[0]) for name, value in others.items()]
    return Parsed(
        usage=usage,
        usage_raw=[call.usage_raw for call in counted] or None,
        response_id=next((call.response_id for call in reversed(found) if call.response_id), None),
        response_model=model,
        service_tier=next((call.service_tier for call in found if call.service_tier), None),
        cost_nanousd=sum(costs) if costs and len(costs) == len(counted) else None,
        tool_calls=tuple(tool for call in found for tool in call.tool_calls),
        finish_reasons=tuple(reason for call in found for reason in call.finish_reasons),
        text="".join(texts) if texts else None,
        reasoning_chars=sum(call.reasoning_chars for call in found),
        error_type=failed.error_type,
        error_message=failed.error_message,
        is_complete=all(call.is_complete for call in found),
        flags=(*flags, "further_models") if others and "further_models" not in flags else tuple(flags),
        further=tuple(further),
    )
