"""GenAI's log events: a call's conversation, told apart from its span.

Now one event (`gen_ai.client.inference.operation.details`), before one a message (`gen_ai.user.message`,
`gen_ai.choice` …). Their figures repeat the span's and are not counted. What they say is stored under the step id of
their span, by which the store finds it for the call: so it does not matter which of the two comes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tallybook.ingest.arrival import Content
from tallybook.ingest.dialects import ident, message
from tallybook.ingest.otlp.record import Log
from tallybook.providers.value import mapping

DETAILS = "gen_ai.client.inference.operation.details"
_ROLES = {
    "gen_ai.system.message": "system", "gen_ai.user.message": "user", "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}  # fmt: skip
_CHOICE = "gen_ai.choice"
_NAMES = frozenset((DETAILS, _CHOICE, *_ROLES))


def name_of(log: Log) -> str:
    """The event's name, which older SDKs put into an attribute."""
    name = log.event_name or log.attributes.get("event.name")
    return name if isinstance(name, str) else ""


def is_content(log: Log) -> bool:
    """Whether a record tells a conversation."""
    name = name_of(log)
    return name in _NAMES


def contents(logs: Iterable[Log]) -> list[Content]:
    """What the events of one payload say, by span."""
    prompts: dict[str, list[Any]] = {}
    answers: dict[str, list[Any]] = {}
    found: dict[str, Content] = {}
    times: dict[str, int] = {}
    for log in logs:
        if not log.trace_id or not log.span_id:
            continue
        ident_ = ident.span_step_id(ident.span_tail(log.trace_id, log.span_id))
        times.setdefault(ident_, log.time_ns // 1000)
        name = name_of(log)
        if name == DETAILS:
            content = {key: _bytes(value) for key, value in log.attributes.items() if key.startswith("gen_ai.")}
            told = Content(ident_, times[ident_], message.prompt_of(content), message.response_of(content))
            if told.prompt is not None or told.response is not None:
                found[ident_] = told
        elif name in _ROLES:
            body = dict(mapping(log.body)) or {"content": log.body}
            prompts.setdefault(ident_, []).append({"role": _ROLES[name], **body})
        else:
            answers.setdefault(ident_, []).append(log.body)
    for ident_ in prompts.keys() | answers.keys():
        if ident_ not in found:
            found[ident_] = Content(ident_, times[ident_], prompts.get(ident_), _answer(answers.get(ident_)))
    return list(found.values())


def _bytes(value: Any) -> Any:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def _answer(choices: list[Any] | None) -> str | None:
    if not choices:
        return None
    text = message.text_of(choices)
    return text if text is not None else msgspec.json.encode(choices).decode()
