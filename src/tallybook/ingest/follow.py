"""From the journal to the state: run totals from the complete lines of all segments, also while writers live.

A segment is known by its first line and its inode, not by its name, because the sealer renames it. What a line adds and
how far its segment was read go to the state in one transaction; a call counts once, whatever crashes, however often it
is told and whoever follows at the same time (`store.tally`). What is sealed comes from the lake (`reflect`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tallybook.ingest.handed import Handed, Piece
from tallybook.ingest.segment import identity_of
from tallybook.model import codec
from tallybook.model.call import Call, Cost
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

OnCalls = Callable[[Sequence[Call], Sequence[Cost]], None]


class Followed(NamedTuple):
    """What one pass took in: calls, and lines that are no calls (sealing reports them)."""

    calls: int
    bad: int


def is_reflected(snap: Snapshot, state: TotalStore) -> bool:
    """Whether the run totals hold what the manifest's files do."""
    return state.sequence() == snap.manifest.sequence and not state.stale().run_ids


def follow(
    folder: Path, state: TotalStore, prices: Prices | None, on_calls: OnCalls | None = None,
    handed: Handed | None = None, stop: threading.Event | None = None,
) -> Followed:  # fmt: skip
    """Take in every complete line written since the last pass; `on_calls` gets calls and costs after they are stored.

    `stop` ends a first reading of the lake's run totals early; nothing is taken in then.

    Where calls of a segment were `handed` over, a pass goes as far as these and leaves what comes after to the next.

    Raises StorageError.
    """
    work = _Pass(folder, state, Pricer(prices), on_calls, handed or Handed())
    for _ in range(_TRIES):
        snap = snapshot(folder)
        if not is_reflected(snap, state):
            from tallybook.ingest.reflect import reflect  # here, because most passes need no DuckDB

            reflect(folder, state, stop)
            if stop is not None and stop.is_set():
                return Followed(0, 0)
            snap = snapshot(folder)
        if work.take(snap):
            return Followed(work.calls, work.bad)
    raise StorageError(f"{folder}: it is sealed faster than it can be followed", hint="try again")


class _Pass:
    """One pass over the segments, which begins again when the lake changes meanwhile."""

    def __init__(
        self, folder: Path, state: TotalStore, pricer: Pricer, on_calls: OnCalls | None, handed: Handed
    ) -> None:
        self._folder = folder
        self._state = state
        self._pricer = pricer
        self._on_calls = on_calls
        self._handed = handed
        self.calls = self.bad = 0

    def take(self, snap: Snapshot) -> bool:
        """Follow what is there; False when the state holds another manifest than `snap`."""
        offsets = self._state.offsets()
        waiting = self._handed.segments()
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
        self._handed.drop(waiting - seen)
        self._name_runs(listed.get("steps", []), offsets, seen, snap)
        self._forget(set(offsets) - seen)
        return True

    def _is_worth(self, path: str) -> bool:
        """Whether lines that were sealed before anybody followed them are read: the base has them already.

        An import's are not: that takes longer than sealing them. A repeat of one counts twice until it is sealed too.
        """
        return self._on_calls is not None or (self._folder / path).stat().st_size <= CHUNK_BYTES

    def _take_segment(self, path: str, identity: str, offset: int, snap: Snapshot, is_sealed: bool) -> bool:
        for found, end, wrong in self._told(path, identity, offset):
            costs = [self._pricer.cost(call) for call in found]
            entries = [entry_of(call, cost) for call, cost in zip(found, costs, strict=True)]
            sequence = snap.manifest.sequence
            if not self._state.follow(entries, identity, end, sequence=sequence, is_sealed=is_sealed):
                return False
            self._handed.taken(identity, end)
            if self._on_calls is not None and found:
                self._on_calls(found, costs)
            self.calls += len(found)
            self.bad += wrong
        return True

    def _told(self, path: str, identity: str, offset: int) -> Iterator[tuple[list[Call], int, int]]:
        """Calls from `offset` on, where they end, and how many lines were none; as handed over, else as read."""
        # Another follower may have come further, or this one have read what was handed over a moment later.
        self._handed.taken(identity, offset)
        pieces = self._handed.pieces(identity)
        if not pieces:
            for data, end in _chunks(self._folder / path, offset):
                found, wrong = _decoded(data)
                yield found, end, wrong
            return
        for batch in _batches(pieces):
            for data, end in _chunks(self._folder / path, offset, batch.start):  # What lies before was not handed over.
                found, wrong = _decoded(data)
                yield found, end, wrong
                offset = end
            if offset == batch.start:
                yield list(batch.calls), batch.end, 0
                offset = batch.end
        self._handed.taken(identity, pieces[-1].end)

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


def _batches(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Pieces that lie side by side made one, as many as one transaction takes."""
    start, end, calls = pieces[0].start, pieces[0].start, list[Call]()
    for piece in pieces:
        if calls and (piece.start != end or piece.end - start > CHUNK_BYTES):
            yield Piece(start, end, calls)
            start, calls = piece.start, []
        calls.extend(piece.calls)
        end = piece.end
    yield Piece(start, end, calls)


def _chunks(path: Path, offset: int, until: int | None = None) -> Iterator[tuple[bytes, int]]:
    """Whole lines from `offset` on, at most up to `until`, and where they end. Raises FileNotFoundError."""
    if until is not None and offset >= until:
        return
    with path.open("rb") as file:
        while until is None or offset < until:
            file.seek(offset)
            data = file.read(CHUNK_BYTES if until is None else min(CHUNK_BYTES, until - offset))
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
