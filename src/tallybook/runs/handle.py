"""Runs and tasks as objects of a program, on the folder of its settings, with or without a server beside it.

What is asked for explicitly raises what goes wrong (InputError, NotFound, StorageError). What happens on its own, at
the end of a `with`, never puts itself before an error of the application's.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Token
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tallybook import config
from tallybook.capture import guard, recorder
from tallybook.capture.bodies import encode
from tallybook.capture.observe import CANCELLED
from tallybook.capture.recorder import Recorder
from tallybook.capture.scope import Scope, Seen, current, derive, enter, leave
from tallybook.model.call import Run
from tallybook.model.run import ENDED, Attachment, Message, Share, Task
from tallybook.providers.shape import format_of, plain
from tallybook.runs import life, manage
from tallybook.runs import share as links
from tallybook.runs.page import Page, find
from tallybook.store.base import StateStore
from tallybook.store.open import open_state

DEBOUNCE_S = 0.25
"""Changes of a streaming task are stored at most this often; what waits goes with the next one, or with the end."""

_SCOPE = ("project", "user_id", "session_id", "agent_name")


def _now_us() -> int:
    return time.time_ns() // 1000


class Ledger:
    """The runs of one folder. Safe for threads and after a fork; each thread has its own connection."""

    def __init__(self, folder: Path | str | None = None) -> None:
        """On the folder of the settings, or on another one."""
        self._pen = None if folder is None else Recorder(config.load(folder=Path(folder)))
        self._local = threading.local()

    @property
    def pen(self) -> Recorder:
        """What writes calls to the journal."""
        return self._pen if self._pen is not None else recorder.get()

    @property
    def state(self) -> StateStore:
        """The state, opened by this thread at its first use."""
        settings = self.pen.settings
        key = (os.getpid(), settings.folder)
        if getattr(self._local, "key", None) != key:
            # A connection of before a fork is the parent's: closing it here would drop the parent's locks.
            self._local.inherited = getattr(self._local, "state", None)
            self._local.state = open_state(settings)
            self._local.key = key
            self.recover()
        state: StateStore = self._local.state
        return state

    def recover(self) -> int:
        """Write the calls of tasks whose end was broken off, by a crash; their number."""
        found = life.unfinished(self._local.state, _now_us(), self.pen.redact)
        for one in found:
            self._record(one, self._local.state)
        return len(found)

    def _record(self, ended: life.Ended, state: StateStore) -> Task:
        if ended.call is None:
            return ended.task
        if self.pen.settings.enabled:
            self.pen.call(ended.call)
        return life.recorded(state, ended.task)

    def close(self) -> None:
        """Close this thread's connection."""
        if getattr(self._local, "key", None) is not None:
            self._local.state.close()
            self._local.key = None

    def create(self, name: str | None = None, **given: Any) -> ManagedRun:
        """Make a run, or take up the one of `run_id`. Fields that are not given come from the context (`tag` …)."""
        if name is not None:
            given["name"] = name
        scope = current.get()
        for field in _SCOPE:
            if given.get(field) is None and getattr(scope, field) is not None:
                given[field] = getattr(scope, field)
        if given.get("project") is None:
            given["project"] = self.pen.place.project
        run, _ = manage.create(self.state, given, _now_us(), self.pen.new_id)
        return ManagedRun(self, run)

    def get(self, run_id: str) -> ManagedRun:
        """A run by its id. Raises NotFound."""
        return ManagedRun(self, manage.found(self.state, run_id))

    def list(self, **filters: Any) -> Page:
        """A page of runs; filters, sort and cursor as `docs/runs.md` lists them."""
        return find(self.state, filters)

    def restore(self, run_id: str) -> ManagedRun:
        """Take a run out of the bin."""
        return ManagedRun(self, manage.restore(self.state, run_id))

    def resume(self, run_id: str) -> ManagedRun:
        """Take a run up again: out of the bin or the archive, and active."""
        return ManagedRun(self, manage.resume(self.state, run_id))

    def purge(self, run_id: str) -> None:
        """Delete a run of the bin for good."""
        manage.purge(self.state, run_id)

    def task(self, task_id: str) -> ManagedTask:
        """A task by its id. Raises NotFound."""
        return ManagedTask(self, life.known(self.state, task_id))

    def shared(self, token: str) -> Run:
        """The run that a link shows. Raises NotFound."""
        return links.shared_run(self.state, token, _now_us())

    def end_task(self, task_id: str, given: Mapping[str, Any], scope: Scope | None = None, skip: bool = False) -> Task:
        """End a task and write its call, unless an instrumented SDK wrote one (`skip`)."""
        now_us = _now_us()
        context: dict[str, Any] = {"git_branch": self.pen.place.branch(now_us)}
        if scope is not None:
            context |= {"session_id": scope.session_id, "agent_name": scope.agent_name, "tags": scope.tags}
        ended = life.end(self.state, task_id, given, now_us, redact=self.pen.redact, is_recorded=skip, **context)
        return self._record(ended, self.state)


