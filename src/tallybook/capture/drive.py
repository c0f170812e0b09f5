"""Runs a generator of the application's with a scope in force while its own code runs, and only then.

What the consumer does between two items is not inside, and two generators that are read in turn do not mix.
Values sent, exceptions thrown in and what is returned pass unchanged.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Protocol

from tallybook.capture.scope import EMPTY, Scope, current


class Frame(Protocol):
    """What happens around each piece of a generator's own code."""

    def resume(self) -> None:
        """Its code goes on now."""
        ...

    def suspend(self, item: Any) -> None:
        """It has handed out `item` and waits."""
        ...

    def end(self, error: BaseException | None) -> None:
        """It is over: returned, closed (GeneratorExit) or failed."""
        ...


class Inside:
    """A context manager that declares a scope, entered at the first piece and left at the end."""

    def __init__(self, declared: AbstractContextManager[Any]) -> None:
        self._declared = declared
        self._inside: Scope | None = None
        self._outside: Scope = EMPTY

    def resume(self) -> None:
        """Put the scope in force."""
        self._outside = current.get()
        if self._inside is None:
            self._declared.__enter__()
        else:
            current.set(self._inside)

    def suspend(self, item: Any) -> None:
        """Put back what the consumer had."""
        del item
        self._inside = current.get()
        current.set(self._outside)

    def end(self, error: BaseException | None) -> None:
        """Leave the scope."""
        self._declared.__exit__(None if error is None else type(error), error, None)
        current.set(self._outside)


def drive(inner: Generator[Any, Any, Any], frame: Frame) -> Generator[Any, Any, Any]:
    """`inner`, with `frame` around each piece of its code."""
    go: Callable[[Any], Any] = inner.send
    given: Any = None
    while True:
        frame.resume()
        try:
            item = go(given)
        except StopIteration as stop:
            frame.end(None)
            return stop.value
        except BaseException as error:
            given = None
            frame.end(error)
            raise
        frame.suspend(item)
        try:
            given = yield item
            go = inner.send
        except BaseException as thrown:  # noqa: BLE001  (it is the inner generator's, GeneratorExit too)
            given, go = thrown, inner.throw


def driven(function: Callable[..., Any], start: Callable[..., tuple[Any, Frame]]) -> Any:
    """A generator function with `function`'s name that drives what `start` gives for its arguments."""

    @wraps(function)
    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        return (yield from drive(*start(*args, **kwargs)))

    return generator


def driven_async(function: Callable[..., Any], start: Callable[..., tuple[Any, Frame]]) -> Any:
    """The asynchronous twin of `driven`."""

    @wraps(function)
    async def generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner, frame = start(*args, **kwargs)
        go: Callable[[Any], Any] = inner.asend
        given: Any = None
        while True:
            frame.resume()
            try:
                item = await go(given)
            except StopAsyncIteration:
                frame.end(None)
                return
            except BaseException as error:
                given = None
                frame.end(error)
                raise
            frame.suspend(item)
            try:
                given = yield item
                go = inner.asend
            except BaseException as thrown:  # noqa: BLE001  (it is the inner generator's, GeneratorExit too)
                given, go = thrown, inner.athrow

    return generator
