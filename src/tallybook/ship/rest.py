"""Ships what waits, step by step, telling how far it is: for who watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tallybook.ship.shipper import Shipper

TRIES = 3
"""Failures in a row before it is given up; what waits is not lost."""


class Progress(NamedTuple):
    """How far it is, in bytes of the journal."""

    sent: int
    size: int
    """What waited at the beginning, and came since."""
    problem: str | None = None
    """Why it ended before all was sent."""

    @property
    def left(self) -> int:
        """What waits still."""
        return max(0, self.size - self.sent)


def ship(shipper: Shipper, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[Progress]:
    """Ship until nothing is left; the last item says how it ended. Raises OSError.

    Another process may be shipping the same folder: then it is watched.
    """
    shipper.look_again()
    sent, size = 0, shipper.waiting()
    targets = shipper.targets()
    failures = 0
    while not shipper.has_reached(targets):
        if shipper.hold():
            step = shipper.step()
            failures = 0 if step.sent else failures + (step.problem is not None)
            sent += step.sent
            size = max(size, sent)
            if step.problem is not None and failures >= TRIES:
                yield Progress(sent, size, step.problem)
                return
            yield Progress(sent, size)
            if step.wait_s:
                sleep(min(step.wait_s, 1.0) if step.problem is None else step.wait_s)
        else:
            sleep(0.1)
            shipper.look_again()
            sent = max(sent, size - shipper.waiting())
            yield Progress(sent, size)
    yield Progress(size, size)