class ManagedRun:
    """One run. Its fields are those of its last reading: `run.name`, `run.cost_nanousd` …"""

    def __init__(self, ledger: Ledger, run: Run) -> None:
        self._ledger = ledger
        self.data = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self.data, name)

    def __repr__(self) -> str:
        return f"<run {self.data.run_id} {self.data.name!r} {self.data.status}>"

    def refresh(self) -> Self:
        """Read the run again."""
        self.data = manage.found(self._ledger.state, self.data.run_id)
        return self

    def change(self, **given: Any) -> Self:
        """Change fields: `name`, `tags`, `add_tags`, `remove_tags`, `status`, `settings`, `visibility` …"""
        self.data = manage.change(self._ledger.state, self.data.run_id, given)
        return self

    def rename(self, name: str) -> Self:
        """Give it a name."""
        return self.change(name=name)

    def star(self, is_starred: bool = True) -> Self:
        """Star it, or not any more."""
        return self.change(is_starred=is_starred)

    def tag(self, *tags: str) -> Self:
        """Add tags."""
        return self.change(add_tags=tags)

    def untag(self, *tags: str) -> Self:
        """Remove tags."""
        return self.change(remove_tags=tags)

    def complete(self) -> Self:
        """Nothing more is expected of it."""
        return self.change(status="completed")

    def archive(self) -> Self:
        """Put it out of the way; `resume` takes it up again."""
        return self.change(status="archived")

    def resume(self) -> Self:
        """Take it up again."""
        self.data = manage.resume(self._ledger.state, self.data.run_id)
        return self

    def delete(self) -> None:
        """Put it into the bin; `restore` takes it out, `purge` deletes it for good."""
        self.data = manage.delete(self._ledger.state, self.data.run_id, _now_us())

    def restore(self) -> Self:
        """Take it out of the bin."""
        self.data = manage.restore(self._ledger.state, self.data.run_id)
        return self

    def purge(self) -> None:
        """Delete it for good. Its calls stay in the ledger."""
        manage.purge(self._ledger.state, self.data.run_id)

    def message(
        self,
        role: str,
        content: Any = None,
        *,
        attachments: Sequence[Mapping[str, Any] | Attachment] = (),
        **given: Any,
    ) -> Message:
        """Add a message. The first one of a user names a run that has no name."""
        fields = {"role": role, "content": content, "attachments": list(attachments), **given}
        message, _ = manage.add_message(
            self._ledger.state, self.data.run_id, fields, _now_us(), self._ledger.pen.new_id
        )
        return message

    def messages(self, *, limit: int = 100, after: int = 0) -> list[Message]:
        """Messages in order; `after` is the position of the last one seen."""
        return self._ledger.state.messages(self.data.run_id, limit=limit, after=after)

    def tasks(self, *, limit: int = 100) -> list[Task]:
        """Tasks, oldest first."""
        return self._ledger.state.tasks(self.data.run_id, limit=limit)

    def task(self, task_id: str | None = None, **given: Any) -> ManagedTask:
        """Make a task, as a context manager or to be completed by hand.

            with run.task(task_id=socket_id, provider="openai", model="gpt-4o", task_name="direct_chat") as task:
                for piece in stream:
                    task.append(piece)
                task.usage(input_tokens=812, output_tokens=96)
        """  # fmt: skip
        fields = {"run_id": self.data.run_id, "project": self.data.project, "user_id": self.data.user_id, **given}
        if task_id is not None:
            fields["task_id"] = task_id
        made, _ = life.create(self._ledger.state, fields, _now_us(), self._ledger.pen.new_id)
        return ManagedTask(self._ledger, made)

    def share(self, *, label: str | None = None, expires_at_us: int | None = None) -> links.Made:
        """A link to it: `share.share_id` to revoke it by, `token` for who shall read; the token is shown this once."""
        return links.share(self._ledger.state, self.data.run_id, _now_us(), label=label, expires_at_us=expires_at_us)

    def shares(self) -> Iterable[Share]:
        """Its links."""
        return self._ledger.state.shares(self.data.run_id)

    def unshare(self, share_id: str) -> Share:
        """Revoke a link."""
        return links.revoke(self._ledger.state, share_id, _now_us(), self.data.run_id)


