"""From the lake to the state: what is sealed of each run, read again where a sealing or a repricing changed it.

Deduplication and pricing happen when lines are sealed, so the totals of runs are taken from there. Nothing is counted
twice on the way: the state learns in one transaction what is sealed of a run and which segments are in it. Where that
are many runs, it learns it in portions with pauses between them, for others wait to write the state meanwhile; a kill
costs one portion, and the totals are exact with the last one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from tallybook.ingest.segment import identity_of
from tallybook.model.call import Run
from tallybook.model.errors import StorageError
from tallybook.model.limits import REFLECT_RUNS
from tallybook.store.base import Building, TotalStore
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.run_totals import run_totals

_TRIES = 50
_PAUSE_S_MIN = 0.005


def reflect(folder: Path, state: TotalStore, stop: threading.Event | None = None) -> None:
    """Bring run totals to what is sealed now; `stop` ends it after the portion under way, and the next time goes on.

    Raises StorageError.
    """
    reader, stop = Reader(folder, None), stop or threading.Event()
    try:
        for _ in range(_TRIES):
            if reader.answer(partial(_reflect, reader, folder, state, stop)) or stop.is_set():
                return
    finally:
        reader.close()
    raise StorageError(f"{folder}: it is sealed faster than run totals can be read", hint="try again")


def _reflect(reader: Reader, folder: Path, state: TotalStore, stop: threading.Event, view: View) -> bool:
    """Whether the totals hold the view, or what was begun before is done: then the rest is for the next turn."""
    begun = state.building()
    # A manifest older than the one that was begun with knows nothing of what was done so far.
    if begun is not None and begun.after <= view.manifest.sequence:
        _advance(state, begun, _runs(reader, view, begun, state.stale().run_ids), stop)
        return state.sequence() == view.manifest.sequence
    segments, sequence, stale = state.segments(), state.sequence(), state.stale()
    building = Building(sequence, view.manifest.sequence, stale.mark)
    gone = segments - _hot(folder, view)
    runs = _runs(reader, view, building, stale.run_ids)
    first = list(islice(runs, REFLECT_RUNS))
    if len(first) < REFLECT_RUNS:
        return state.reflect(
            first, gone, before=sequence, after=building.after, stale=stale.mark, is_whole=building.is_whole
        )
    if not state.begin(gone, before=sequence, after=building.after, stale=stale.mark):
        return False
    _advance(state, building, runs, stop, first)
    return state.sequence() == view.manifest.sequence


def _runs(reader: Reader, view: View, building: Building, stale: tuple[str, ...]) -> Iterator[Run]:
    return run_totals(reader, view, None if building.is_whole else building.before, stale, building.past)


def _advance(
    state: TotalStore, building: Building, runs: Iterator[Run], stop: threading.Event, first: list[Run] | None = None
) -> None:
    """Tell the state of runs in portions; ends early where another process did that, or a stop is wanted."""
    portion = list(islice(runs, REFLECT_RUNS)) if first is None else first
    while True:
        upto = portion[-1].run_id if len(portion) == REFLECT_RUNS else None
        started = time.monotonic()
        if state.advance([run for run in portion if run.run_id > building.past], building, upto=upto):
            building = building._replace(past=upto or "")
        else:
            now = state.building()
            if now is None or now._replace(past=building.past) != building or now.past <= building.past:
                return
            building = now  # Another goes the same way and is further.
            if upto is None or upto > now.past:
                continue
        if upto is None:
            return
        # Whoever waits for the lock gets it only when nobody takes it at once, and others want the processor too.
        if stop.wait(max(time.monotonic() - started, _PAUSE_S_MIN)):
            return
        portion = list(islice(runs, REFLECT_RUNS))


def _hot(folder: Path, view: View) -> set[str]:
    """Identities of the segments that are not sealed. Raises FileNotFoundError when one was renamed meanwhile."""
    found = (identity_of(folder / path) for path in view.hot.get("telemetry", []))
    return {identity for identity in found if identity is not None}
