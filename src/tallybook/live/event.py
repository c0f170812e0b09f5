"""What the feed tells, and who wants to hear which part of it. Pure: no clock, no threads, no network."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from tallybook.model.call import Call, Run
from tallybook.model.question import Filter
from tallybook.store.arriving import matching
from tallybook.store.memory import run_of

Kind = Literal["started", "progress", "completed", "failed", "lost", "run"]
KINDS: tuple[Kind, ...] = ("started", "progress", "completed", "failed", "lost", "run")
"""`lost`: it began, and its process died before it ended. `run`: a run's totals as they now are."""

About = Literal["call", "task", "run"]

_encode = msgspec.json.Encoder().encode


class Fresh(NamedTuple):
    """Something that happened, before it has its place in the feed."""

    kind: Kind
    about: About
    subject: str
    """The call's, task's or run's id."""
    facts: Call
    """What filters look at: the call itself, or as much of one as is known of a task or run."""
    data: dict[str, Any]
    """What listeners get."""


class Event(NamedTuple):
    """Something that happened, at its place in the feed."""

    id: int
    """Rises with every event, also over a restart: microseconds since 1970 of its publication, or one more than
    the last."""
    kind: Kind
    about: About
    subject: str
    facts: Call
    data: dict[str, Any]
    frame: bytes
    """The event as server-sent events have it."""


class Wanted(msgspec.Struct, frozen=True):
    """What one listener asked for. Listeners that ask for the same share the work."""

    filters: tuple[Filter, ...] = ()
    """Checked ones (`store.check.checked_filters`)."""
    kinds: frozenset[str] = frozenset()
    """Empty for all."""
    subjects: frozenset[str] = frozenset()
    """Ids of calls, tasks and runs; an event of a run's call is wanted with the run. Empty for all."""

    def takes(self, event: Event | Fresh) -> bool:
        """Whether an event is wanted."""
        if self.kinds and event.kind not in self.kinds:
            return False
        if self.subjects and event.subject not in self.subjects and run_of(event.facts) not in self.subjects:
            return False
        return not self.filters or bool(matching((event.facts,), self.filters))


def placed(fresh: Fresh, number: int) -> Event:
    """The event at its place. Raises TypeError for data that JSON cannot carry."""
    body = {"kind": fresh.kind, "about": fresh.about, "id": fresh.subject, **fresh.data}
    return Event(number, *fresh, frame=frame(fresh.kind, _encode(body), number))


def frame(name: str, data: bytes, number: int | None = None) -> bytes:
    """One server-sent event. JSON has no newlines of its own, so one `data:` line holds it."""
    head = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (head, name.encode(), data)


def of_call(call: Call, data: dict[str, Any]) -> Fresh:
    """The end of a call: `failed` when it ended in an error or was cancelled, else `completed`."""
    kind: Kind = "failed" if call.status in ("error", "cancelled") else "completed"
    return Fresh(kind, "call", call.call_id, call, data)


def of_run(run: Run, data: dict[str, Any]) -> Fresh:
    """A run's totals."""
    facts = Call(
        call_id=run.run_id, started_at_us=run.created_at_us, run_id=run.run_id, project=run.project,
        user_id=run.user_id, session_id=run.session_id, agent_name=run.agent_name, tags=run.tags,
    )  # fmt: skip
    return Fresh("run", "run", run.run_id, facts, data)
