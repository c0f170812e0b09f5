"""Spans of any convention to calls, steps and contents: which convention a span is of, and what it comes to.

Spans of one payload are seen together: a session that one span of a trace names holds for the others of it, and two
spans of one call (`twin`) are one there and then. What lies in another payload, `ingest.spans` finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tallybook.ingest.arrival import Content, Refused
from tallybook.ingest.dialects import (
    build,
    genai,
    ident,
    langfuse_spans,
    logfire,
    message,
    openinference,
    openllmetry,
    ours,
    vercel,
)
from tallybook.ingest.dialects.told import CALL, IGNORED, Told
from tallybook.ingest.otlp.record import Resource, Span
from tallybook.model.call import Call, Step
from tallybook.providers.value import word

PROJECT = ("openinference.project.name", "service.name")
_ENVIRONMENT = ("deployment.environment.name", "deployment.environment")
_UNNAMED_SERVICE = "unknown_service"


SDK_SCOPES = ("com.anthropic.sdk.",)
"""Scopes of SDKs that instrument themselves."""


class Seen(NamedTuple):
    """A call with the span it is of, and its parent's."""

    call: Call
    tail: str
    parent_tail: str | None
    outer_tails: tuple[str, ...] = ()
    """Spans around it that are of the same request."""
    is_sdks: bool = False
    """The SDK's own span, which every request of it has."""


class Meaning(NamedTuple):
    """What spans came to."""

    calls: list[Seen]
    steps: list[Step]
    contents: list[Content]
    refused: list[Refused]
    ignored: int
    """Spans that have nothing to do with models."""


def told_of(span: Span) -> Told:
    """What one span is, by the convention it is of."""
    attributes = span.attributes
    if ours.is_ours(span):
        return ours.read(span)
    if langfuse_spans.is_langfuse(attributes):
        return langfuse_spans.read(span)
    if "openinference.span.kind" in attributes:
        return openinference.read(span)
    if vercel.is_vercel(attributes):
        return vercel.read(span)
    if openllmetry.is_step(span):
        return openllmetry.read_step(span)
    if logfire.is_logfire(attributes):
        return logfire.read(span)
    if genai.is_genai(attributes):
        return genai.read(span)
    return _agent_tool(span)


def _agent_tool(span: Span) -> Told:
    """Claude Code's and Codex's own spans: their log events count, so that all of these are steps."""
    name = span.name
    if name.startswith(("claude_code.", "codex.", "gemini_cli.")):
        last = name.rpartition(".")[2]
        kind = "tool" if last.startswith("tool") else "agent" if last == "interaction" else "chain"
        return Told(role=kind, name=word(span.attributes.get("tool.name")) or name)
    return Told(role=IGNORED)


def project_of(resource: Resource, routed: str | None) -> str | None:
    """The project: what the request said, else the resource's own words."""
    if routed:
        return routed
    for name in PROJECT:
        found = word(resource.attributes.get(name))
        if found and not found.startswith(_UNNAMED_SERVICE):
            return found
    return None


def read(spans: Sequence[Span], *, project: str | None = None, with_content: bool = False) -> Meaning:
    """What spans come to. `project` is what the request says it is of; `with_content` when texts are to be kept."""
    meaning = Meaning([], [], [], [], 0)
    ignored = 0
    sessions: dict[bytes, str] = {}
    found: list[tuple[Span, Told]] = []
    for position, span in enumerate(spans):
        if not span.trace_id or not span.span_id:
            meaning.refused.append(
                Refused(position, "required", "a span has no trace id or no span id", field="spans", hint=_NO_IDS)
            )
            continue
        told = told_of(span)
        if told.role == IGNORED:
            ignored += 1
            continue
        if not build.is_plausible(span.start_ns):
            meaning.refused.append(
                Refused(
                    position, "invalid", f"a span starts at {span.start_ns} ns since 1970, which is no time",
                    hint="set the sender's clock; times are nanoseconds since 1970", field="start_time_unix_nano",
                    id=span.span_id.hex(),
                )
            )  # fmt: skip
            continue
        if told.session is not None:
            sessions.setdefault(span.trace_id, told.session)
        found.append((span, told))
    places: dict[int, tuple[str | None, str | None]] = {}
    for span, told in found:
        place = places.get(id(span.resource))
        if place is None:
            place = places[id(span.resource)] = (project_of(span.resource, project), _environment(span.resource))
        if told.environment is None:
            told.environment = place[1]
        _put(meaning, span, told, sessions, place[0], with_content)
    return meaning._replace(ignored=ignored)


_NO_IDS = "a payload of logs decodes like this: send logs to /v1/logs"


def _environment(resource: Resource) -> str | None:
    for name in _ENVIRONMENT:
        found = word(resource.attributes.get(name))
        if found:
            return found
    return None


def _put(
    meaning: Meaning, span: Span, told: Told, sessions: dict[bytes, str], project: str | None, with_content: bool
) -> None:
    trace_id = span.trace_id
    run_id: str | None
    if told.call_id is not None:  # A call of ours knows what it belongs to, nothing included.
        run_id = build.cut(told.run)
    else:
        told.session = told.session or sessions.get(trace_id)
        run_id = build.cut(told.session) or trace_id.hex()
    tail = ident.span_tail(trace_id, span.span_id)
    parent_tail = ident.span_tail(trace_id, span.parent_id) if span.parent_id else None
    parent_id = None if parent_tail is None else ident.span_step_id(parent_tail)
    if told.role != CALL:
        meaning.steps.append(build.step_of(told, span, tail, run_id, parent_id))
        return
    content: dict[str, Any] = span.content
    if span.events:
        content = message.with_events(content, span.events)
    call = build.call_of(told, span, tail, message.heard(content), run_id, parent_id, project)
    meaning.calls.append(Seen(call, tail, parent_tail, is_sdks=span.scope.name.startswith(SDK_SCOPES)))
    if with_content and content:
        prompt, response = message.prompt_of(content), message.response_of(content)
        if prompt is not None or response is not None:
            meaning.contents.append(Content(call.call_id, call.started_at_us, prompt, response))
