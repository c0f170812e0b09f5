"""Codex's log events: a `sse_event` of kind `response.completed` is a call, a `tool_result` a step.

`api_request` tells of the request behind it and counts only where it failed. Input includes the cached part.
"""

from __future__ import annotations

from tallybook.ingest.dialects import context, logged
from tallybook.ingest.dialects.logged import Happened
from tallybook.ingest.dialects.told import Counts, Told
from tallybook.ingest.otlp.record import Log
from tallybook.model.call import Call, Step
from tallybook.providers.value import word

AGENT = "codex"
_STREAMS = ("sse_event", "websocket_event")


def read(log: Log, event: Happened, project: str | None) -> Call | Step | None:
    """What an event is; `None` for one that is neither a call nor a tool."""
    attributes = log.attributes
    session = word(attributes.get("conversation.id"))
    if event.event == "tool_result":
        return logged.tool_of(log, event, session, word(attributes.get("tool_name")), word(attributes.get("call_id")))
    told = Told(
        provider=word(attributes.get("provider_name")) or "openai",
        model=word(attributes.get("model")) or word(attributes.get("slug")),
        is_stream=True,
        duration_us=logged.duration_us(attributes),
        session=session,
        user=logged.user_of(attributes),
        agent=AGENT,
    )
    if event.event in _STREAMS and attributes.get("event.kind") == "response.completed":
        told.response_model = told.model
        told.counts = Counts(
            input=logged.count(attributes, "input_token_count"),
            output=logged.count(attributes, "output_token_count"),
            cache_read=logged.count(attributes, "cached_token_count"),
            reasoning=logged.count(attributes, "reasoning_token_count"),
        )
        return logged.call_of(log, event, told, project)
    if event.event == "api_request":
        status = context.http_status(attributes, word(attributes.get("status")))
        if status is None or status < 400:
            return None
        told.http_status = status
        told.error_type = str(status)
        told.error_message = word(attributes.get("error.message"))
        return logged.call_of(log, event, told, project)
    return None
