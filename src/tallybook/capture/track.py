"""`track`: record a call to a model that no patch sees, and name the ones that a patch does.

Around a function, as decorator or as context manager; returns what the function returns and raises what it
raises. Where an instrumented SDK records the call inside, only the name and context are given to it: one call
is one record. Otherwise the result is read by its shape (`providers.shape`), whatever library it came from.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any

from msgspec import structs

from tallybook.capture import guard, recorder
from tallybook.capture.bodies import encode
from tallybook.capture.drive import driven, driven_async
from tallybook.capture.observe import CANCELLED, Observation
from tallybook.capture.scope import Seen, current, derive, enter
from tallybook.capture.spans import Declared, several, split
from tallybook.capture.watch import Watch, is_stream, watched
from tallybook.model.call import Status, ToolCall
from tallybook.model.money import nanousd
from tallybook.model.usage import TOKEN_FIELDS, Usage, faults
from tallybook.providers.base import Asked, Format, Parsed
from tallybook.providers.detect import detect_provider
from tallybook.providers.shape import format_of, plain

_SHORT = {
    "input": "input_tokens", "output": "output_tokens", "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_5m_tokens", "reasoning": "reasoning_tokens",
    "inputTokens": "input_tokens", "outputTokens": "output_tokens",
}  # fmt: skip


_UNREAD = Format("track", "chat", lambda body, url: Asked(), lambda raw: Parsed())
"""The format of a result that nobody has read yet."""


class Tracked(Declared):
    """One tracked operation. Enter it, or hand it a function; tell it what it cannot see by itself."""

    def __init__(self, operation: str, given: Mapping[str, Any]) -> None:
        fields, own = split({key: value for key, value in given.items() if key not in ("provider", "model")})
        tags = own.pop("tags", ())
        super().__init__(lambda scope: derive(scope, name=operation, tags=several(tags), metadata=own, **fields))
        self._operation = operation
        self._given = dict(given)
        self._provider: str | None = given.get("provider")
        self._model: str | None = given.get("model")
        self._kind: str | None = None
        self._seen = Seen()
        self._observation: Observation | None = None
        self._format: Format | None = None
        self._parsed = Parsed()
        self._is_handed_on = False

    def _copy(self) -> Tracked:
        return Tracked(self._operation, self._given)

    def _begin(self) -> None:
        outer = current.get()
        scope = self._derived(outer)
        self._provider, self._model, self._kind = self._given.get("provider"), self._given.get("model"), None
        self._observation, self._format, self._parsed, self._is_handed_on = None, None, Parsed(), False
        pen = recorder.get()
        if pen.settings.enabled:
            self._observation = Observation(
                pen, _UNREAD, Asked(model=self._model), self._provider or "unknown", None, source="track"
            )  # fmt: skip
            self._observation.scope = scope
        self._seen = Seen(outer.seen)
        self._tokens.append(enter(derive(scope, seen=self._seen)))

    def result(self, response: Any) -> None:
        """Hand in the response, where the context manager cannot see it."""
        with guard.contained("reading a tracked result"):
            self._read(response)

    def usage(
        self, *, provider: str | None = None, model: str | None = None, cost_usd: float | None = None,
        tool_calls: tuple[ToolCall, ...] = (), operation: str | None = None, **tokens: int | None,
    ) -> None:  # fmt: skip
        """State the figures: `input_tokens=…, output_tokens=…, cache_read_tokens=…`, model, provider, cost in USD."""
        with guard.contained("reading tracked usage"):
            named = {_SHORT.get(key, key): value for key, value in tokens.items()}
            unknown = sorted(set(named) - set(TOKEN_FIELDS))
            if unknown:
                guard.failed("tracked usage", None, f"unknown figures {unknown}; known: {', '.join(TOKEN_FIELDS)}")
            known = {key: _count(key, value) for key, value in named.items() if key in TOKEN_FIELDS}
            self._provider = provider or self._provider
            self._model = model or self._model
            self._kind = operation or self._kind
            parsed = self._parsed
            stated = structs.replace(parsed.usage or Usage(), **known) if known else parsed.usage
            self._parsed = structs.replace(
                parsed, usage=stated, tool_calls=tuple(tool_calls) or parsed.tool_calls,
                flags=parsed.flags if stated is None else faults(stated),
                cost_nanousd=parsed.cost_nanousd if cost_usd is None else nanousd(cost_usd),
            )  # fmt: skip

    def _read(self, response: Any) -> None:
        if response is None:
            return
        data = plain(response)
        self._format = format_of(data)
        if self._format is not None:
            self._parsed = self._format.parse(data if isinstance(data, bytes) else encode(data))
        elif isinstance(response, str):
            self._parsed = structs.replace(self._parsed, text=response)

    def _end(self, error: BaseException | None) -> None:
        super()._end(error)
        observation = self._observation
        if observation is None or self._is_handed_on:
            return
        if self._seen.calls > 0:
            observation.discard()  # An instrumented SDK recorded it, under this name.
            return
        self._identify(observation)
        if error is not None and not isinstance(error, GeneratorExit):
            observation.fail(error, self._parsed)
        else:
            observation.finish(self._parsed, observation.elapsed_us())

    def _identify(self, observation: Observation) -> None:
        model = self._model or self._parsed.response_model
        operation = self._kind or (self._format.operation if self._format is not None else "chat")
        observation.format = observation.format._replace(operation=operation)
        observation.asked = Asked(model=model)
        if self._provider is None:
            observation.provider = detect_provider(model, None) if model else "unknown"
        else:
            observation.provider = self._provider

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run `function` once, tracked; returns exactly what it returns (a coroutine's result when awaited)."""
        if inspect.iscoroutinefunction(function):
            return self._awaited(function(*args, **kwargs))
        with self:
            outcome = function(*args, **kwargs)
            if inspect.iscoroutine(outcome):
                self._is_handed_on = True
                if self._observation is not None:
                    self._observation.discard()  # The call begins when the coroutine is awaited.
            else:
                outcome = self._taken(outcome)
        return self._copy()._awaited(outcome) if inspect.iscoroutine(outcome) else outcome

    async def _awaited(self, coroutine: Any) -> Any:
        async with self:
            return self._taken(await coroutine)

    def _taken(self, outcome: Any) -> Any:
        """Read a result, or watch a stream until its end; what is returned is for the caller."""
        try:
            if self._seen.calls == 0 and self._observation is not None and is_stream(outcome):
                self._is_handed_on = True
                self._observation.is_stream = True
                return watched(outcome, Watch(self._observation, self._finish_stream))
            self._read(outcome)
        except Exception as error:  # noqa: BLE001
            guard.failed("reading a tracked result", error)
        return outcome

    def _finish_stream(
        self,
        observation: Observation,
        parsed: Parsed,
        fmt: Format | None,
        ttft_us: int | None,
        error: BaseException | None,
    ) -> None:
        if self._seen.calls > 0:
            observation.discard()
            return
        self._format, self._parsed = fmt, parsed
        self._identify(observation)
        if error is not None and parsed == Parsed(is_complete=False):
            observation.fail(error)
            return
        status: Status | None = None
        if error is not None and not parsed.is_complete:
            parsed = structs.replace(parsed, error_type=type(error).__name__, error_message=str(error))
            status = "cancelled" if isinstance(error, CANCELLED) else "incomplete"
        observation.finish(parsed, observation.elapsed_us(), status=status, ttft_us=ttft_us)

    def __call__(self, function: Any) -> Any:
        """Decorate a function, coroutine function or generator function."""
        if inspect.isgeneratorfunction(function):
            return driven(function, lambda *args, **kwargs: (self._copy().call(function, *args, **kwargs), _Plain()))
        if inspect.isasyncgenfunction(function):
            return driven_async(
                function, lambda *args, **kwargs: (self._copy().call(function, *args, **kwargs), _Plain())
            )
        if inspect.iscoroutinefunction(function):

            async def tracked_coroutine(*args: Any, **kwargs: Any) -> Any:
                return await self._copy()._awaited(function(*args, **kwargs))

            return _named(tracked_coroutine, function)

        def tracked(*args: Any, **kwargs: Any) -> Any:
            return self._copy().call(function, *args, **kwargs)

        return _named(tracked, function)


