"""Runs, steps and tags: context that the application declares, and the nodes of its execution tree.

All are context managers, sync and async, and decorators for functions, coroutines and generators. They never
swallow or replace an exception of the application's, and write one line when they end.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from contextvars import Token
from functools import wraps
from types import TracebackType
from typing import Any, Self, TypeVar

from tallybook.capture import guard, recorder
from tallybook.capture.bodies import preview
from tallybook.capture.drive import Inside, driven, driven_async
from tallybook.capture.observe import checked
from tallybook.capture.scope import EMPTY, FIELDS, Scope, current, derive, enter, leave
from tallybook.model.call import Status, Step
from tallybook.model.limits import ERROR_MESSAGE_CHARS

F = TypeVar("F", bound=Callable[..., Any])

_ALIASES = {"user": "user_id", "session": "session_id", "agent": "agent_name", "run": "run_id"}


def split(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keyword arguments into fields of a record (`user`, `user_id`, `session_id` …) and the application's own keys."""
    fields: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key, value in given.items():
        field = _ALIASES.get(key, key)
        if field in FIELDS:
            fields[field] = value
        else:
            own[key] = value
    return fields, own


class Declared:
    """A scope that holds inside `with`, and around each call of a decorated function."""

    def __init__(self, derived: Callable[[Scope], Scope]) -> None:
        self._derived = derived
        self._tokens: list[Token[Scope]] = []

    def _copy(self) -> Declared:
        return Declared(self._derived)

    def _begin(self) -> None:
        self._tokens.append(enter(self._derived(current.get())))

    def _end(self, error: BaseException | None) -> None:
        del error
        if self._tokens:
            leave(self._tokens.pop())

    def __enter__(self) -> Self:
        with guard.contained("entering a scope"):
            self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with guard.contained("leaving a scope"):
            self._end(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)

    def __call__(self, function: F) -> F:
        """Decorate a function, coroutine function or (asynchronous) generator function."""
        return wrap_function(function, self._copy)


def wrap_function(function: F, make: Callable[[], Any]) -> F:
    """`function` run inside a fresh context manager of `make` each time, whatever kind of function it is."""

    def started(*args: Any, **kwargs: Any) -> tuple[Any, Inside]:
        return function(*args, **kwargs), Inside(make())

    if inspect.isasyncgenfunction(function):
        return driven_async(function, started)  # type: ignore[no-any-return]
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            async with make():
                return await function(*args, **kwargs)

        return coroutine  # type: ignore[return-value]
    if inspect.isgeneratorfunction(function):
        return driven(function, started)  # type: ignore[no-any-return]

    @wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        with make():
            return function(*args, **kwargs)

    return plain  # type: ignore[return-value]


