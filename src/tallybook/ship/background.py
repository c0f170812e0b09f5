"""The one thread that ships, and the same work on the caller's own thread for who cannot leave one behind.

The thread looks at the journal's ends a few times a second and waits otherwise; it takes nothing from the threads that
record, which do not know of it. Another process may ship the same folder: then this one looks from time to time
whether it still does. After a fork the parent's thread goes on and the child gets its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tallybook.journal.growth import Key
from tallybook.ship.shipper import Shipper

POLL_S = 0.25
"""How often the journal's ends are looked at."""
OTHERS_S = 1.0
"""How often is looked whether the process that ships has ended."""
_DISK_S = 5.0
_FORK_S = 0.05
"""A fork waits so long for the thread to pause, so that the child has one thread and nothing half done."""

Tell = Callable[[str | None], None]
"""Gets what went wrong, and `None` when it works again."""


def drain(shipper: Shipper, until: float, *, waits_for_others: bool = True) -> str | None:
    """Ship what is in the journal now, on this thread, at most until a moment of the monotonic clock.

    `None` when all of it is acknowledged, else why not. Where another process ships, it is waited for, or not.
    Raises OSError.
    """
    targets: dict[Key, int] | None = None
    while True:
        is_mine = shipper.hold()
        if not is_mine:
            shipper.look_again()
        if targets is None:
            targets = shipper.targets()
        if shipper.has_reached(targets):
            return None
        left_s = until - time.monotonic()
        if left_s <= 0:
            return "it took too long"
        if is_mine:
            step = shipper.step(timeout_s=max(0.1, left_s), is_urgent=True)
            if step.problem is not None:
                return step.problem
        else:
            if not waits_for_others:
                return "another process ships"
            time.sleep(min(0.02, left_s))


class _Asked:
    """A wish that everything be shipped."""

    def __init__(self, until: float, waits_for_others: bool) -> None:
        self.until = until
        self.waits_for_others = waits_for_others
        self.done = threading.Event()
        self.said: str | None = "it took too long"


class Background:
    """A shipper's thread."""

    def __init__(self, make: Callable[[], Shipper], tell: Tell) -> None:
        """`make` gives a fresh shipper; `tell` is called on the thread."""
        self._make = make
        self._tell = tell
        self._shipper = make()
        self._asked: list[_Asked] = []
        self._turn = threading.Condition()
        self._is_stopping = False
        self._is_pausing = False
        self._was_told = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. The place on disk is made at once, so that nothing is removed before it is sent. Raises OSError."""
        self._shipper.destination.make()
        self._begin()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._work, name="tallybook-ship", daemon=True)
        self._thread.start()

    def flush(self, timeout_s: float, *, waits_for_others: bool = True) -> str | None:
        """Wait until what is in the journal now is acknowledged; why not, when it is not."""
        asked = _Asked(time.monotonic() + timeout_s, waits_for_others)
        with self._turn:
            if self._is_stopping:
                return "shipping has ended"
            self._asked.append(asked)
            self._turn.notify()
        return asked.said if asked.done.wait(timeout_s + 0.2) else "it took too long"

    def stop(self, timeout_s: float = 0.0) -> None:
        """End the thread, after a last attempt where `timeout_s` is given and the server was there lately."""
        if timeout_s > 0 and not self._shipper.is_failing:
            self.flush(timeout_s, waits_for_others=False)
        with self._turn:
            self._is_stopping = True
            self._turn.notify()
        if self._thread is not None:
            self._thread.join(0.1)

    def before_fork(self) -> None:
        """Let the thread end, if it only waits just now."""
        with self._turn:
            self._is_pausing = True
            self._turn.notify()
        if self._thread is not None:
            self._thread.join(_FORK_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        with self._turn:
            self._is_pausing = False
            is_over = self._thread is None or not self._thread.is_alive()
        if is_over and not self._is_stopping:
            self._begin()

    def after_fork_in_child(self) -> None:
        """An own shipper and an own thread; the parent's lock and connection stay the parent's."""
        self._turn = threading.Condition()
        self._asked = []
        self._is_pausing = False
        self._shipper.leave()
        self._shipper = self._make()
        if not self._is_stopping:
            self._begin()

    def _work(self) -> None:
        wait_s = 0.0
        while True:
            with self._turn:
                if wait_s > 0 and not self._asked and not self._is_stopping and not self._is_pausing:
                    self._turn.wait(wait_s)
                asked, self._asked = self._asked, []
                if self._is_pausing and not self._is_stopping:
                    self._asked = asked
                    return  # With the lock kept: the next thread of this process goes on with the same shipper.
                if self._is_stopping:
                    break
            try:
                for one in asked:
                    one.said = drain(self._shipper, one.until, waits_for_others=one.waits_for_others)
                    one.done.set()
                wait_s = self._step()
            except Exception as error:  # noqa: BLE001  (a full or vanished folder, or a bug: never the end of shipping)
                self._say(f"{type(error).__name__}: {error}")
                wait_s = _DISK_S
        self._shipper.release()

    def _step(self) -> float:
        if not self._shipper.hold():
            return OTHERS_S
        step = self._shipper.step()
        if step.problem is not None:
            self._say(step.problem)
        elif step.sent and self._was_told:
            self._say(None)
        return POLL_S if step.wait_s is None else step.wait_s

    def _say(self, problem: str | None) -> None:
        self._was_told = problem is not None
        self._tell(problem)
