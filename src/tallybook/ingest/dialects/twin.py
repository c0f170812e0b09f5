"""Two spans of one request to a model: a framework's or an instrumentation's around the SDK's own.

Which they are: one is the other's parent, they end alike, their models and tokens agree as far as both tell them, and
they do not have two different response ids. The inner one is the call; the outer one becomes a step, and what it knows
better (session, user, the conversation) goes to the call. So each has its place whichever comes first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from tallybook.ingest.dialects import ident, tokens
from tallybook.model.call import Call, Status, Step
from tallybook.model.usage import Usage


class Known(NamedTuple):
    """What is remembered of a recorded call to recognise its twin, and to fill in what the twin lacks."""

    call_id: str
    started_at_us: int
    model: str | None
    response_model: str | None
    response_id: str | None
    status: Status
    usage: Usage
    parent_id: str | None
    filling: dict[str, Any]
    """Fields that the outer span of two tells and the inner one often lacks."""


CONTEXT = (
    "run_id", "session_id", "user_id", "project", "environment", "agent_name", "tags", "metadata", "name",
    "prompt_hash", "response_hash", "parameters",
)  # fmt: skip
_FACTS = ("response_model", "response_id", "ttft_us", "service_tier", "http_status", "base_url", "finish_reasons",
          "tool_calls", "duration_us")  # fmt: skip


def known_of(call: Call) -> Known:
    """What to remember of a call."""
    filling = {name: value for name in (*CONTEXT, *_FACTS) if (value := getattr(call, name))}
    return Known(
        call.call_id, call.started_at_us, call.model, call.response_model, call.response_id, call.status, call.usage,
        call.parent_id, filling,
    )  # fmt: skip


def _models(one: Call | Known) -> set[str]:
    return {name for name in (one.model, one.response_model) if name}


def are_one(outer: Call | Known, inner: Call | Known) -> bool:
    """Whether the spans of a parent and its child are of one request."""
    if outer.status != inner.status:
        return False
    if outer.response_id is not None and inner.response_id is not None and outer.response_id != inner.response_id:
        return False
    here, there = _models(outer), _models(inner)
    if here and there and here.isdisjoint(there):
        return False
    one, two = outer.usage, inner.usage
    if one.total_tokens is None or two.total_tokens is None:
        return True
    return one.input_tokens == two.input_tokens and one.output_tokens == two.output_tokens


def filled(inner: Call, outer: Known) -> Call:
    """The inner span's call with what the outer one knows besides."""
    changes: dict[str, Any] = {}
    for name, value in outer.filling.items():
        mine = getattr(inner, name)
        if name == "run_id":
            # A run by session is better than one by trace, and they differ only where one span tells the session.
            if inner.session_id is None and "session_id" in outer.filling:
                changes[name] = value
        elif name in ("metadata", "parameters"):
            changes[name] = {**value, **mine}
        elif not mine:
            changes[name] = value
    usage = tokens.merged(inner.usage, outer.usage)
    if usage is not inner.usage:
        changes["usage"] = usage
    if inner.may_repeat and not any(flag.startswith("lost_by_exporter:") for flag in inner.flags):
        changes["may_repeat"] = False
    if inner.flags:
        changes["flags"] = tuple(flag for flag in inner.flags if not _is_answered(flag, usage))
    return msgspec.structs.replace(inner, **changes) if changes else inner


def _is_answered(flag: str, usage: Usage) -> bool:
    if flag == "usage_missing":
        return usage.total_tokens is not None
    return flag == "cache_ttl_unknown" and usage.cache_write_1h_tokens is not None


def outer_step(outer: Known) -> Step:
    """The step that an outer span becomes."""
    told = outer.filling
    return Step(
        step_id=ident.span_step_id(ident.tail_of(outer.call_id)),
        started_at_us=outer.started_at_us,
        kind="chain",
        name=told.get("name") or f"request to {outer.model or outer.response_model or 'a model'}",
        run_id=told.get("run_id"),
        parent_id=outer.parent_id,
        duration_us=told.get("duration_us"),
        status=outer.status,
    )
