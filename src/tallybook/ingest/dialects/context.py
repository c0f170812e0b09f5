"""What all conventions tell alike: session, user, agent, parameters, error. No two use one name for two things."""

from __future__ import annotations

from typing import Any

from tallybook.ingest.dialects.told import Told
from tallybook.ingest.otlp.record import Span
from tallybook.providers.value import word

SESSION = (
    "langfuse.session.id", "session.id", "gen_ai.conversation.id", "traceloop.association.properties.session_id",
    "traceloop.association.properties.conversation_id", "traceloop.association.properties.thread_id",
    "ai.telemetry.metadata.sessionId", "ai.telemetry.metadata.session_id", "ai.telemetry.metadata.conversationId",
    "conversation.id", "conversation_id", "thread_id", "agent_session_id",
)  # fmt: skip
USER = (
    "langfuse.user.id", "user.id", "traceloop.association.properties.user_id", "ai.telemetry.metadata.userId",
    "ai.telemetry.metadata.user_id",
)  # fmt: skip
AGENT = ("gen_ai.agent.name", "agent.name", "agent_name")

PARAMETERS: dict[str, str] = {
    "gen_ai.request.max_tokens": "max_tokens",
    "gen_ai.request.temperature": "temperature",
    "gen_ai.request.top_p": "top_p",
    "gen_ai.request.top_k": "top_k",
    "gen_ai.request.seed": "seed",
    "gen_ai.request.frequency_penalty": "frequency_penalty",
    "gen_ai.request.presence_penalty": "presence_penalty",
    "gen_ai.request.choice.count": "n",
    "gen_ai.request.reasoning.level": "reasoning_effort",
    "gen_ai.request.reasoning_effort": "reasoning_effort",
    "gen_ai.output.type": "output_type",
}
CUSTOM = (
    "traceloop.association.properties.", "ai.telemetry.metadata.", "langfuse.trace.metadata.",
    "langfuse.observation.metadata.",
)  # fmt: skip
"""What stands behind one of these is the application's own."""


def first(attributes: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of several attributes that is told, as text."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return value if isinstance(value, str) else str(value)
    return None


_NOTHING, _PARAMETER, _CUSTOM, _WHO = 0, 1, 2, 3
_CONTEXT: dict[str, tuple[int, str, int]] = {
    **{
        name: (_WHO, field, rank)
        for field, names in (("session", SESSION), ("user", USER), ("agent", AGENT))
        for rank, name in enumerate(names)
    },
    **{key: (_PARAMETER, name, 0) for key, name in PARAMETERS.items()},
}
_LEARNT_MAX = 4_096
_learnt: dict[str, tuple[int, str, int]] = dict(_CONTEXT)
"""What a name means here: a cache of what `_meaning` says."""


def _meaning(key: str) -> tuple[int, str, int]:
    prefix = next((prefix for prefix in CUSTOM if key.startswith(prefix)), None)
    found = (_NOTHING, "", 0) if prefix is None else (_CUSTOM, key[len(prefix) :], 0)
    if len(_learnt) < _LEARNT_MAX and len(key) < 200:
        _learnt[key] = found
    return found


def fill(told: Told, span: Span) -> None:
    """Put in what every convention tells in the same way. One pass, as most names are not there."""
    parameters: dict[str, Any] | None = None
    ranks: dict[str, int] | None = None
    known = _learnt.get
    for key, value in span.attributes.items():
        kind, name, rank = known(key) or _meaning(key)
        if kind == _NOTHING:
            continue
        if kind == _PARAMETER:
            if parameters is None:
                parameters = told.parameters = {}
            parameters[name] = value
        elif kind == _CUSTOM:
            _custom(told, name, value)
        elif value is not None and value != "":
            if ranks is None:
                ranks = {}
            if rank < ranks.get(name, 99):
                ranks[name] = rank
                setattr(told, name, value if isinstance(value, str) else str(value))
    if span.status == 2:
        _failed(told, span)


def _custom(told: Told, name: str, value: Any) -> None:
    if name == "tags":
        told.tags = texts(value)
    elif name:
        told.metadata = {**told.metadata, name: value}


def texts(value: Any) -> tuple[str, ...]:
    """Texts of a list, or the one text."""
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _failed(told: Told, span: Span) -> None:
    """Why: by the attribute, else by the event of an exception."""
    attributes = span.attributes
    error_type = word(attributes.get("error.type"))
    message = span.status_message or word(attributes.get("error.message"))
    for event in span.events:
        if event.name == "exception":
            error_type = error_type or word(event.attributes.get("exception.type"))
            message = message or word(event.attributes.get("exception.message"))
    told.error_type = error_type or "error"
    told.error_message = message or None
    told.http_status = http_status(attributes, error_type)


def http_status(attributes: dict[str, Any], error_type: str | None) -> int | None:
    """The answer's status, told as such or as the type of the error."""
    for value in (
        attributes.get("http.response.status_code"), attributes.get("http.status_code"), error_type,
    ):  # fmt: skip
        try:
            code = int(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            continue
        if 100 <= code <= 599:
            return code
    return None
