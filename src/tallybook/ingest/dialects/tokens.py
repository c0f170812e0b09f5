"""Token counts of all conventions in the ledger's normal form.

One table of names, since no two conventions use one name for two things; one place that decides whether the input
includes what came from the cache. The rules, in order: a library that is known to leave it out; parts greater than the
input; a total that only adds up with the parts beside the input. Otherwise the input includes them, as the
OpenTelemetry conventions demand.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tallybook.ingest.dialects.told import Counts
from tallybook.model.usage import Usage, is_sound
from tallybook.providers.accounting import settled
from tallybook.providers.value import whole

FIELDS: dict[str, str] = {
    # OpenTelemetry GenAI, now and before
    "gen_ai.usage.input_tokens": "input",
    "gen_ai.usage.prompt_tokens": "input",
    "gen_ai.usage.output_tokens": "output",
    "gen_ai.usage.completion_tokens": "output",
    "gen_ai.usage.total_tokens": "total",
    "gen_ai.usage.cache_read.input_tokens": "cache_read",
    "gen_ai.usage.cache_write.input_tokens": "cache_write",
    "gen_ai.usage.cache_creation.input_tokens": "cache_write",
    "gen_ai.usage.reasoning.output_tokens": "reasoning",
    "gen_ai.usage.audio.input_tokens": "input_audio",
    "gen_ai.usage.image.input_tokens": "input_image",
    "gen_ai.usage.audio.output_tokens": "output_audio",
    "gen_ai.usage.image.output_tokens": "output_image",
    "gen_ai.usage.audio.cache_read.input_tokens": "cache_read_audio",
    # Vendors' spellings below the same prefix
    "gen_ai.usage.cache_read_input_tokens": "cache_read",
    "gen_ai.usage.cached_input_tokens": "cache_read",
    "gen_ai.usage.input_cached_tokens": "cache_read",
    "gen_ai.usage.input_tokens.cached": "cache_read",
    "gen_ai.usage.prompt_tokens_details.cached_tokens": "cache_read",
    "gen_ai.usage.cached_tokens": "cache_read",
    "gen_ai.usage.details.cache_read_tokens": "cache_read",
    "gen_ai.usage.details.cache_read_input_tokens": "cache_read",
    "gen_ai.usage.details.cached_tokens": "cache_read",
    "gen_ai.usage.cache_creation_input_tokens": "cache_write",
    "gen_ai.usage.cache_write_tokens": "cache_write",
    "gen_ai.usage.input_tokens.cache_write": "cache_write",
    "gen_ai.usage.input_cache_creation": "cache_write",
    "gen_ai.usage.details.cache_write_tokens": "cache_write",
    "gen_ai.usage.details.cache_creation_input_tokens": "cache_write",
    "gen_ai.usage.input_cache_creation_5m": "cache_write_5m",
    "gen_ai.usage.input_cache_creation_1h": "cache_write_1h",
    "gen_ai.usage.reasoning_tokens": "reasoning",
    "gen_ai.usage.output_tokens.reasoning": "reasoning",
    "gen_ai.usage.details.reasoning_tokens": "reasoning",
    "gen_ai.usage.details.thoughts_tokens": "reasoning",
    "gen_ai.usage.completion_tokens_details.reasoning_tokens": "reasoning",
    "gen_ai.usage.details.input_audio_tokens": "input_audio",
    "gen_ai.usage.input_audio_tokens": "input_audio",
    "gen_ai.usage.details.output_audio_tokens": "output_audio",
    "gen_ai.usage.output_audio_tokens": "output_audio",
    "gen_ai.usage.details.cache_audio_read_tokens": "cache_read_audio",
    "llm.usage.prompt_tokens": "input",
    "llm.usage.completion_tokens": "output",
    "llm.usage.total_tokens": "total",
    "llm.usage.cache_read_input_tokens": "cache_read",
    "llm.usage.cache_creation_input_tokens": "cache_write",
    "llm.usage.reasoning_tokens": "reasoning",
    # Anthropic's own SDK
    "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    # OpenInference
    "llm.token_count.prompt": "input",
    "llm.token_count.completion": "output",
    "llm.token_count.total": "total",
    "llm.token_count.prompt_details.cache_read": "cache_read",
    "llm.token_count.prompt_details.cache_write": "cache_write",
    "llm.token_count.prompt_details.cache_input": "cache_read",
    "llm.token_count.prompt_details.audio": "input_audio",
    "llm.token_count.prompt_details.image": "input_image",
    "llm.token_count.completion_details.reasoning": "reasoning",
    "llm.token_count.completion_details.audio": "output_audio",
    "llm.token_count.completion_details.image": "output_image",
    # Vercel AI SDK
    "ai.usage.inputTokens": "input",
    "ai.usage.promptTokens": "input",
    "ai.usage.tokens": "input",
    "ai.usage.outputTokens": "output",
    "ai.usage.completionTokens": "output",
    "ai.usage.totalTokens": "total",
    "ai.usage.cachedInputTokens": "cache_read",
    "ai.usage.inputTokenDetails.cacheReadTokens": "cache_read",
    "ai.usage.inputTokenDetails.cacheWriteTokens": "cache_write",
    "ai.usage.outputTokenDetails.reasoningTokens": "reasoning",
    "ai.usage.reasoningTokens": "reasoning",
}
"""Attribute to the field of `Counts` that it fills. Of several names for one field the first that is told counts."""

_field_of = FIELDS.get


def counts_of(usage: dict[str, Any]) -> Counts:
    """What a span's counting attributes tell. What is no whole number is unknown."""
    counts = Counts()
    for key, value in usage.items():
        field = _field_of(key)
        if field is not None:
            if type(value) is not int:
                value = whole(value)
            if value is not None and getattr(counts, field) is None:
                setattr(counts, field, value)
    return counts


