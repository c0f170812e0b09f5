"""Vercel AI SDK 3 to 6, and version 7's legacy class: spans `ai.*`, scope `ai`. (Version 7 proper speaks GenAI.)

`ai.generateText`, `ai.streamText`, `ai.embed` … are the outer spans, whose usage is that of all their steps; each
request to a model is a `….doGenerate`, `….doStream` or `….doEmbed` within, and only those are calls. Anthropic's and
Bedrock's figures stand in full in `ai.response.providerMetadata`, in the provider's own form; the SDK's own counts
left the cached input out of the input until version 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.ingest.dialects import context
from tallybook.ingest.dialects.genai import ttft_us
from tallybook.ingest.dialects.tokens import counts_of
from tallybook.ingest.dialects.told import CALL, Counts, Told
from tallybook.ingest.otlp.record import Span
from tallybook.providers.value import mapping, number, whole, word

INNER = ("doGenerate", "doStream", "doEmbed", "doRerank")
_OPERATIONS = {"doEmbed": "embeddings", "doRerank": "rerank"}
_FIRST = ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")


def is_vercel(attributes: dict[str, Any]) -> bool:
    """Whether a span is one of the SDK's own (and not version 7's, which speaks GenAI)."""
    return "ai.operationId" in attributes or (
        "gen_ai.operation.name" not in attributes and str(attributes.get("operation.name", "")).startswith("ai.")
    )


def read(span: Span) -> Told:
    """What a span of this SDK is."""
    attributes = span.attributes
    get = attributes.get
    operation = str(get("ai.operationId") or str(get("operation.name", "")).partition(" ")[0])
    last = operation.rpartition(".")[2]
    told = Told()
    context.fill(told, span)
    told.name = word(get("ai.telemetry.functionId"))
    if last == "toolCall":
        told.role = "tool"
        told.name = word(get("ai.toolCall.name"))
        told.tool_call_id = word(get("ai.toolCall.id"))
        return told
    if last not in INNER:
        told.role = "chain"
        return told
    told.role = CALL
    told.operation = _OPERATIONS.get(last, "chat")
    told.provider = word(get("ai.model.provider")) or word(get("gen_ai.system"))
    told.model = word(get("ai.model.id")) or word(get("gen_ai.request.model"))
    told.response_model = word(get("ai.response.model")) or word(get("gen_ai.response.model"))
    told.is_stream = last == "doStream"
    told.finish_reasons = context.texts(get("ai.response.finishReason") or get("gen_ai.response.finish_reasons"))
    first = next((value for name in _FIRST if (value := number(get(name))) is not None), None)
    told.ttft_us = ttft_us(span) if first is None else round(first * 1000) if 0 <= first < 86_400_000 else None
    told.response_id = response_id(word(get("ai.response.id")) or word(get("gen_ai.response.id")))
    told.counts = counts_of(span.usage) if span.usage else None
    _from_provider(told, get("ai.response.providerMetadata"))
    return told


def response_id(told: str | None) -> str | None:
    """The provider's id; the SDK makes one up (`aitxt-…`) where the provider gives none."""
    return None if told is None or told.startswith(("aitxt-", "aiobj-", "aigen-")) else told


def _from_provider(told: Told, text: Any) -> None:
    """What the provider's own metadata says beyond the SDK's counts: cache, tier, the id."""
    if isinstance(text, str):
        try:
            text = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return
    metadata = mapping(text)
    if not metadata:
        return
    openai = mapping(metadata.get("openai") or metadata.get("azure"))
    told.tier = word(openai.get("serviceTier"))
    told.response_id = told.response_id or word(openai.get("responseId"))
    anthropic = mapping(metadata.get("anthropic"))
    bedrock = mapping(metadata.get("bedrock"))
    if anthropic:
        _anthropic(told, anthropic)
    elif bedrock:
        _bedrock(told, mapping(bedrock.get("usage")))


def _anthropic(told: Told, metadata: Mapping[str, Any]) -> None:
    counts = told.counts or Counts()
    raw = mapping(metadata.get("usage"))
    if raw:
        counts.cache_read = _or(counts.cache_read, raw.get("cache_read_input_tokens"))
        counts.cache_write = _or(counts.cache_write, raw.get("cache_creation_input_tokens"))
        written = mapping(raw.get("cache_creation"))
        counts.cache_write_5m = _or(counts.cache_write_5m, written.get("ephemeral_5m_input_tokens"))
        counts.cache_write_1h = _or(counts.cache_write_1h, written.get("ephemeral_1h_input_tokens"))
        # Anthropic's own input never contains the cached part: the same figure here is without it, too.
        counts.is_input_without_cache = counts.input is not None and counts.input == whole(raw.get("input_tokens"))
        told.tier = word(raw.get("service_tier")) or told.tier
    else:
        counts.cache_write = _or(counts.cache_write, metadata.get("cacheCreationInputTokens"))
        counts.cache_read = _or(counts.cache_read, metadata.get("cacheReadInputTokens"))
    told.counts = counts


def _bedrock(told: Told, raw: Mapping[str, Any]) -> None:
    counts = told.counts or Counts()
    counts.cache_read = _or(counts.cache_read, raw.get("cacheReadInputTokens"))
    counts.cache_write = _or(counts.cache_write, raw.get("cacheWriteInputTokens"))
    total = whole(raw.get("totalTokens"))
    counts.total = total if total is not None else counts.total
    counts.is_input_without_cache = counts.input is not None and counts.input == whole(raw.get("inputTokens"))
    told.counts = counts


def _or(known: int | None, value: Any) -> int | None:
    return whole(value) if known is None else known