class Node(Declared):
    """A step of the execution tree: what happens inside has it as its parent, and it is written when it ends."""

    def __init__(
        self, kind: str, name: str, derived: Callable[[Scope], Scope], *, tool_call_id: str | None = None,
        metadata: Mapping[str, Any] | None = None, run_id: str | None = None, is_run: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(derived)
        self._kind = kind
        self._name = str(name)
        self._tool_call_id = None if tool_call_id is None else str(tool_call_id)
        self._metadata = dict(metadata or {})
        self._given_id = None if run_id is None else str(run_id)
        self._is_run = is_run
        self._parent: Scope | None = None
        self._scope = EMPTY
        self._started_us = 0
        self._started_ns = 0
        self._error: str | None = None
        self._input: str | None = None
        self._output: str | None = None
        self.step_id = ""
        """The node's id, known once entered."""

    @property
    def run_id(self) -> str:
        """The run's id, known once entered (for a run: the node's own)."""
        return self.step_id if self._is_run else (current.get().run_id or "")

    def _copy(self) -> Node:
        return Node(
            self._kind, self._name, self._derived, tool_call_id=self._tool_call_id, metadata=self._metadata,
            run_id=self._given_id, is_run=self._is_run,
        )  # fmt: skip

    def input(self, value: Any) -> None:
        """What went in; kept as a preview where prompts are kept."""
        pen = recorder.get()
        if pen.settings.prompts != "none":
            with guard.contained("step input"):
                self._input = preview(value, pen.redact)

    def output(self, value: Any) -> None:
        """What came out; kept as a preview where responses are kept."""
        pen = recorder.get()
        if pen.settings.responses != "none":
            with guard.contained("step output"):
                self._output = preview(value, pen.redact)

    def fail(self, message: str) -> None:
        """Mark the step as failed though no exception left it."""
        self._error = str(message)

    def _begin(self) -> None:
        self._started_us = time.time_ns() // 1000
        self._started_ns = time.perf_counter_ns()
        self.step_id = self._given_id or recorder.get().new_id(self._started_us)
        self._parent = current.get()
        scope = self._derived(self._parent)
        if self._is_run:
            scope = derive(scope, run_id=self.step_id)
        self._scope = derive(scope, parent_id=self.step_id)
        self._tokens.append(enter(self._scope))

    def _end(self, error: BaseException | None) -> None:
        duration_us = (time.perf_counter_ns() - self._started_ns) // 1000
        super()._end(error)
        message, self._error = self._error, None
        input_, self._input = self._input, None
        output, self._output = self._output, None
        pen = recorder.get()
        if not pen.settings.enabled or self._parent is None:
            return
        status: Status = "ok"
        if isinstance(error, Exception):
            status, message = "error", f"{type(error).__name__}: {error}"
        elif isinstance(error, GeneratorExit):
            status = "ok"
        elif error is not None:
            status = "cancelled"
        elif message is not None:
            status = "error"
        pen.step(
            Step(
                step_id=self.step_id, started_at_us=self._started_us, kind=self._kind, name=self._name,
                run_id=self._scope.run_id, parent_id=None if self._is_run else self._parent.parent_id,
                duration_us=duration_us, status=status,
                error_message=None if message is None else _short(pen.redact, message),
                tool_call_id=self._tool_call_id, input_preview=input_, output_preview=output,
                metadata=checked(self._metadata)[0],
            )
        )  # fmt: skip


def _short(redact: Callable[[str], str], message: str) -> str:
    return redact(message[: 4 * ERROR_MESSAGE_CHARS])[:ERROR_MESSAGE_CHARS]


def several(tags: Any) -> tuple[Any, ...]:
    """Tags as they were given: one text, or several."""
    return (tags,) if isinstance(tags, str) else tuple(tags or ())


def tag(*tags: str, **given: Any) -> Declared:
    """Tags, fields (`user`, `session`, `project` …) and own keys for every call inside.

        with tallybook.tag("beta", user="u-17", feature="search"):
            client.chat.completions.create(...)
    """  # fmt: skip
    fields, own = split(given)
    return Declared(lambda scope: derive(scope, tags=tags, metadata=own, **fields))


def run(name: str | None = None, *, run_id: str | None = None, source_type: str = "custom", **given: Any) -> Node:
    """A run: a conversation, chat, workflow or session whose calls and steps belong together.

    `run_id` continues a run; without it each entering makes a new one. Further keywords as for `tag`.
    """
    fields, own = split(given)
    tags = own.pop("tags", ())
    metadata = {"source_type": source_type, **own}
    return Node(
        "run", name or "", lambda scope: derive(scope, tags=several(tags), metadata=own, **fields),
        metadata=metadata, run_id=run_id, is_run=True,
    )  # fmt: skip


def step(name: str, kind: str = "chain", **given: Any) -> Node:
    """A step of the current run: `kind` is agent, tool, retrieval, chain or your own word."""
    fields, own = split(given)
    return Node(kind, name, lambda scope: derive(scope, metadata=own, **fields), metadata=own)


def agent(name: str, **given: Any) -> Node:
    """A step in which `name` acts: its calls carry it as their agent."""
    fields, own = split(given)
    fields.setdefault("agent_name", name)
    return Node("agent", name, lambda scope: derive(scope, metadata=own, **fields), metadata=own)


def tool(name: str, *, tool_call_id: str | None = None, **given: Any) -> Node:
    """The execution of a tool; `tool_call_id` joins it to the model's request for it."""
    fields, own = split(given)
    return Node("tool", name, lambda scope: derive(scope, **fields), tool_call_id=tool_call_id, metadata=own)
