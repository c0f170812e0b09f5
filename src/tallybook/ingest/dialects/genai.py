"""OpenTelemetry's GenAI conventions, from v1.27 to what follows v1.41: spans by the official instrumentations, the
Anthropic SDK's own, OpenLIT, Vercel AI SDK 7, and whoever else writes them.

`gen_ai.operation.name` says what a span is. Only inference is a call; agents, workflows and tools are steps, also when
they repeat what their children used.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tallybook.ingest.dialects import context
from tallybook.ingest.dialects.tokens import counts_of
from tallybook.ingest.dialects.told import CALL, IGNORED, Told
from tallybook.ingest.otlp.record import Span
from tallybook.model.money import nanousd
from tallybook.providers.value import number, word

OPERATIONS: dict[str, str] = {
    "chat": "chat",
    "completion": "text_completion",
    "text_completion": "text_completion",
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "generate_content": "generate_content",
    "generate": "chat",
    "image": "image_generation",
    "image_generation": "image_generation",
    "generate_image": "image_generation",
    "speech": "speech",
    "audio": "speech",
    "text_to_speech": "speech",
    "transcription": "transcription",
    "speech_to_text": "transcription",
    "rerank": "rerank",
    "moderation": "moderation",
    "realtime": "realtime",
    "response": "chat",
    "responses": "chat",
    "messages": "chat",
    "message": "chat",
}
"""Operations that are one request to a model, and the ledger's word for each."""

STEPS: dict[str, str] = {
    "invoke_agent": "agent",
    "create_agent": "agent",
    "execute_tool": "tool",
    "invoke_workflow": "workflow",
    "retrieval": "retrieval",
    "plan": "chain",
    "fetch_response": "chain",
    "search_memory": "retrieval",
    "create_memory": "tool",
    "update_memory": "tool",
    "upsert_memory": "tool",
    "delete_memory": "tool",
    "create_memory_store": "tool",
    "delete_memory_store": "tool",
    "handoff": "chain",
    "evaluate": "chain",
    "evaluation": "chain",
    "guardrail": "chain",
}
"""Operations that are none, and the kind of step each is."""

_TIERS = (
    "openai.response.service_tier", "gen_ai.openai.response.service_tier", "anthropic.response.service_tier",
)  # fmt: skip
_FIRST_TOKEN = frozenset(("gen_ai.content.completion.chunk", "First Token Stream Event", "ai.stream.firstChunk"))
LOSSES: tuple[tuple[str, str, str], ...] = (
    ("opentelemetry.instrumentation.openai_v2", "cache_read,cache_write,reasoning,audio", ""),
    ("opentelemetry.instrumentation.openai.", "cache_write,audio", "cache_write,audio,reasoning"),
    ("opentelemetry.instrumentation.anthropic", "reasoning", "reasoning,stream_totals"),
    ("opentelemetry.instrumentation.google_generativeai", "audio", ""),
)
"""What the spans of a scope never tell: of whole answers and, where it is more, of streams (`docs/otlp.md`)."""


def is_genai(attributes: dict[str, Any]) -> bool:
    """Whether a span speaks of models in these conventions at all."""
    return (
        "gen_ai.operation.name" in attributes
        or "gen_ai.provider.name" in attributes
        or "gen_ai.system" in attributes
        or "gen_ai.request.model" in attributes
        or "gen_ai.agent.name" in attributes
        or "gen_ai.tool.name" in attributes
        or "llm.request.type" in attributes
    )


def read(span: Span) -> Told:
    """What a span of these conventions is."""
    attributes = span.attributes
    get = attributes.get
    told = Told(
        provider=word(get("gen_ai.provider.name")) or word(get("gen_ai.system")),
        address=word(get("server.address")),
        model=word(get("gen_ai.request.model")),
        response_model=word(get("gen_ai.response.model")),
        response_id=word(get("gen_ai.response.id")),
    )
    context.fill(told, span)
    told.role = role_of(span, told)
    if told.role != CALL:
        told.tool_call_id = word(get("gen_ai.tool.call.id"))
        told.name = (
            word(get("gen_ai.tool.name")) if told.role == "tool" else told.agent if told.role == "agent" else None
        )
        return told
    told.operation = operation_of(attributes)
    told.counts = counts_of(span.usage) if span.usage else None
    reasons = get("gen_ai.response.finish_reasons")
    if reasons is not None:
        told.finish_reasons = context.texts(reasons)
    told.is_stream = bool(get("gen_ai.request.stream") or get("llm.is_streaming") or get("gen_ai.is_streaming"))
    told.ttft_us = ttft_us(span)
    for name in _TIERS:
        if name in attributes:
            told.tier = word(attributes[name])
    if "gen_ai.usage.cost" in span.usage:
        told.cost_nanousd = stated_cost(span)
    lost = losses(span.scope.name, told.is_stream)
    if lost is not None:
        told.is_lossy = True
        if told.error_type is None:
            told.flags = (f"lost_by_exporter:{lost}",)
    return told


@lru_cache(maxsize=1024)
def losses(scope: str, is_stream: bool) -> str | None:
    """What a library's spans never tell; `None` where nothing is known to be lost."""
    for prefix, whole_answers, streams in LOSSES:
        if scope.startswith(prefix):
            return streams or whole_answers if is_stream else whole_answers
    return None


def role_of(span: Span, told: Told) -> str:
    """Whether a span is a call, and else what kind of step."""
    attributes = span.attributes
    operation = attributes.get("gen_ai.operation.name")
    if isinstance(operation, str) and operation:
        operation = operation.lower()
        if operation in OPERATIONS:
            return CALL
        if operation in STEPS:
            return STEPS[operation]
        has_model = told.model is not None or told.response_model is not None
        return CALL if has_model and span.usage and span.kind != 1 else "chain"
    if "gen_ai.tool.name" in attributes or "gen_ai.tool.call.id" in attributes:
        return "tool"
    if told.model is not None or told.response_model is not None:
        return CALL
    if told.agent is not None:
        return "agent"
    return "chain" if told.provider is not None or span.usage else IGNORED


def operation_of(attributes: dict[str, Any]) -> str:
    """The ledger's word for a call's operation."""
    told = word(attributes.get("gen_ai.operation.name")) or word(attributes.get("llm.request.type")) or "chat"
    return OPERATIONS.get(told.lower(), told)


def ttft_us(span: Span) -> int | None:
    """Time to the first chunk: told in seconds, or by the first event of its kind; `None` when not measured."""
    get = span.attributes.get
    told = get("gen_ai.response.time_to_first_chunk")
    if told is None:
        told = get("gen_ai.client.operation.time_to_first_chunk")
        if told is None:
            told = get("gen_ai.server.time_to_first_token")
    seconds = number(told)
    if seconds is not None:
        return round(seconds * 1_000_000) if 0 <= seconds < 86_400 else None
    for event in span.events:
        if event.name in _FIRST_TOKEN and 0 < span.start_ns <= event.time_ns < span.start_ns + 86_400_000_000_000:
            return (event.time_ns - span.start_ns) // 1000
    return None


def stated_cost(span: Span) -> int | None:
    """The cost where the provider itself states it: OpenRouter's. Other libraries work theirs out from a list."""
    names = (span.attributes.get("gen_ai.provider.name"), span.attributes.get("gen_ai.system"), span.scope.name)
    if not any(isinstance(name, str) and "openrouter" in name.lower() for name in names):
        return None
    told = number(span.usage.get("gen_ai.usage.cost"))
    return nanousd(told) if told is not None and 0 <= told < 1e9 else None