class ManagedTask:
    """One task. Its fields are those of its last reading."""

    def __init__(self, ledger: Ledger, task: Task) -> None:
        self._ledger = ledger
        self.data = task
        self._pending: dict[str, Any] = {}
        self._stated: dict[str, Any] = {}
        self._text: list[str] = []
        self._stored_at = float("-inf")
        self._began_ns = time.perf_counter_ns()
        self._ttft_us: int | None = None
        self._token: Token[Scope] | None = None
        self._scope: Scope | None = None
        self._seen: Seen | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.data, name)

    def __repr__(self) -> str:
        return f"<task {self.data.task_id} {self.data.status}>"

    def update(self, **given: Any) -> None:
        """Change fields while it is under way, the last one wins. Stored now, or soon with what follows."""
        self._pending.update(given)
        if time.monotonic() - self._stored_at >= DEBOUNCE_S:
            self.flush()

    def append(self, piece: str | None) -> None:
        """Add a piece of the streaming answer."""
        if not piece:
            return
        if self._ttft_us is None:
            self._ttft_us = (time.perf_counter_ns() - self._began_ns) // 1000
        self._text.append(piece)
        if time.monotonic() - self._stored_at >= DEBOUNCE_S:
            self.flush()

    def flush(self) -> None:
        """Store what waits."""
        given, self._pending = self._pending, {}
        if self._text:
            self._text = ["".join(self._text)]
            given.setdefault("response_text", self._text[0])
        if given:
            self._stored_at = time.monotonic()
            self.data = life.update(self._ledger.state, self.data.task_id, given)

    def usage(self, **figures: Any) -> None:
        """State figures for its end: `input_tokens`, `output_tokens`, `cost_usd`, `model`, `response_id` …"""
        self._stated.update(figures)

    def result(self, response: Any) -> None:
        """Hand in the provider's response: usage, ids, model and text are read from it, whatever SDK it is of."""
        data = plain(response)
        found = format_of(data)
        if found is None:
            if isinstance(response, str):
                self._stated.setdefault("response_text", response)
            return
        parsed = found.parse(data if isinstance(data, bytes) else encode(data))
        told = {
            "usage": parsed.usage, "response_id": parsed.response_id, "response_model": parsed.response_model,
            "response_text": parsed.text, "cost_nanousd": parsed.cost_nanousd, "error_type": parsed.error_type,
            "error_message": parsed.error_message, "finish_reason": next(iter(parsed.finish_reasons), None),
        }  # fmt: skip
        self._stated |= {name: value for name, value in told.items() if value is not None}

    def complete(self, response: Any = None, **given: Any) -> Task:
        """End it with its figures, once; of a second end nothing is kept. The stored task."""
        if response is not None:
            self.result(response)
        return self._end({**given})

    def fail(self, error: BaseException | str, **given: Any) -> Task:
        """End it as failed."""
        told = {"status": "failed", "error_message": str(error)}
        if isinstance(error, BaseException):
            told["error_type"] = type(error).__name__
        return self._end({**told, **given})

    def cancel(self, **given: Any) -> Task:
        """End it as cancelled."""
        return self._end({"status": "cancelled", **given})

    def _end(self, given: dict[str, Any]) -> Task:
        fields = {**self._pending, **self._stated, **given}
        if self._text and "response_text" not in fields:
            fields["response_text"] = "".join(self._text)
        if self._ttft_us is not None and not {"ttft_us", "ttft_ms"} & fields.keys():
            fields["ttft_us"] = self._ttft_us
        skip = self._seen is not None and self._seen.calls > 0
        self.data = self._ledger.end_task(self.data.task_id, fields, self._scope or current.get(), skip)
        self._pending, self._stated = {}, {}
        return self.data

    def __enter__(self) -> Self:
        outer = current.get()
        self._seen = Seen(outer.seen)
        self._scope = derive(
            outer, run_id=self.data.run_id, name=self.data.task_name, project=self.data.project,
            user_id=self.data.user_id, seen=self._seen,
        )  # fmt: skip
        self._token = enter(self._scope)
        self._began_ns = time.perf_counter_ns()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._token is not None:
            leave(self._token)
            self._token = None
        with guard.contained("ending a task"):
            if self.data.status in ENDED:
                return
            if error is None or isinstance(error, GeneratorExit):
                self.complete()
            elif isinstance(error, CANCELLED):
                self.cancel()
            else:
                self.fail(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)


def as_dict(value: Run | Task | Message) -> dict[str, Any]:
    """A record as a dictionary."""
    return msgspec.structs.asdict(value)
