"""Langfuse's ingestion events, one by one, and how what is told of one thing in several events becomes one.

A trace, an observation or a score is told by events that create and update it, in any order and any number of
batches. Each member of it has the value of the last event that told it: by the event's own time, an update after a
creation of the same moment, then by the event's id. So the order of arrival does not matter, nor that an event comes
twice. What Langfuse never changes once it is told (start, trace, environment) has the value of the first. Tags are
those of all events together, and metadata go key by key.

The events are described at https://api.reference.langfuse.com (Ingestion) and in Langfuse's OpenAPI document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tallybook.capture.bodies import prompt_hash, sha256
from tallybook.ingest.arrival import Refused
from tallybook.ingest.dialects.fitted import fits
from tallybook.ingest.dialects.moment import moment_us
from tallybook.model.limits import FIELD_CHARS
from tallybook.providers.value import mapping, mappings, word

TRACE, OBSERVATION, SCORE, LOG = "trace", "observation", "score", "log"
ID_CHARS = 800
"""Langfuse's own limit of an id. Beyond: refused."""
METADATA_KEYS = 100
"""Keys of metadata of one thing. Beyond: passed over, so that what waits stays small."""

_OBSERVATION = re.compile(
    r"(generation|span|event|observation|agent|tool|chain|retriever|evaluator|embedding|guardrail)-(create|update)"
)
_TYPES = frozenset((
    "GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL",
))  # fmt: skip
_FIRST = frozenset(("startTime", "traceId", "environment", "timestamp"))
"""Members that keep the value of the first event."""
_MEMBERS = {
    OBSERVATION: (
        "name", "startTime", "endTime", "completionStartTime", "model", "modelParameters", "usage", "usageDetails",
        "costDetails", "promptName", "promptVersion", "level", "statusMessage", "version", "release", "environment",
        "traceId", "parentObservationId",
    ),
    TRACE: ("name", "timestamp", "userId", "sessionId", "release", "version", "environment"),
}  # fmt: skip
_TIMES = frozenset(("startTime", "endTime", "completionStartTime", "timestamp"))
_NO_MOMENT = "is no moment from 2000 to 2100 in ISO 8601"
_OBJECTS = frozenset(("modelParameters", "usage", "usageDetails", "costDetails"))

Order = tuple[int, int, str]
"""Moment of the event, 1 for an update, the event's id: what is greater was told later."""


class Event(NamedTuple):
    """One event that was understood."""

    position: int
    id: str
    kind: str
    """`trace`, `observation`, `score` or `log`."""
    thing: str
    """The id of what it tells of."""
    order: Order
    body: Mapping[str, Any]
    type: str | None = None
    """Of an observation: GENERATION, SPAN …; `None` where the event does not say."""


