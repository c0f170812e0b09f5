"""Calls and steps from what a dialect told: ids, usage in normal form, limits."""

from __future__ import annotations

from typing import Any

from tallybook.ingest.dialects import ident, tokens
from tallybook.ingest.dialects.fitted import kept
from tallybook.ingest.dialects.message import Heard
from tallybook.ingest.dialects.told import CALL, Told
from tallybook.ingest.dialects.vendor import provider_of
from tallybook.ingest.otlp.record import Span
from tallybook.model.call import Call, Cost, Status, Step
from tallybook.model.limits import ERROR_MESSAGE_CHARS, FIELD_CHARS
from tallybook.model.usage import Usage
from tallybook.providers.detect import is_usual
from tallybook.providers.value import number

SOURCE = "otlp"
_US_MAX = 4_102_444_800_000_000
"""The year 2100. A time beyond is a clock that is not set."""
_DURATION_US_MAX = 31 * 86_400_000_000
_NO_USAGE = Usage()


def is_plausible(start_ns: int) -> bool:
    """Whether a start can be one: after 1970 and before 2100."""
    return 0 < start_ns < _US_MAX * 1000


def cut(text: str | None, limit: int = FIELD_CHARS) -> str | None:
    """A text within its limit."""
    return text if text is None or len(text) <= limit else text[:limit]


RECKONED = ("operation.cost", "gen_ai.usage.cost", "llm.cost.total")
"""Attributes with a cost that a library worked out from a list of its own (Logfire, OpenLIT, OpenInference)."""


def with_reckoning(metadata: dict[str, Any], value: Any) -> dict[str, Any]:
    """Metadata with the sender's own reckoning in USD, which counts only where no price is known (`reckoned`)."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return metadata
    amount = number(value)
    return metadata if amount is None or not 0 < amount < 1e9 else {**metadata, "otlp_cost_usd": amount}


def usage_of(told: Told, provider: str, status: Status) -> tuple[Usage, tuple[str, ...]]:
    """Usage in normal form with its flags."""
    flags = told.flags
    if told.usage is not None:
        return told.usage, flags
    if told.counts is None:
        return _NO_USAGE, ("usage_missing", *flags) if status == "ok" else ()
    usage, odd = tokens.settle(told.counts, provider)
    if usage.input_tokens is None and usage.output_tokens is None and status == "ok":
        odd = ("usage_missing", *odd)
    return usage, (*odd, *flags) if odd else flags


def call_of(
    told: Told, span: Span, span_tail: str, heard: Heard, run_id: str | None, parent_id: str | None, project: str | None
) -> Call:
    """The call of a span whose role is `CALL`."""
    started_at_us = span.start_ns // 1000 if told.started_at_us is None else told.started_at_us
    duration_us = told.duration_us
    if duration_us is None and span.end_ns >= span.start_ns:
        duration_us = (span.end_ns - span.start_ns) // 1000
    model = cut(told.model)
    provider = provider_of(cut(told.provider), cut(told.address), told.response_model or model)
    status: Status = "error" if told.error_type is not None else "ok"
    usage, flags = usage_of(told, provider, status)
    metadata, dropped = kept(told.metadata)
    for name in RECKONED:
        if name in span.usage:
            metadata = with_reckoning(metadata, span.usage[name])
    if dropped:
        flags = (*flags, *dropped)
    cost = told.cost_nanousd
    return Call(
        call_id=told.call_id or ident.span_call_id(started_at_us, span_tail),
        started_at_us=started_at_us,
        operation=told.operation if len(told.operation) < 100 else told.operation[:100],
        name=cut(told.name),
        provider=provider,
        model=model,
        response_model=cut(told.response_model),
        response_id=cut(told.response_id),
        run_id=run_id,
        parent_id=parent_id,
        duration_us=duration_us if duration_us is not None and duration_us <= _DURATION_US_MAX else None,
        ttft_us=told.ttft_us,
        usage=usage,
        usage_raw=span.usage or None,
        cost=None if cost is None else Cost(status="reported", total_nanousd=cost),
        tool_calls=heard.tool_calls,
        finish_reasons=told.finish_reasons,
        status=status,
        error_type=cut(told.error_type),
        error_message=cut(told.error_message, ERROR_MESSAGE_CHARS),
        http_status=told.http_status,
        project=project,
        environment=cut(told.environment),
        user_id=cut(told.user),
        session_id=cut(told.session),
        agent_name=cut(told.agent),
        tags=told.tags,
        metadata=metadata,
        service_tier=cut(told.tier),
        base_url=None if told.address is None or is_usual(told.address) else cut(told.address),
        is_stream=told.is_stream,
        # Who is called by something and does not know its session may be the inner span of two: the other goes first.
        may_repeat=told.is_lossy or (parent_id is not None and told.session is None),
        source=SOURCE,
        prompt_hash=heard.prompt_hash,
        response_hash=heard.response_hash,
        parameters=told.parameters,
        flags=flags,
    )


def step_of(told: Told, span: Span, span_tail: str, run_id: str | None, parent_id: str | None) -> Step:
    """The step of a span that is none: what it claims to have used is kept beside, and never counted."""
    metadata = dict(told.metadata)
    if span.usage:
        metadata["reported_usage"] = span.usage
    metadata, _ = kept(metadata)
    duration_us = (span.end_ns - span.start_ns) // 1000
    return Step(
        step_id=ident.span_step_id(span_tail),
        started_at_us=span.start_ns // 1000,
        kind="chain" if told.role == CALL else told.role,
        name=cut(told.name or span.name) or "",
        run_id=run_id,
        parent_id=parent_id,
        duration_us=duration_us if 0 <= duration_us <= _DURATION_US_MAX else None,
        status="error" if told.error_type is not None else "ok",
        error_message=cut(told.error_message, ERROR_MESSAGE_CHARS),
        tool_call_id=cut(told.tool_call_id),
        metadata=metadata,
    )
