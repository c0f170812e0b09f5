"""Carries the caller's scope into threads that the standard library starts.

asyncio tasks inherit context variables by themselves; threads do so only from Python 3.14 on, and only by
an interpreter flag. Just our own variable is carried, nothing of the application's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from tallybook.capture.scope import EMPTY, current


def carry_start(original: Callable[..., Any], family: str) -> Callable[..., Any]:
    """`threading.Thread.start`: the thread's run begins in the starter's scope."""
    del family

    @wraps(original)
    def start(self: Any, *args: Any, **kwargs: Any) -> Any:
        scope = current.get()
        if scope is not EMPTY and "run" not in self.__dict__:
            run = self.run

            def run_in_scope() -> None:
                current.set(scope)
                self.__dict__.pop("run", None)
                run()

            self.run = run_in_scope
        return original(self, *args, **kwargs)

    return start


def carry_submit(original: Callable[..., Any], family: str) -> Callable[..., Any]:
    """`ThreadPoolExecutor.submit`: the task runs in the submitter's scope, whatever its thread was started in."""
    del family

    @wraps(original)
    def submit(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        scope = current.get()

        def in_scope(*inner: Any, **named: Any) -> Any:
            token = current.set(scope)
            try:
                return fn(*inner, **named)
            finally:
                current.reset(token)

        return original(self, in_scope, *args, **kwargs)

    return submit
