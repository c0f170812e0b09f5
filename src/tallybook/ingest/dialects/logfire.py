"""Logfire and pydantic-ai: GenAI conventions with Logfire's own beside them.

A streamed call gives two records: the span of the request, which ends before anything was streamed, and a log of zero
length at the stream's end with what was used. The log is the call, and the span a step. Spans that only announce
themselves (`pending_span`) are passed over. `gen_ai.usage.raw` and OpenAI Agents' `usage` hold the provider's own
counts, which go before the attributes. `operation.cost` is worked out by the library and is not taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.ingest.dialects import genai
from tallybook.ingest.dialects.told import CALL, IGNORED, Told
from tallybook.ingest.otlp.record import Span
from tallybook.providers import anthropic_messages, openai_usage
from tallybook.providers.value import mapping, number, word


def is_logfire(attributes: dict[str, Any]) -> bool:
    """Whether a span was made by Logfire's SDK or by pydantic-ai."""
    return "logfire.span_type" in attributes or "logfire.msg" in attributes


def read(span: Span) -> Told:
    """What a span is."""
    attributes = span.attributes
    told = genai.read(span)
    if attributes.get("logfire.span_type") == "pending_span":
        return Told(role=IGNORED)
    if told.role == IGNORED:
        if "openai_agents" in span.scope.name or "pydantic-ai" in span.scope.name:
            told.role = "chain"
        return told
    name = word(attributes.get("logfire.msg"))
    if told.role != CALL:
        told.name = told.name or name
        if "model_name" in attributes and told.role == "chain":
            told.role = "agent"
        return told
    is_log = attributes.get("logfire.span_type") == "log"
    if is_log:
        told.is_stream = True
        seconds = number(attributes.get("duration"))
        if seconds is not None and 0 <= seconds < 86_400:
            told.duration_us = round(seconds * 1_000_000)
            told.started_at_us = span.end_ns // 1000 - told.duration_us
    elif not span.usage and told.response_id is None and _asked_for_stream(span):
        told.role = "chain"
        return told
    _raw(told, span)
    return told


def _asked_for_stream(span: Span) -> bool:
    asked = span.content.get("request_data")
    if isinstance(asked, bytes):
        return b'"stream":true' in asked.replace(b" ", b"")
    return mapping(asked).get("stream") is True


def _object(value: Any) -> Mapping[str, Any]:
    if isinstance(value, (str, bytes)):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return {}
    return mapping(value)


def _raw(told: Told, span: Span) -> None:
    """The provider's own usage object, where it is there and of a form that is known."""
    raw = _object(span.usage.get("gen_ai.usage.raw")) or _object(span.usage.get("usage"))
    if not raw:
        return
    if "cache_creation_input_tokens" in raw or told.provider == "anthropic":
        usage, flags, _ = anthropic_messages.usage_of(raw)
    else:
        usage, flags, _ = openai_usage.counted(raw)
    if usage.input_tokens is not None or usage.output_tokens is not None:
        told.usage = usage
        told.flags = flags
