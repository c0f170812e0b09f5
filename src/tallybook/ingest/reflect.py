"""From the lake to the state: what is sealed of each run, read again where a sealing or a repricing changed it.

Deduplication and pricing happen when lines are sealed, so the totals of runs are taken from there. Nothing is counted
twice on the way: the state learns in one transaction what is sealed of a run and which segments are in it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

from tallybook.ingest.segment import identity_of
from tallybook.model.errors import StorageError
from tallybook.store.base import Stale, TotalStore
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.run_totals import run_totals

_TRIES = 50


def reflect(folder: Path, state: TotalStore) -> None:
    """Bring run totals to what is sealed now. Raises StorageError."""
    reader = Reader(folder, None)
    try:
        for _ in range(_TRIES):
            held = _Held(state.segments(), state.sequence(), state.stale())
            if reader.answer(partial(_reflect, reader, folder, state, held)):
                return
    finally:
        reader.close()
    raise StorageError(f"{folder}: it is sealed faster than run totals can be read", hint="try again")


class _Held(NamedTuple):
    """What the state holds before it is told more."""

    segments: set[str]
    sequence: int
    stale: Stale


def _reflect(reader: Reader, folder: Path, state: TotalStore, held: _Held, view: View) -> bool:
    after = view.manifest.sequence
    gone = held.segments - _hot(folder, view)
    # Nothing is known of a manifest that is older than the one held: all is read.
    is_whole = held.sequence == 0 or held.sequence > after
    totals = run_totals(reader, view, None if is_whole else held.sequence, held.stale.run_ids)
    return state.reflect(totals, gone, before=held.sequence, after=after, stale=held.stale.mark, is_whole=is_whole)


def _hot(folder: Path, view: View) -> set[str]:
    """Identities of the segments that are not sealed. Raises FileNotFoundError when one was renamed meanwhile."""
    found = (identity_of(folder / path) for path in view.hot.get("telemetry", []))
    return {identity for identity in found if identity is not None}
