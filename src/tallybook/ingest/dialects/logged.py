"""What coding agents' log events have in common: names, times, ids, the call of an event."""

from __future__ import annotations

from typing import Any, NamedTuple

from tallybook.ingest.dialects import build, context, ident
from tallybook.ingest.dialects.fitted import kept
from tallybook.ingest.dialects.told import Told
from tallybook.ingest.dialects.vendor import provider_of
from tallybook.ingest.otlp.record import Log
from tallybook.model.call import Call, Status, Step
from tallybook.model.limits import ERROR_MESSAGE_CHARS
from tallybook.providers.value import number, whole, word


class Happened(NamedTuple):
    """A log event's own name, without its sender's, and when it was."""

    sender: str
    event: str
    at_us: int


SENDERS = ("claude_code", "codex", "gemini_cli")


def happened(log: Log) -> Happened | None:
    """The event of a coding agent that a record is; `None` for any other record."""
    names = (log.event_name, log.attributes.get("event.name"), log.body)
    for name in names:
        if isinstance(name, str):
            sender, dot, event = name.partition(".")
            if dot and sender in SENDERS:
                return Happened(sender, event, log.time_ns // 1000)
    scope = log.scope.name.replace("-", "_")
    for sender in SENDERS:
        told = word(log.attributes.get("event.name"))
        if sender in scope and told is not None:
            return Happened(sender, told, log.time_ns // 1000)
    return None


def duration_us(attributes: dict[str, Any]) -> int | None:
    """`duration_ms`, as number or text."""
    value = attributes.get("duration_ms")
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    told = number(value)
    return round(told * 1000) if told is not None and 0 <= told < 31 * 86_400_000 else None


def parent_of(log: Log) -> str | None:
    """The step within which an event was logged, where it says so."""
    if not log.trace_id or not log.span_id:
        return None
    return ident.span_step_id(ident.span_tail(log.trace_id, log.span_id))


def user_of(attributes: dict[str, Any]) -> str | None:
    """Who uses the tool: the mail address, else an id."""
    return context.first(attributes, ("user.email", "user.id", "user.account_uuid", "user.account_id"))


def call_of(log: Log, event: Happened, told: Told, project: str | None) -> Call:
    """The call of an event that was logged when it ended. Its id is made of what the event says, so that it is the
    same when the event comes again."""
    attributes = log.attributes
    lasted = told.duration_us
    at_us = event.at_us - (lasted or 0)
    provider = provider_of(told.provider, None, told.response_model or told.model)
    status: Status = "error" if told.error_type is not None else "ok"
    usage, flags = build.usage_of(told, provider, status)
    told_by = [str(attributes.get(name, "")) for name in ("event.sequence", "prompt.id", "prompt_id", "request_id")]
    counts = [str(value) for value in (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens)]
    raw = {key: value for key, value in attributes.items() if "token" in key or key == "cost_usd"}
    return Call(
        call_id=ident.call_id(
            at_us, event.sender, told.session or "", str(log.time_ns), event.event, told.model or "", *told_by, *counts
        ),
        started_at_us=max(at_us, 0),
        operation=told.operation,
        name=told.name,
        provider=provider,
        model=build.cut(told.model),
        response_model=build.cut(told.response_model),
        response_id=build.cut(told.response_id),
        run_id=build.cut(told.session),
        parent_id=parent_of(log),
        duration_us=lasted,
        ttft_us=told.ttft_us,
        usage=usage,
        usage_raw=raw or None,
        status=status,
        error_type=build.cut(told.error_type),
        error_message=build.cut(told.error_message, ERROR_MESSAGE_CHARS),
        http_status=told.http_status,
        project=project,
        user_id=build.cut(told.user),
        session_id=build.cut(told.session),
        agent_name=told.agent,
        metadata=build.with_reckoning(kept(told.metadata)[0], attributes.get("cost_usd")),
        service_tier=told.tier,
        is_stream=told.is_stream,
        source=build.SOURCE,
        parameters=told.parameters,
        flags=flags,
    )


def tool_of(log: Log, event: Happened, session: str | None, name: str | None, use_id: str | None) -> Step:
    """The step of a tool that was used."""
    attributes = log.attributes
    lasted = duration_us(attributes)
    at_us = max(event.at_us - (lasted or 0), 0)
    has_failed = str(attributes.get("success", "true")).lower() == "false"
    order = str(attributes.get("event.sequence", ""))
    return Step(
        step_id=ident.call_id(at_us, event.sender, session or "", str(log.time_ns), name or "", use_id or "", order),
        started_at_us=at_us,
        kind="tool",
        name=build.cut(name) or "tool",
        run_id=build.cut(session),
        parent_id=parent_of(log),
        duration_us=lasted,
        status="error" if has_failed else "ok",
        error_message=build.cut(word(attributes.get("error")), ERROR_MESSAGE_CHARS) if has_failed else None,
        tool_call_id=build.cut(use_id),
    )


def count(attributes: dict[str, Any], name: str) -> int | None:
    """A whole number, also told as text."""
    return whole(attributes.get(name))
