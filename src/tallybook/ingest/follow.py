"""From the journal to the state: run totals from the complete lines of all segments, also while writers live.

A segment is known by its first line, not by its name, because the sealer renames it. Figures and offsets go to the
state in one transaction, so a line counts exactly once, whatever crashes. A call's run is its run, else its session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from tallybook.model import codec
from tallybook.model.call import Call, Cost, Run
from tallybook.model.errors import InputError
from tallybook.prices.pricer import Pricer
from tallybook.store.base import StateStore
from tallybook.store.lake.manifest import list_segments
from tallybook.store.lake.price import Prices
from tallybook.store.memory import added, run_of

CHUNK_BYTES = 8 * 1024 * 1024
"""Read and stored in one transaction; a crash costs at most this much work."""
_FIRST_BYTES = 65_536
MARK = "repricing:"
"""What begins so among the offsets is no segment: it says that run totals have moved with a repricing."""


class Followed(NamedTuple):
    """What one pass took in: calls, and lines that are no calls (sealing reports them)."""

    calls: int
    bad: int


def identity_of(path: Path) -> str | None:
    """What a segment is known by: a hash of its first line; `None` while that is not complete."""
    with path.open("rb") as file:
        first = file.read(_FIRST_BYTES)
    start = len(first) - len(first.lstrip(b"\n"))
    end = first.find(b"\n", start)
    if end < 0 and len(first) < _FIRST_BYTES:
        return None
    return hashlib.blake2b(first[start : end if end >= 0 else None], digest_size=12).hexdigest()


def delta_of(call: Call, cost: Cost) -> Run | None:
    """What one call adds to its run; `None` when it has none."""
    run_id = run_of(call)
    if run_id is None:
        return None
    total = cost.total_nanousd
    return Run(
        run_id=run_id,
        project=call.project,
        user_id=call.user_id,
        session_id=call.session_id,
        agent_name=call.agent_name,
        created_at_us=call.started_at_us,
        updated_at_us=call.started_at_us + (call.duration_us or 0),
        call_count=1,
        error_count=int(call.status == "error"),
        input_tokens=call.usage.input_tokens or 0,
        output_tokens=call.usage.output_tokens or 0,
        cost_nanousd=total or 0,
        unpriced_count=int(total is None),
        tags=tuple(sorted(set(call.tags))),
    )


def deltas(calls: Iterable[Call], pricer: Pricer) -> list[Run]:
    """What calls add to their runs, summed by run."""
    runs: dict[str, Run] = {}
    for call in calls:
        delta = delta_of(call, pricer.cost(call))
        if delta is not None:
            known = runs.get(delta.run_id)
            runs[delta.run_id] = delta if known is None else added(known, delta)
    return list(runs.values())


def follow(
    folder: Path, state: StateStore, prices: Prices | None, on_calls: Callable[[list[Call]], None] | None = None
) -> Followed:
    """Take in every complete line written since the last pass; `on_calls` gets them after they are stored."""
    pricer = Pricer(prices)
    offsets = state.offsets()
    seen: set[str] = set()
    calls = bad = 0
    for path in list_segments(folder).get("telemetry", []):
        try:
            identity = identity_of(folder / path)
        except FileNotFoundError:
            identity = None  # Renamed meanwhile: the next pass knows it under its new name.
        if identity is None:
            continue
        seen.add(identity)
        taken = _follow_segment(folder / path, identity, offsets.get(identity, 0), state, pricer, on_calls)
        calls += taken.calls
        bad += taken.bad
    _forget(folder, state, {name for name in set(offsets) - seen if not name.startswith(MARK)})
    return Followed(calls, bad)


def _forget(folder: Path, state: StateStore, gone: set[str]) -> None:
    """Forget segments that are no more, after making sure that they were not just renamed."""
    if not gone:
        return
    for path in list_segments(folder).get("telemetry", []):
        try:
            gone.discard(identity_of(folder / path) or "")
        except FileNotFoundError:
            return  # Something is being renamed right now: leave it to the next pass.
    if gone:
        state.follow([], dict.fromkeys(gone, -1))


def _follow_segment(
    path: Path,
    identity: str,
    offset: int,
    state: StateStore,
    pricer: Pricer,
    on_calls: Callable[[list[Call]], None] | None,
) -> Followed:
    calls = bad = 0
    try:
        with path.open("rb") as file:
            while True:
                file.seek(offset)
                data = file.read(CHUNK_BYTES)
                end = data.rfind(b"\n") + 1
                if not end and len(data) == CHUNK_BYTES:  # One line longer than a chunk.
                    data += file.readline()
                    end = data.rfind(b"\n") + 1
                if not end:
                    return Followed(calls, bad)
                found, wrong = _decoded(data[:end])
                offset += end
                state.follow(deltas(found, pricer), {identity: offset})
                if on_calls is not None and found:
                    on_calls(found)
                calls += len(found)
                bad += wrong
    except FileNotFoundError:
        return Followed(calls, bad)


def _decoded(data: bytes) -> tuple[list[Call], int]:
    """Calls of whole lines, and how many lines were none."""
    found: list[Call] = []
    bad = 0
    for line in data.split(b"\n"):
        line = line.strip(b"\x00 \t\r")
        if not line:
            continue
        try:
            found.append(codec.decode(line))
        except InputError:
            bad += 1
    return found, bad