class _Plain:
    """The frame of a generator that is watched already."""

    def resume(self) -> None:
        pass

    def suspend(self, item: Any) -> None:
        pass

    def end(self, error: BaseException | None) -> None:
        pass


def _count(name: str, value: Any) -> int | None:
    """A number of tokens as it was stated. Raises ValueError for what is none."""
    if value is None:
        return None
    if isinstance(value, bool) or int(value) != value:
        raise ValueError(f"{name}={value!r} is no number of tokens")
    return int(value)


def _named(wrapper: Any, function: Any) -> Any:
    return update_wrapper(wrapper, function)


def track(operation: str, project: str | None = None, function: Callable[..., Any] | None = None, **given: Any) -> Any:
    """Track a call to a model under the caller's word `operation` (S1 3.1).

        with tallybook.track("summarise", project="docs") as call:      # context manager
            call.usage(model="gpt-4o", input_tokens=812, output_tokens=96)

        @tallybook.track("generate_tasks")                              # decorator, sync or async
        async def generate_tasks(goal): ...

        ideas = tallybook.track("generate_ideas", "web", lambda: client.ask(...))   # runs it

    Returns exactly what the function returns and re-raises exactly what it raises; streams are watched until
    their end. Keywords: `provider`, `model`, fields and own keys as for `tag`.
    """  # fmt: skip
    if project is not None:
        given["project"] = project
    tracked = Tracked(operation, given)
    return tracked if function is None else tracked.call(function)
