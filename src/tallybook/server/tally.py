"""The figures about model calls at `/metrics`: fed by every call that comes into the journal, whoever wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from tallybook.alert.episode import SKEW_US
from tallybook.model.call import Call
from tallybook.server.context import Context
from tallybook.server.gauge import Labels

_NANO = 1_000_000_000
_LABEL_CHARS = 100


def listener(context: Context) -> Callable[[list[Call]], None]:
    """What `Upkeep.listeners` gets: counts calls, tokens and cost, and notes calls from the future."""

    def heard(calls: list[Call]) -> None:
        _count(calls, context)
        _look_at_clock(calls, context)

    return heard


def _count(calls: Sequence[Call], context: Context) -> None:
    numbers: Counter[tuple[str, Labels]] = Counter()
    pricer = context.prices
    for call in calls:
        of = (_label(call.project), _label(call.provider), _label(call.response_model or call.model))
        numbers["tallybook_calls_total", (*of, _label(call.operation), call.status)] += 1
        usage = call.usage
        for kind, count in (
            ("input", usage.input_tokens), ("output", usage.output_tokens), ("cache_read", usage.cache_read_tokens),
            ("reasoning", usage.reasoning_tokens),
        ):  # fmt: skip
            if count:
                numbers["tallybook_tokens_total", (*of, kind)] += count
        total = pricer.cost(call).total_nanousd
        if total is None:
            numbers["tallybook_unpriced_calls_total", of] += 1
        elif total:
            numbers["tallybook_cost_usd_total", of] += total
    for (name, labels), number in numbers.items():
        by = number / _NANO if name == "tallybook_cost_usd_total" else number
        context.gauge.count(name, *labels, by=by)


def _label(text: str | None) -> str:
    return (text or "")[:_LABEL_CHARS]


def _look_at_clock(calls: Sequence[Call], context: Context) -> None:
    now_us = context.now_us()
    latest = max(calls, key=lambda call: call.started_at_us, default=None)
    if latest is None or latest.started_at_us - now_us < SKEW_US:
        return
    ahead = (latest.started_at_us - now_us) // 60_000_000
    subject = f"project {latest.project or 'none'}, by {latest.source or 'sdk'}"
    context.alerts.note("clock", f"calls are dated {ahead:,} minutes ahead", now_us, subject=subject)