def _written(counts: Counts) -> int | None:
    if counts.cache_write is not None:
        return counts.cache_write
    if counts.cache_write_5m is None and counts.cache_write_1h is None:
        return None
    return (counts.cache_write_5m or 0) + (counts.cache_write_1h or 0)


def is_exclusive(counts: Counts, parts: int) -> bool:
    """Whether the input is told without its cached parts."""
    if not parts or counts.input is None:
        return False
    if counts.is_input_without_cache or parts > counts.input:
        return True
    if counts.total is None or counts.output is None:
        return False
    return counts.total == counts.input + counts.output + parts


def settle(counts: Counts, provider: str) -> tuple[Usage, tuple[str, ...]]:
    """Usage in normal form, and what was odd about it. `provider` as the ledger names it."""
    flags: tuple[str, ...] = ()
    input_tokens, output_tokens = counts.input, counts.output
    written = _written(counts)
    parts = (counts.cache_read or 0) + (written or 0)
    reasoning = counts.reasoning
    if parts and input_tokens is not None and is_exclusive(counts, parts):
        input_tokens += parts
    if output_tokens is not None:
        total = counts.total
        if total is not None and input_tokens is not None and provider in _THOUGHTS_BESIDE:
            beside = total - input_tokens - output_tokens
            if beside > 0:
                output_tokens += beside
                reasoning = beside if reasoning is None else reasoning
                flags = ("reasoning_from_total",)
        if reasoning is not None and reasoning > output_tokens:
            output_tokens += reasoning
            flags = (*flags, "reasoning_beside_output")
    long = counts.cache_write_1h
    if written and counts.cache_write_5m is None and long is None:
        if provider in _TWO_LIFETIMES:
            flags = (*flags, "cache_ttl_unknown")
        short: int | None = written
    else:
        short = counts.cache_write_5m
        if short is None and written is not None:
            short = written - (long or 0)
    heard = counts.cache_read_audio or 0
    usage = Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=counts.cache_read,
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
        input_audio_tokens=counts.input_audio,
        input_image_tokens=counts.input_image,
        reasoning_tokens=reasoning,
        output_audio_tokens=counts.output_audio,
        output_image_tokens=counts.output_image,
        quantities={"cache_read_audio_tokens": heard} if 0 < heard <= (counts.cache_read or 0) else {},
    )
    if is_sound(usage):
        return usage, flags
    usage, faults = settled(usage)
    return usage, (*flags, *faults)


_THOUGHTS_BESIDE = frozenset(("google", "google-vertex"))
"""Their candidates exclude the thoughts, and some exporters pass that on: the total tells."""
_TWO_LIFETIMES = frozenset(("anthropic", "aws", "google-vertex", "vercel"))
"""A written cache lives five minutes or an hour at two prices; told without the time, it is taken as five minutes."""


def merged(first: Usage, second: Usage) -> Usage:
    """Two tellings of one call's usage: what one leaves open, the other fills in; the first wins otherwise.

    How long what was written to the cache lives is taken from whoever tells it.
    """
    values = {
        name: value
        for name in Usage.__struct_fields__
        if name not in _WRITES and not getattr(first, name) and (value := getattr(second, name))
    }
    tells_more = not first.cache_write_1h_tokens and bool(second.cache_write_1h_tokens)
    tells_none = first.cache_write_5m_tokens is None and first.cache_write_1h_tokens is None
    if tells_more or tells_none:
        values |= {name: value for name in _WRITES if (value := getattr(second, name)) != getattr(first, name)}
    return settled(msgspec.structs.replace(first, **values))[0] if values else first


_WRITES = ("cache_write_5m_tokens", "cache_write_1h_tokens")
