"""The figures about model calls at `/metrics`: fed by every call that comes into the journal, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tallybook.alert.episode import SKEW_US
from tallybook.model.call import Call, Cost
from tallybook.server.context import Context

_NANO = 1_000_000_000
_LABEL_CHARS = 100


_Kind = tuple[str | None, str, str | None, str, str]
"""Project, provider, model, operation, status."""


class _Sums:
    """What calls of one kind come to."""

    __slots__ = ("cache_read", "calls", "cost_nanousd", "input", "output", "reasoning", "unpriced")

    def __init__(self) -> None:
        self.calls = self.input = self.output = self.cache_read = self.reasoning = 0
        self.unpriced = self.cost_nanousd = 0


def listener(context: Context) -> Callable[[Sequence[Call], Sequence[Cost]], None]:
    """What `Upkeep.listeners` gets: counts calls, tokens and cost, and notes calls from the future."""

    def heard(calls: Sequence[Call], costs: Sequence[Cost]) -> None:
        _count(calls, costs, context)
        _look_at_clock(calls, context)

    return heard


def _count(calls: Sequence[Call], costs: Sequence[Cost], context: Context) -> None:
    kinds: dict[_Kind, _Sums] = {}
    for call, cost in zip(calls, costs, strict=True):
        kind: _Kind = (call.project, call.provider, call.response_model or call.model, call.operation, call.status)
        sums = kinds.get(kind)
        if sums is None:
            sums = kinds[kind] = _Sums()
        usage = call.usage
        sums.calls += 1
        sums.input += usage.input_tokens or 0
        sums.output += usage.output_tokens or 0
        sums.cache_read += usage.cache_read_tokens or 0
        sums.reasoning += usage.reasoning_tokens or 0
        if cost.total_nanousd is None:
            sums.unpriced += 1
        else:
            sums.cost_nanousd += cost.total_nanousd
    for told, sums in kinds.items():
        project, provider, model, operation, status = map(_label, told)
        of = (project, provider, model)
        context.gauge.count("tallybook_calls_total", *of, operation, status, by=sums.calls)
        for name in ("input", "output", "cache_read", "reasoning"):
            if tokens := getattr(sums, name):
                context.gauge.count("tallybook_tokens_total", *of, name, by=tokens)
        if sums.unpriced:
            context.gauge.count("tallybook_unpriced_calls_total", *of, by=sums.unpriced)
        if sums.cost_nanousd:
            context.gauge.count("tallybook_cost_usd_total", *of, by=sums.cost_nanousd / _NANO)


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
