"""OpenInference (Phoenix, Arize): `openinference.span.kind` says what a span is, `llm.*` what a model used.

Only LLM, EMBEDDING and RERANKER spans are calls. There is no attribute for the response's id; where the raw answer is
kept in `output.value`, it stands at the front of it. An LLM span without it and the span of the SDK underneath are one
call all the same (`twin`).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tallybook.ingest.dialects import context
from tallybook.ingest.dialects.genai import ttft_us
from tallybook.ingest.dialects.tokens import counts_of
from tallybook.ingest.dialects.told import CALL, Told
from tallybook.ingest.otlp.record import Span
from tallybook.providers.value import mapping, word

CALLS = {"LLM": "chat", "EMBEDDING": "embeddings", "RERANKER": "rerank"}
STEPS = {
    "CHAIN": "chain", "RETRIEVER": "retrieval", "TOOL": "tool", "AGENT": "agent", "GUARDRAIL": "chain",
    "EVALUATOR": "chain", "PROMPT": "chain", "DECISION": "chain",
}  # fmt: skip
_MODELS = ("llm.request.model_name", "llm.model_name", "embedding.model_name", "reranker.model_name")
_ID = re.compile(rb'^\s*\{\s*"(?:id|responseId|response_id)"\s*:\s*"([A-Za-z0-9_.:-]{8,128})"')
_LATE_ID = re.compile(rb'"(?:responseId|response_id)"\s*:\s*"([A-Za-z0-9_.:-]{8,128})"')
_TIER = re.compile(rb'"service_tier"\s*:\s*"([a-z_]{1,32})"')
_PARAMETERS = frozenset((
    "max_tokens", "max_completion_tokens", "max_output_tokens", "temperature", "top_p", "top_k", "seed", "n",
    "frequency_penalty", "presence_penalty", "reasoning_effort", "service_tier",
))  # fmt: skip


def read(span: Span) -> Told:
    """What a span of this convention is."""
    attributes = span.attributes
    get = attributes.get
    kind = str(get("openinference.span.kind")).upper()
    told = Told(role=CALL if kind in CALLS else STEPS.get(kind, "chain"))
    context.fill(told, span)
    _own(told, get("metadata"), get("tag.tags"))
    if told.role != CALL:
        told.tool_call_id = word(get("tool.id")) or word(get("gen_ai.tool.call.id"))
        told.name = word(get("tool.name")) if told.role == "tool" else word(get("graph.node.id"))
        return told
    told.operation = CALLS[kind]
    told.provider = word(get("llm.provider")) or word(get("llm.system")) or word(get("gen_ai.system"))
    told.model = context.first(attributes, _MODELS)
    if kind == "LLM" and "google" in span.scope.name:
        told.operation = "generate_content"
    told.response_model = word(get("llm.response.model_name")) or word(get("embedding.model_name"))
    if told.response_model is None and "llm.request.model_name" not in attributes:
        told.response_model = word(get("llm.model_name"))  # Older versions put the answering model there.
    told.counts = counts_of(span.usage) if span.usage else None
    told.finish_reasons = context.texts(get("llm.finish_reason"))
    told.ttft_us = ttft_us(span)
    _parameters(told, get("llm.invocation_parameters") or get("embedding.invocation_parameters"))
    told.response_id = word(get("gen_ai.response.id")) or response_id(span.content.get("output.value"))
    told.tier = _found(_TIER, span.content.get("output.value"))
    return told


def response_id(answer: Any) -> str | None:
    """The id in a raw answer; only the provider's own form has it at the very front, or under Gemini's name."""
    return _found(_ID, answer) or _found(_LATE_ID, answer)


def _found(pattern: re.Pattern[bytes], answer: Any) -> str | None:
    if not isinstance(answer, bytes):
        return None
    match = pattern.search(answer, 0, 1 << 20)
    return match[1].decode() if match else None


def _own(told: Told, metadata: Any, tags: Any) -> None:
    """The application's metadata, as JSON text or an object, and its tags."""
    if isinstance(metadata, str):
        try:
            metadata = msgspec.json.decode(metadata)
        except (msgspec.DecodeError, RecursionError):
            metadata = None
    own = mapping(metadata)
    if own:
        told.metadata = {**told.metadata, **own}
    if tags is not None:
        told.tags = context.texts(tags)


def _parameters(told: Told, text: Any) -> None:
    if not isinstance(text, str) or len(text) > 65_536:
        return
    try:
        asked = mapping(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        return
    told.is_stream = asked.get("stream") is True
    told.parameters = {
        **told.parameters,
        **{
            name: value for name, value in asked.items() if name in _PARAMETERS and isinstance(value, (int, float, str))
        },
    }
