"""From Langfuse's batches to records: what is told of one thing in several events waits in the state until it is whole.

An observation is recorded as soon as it is whole, and again, as a better revision of the same call, when something is
told of it or of its trace later. So the ledger has one call in the end, whatever the order and the batches were, and
has it early. What waits is in the state before its event is acknowledged; what is to be recorded is marked there as on
its way (`pending`) until it is durable, and `overdue` gives it again after a crash. What never becomes whole is
recorded as it is after `WAIT_US`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from tallybook.ingest.arrival import Arrival, Content, Refused
from tallybook.ingest.dialects import langfuse_call as made
from tallybook.ingest.dialects.ident import call_id
from tallybook.ingest.dialects.langfuse import LOG, OBSERVATION, SCORE, TRACE, Event, Thing, event, merge
from tallybook.model import codec
from tallybook.model.call import Call, Step
from tallybook.store.base import StateStore
from tallybook.store.part import Box, Key, Part
from tallybook.store.quality import revised

WAIT_US = 3_600_000_000
"""A generation or span that nothing more is told of for an hour is recorded as it is: its program is gone."""
RETRY_US = 60_000_000
"""What was to be recorded and is not marked as durable a minute later is given again."""
KEEP_US = 30 * 86_400_000_000
"""What was recorded is remembered for thirty days, so that a late event corrects it and does not begin a new call."""
OVERDUE = 500
"""Things given again in one turn."""

_decode = msgspec.json.Decoder(Thing).decode
_RELEVANT = ("userId", "sessionId", "environment", "release")
"""Members of a trace that its calls show; and its tags."""


class Scope(NamedTuple):
    """Whose events they are: ids are told apart by project."""

    project: str | None
    keeps_texts: bool = False
    """Whether prompts and responses are to be stored."""

    @property
    def name(self) -> str:
        """As parts have it."""
        return f"{made.SOURCE}:{self.project or ''}"


class Due(NamedTuple):
    """A thing whose record is on its way, and what the record is."""

    key: Key
    digest: str


class Feedback(NamedTuple):
    """A score as a line of amendments, newline included."""

    key: Key
    line: bytes


class Taken(NamedTuple):
    """What became of a batch."""

    arrival: Arrival
    accepted: tuple[Event, ...]
    feedback: tuple[Feedback, ...]
    """Scores that are not known yet."""
    due: tuple[Due, ...]
    """To be marked as durable (`recorded`) once the arrival is."""


class _Entry:
    """A thing during one step."""

    __slots__ = ("is_changed", "key", "part", "thing")

    def __init__(self, key: Key, part: Part | None) -> None:
        self.key = key
        self.part = part
        self.thing = Thing() if part is None else _decode(part.data)
        self.is_changed = False


def take(state: StateStore, items: Sequence[Any], scope: Scope, now_us: int) -> Taken:
    """Take in a batch: all events that can be understood are in the state when this returns."""
    found = [event(item, position) for position, item in enumerate(items)]
    events = [one for one in found if isinstance(one, Event)]
    refused = tuple([one for one in found if isinstance(one, Refused)])
    work = _Work(scope, now_us)
    if any(one.kind != LOG for one in events):
        state.rework(lambda box: work.take(box, events))
    arrival = Arrival(tuple(work.calls), tuple(work.steps), tuple(work.contents), refused)
    return Taken(arrival, tuple(events), tuple(work.feedback), tuple(work.due))


def recorded(state: StateStore, taken: Taken, now_us: int) -> None:
    """Mark what is durable now; texts that were handed on are let go."""
    due, feedback = taken.due, taken.feedback

    def work(box: Box) -> None:
        parts = box.get([one.key for one in due])
        kept = []
        for one in due:
            part = parts.get(one.key)
            if part is None:
                continue
            thing = _decode(part.data)
            if thing.pending != one.digest:
                continue  # A later revision is on its way.
            thing.written, thing.pending = one.digest, None
            _let_go(thing)
            kept.append(msgspec.structs.replace(part, data=msgspec.json.encode(thing), due_us=None))
        kept += [_seen(one, now_us) for one in feedback]
        box.put(kept)

    if due or feedback:
        state.rework(work)


def overdue(state: StateStore, now_us: int, *, keeps_texts: bool = False) -> list[tuple[Scope, Taken]]:
    """What should be recorded by now: given again after a crash, or given up waiting for. Forgets what is old."""
    state.forget_parts(now_us - KEEP_US)
    parts = state.due_parts(f"{made.SOURCE}:", now_us, OVERDUE)
    found = []
    for name in dict.fromkeys(part.scope for part in parts):
        scope = Scope(name.partition(":")[2] or None, keeps_texts)
        work = _Work(scope, now_us)
        keys = [part.key for part in parts if part.scope == name]
        state.rework(lambda box, work=work, keys=keys: work.settle(box, keys))  # type: ignore[misc]
        arrival = Arrival(tuple(work.calls), tuple(work.steps), tuple(work.contents))
        found.append((scope, Taken(arrival, (), (), tuple(work.due))))
    return found


def _let_go(thing: Thing) -> None:
    for name in ("input", "output"):
        told = thing.told.get(name)
        text = thing.text(name)
        if told is not None and text is not None and text.whole is not None:
            bare = msgspec.to_builtins(msgspec.structs.replace(text, whole=None))
            thing.told[name] = msgspec.structs.replace(told, value=bare)


class _Work:
    """One step over the parts of a scope, and what is to be recorded after it."""

    def __init__(self, scope: Scope, now_us: int) -> None:
        self._scope = scope
        self._now_us = now_us
        self._entries: dict[Key, _Entry] = {}
        self.calls: list[Call] = []
        self.steps: list[Step] = []
        self.contents: list[Content] = []
        self.feedback: list[Feedback] = []
        self.due: list[Due] = []

    def take(self, box: Box, events: Sequence[Event]) -> None:
        """Merge events and record what is whole."""
        merged = [one for one in events if one.kind in (OBSERVATION, TRACE)]
        scores = [one for one in events if one.kind == SCORE]
        meant = [self._key(OBSERVATION, told) for one in scores if (told := _observation_of(one)) is not None]
        self._load(box, [*(self._key(one.kind, one.thing) for one in merged), *meant])
        moved: set[str] = set()
        for one in merged:
            entry = self._entry(one.kind, one.thing)
            before = _relevant(entry.thing) if one.kind == TRACE else None
            entry.is_changed |= merge(entry.thing, one, keeps_texts=self._scope.keeps_texts)
            if one.kind == TRACE and _relevant(entry.thing) != before:
                moved.add(one.thing)
        if moved:
            self._add(box.members(self._scope.name, OBSERVATION, sorted(moved)))
        traces = {trace for entry in self._entries.values() if (trace := entry.thing.get("traceId")) is not None}
        self._load(box, [self._key(TRACE, trace) for trace in sorted(traces)])
        for entry in list(self._entries.values()):
            is_member = entry.key[1] == OBSERVATION and entry.thing.get("traceId") in moved
            if entry.is_changed or is_member:
                self._record(entry, is_late=False)
        self._score(box, scores)
        box.put([self._part(entry) for entry in self._entries.values() if entry.is_changed])

    def settle(self, box: Box, keys: Sequence[Key]) -> None:
        """Record things that are due, whole or not."""
        self._load(box, keys)
        traces = {trace for entry in self._entries.values() if (trace := entry.thing.get("traceId")) is not None}
        self._load(box, [self._key(TRACE, trace) for trace in sorted(traces)])
        for key in keys:
            if (entry := self._entries.get(key)) is not None:
                entry.is_changed = True
                self._record(entry, is_late=True)
        box.put([self._part(self._entries[key]) for key in keys if key in self._entries])

    def _key(self, kind: str, ident: str) -> Key:
        return self._scope.name, kind, ident

    def _load(self, box: Box, keys: Iterable[Key]) -> None:
        wanted = [key for key in dict.fromkeys(keys) if key not in self._entries]
        self._add(box.get(wanted).values())

    def _add(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self._entries.setdefault(part.key, _Entry(part.key, part))

    def _entry(self, kind: str, ident: str) -> _Entry:
        key = self._key(kind, ident)
        return self._entries.setdefault(key, _Entry(key, None))

    def _record(self, entry: _Entry, *, is_late: bool) -> None:
        """Put a thing's record on its way, if it is whole and differs from what the ledger has."""
        thing, ident = entry.thing, entry.key[2]
        if entry.key[1] == TRACE:
            step = made.run_step_of(ident, thing)
            if step is not None:
                self._step(entry, step, is_late)
        elif not (made.is_whole(thing) or is_late):
            return
        elif made.is_call(thing):
            self._call(entry, ident, is_late)
        else:
            self._step(entry, made.step_of(ident, thing), is_late)

    def _call(self, entry: _Entry, ident: str, is_late: bool) -> None:
        thing = entry.thing
        if thing.call_id is None:
            thing.call_id = call_id(made.started_us(thing), made.SOURCE, self._scope.project or "", ident)
            entry.is_changed = True
        trace = self._entries.get(self._key(TRACE, thing.get("traceId") or ""))
        call = made.call_of(
            ident, thing, None if trace is None else trace.thing, call_id=thing.call_id, project=self._scope.project
        )
        digest = _digest(codec.encode(call))
        if digest == thing.written or (digest == thing.pending and not is_late):
            self._is_pending(entry, digest)
            return
        if digest != thing.pending:
            thing.revision = max(thing.revision + 1, self._now_us)
            thing.pending = digest
        entry.is_changed = True
        self.calls.append(msgspec.structs.replace(call, flags=revised(call.flags, thing.revision)))
        content = made.content_of(thing, thing.call_id)
        if content is not None:
            self.contents.append(content)
        self.due.append(Due(entry.key, digest))

    def _step(self, entry: _Entry, step: Step, is_late: bool) -> None:
        thing, digest = entry.thing, _digest(codec.encode_step(step))
        if digest == thing.written or (digest == thing.pending and not is_late):
            self._is_pending(entry, digest)
            return
        thing.pending = digest
        entry.is_changed = True
        self.steps.append(step)
        self.due.append(Due(entry.key, digest))

    def _is_pending(self, entry: _Entry, digest: str) -> None:
        """What is in the ledger again, after a revision that was never recorded: nothing is on its way any more."""
        thing = entry.thing
        if digest == thing.written and thing.pending is not None:
            thing.pending = None
            entry.is_changed = True

    def _part(self, entry: _Entry) -> Part:
        thing = entry.thing
        scope, kind, ident = entry.key
        due_us = None
        if thing.pending is not None:
            due_us = self._now_us + RETRY_US
        elif thing.written is None and kind == OBSERVATION:
            due_us = self._now_us + WAIT_US
        group = thing.get("traceId") if kind == OBSERVATION else None
        return Part(
            scope=scope, kind=kind, id=ident, group=group, data=msgspec.json.encode(thing),
            touched_us=self._now_us, due_us=due_us,
        )  # fmt: skip

    def _score(self, box: Box, scores: Sequence[Event]) -> None:
        known = box.get([self._key(SCORE, one.thing) for one in scores])
        for one in scores:
            observation = _observation_of(one)
            entry = None if observation is None else self._entries.get(self._key(OBSERVATION, observation))
            told = _feedback(one, observation, None if entry is None else entry.thing.call_id, self._scope.project)
            fresh = Feedback(self._key(SCORE, one.thing), msgspec.json.encode(told) + b"\n")
            part = known.get(fresh.key)
            if part is None or part.data != _seen(fresh, 0).data:
                known[fresh.key] = _seen(fresh, 0)
                self.feedback.append(fresh)


