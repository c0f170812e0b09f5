"""Gemini CLI's log events: `api_response` and `api_error` are calls, `tool_call` is a step.

Output is told without the thoughts, input without what tools' results add to it. The same call is told again by
`gen_ai.client.inference.operation.details`, which is not counted.
"""

from __future__ import annotations

from tallybook.ingest.dialects import context, logged
from tallybook.ingest.dialects.logged import Happened
from tallybook.ingest.dialects.told import Counts, Told
from tallybook.ingest.otlp.record import Log
from tallybook.model.call import Call, Step
from tallybook.providers.value import word

AGENT = "gemini-cli"


def read(log: Log, event: Happened, project: str | None) -> Call | Step | None:
    """What an event is; `None` for one that is neither a call nor a tool."""
    attributes = log.attributes
    session = word(attributes.get("session.id"))
    if event.event == "tool_call":
        return logged.tool_of(
            log, event, session, word(attributes.get("function_name")), word(attributes.get("call_id"))
        )
    if event.event not in ("api_response", "api_error"):
        return None
    told = Told(
        operation="generate_content",
        provider="google-vertex" if attributes.get("auth_type") == "vertex-ai" else "google",
        model=word(attributes.get("model")),
        is_stream=True,
        duration_us=logged.duration_us(attributes),
        session=session,
        user=logged.user_of(attributes),
        agent=AGENT,
    )
    if event.event == "api_error":
        told.error_type = word(attributes.get("error.type")) or word(attributes.get("error_type")) or "api_error"
        told.error_message = word(attributes.get("error.message")) or word(attributes.get("error"))
        told.http_status = context.http_status({"http.status_code": attributes.get("status_code")}, None)
        return logged.call_of(log, event, told, project)
    told.response_model = told.model
    thoughts = logged.count(attributes, "thoughts_token_count")
    told.counts = Counts(
        input=_sum(logged.count(attributes, "input_token_count"), logged.count(attributes, "tool_token_count")),
        output=_sum(logged.count(attributes, "output_token_count"), thoughts),
        cache_read=logged.count(attributes, "cached_content_token_count"),
        reasoning=thoughts,
    )
    return logged.call_of(log, event, told, project)


def _sum(count: int | None, more: int | None) -> int | None:
    return count if count is None else count + (more or 0)
