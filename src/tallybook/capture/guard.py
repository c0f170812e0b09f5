"""The one place where our own failures end: counted by reason, logged once per kind, never raised.

The application's call runs outside every guard. In tests the hook is swapped so that contained
failures raise (`tallybook.testing`); this module never looks for a test runner.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("tallybook")

counters: Counter[str] = Counter()
"""Contained failures of this process by reason; `tallybook doctor` shows what reached the disk of them."""

_told: set[str] = set()
_listeners: list[Callable[[str, BaseException | None, str], None]] = []


def _contain(what: str, error: BaseException | None, message: str) -> None:
    counters[what] += 1
    if what in _told:
        return
    _told.add(what)
    log.warning("tallybook: %s: %s (the application is not affected; told once, counted further)", what, message)
    for listener in _listeners:
        try:
            listener(what, error, message)
        except Exception:  # noqa: BLE001  (a failure to tell of a failure has nobody left to be told)
            counters["failure_unnoted"] += 1


hook: Callable[[str, BaseException | None, str], None] = _contain
"""What happens to a failure: (reason, exception, message). Swappable for tests."""


def failed(what: str, error: BaseException | None = None, message: str | None = None) -> None:
    """Report a failure of ours. Never raises, unless a test's hook does."""
    hook(what, error, message or _said(error))


def _said(error: BaseException | None) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  (an exception of the application's may fail at its own text)
        return type(error).__name__


@contextmanager
def contained(what: str) -> Iterator[None]:
    """Run a block whose failure must not reach the application."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  (the purpose of this module)
        failed(what, error)


def on_first(listener: Callable[[str, BaseException | None, str], None]) -> None:
    """Call `listener` at the first failure of each kind."""
    if listener not in _listeners:
        _listeners.append(listener)


def recovered(what: str) -> None:
    """Let the next failure of that kind be told again, after it had gone away."""
    _told.discard(what)
