"""Langfuse's SDKs (Python 3, JavaScript 4 and later), which send OpenTelemetry spans with `langfuse.*` attributes.

`langfuse.observation.type` generation and embedding are calls, all other observations steps. What the application
states in `usage_details` and `cost_details` is taken as stated: the SDK works nothing out. Its buckets do not overlap,
so the input is told without the cached part unless a total shows otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.ingest.dialects import context
from tallybook.ingest.dialects.tokens import counts_of
from tallybook.ingest.dialects.told import CALL, Counts, Told
from tallybook.ingest.otlp.record import Span
from tallybook.model.money import nanousd
from tallybook.providers.value import mapping, number, whole, word

CALLS = {"generation": "chat", "embedding": "embeddings"}
STEPS = {"agent": "agent", "tool": "tool", "retriever": "retrieval", "chain": "chain", "span": "chain"}
_USAGE = "langfuse.observation.usage_details"
_COST = "langfuse.observation.cost_details"

BUCKETS: dict[str, str] = {
    "input": "input", "prompt_tokens": "input", "promptTokens": "input", "input_tokens": "input",
    "output": "output", "completion_tokens": "output", "completionTokens": "output", "output_tokens": "output",
    "total": "total", "total_tokens": "total", "totalTokens": "total",
    "input_cached_tokens": "cache_read", "cached_input": "cache_read", "cached_tokens": "cache_read",
    "cache_read_input_tokens": "cache_read", "input_cache_read": "cache_read",
    "cache_creation_input_tokens": "cache_write", "input_cache_creation": "cache_write",
    "input_cache_creation_5m": "cache_write_5m", "input_cache_creation_1h": "cache_write_1h",
    "output_reasoning_tokens": "reasoning", "output_reasoning": "reasoning", "reasoning_tokens": "reasoning",
    "input_audio_tokens": "input_audio", "input_audio": "input_audio",
    "output_audio_tokens": "output_audio", "output_audio": "output_audio",
}  # fmt: skip
"""Langfuse's names of usage and the fields of `Counts`."""
_INCLUSIVE = frozenset(("prompt_tokens", "promptTokens"))
"""OpenAI's own names, whose input contains the cached part."""
_TIME = re.compile(r"^\"?(\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:?\d\d)?)\"?$")


def is_langfuse(attributes: dict[str, Any]) -> bool:
    """Whether a span is an observation of Langfuse's."""
    return "langfuse.observation.type" in attributes or "langfuse.observation.model.name" in attributes


def read(span: Span) -> Told:
    """What an observation is."""
    attributes = span.attributes
    get = attributes.get
    kind = str(get("langfuse.observation.type") or "generation").lower()
    told = Told(role=CALL if kind in CALLS else STEPS.get(kind, "chain"))
    context.fill(told, span)
    told.name = span.name or None
    told.tags = context.texts(get("langfuse.trace.tags")) or told.tags
    told.environment = word(get("langfuse.environment"))
    for key in ("langfuse.release", "langfuse.version", "langfuse.observation.prompt.name"):
        if key in attributes:
            told.metadata = {
                **told.metadata,
                key.removeprefix("langfuse.").replace("observation.", ""): attributes[key],
            }
    if str(get("langfuse.observation.level")).upper() == "ERROR":
        told.error_type = told.error_type or "error"
        told.error_message = word(get("langfuse.observation.status_message")) or told.error_message
    if told.role != CALL:
        return told
    told.operation = CALLS.get(kind, "chat")
    told.model = word(get("langfuse.observation.model.name")) or word(get("gen_ai.request.model"))
    told.response_model = word(get("gen_ai.response.model")) or word(get("langfuse.observation.model.name"))
    told.provider = word(get("gen_ai.provider.name")) or word(get("gen_ai.system"))
    told.response_id = word(get("gen_ai.response.id"))
    told.counts = _counts(span)
    told.cost_nanousd = _cost(span.usage.get(_COST))
    told.ttft_us = _first_token(span, get("langfuse.observation.completion_start_time"))
    asked = _object(get("langfuse.observation.model.parameters"))
    told.parameters = {**told.parameters, **{k: v for k, v in asked.items() if isinstance(v, (str, int, float))}}
    return told


def _object(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return {}
    return mapping(value)


def _counts(span: Span) -> Counts | None:
    details = _object(span.usage.get(_USAGE))
    if not details:
        return counts_of(span.usage) if span.usage else None
    counts = Counts()
    for name, value in details.items():
        field = BUCKETS.get(name)
        count = whole(value)
        if field is not None and count is not None and getattr(counts, field) is None:
            setattr(counts, field, count)
    parts = (counts.cache_read or 0) + (counts.cache_write or 0)
    adds_up = counts.total is not None and counts.total == (counts.input or 0) + (counts.output or 0)
    counts.is_input_without_cache = bool(parts) and not adds_up and not (_INCLUSIVE & details.keys())
    return counts


def _cost(value: Any) -> int | None:
    """What the application says it cost: the total, or the sum of the parts."""
    details = _object(value)
    amounts = {name: amount for name, one in details.items() if (amount := number(one)) is not None and amount >= 0}
    if not amounts:
        return None
    total = amounts.get("total")
    if total is None:
        return sum(nanousd(amount) for amount in amounts.values() if amount < 1e9)
    return nanousd(total) if total < 1e9 else None


def _first_token(span: Span, told: Any) -> int | None:
    from tallybook.ingest.importers.base import unix_us  # Only here; spares the importers' modules.

    match = _TIME.match(told) if isinstance(told, str) else None
    at_us = unix_us(match[1]) if match else None
    start_us = span.start_ns // 1000
    return at_us - start_us if at_us is not None and start_us <= at_us < start_us + 86_400_000_000 else None
