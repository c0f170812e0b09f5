"""Which runs' totals changed: those of calls seen lately, as the state has them now.

Calls are seen in the journal and totals in the state, which follows it within a moment: so a run is looked up for a
while after its call, and told each time that its figures differ. Not safe for threads; the clock is handed in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tallybook.live.event import Fresh, of_run
from tallybook.model.call import Call, Run
from tallybook.store.memory import run_of

WATCH_S = 3.0
"""How long a run is looked up after its last call: following takes a fifth of a second, seldom more."""
RUNS_MAX = 5_000
"""Runs remembered. Beyond: the oldest are forgotten, and told once too often when they come again."""


class Totals:
    """Asked at each look."""

    def __init__(
        self, read: Callable[[list[str]], Iterable[Run | None]], show: Callable[[Run], dict[str, Any]],
        monotonic: Callable[[], float],
    ) -> None:  # fmt: skip
        """`read` gives runs by their ids, `None` where there is none."""
        self._read = read
        self._show = show
        self._monotonic = monotonic
        self._until: OrderedDict[str, float] = OrderedDict()
        self._told: OrderedDict[str, Run] = OrderedDict()

    def __call__(self, calls: Sequence[Call]) -> list[Fresh]:
        """Runs that changed since they were told last."""
        now_s = self._monotonic()
        for call in calls:
            run_id = run_of(call)
            if run_id is not None:
                self._until[run_id] = now_s + WATCH_S
                self._until.move_to_end(run_id)
        while self._until and (next(iter(self._until.values())) < now_s or len(self._until) > RUNS_MAX):
            self._until.popitem(last=False)
        if not self._until:
            return []
        news: list[Fresh] = []
        for run in self._read(list(self._until)):
            if run is None or run == self._told.get(run.run_id):
                continue
            self._told[run.run_id] = run
            self._told.move_to_end(run.run_id)
            news.append(of_run(run, self._show(run)))
        while len(self._told) > RUNS_MAX:
            self._told.popitem(last=False)
        return news