def _seen(one: Feedback, now_us: int) -> Part:
    """What is remembered of a score, so that it is written once."""
    scope, kind, ident = one.key
    return Part(scope=scope, kind=kind, id=ident, data=_digest(one.line).encode(), touched_us=now_us)


def _relevant(thing: Thing) -> tuple[Any, ...]:
    return (*(thing.get(name) for name in _RELEVANT), *thing.tags)


def _digest(line: bytes) -> str:
    return hashlib.blake2b(line, digest_size=12).hexdigest()


def _observation_of(score: Event) -> str | None:
    told = score.body.get("observationId")
    return told if isinstance(told, str) and told else None


def _feedback(score: Event, observation: str | None, call: str | None, project: str | None) -> dict[str, Any]:
    """A score as a later fact about a call; about its run where no call is meant, or none is known yet."""
    body = score.body
    trace = body.get("traceId")
    told = {
        "call_id": call or observation or trace or score.thing,
        "timestamp": codec.time_of(score.order[0]).isoformat().replace("+00:00", "Z"),
        "kind": "feedback",
        "id": score.thing,
        "source": made.SOURCE,
        "name": body.get("name"),
        "value": body.get("value"),
        "data_type": body.get("dataType"),
        "comment": body.get("comment"),
        "run_id": trace,
        "project": project,
        made.OBSERVATION_ID: observation,
    }
    return {
        key: value[:1_000] if isinstance(value, str) else value
        for key, value in told.items()
        if isinstance(value, str | int | float)
    }
