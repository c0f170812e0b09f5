"""From the journal to the state: run totals from the complete lines of all segments, also while writers live.

A segment is known by its first line and its inode, not by its name, because the sealer renames it. What a line adds and
how far its segment was read go to the state in one transaction; a call counts once, whatever crashes, however often it
is told and whoever follows at the same time (`store.tally`). What is sealed comes from the lake (`reflect`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tallybook.ingest.segment import identity_of
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.errors import InputError, StorageError
from tallybook.prices.pricer import Pricer
from tallybook.store.base import TotalStore
from tallybook.store.lake.manifest import Snapshot, list_segments, snapshot
from tallybook.store.tally import entry_of

if TYPE_CHECKING:  # Only the annotations need it, and it loads DuckDB.
    from tallybook.store.lake.price import Prices

CHUNK_BYTES = 4 * 1024 * 1024
"""Read and stored in one transaction; a crash costs at most this much work."""
_TRIES = 50

OnCalls = Callable[[list[Call]], None]


class Followed(NamedTuple):
    """What one pass took in: calls, and lines that are no calls (sealing reports them)."""

    calls: int
    bad: int


def is_reflected(snap: Snapshot, state: TotalStore) -> bool:
    """Whether the run totals hold what the manifest's files do."""
    return state.sequence() == snap.manifest.sequence and not state.stale().run_ids


def follow(folder: Path, state: TotalStore, prices: Prices | None, on_calls: OnCalls | None = None) -> Followed:
    """Take in every complete line written since the last pass; `on_calls` gets them after they are stored.

    Raises StorageError.
    """
    work = _Pass(folder, state, Pricer(prices), on_calls)
    for _ in range(_TRIES):
        snap = snapshot(folder)
        if not is_reflected(snap, state):
            from tallybook.ingest.reflect import reflect  # here, because most passes need no DuckDB

            reflect(folder, state)
            snap = snapshot(folder)
        if work.take(snap):
            return Followed(work.calls, work.bad)
    raise StorageError(f"{folder}: it is sealed faster than it can be followed", hint="try again")


class _Pass:
    """One pass over the segments, which begins again when the lake changes meanwhile."""

    def __init__(self, folder: Path, state: TotalStore, pricer: Pricer, on_calls: OnCalls | None) -> None:
        self._folder = folder
        self._state = state
        self._pricer = pricer
        self._on_calls = on_calls
        self.calls = self.bad = 0

    def take(self, snap: Snapshot) -> bool:
        """Follow what is there; False when the state holds another manifest than `snap`."""
        offsets = self._state.offsets()
        hot = set(snap.hot.get("telemetry", []))
        listed = list_segments(self._folder)
        sealed = set(snap.manifest.sealed)
        seen: set[str] = set()
        for path in listed.get("telemetry", []):
            if path not in hot and path not in sealed:
                continue  # New since the snapshot: the next pass takes it.
            try:
                identity = identity_of(self._folder / path)
                if identity is None:
                    continue
                seen.add(identity)
                if path in sealed and identity not in offsets and not self._is_worth(path):
                    continue
                if not self._take_segment(path, identity, offsets.get(identity, 0), snap, path in sealed):
                    return False
            except FileNotFoundError:
                continue  # Renamed meanwhile: the next pass knows it under its new name.
        self._name_runs(listed.get("steps", []), offsets, seen, snap)
        self._forget(set(offsets) - seen)
        return True

    def _is_worth(self, path: str) -> bool:
        """Whether lines that were sealed before anybody followed them are read: the base has them already.

        An import's are not: that takes longer than sealing them. A repeat of one counts twice until it is sealed too.
        """
        return self._on_calls is not None or (self._folder / path).stat().st_size <= CHUNK_BYTES

    def _take_segment(self, path: str, identity: str, offset: int, snap: Snapshot, is_sealed: bool) -> bool:
        for data, end in _chunks(self._folder / path, offset):
            found, wrong = _decoded(data)
            entries = [entry_of(call, self._pricer.cost(call)) for call in found]
            sequence = snap.manifest.sequence
            if not self._state.follow(entries, identity, end, sequence=sequence, is_sealed=is_sealed):
                return False
            if self._on_calls is not None and found:
                self._on_calls(found)
            self.calls += len(found)
            self.bad += wrong
        return True

    def _name_runs(self, paths: list[str], offsets: dict[str, int], seen: set[str], snap: Snapshot) -> None:
        """Runs have the names that their own steps tell."""
        for path in paths:
            try:
                identity = identity_of(self._folder / path)
                if identity is None:
                    continue
                seen.add(identity)
                for data, end in _chunks(self._folder / path, offsets.get(identity, 0)):
                    names = _names(data)
                    if names:
                        self._state.name_runs(names)
                    self._state.follow([], identity, end, sequence=snap.manifest.sequence)
            except FileNotFoundError:
                continue

    def _forget(self, gone: set[str]) -> None:
        """Forget segments that are no more, after making sure that they were not just renamed."""
        if not gone:
            return
        listed = list_segments(self._folder)
        for path in (*listed.get("telemetry", []), *listed.get("steps", [])):
            try:
                gone.discard(identity_of(self._folder / path) or "")
            except FileNotFoundError:
                return  # Something is being renamed right now: leave it to the next pass.
        if gone:
            self._state.forget(gone)


def _chunks(path: Path, offset: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines from `offset` on, and where they end. Raises FileNotFoundError."""
    with path.open("rb") as file:
        while True:
            file.seek(offset)
            data = file.read(CHUNK_BYTES)
            end = data.rfind(b"\n") + 1
            if not end and len(data) == CHUNK_BYTES:  # One line longer than a chunk.
                data += file.readline()
                end = data.rfind(b"\n") + 1
            if not end:
                return
            offset += end
            yield data[:end], offset


def _lines(data: bytes) -> Iterator[bytes]:
    for line in data.split(b"\n"):
        line = line.strip(b"\x00 \t\r")
        if line:
            yield line


def _decoded(data: bytes) -> tuple[list[Call], int]:
    """Calls of whole lines, and how many lines were none."""
    found: list[Call] = []
    bad = 0
    for line in _lines(data):
        try:
            found.append(codec.decode(line))
        except InputError:
            bad += 1
    return found, bad


def _names(data: bytes) -> dict[str, str]:
    """Names of runs from whole lines of steps: a run's own step has its id."""
    found: dict[str, str] = {}
    for line in _lines(data):
        try:
            step = codec.decode_step(line)
        except InputError:
            continue  # Sealing reports it.
        if step.name and step.step_id == step.run_id:
            found[step.step_id] = step.name
    return found