class Told(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A value and the event that told it."""

    at_us: int
    is_update: int
    event: str
    value: Any

    @property
    def order(self) -> Order:
        """When it was told."""
        return self.at_us, self.is_update, self.event


class Text(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is kept of an input or output: always its hash and size, the text itself only where it is to be kept."""

    hash: str | None
    chars: int | None
    whole: Any = None
    tools: tuple[tuple[str, str | None, str | None], ...] = ()
    """Name, id and arguments of each tool that a model asked for; arguments only where texts are kept."""


class Thing(msgspec.Struct, omit_defaults=True):
    """All that was told of one trace or observation."""

    told: dict[str, Told] = {}
    tags: list[str] = []
    call_id: str | None = None
    """Given when it was first recorded, and kept."""
    started_us: int | None = None
    written: str | None = None
    """A digest of what is in the ledger of it."""
    pending: str | None = None
    """The same of what is on its way there."""
    revision: int = 0

    def get(self, name: str) -> Any:
        """The value of a member; `None` when it was not told."""
        found = self.told.get(name)
        return None if found is None else found.value

    def metadata(self) -> dict[str, Any]:
        """Its metadata."""
        return {name[1:]: one.value for name, one in self.told.items() if name.startswith(".")}

    def text(self, name: str) -> Text | None:
        """Its `input` or `output`."""
        found = self.get(name)
        return None if found is None else msgspec.convert(found, Text)


def event(item: Any, position: int) -> Event | Refused:
    """One item of a batch. What is refused tells the event's id, where it has one, and the remedy."""
    if not isinstance(item, Mapping):
        return Refused(position, "invalid", "an event must be an object")
    ident = item.get("id")
    if not _is_id(ident):
        return _refused(position, "id", "must be a text of 1 to 800 characters", item, ident)
    kind, body = item.get("type"), item.get("body")
    if not isinstance(kind, str) or _kind(kind) is None:
        return _refused(position, "type", "is no type of event that is known", item, kind)
    at_us = moment_us(item.get("timestamp"))
    if at_us is None:
        return _refused(
            position, "timestamp", "is no moment from 2000 to 2100 in ISO 8601", item, item.get("timestamp")
        )
    if not isinstance(body, Mapping):
        return _refused(position, "body", "must be an object", item, body)
    found = _kind(kind) or LOG
    is_update = kind.endswith("-update")
    thing = next((body[key] for key in ("id", "generationId", "spanId") if body.get(key) is not None), None)
    if thing is None and not is_update:
        thing = ident
    if not _is_id(thing):
        return _refused(position, "body.id", "must be a text of 1 to 800 characters", item, thing)
    wrong = _wrong(found, body)
    if wrong is not None:
        return _refused(position, f"body.{wrong[0]}", wrong[1], item, body.get(wrong[0]))
    order = (at_us, int(is_update), str(ident))
    return Event(position, str(ident), found, str(thing), order, body, _type(kind, body))


def _refused(position: int, field: str, what: str, item: Mapping[str, Any], value: Any) -> Refused:
    ident = item.get("id")
    code = "required" if value is None else "invalid"
    told = "is required" if value is None else what
    return Refused(
        position, code, f"`{field}` {told}", None, field, ident[:ID_CHARS] if isinstance(ident, str) else None
    )


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= ID_CHARS and "\r" not in value and "\x00" not in value


def _kind(told: str) -> str | None:
    if _OBSERVATION.fullmatch(told):
        return OBSERVATION
    return {"trace-create": TRACE, "score-create": SCORE, "sdk-log": LOG}.get(told)


def _type(kind: str, body: Mapping[str, Any]) -> str | None:
    name = kind.partition("-")[0].upper()
    if name == "OBSERVATION":
        told = body.get("type")
        name = told.upper() if isinstance(told, str) else ""
    return name if name in _TYPES else None


def _wrong(kind: str, body: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first member that makes an event worthless, and why."""
    if kind == SCORE:
        if word(body.get("name")) is None:
            return "name", "is required"
        if not isinstance(body.get("value"), str | int | float):
            return "value", "must be a number or a text"
        return None
    for name in _MEMBERS.get(kind, ()):
        value = body.get(name)
        if value is None:
            continue
        if name in _TIMES and moment_us(value) is None:
            return name, _NO_MOMENT
        if name in _OBJECTS and not isinstance(value, Mapping):
            return name, "must be an object"
        if name in ("traceId", "parentObservationId") and not _is_id(value):
            return name, "must be a text of 1 to 800 characters"
    return None


def merge(thing: Thing, one: Event, *, keeps_texts: bool) -> bool:
    """Take in what an event tells; False when it changes nothing."""
    is_changed = False
    for name in _MEMBERS[one.kind]:
        value = _value(name, one.body.get(name))
        if value is not None:
            is_changed |= _tell(thing, name, value, one, is_first=name in _FIRST)
    if one.type is not None:
        is_changed |= _tell(thing, "type", one.type, one)
    if one.kind == OBSERVATION:
        is_changed |= _tell(thing, "at", one.order[0], one, is_first=True)
        if (model := word(one.body.get("model"))) is not None:
            is_changed |= _tell(thing, "asked", model[:FIELD_CHARS], one, is_first=True)
        is_changed |= _texts(thing, one, keeps_texts)
    is_changed |= _metadata(thing, one)
    if one.kind == TRACE and isinstance(one.body.get("tags"), list):
        fresh = [tag[:FIELD_CHARS] for tag in one.body["tags"] if isinstance(tag, str) and tag]
        tags = sorted({*thing.tags, *fresh})[:METADATA_KEYS]
        is_changed |= tags != thing.tags
        thing.tags = tags
    return is_changed


def _tell(thing: Thing, name: str, value: Any, one: Event, *, is_first: bool = False) -> bool:
    known = thing.told.get(name)
    if known is not None and ((one.order >= known.order) if is_first else (one.order <= known.order)):
        return False
    thing.told[name] = Told(*one.order, value)
    return True


def _value(name: str, value: Any) -> Any:
    """A member as it is kept; `None` for nothing told."""
    if name in _TIMES:
        return moment_us(value)
    if name in _OBJECTS:
        return dict(value) if isinstance(value, Mapping) and value and fits(value) else None
    if isinstance(value, str):
        return value[:FIELD_CHARS] if value else None
    return value if name == "promptVersion" and type(value) is int else None


def _metadata(thing: Thing, one: Event) -> bool:
    told = one.body.get("metadata")
    if told is None:
        return False
    is_changed = False
    for key, value in (told if isinstance(told, Mapping) else {"metadata": told}).items():
        name = f".{key}"[:FIELD_CHARS]
        is_known = name in thing.told
        if value is None or not fits(value):
            continue
        if not is_known and sum(known.startswith(".") for known in thing.told) >= METADATA_KEYS:
            continue
        is_changed |= _tell(thing, name, value, one)
    return is_changed


def _texts(thing: Thing, one: Event, keeps_texts: bool) -> bool:
    is_changed = False
    for name, old in (("input", "prompt"), ("output", "completion")):
        value = one.body.get(name, one.body.get(old))
        if value is not None and value not in ("", [], {}):
            text = _input(value, keeps_texts) if name == "input" else _output(value, keeps_texts)
            is_changed |= _tell(thing, name, msgspec.to_builtins(text), one)
    return is_changed


def _input(value: Any, keeps_texts: bool) -> Text:
    if isinstance(value, Mapping) and isinstance(value.get("messages"), list):
        value = value["messages"]
    try:
        hashed, chars = prompt_hash(value)
    except (ValueError, OverflowError, TypeError, RecursionError):
        return Text(None, None)
    return Text(hashed, chars, value if keeps_texts else None)


def _output(value: Any, keeps_texts: bool) -> Text:
    """A model's answer: the text itself, a message, or a list of them."""
    message = value[0] if isinstance(value, list) and value and isinstance(value[0], Mapping) else value
    tools: list[tuple[str, str | None, str | None]] = []
    if isinstance(message, Mapping):
        for call in mappings(message.get("tool_calls")):
            inner = mapping(call.get("function")) or call
            name, arguments = word(inner.get("name")), word(inner.get("arguments"))
            if name is not None:
                tools.append((name[:FIELD_CHARS], word(call.get("id")), arguments if keeps_texts else None))
    text = _visible(message)
    if text is None:
        return Text(None, None, None, tuple(tools[:METADATA_KEYS]))
    hashed = sha256(text.encode("utf-8", "surrogatepass")) if text else None
    return Text(hashed, len(text), text if keeps_texts else None, tuple(tools[:METADATA_KEYS]))


def _visible(message: Any) -> str | None:
    if isinstance(message, str):
        return message
    if isinstance(message, Mapping):
        content = message.get("content")
        if isinstance(content, str):
            return content
        if isinstance(content, list):
            texts = [part["text"] for part in mappings(content) if isinstance(part.get("text"), str)]
            return "".join(texts) if texts else None
        if "role" in message:
            return None
    try:
        return msgspec.json.encode(message).decode()
    except (ValueError, OverflowError, TypeError, RecursionError):
        return None
