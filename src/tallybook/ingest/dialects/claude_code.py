"""Claude Code's log events: each `api_request` is a call, each `tool_result` a step.

It tells the same usage three times: as events, as metrics, and in beta as spans. Only the events count. Their input
excludes the cache, and `cost_usd` is worked out by the tool from its own list, so that ours is used.
"""

from __future__ import annotations

from tallybook.ingest.dialects import context, logged
from tallybook.ingest.dialects.logged import Happened
from tallybook.ingest.dialects.told import Counts, Told
from tallybook.ingest.otlp.record import Log
from tallybook.model.call import Call, Step
from tallybook.providers.value import word

AGENT = "claude-code"


def read(log: Log, event: Happened, project: str | None) -> Call | Step | None:
    """What an event is; `None` for one that is neither a call nor a tool."""
    attributes = log.attributes
    session = word(attributes.get("session.id"))
    if event.event == "tool_result":
        use_id = word(attributes.get("tool_use_id"))
        return logged.tool_of(log, event, session, word(attributes.get("tool_name")), use_id)
    if event.event not in ("api_request", "api_error"):
        return None
    told = Told(
        name=word(attributes.get("query_source")),
        model=word(attributes.get("model")),
        response_model=word(attributes.get("model")) if event.event == "api_request" else None,
        is_stream=True,
        duration_us=logged.duration_us(attributes),
        session=session,
        user=logged.user_of(attributes),
        agent=AGENT,
    )
    told.provider = None if told.model else "anthropic"
    if word(attributes.get("effort")):
        told.parameters = {"reasoning_effort": attributes["effort"]}
    if attributes.get("speed") == "fast":
        told.tier = "fast"
    told.metadata = {
        name: attributes[name]
        for name in ("organization.id", "terminal.type", "app.version", "request_id", "prompt.id")
        if name in attributes
    }
    if event.event == "api_error":
        told.error_type = word(attributes.get("error.type")) or "api_error"
        told.error_message = word(attributes.get("error"))
        told.http_status = context.http_status({"http.status_code": attributes.get("status_code")}, None)
    else:
        told.counts = Counts(
            input=logged.count(attributes, "input_tokens"),
            output=logged.count(attributes, "output_tokens"),
            cache_read=logged.count(attributes, "cache_read_tokens"),
            cache_write=logged.count(attributes, "cache_creation_tokens"),
            is_input_without_cache=True,
        )
    return logged.call_of(log, event, told, project)
