"""Shipping beside `instrument()`: begins with the recorder, sends what it writes, ends with the process.

Nothing of it runs on a thread that records, but for the serverless mode, which is asked to. It never raises into the
application: what fails is counted and told once, and the records wait in the folder.
"""

from __future__ import annotations

import os
import threading
import time

from tallybook.capture import guard
from tallybook.capture.recorder import Recorder
from tallybook.capture.scope import current
from tallybook.config import Settings
from tallybook.model.call import Step
from tallybook.model.codec import Line
from tallybook.model.limits import SHIP_EXIT_S, SHIP_FLUSH_S
from tallybook.ship.background import Background, drain
from tallybook.ship.shipper import Shipper


def tell(problem: str | None) -> None:
    """What went wrong is told once, and once that it works again."""
    if problem is not None:
        guard.failed("shipping", None, f"{problem}; the records wait in the folder")
    else:
        guard.recovered("shipping")
        guard.log.warning("tallybook: shipping works again")


class Returning(Recorder):
    """A recorder that ships what it wrote before it returns, unless a run or step around it is still open."""

    companion: Shipping | None = None

    def write(self, data: bytes, now_us: int) -> None:
        """See `Recorder.write`."""
        super().write(data, now_us)
        self._returned()

    def line(self, line: Line) -> None:
        """See `Recorder.line`."""
        super().line(line)
        self._returned()

    def step(self, step: Step) -> None:
        """See `Recorder.step`. The outermost step writes itself when it ends."""
        super().step(step)
        self._returned()

    def _returned(self) -> None:
        companion = self.companion
        if companion is not None and current.get().parent_id is None and not companion.is_waiting:
            companion.flush()


class Shipping:
    """A `recorder.Companion`."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingError for an address that is none."""
        self._settings = settings
        self.recorder: type[Recorder] = Returning if settings.ship == "before_return" else Recorder
        self._shipper = self._make()
        self._lock = threading.Lock()
        self._background: Background | None = None

    def _make(self) -> Shipper:
        settings = self._settings
        return Shipper(settings.folder, settings.url or "", settings.key, keep=settings.ship_keep)

    @property
    def is_waiting(self) -> bool:
        """Whether it is too early to try again after a failure."""
        return self._shipper.is_waiting

    def begin(self, recorder: Recorder) -> None:
        """See `Companion.begin`. Raises OSError."""
        global _current  # noqa: PLW0603  (one a process, as the recorder)
        _register()
        _current = self
        if isinstance(recorder, Returning):
            recorder.companion = self
            self._shipper.destination.make()
        elif self._settings.ship == "background":
            self._background = Background(self._make, tell)
            self._background.start()
        else:
            self._shipper.destination.make()

    def flush(self, timeout_s: float = SHIP_FLUSH_S) -> bool:
        """See `Companion.flush`."""
        background = self._background
        if background is not None:
            return background.flush(timeout_s) is None
        problem: str | None = None
        with guard.contained("shipping"), self._lock:
            try:
                problem = drain(self._shipper, time.monotonic() + timeout_s)
            finally:
                self._shipper.release(is_final=False)
            if problem is not None:
                tell(problem)
            return problem is None
        return False

    def end(self) -> None:
        """See `Companion.end`."""
        global _current  # noqa: PLW0603
        if _current is self:
            _current = None
        if self._background is not None:
            self._background.stop()
        self._shipper.release()

    def exit(self) -> None:
        """See `Companion.exit`: a short attempt; what is left is shipped by the next process."""
        if self._background is not None:
            self._background.stop(SHIP_EXIT_S)
        elif self._settings.ship == "before_return" and not self._shipper.is_failing:
            self.flush(SHIP_EXIT_S)

    def before_fork(self) -> None:
        """See `Background`."""
        if self._background is not None:
            self._background.before_fork()

    def after_fork_in_parent(self) -> None:
        """See `Background`."""
        if self._background is not None:
            self._background.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """See `Background`."""
        self._lock = threading.Lock()
        self._shipper.leave()
        self._shipper = self._make()
        if self._background is not None:
            self._background.after_fork_in_child()


_current: Shipping | None = None
_is_registered = False


def _register() -> None:
    global _is_registered  # noqa: PLW0603
    if not _is_registered:
        _is_registered = True
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


def _before() -> None:
    if _current is not None:
        with guard.contained("forking"):
            _current.before_fork()


def _in_parent() -> None:
    if _current is not None:
        with guard.contained("forking"):
            _current.after_fork_in_parent()


def _in_child() -> None:
    if _current is not None:
        with guard.contained("forking"):
            _current.after_fork_in_child()
