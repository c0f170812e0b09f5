"""Pricing the past anew: what calls cost by the prices known now, as amendments, kept on record, undone at will.

A call's cost is worked out when it is sealed. When prices were wrong or missing then, `plan` tells what would change
and `apply` writes an amendment for each call that does. Nothing is overwritten: `DIR/repricings/` keeps a record of
every call changed with its cost before and after, and `undo` amends them back.

- A cost that the provider or the application stated stays. Calls that are not sealed yet are priced when read, so they
  follow the prices by themselves.
- Doing it again changes nothing. An act that a crash broke off is finished by `resume`, before any other: writing its
  amendments again is harmless, and the totals of its runs are read again from what is sealed.
- Undoing leaves alone what was amended otherwise since, and what retention has removed.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from tallybook.ingest.reflect import reflect
from tallybook.journal.writer import Writer
from tallybook.model.call import Cost
from tallybook.model.codec import time_of, unix_us_of
from tallybook.model.errors import NotFound, StorageError
from tallybook.model.limits import SEGMENT_BYTES
from tallybook.model.money import usd
from tallybook.model.question import Filter, Question
from tallybook.store.base import CallStore, StateStore

FOLDER = "repricings"
BATCH = 500
"""Amendments written at once."""

_UNPRICED = Cost()


class Change(msgspec.Struct, kw_only=True):
    """What becomes of one model's calls whose cost changes. Sums of known costs; `None` where none is known."""

    provider: str
    model: str | None
    calls: int = 0
    before_nanousd: int | None = None
    after_nanousd: int | None = None
    unpriced_before: int = 0
    unpriced_after: int = 0

    def add(self, before: Cost, after: Cost) -> None:
        """Take one call in."""
        self.calls += 1
        if before.total_nanousd is None:
            self.unpriced_before += 1
        else:
            self.before_nanousd = (self.before_nanousd or 0) + before.total_nanousd
        if after.total_nanousd is None:
            self.unpriced_after += 1
        else:
            self.after_nanousd = (self.after_nanousd or 0) + after.total_nanousd


class Repricing(msgspec.Struct, kw_only=True):
    """One act of repricing, or of undoing one: what it looked at and what it changed."""

    id: str
    at: datetime
    status: Literal["planned", "writing", "done", "undone"] = "planned"
    undoes: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    filters: list[str] = []
    looked_at: int = 0
    stated: int = 0
    """Calls whose cost was stated by the provider or the application, and stays."""
    skipped: int = 0
    """When undoing: calls that were amended otherwise since, or are gone."""
    changes: list[Change] = []
    undone_at: datetime | None = None

    @property
    def calls(self) -> int:
        """Calls whose cost changes."""
        return sum(change.calls for change in self.changes)


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call in the record of an act."""

    call_id: str
    started_at_us: int
    before: Cost
    after: Cost
    provider: str = "unknown"
    model: str | None = None
    run_id: str | None = None


_encode = msgspec.json.Encoder().encode
_decode_entry = msgspec.json.Decoder(Entry).decode
_decode_act = msgspec.json.Decoder(Repricing).decode


def plan(
    store: CallStore,
    now_us: int,
    *,
    since_us: int | None = None,
    until_us: int | None = None,
    filters: Sequence[Filter] = (),
    told: Sequence[str] = (),
    folder: Path | None = None,
) -> Repricing:
    """What would change by the prices that the store knows. With `folder` the record is written too, for `apply`.

    `told` are the filters in words. Raises OSError when the record cannot be written.
    """
    act = _new(now_us, folder)
    act.since_us, act.until_us, act.filters = since_us, until_us, list(told)
    question = Question(
        measures=("calls",), dimensions=("cost_status",), filters=tuple(filters), since_us=since_us, until_us=until_us
    )
    for status, calls in store.ask(question).rows:
        act.looked_at += calls
        act.stated += calls if status == "reported" else 0
    found = store.drifted(filters, since_us=since_us, until_us=until_us)
    entries = (Entry(**drift._asdict()) for drifts in found for drift in drifts)
    if folder is None:
        _count(act, entries)
    else:
        _write_record(folder, act, entries)
    return act


def _new(now_us: int, folder: Path | None) -> Repricing:
    """An act later than all on record: of two amendments of a call the later one holds."""
    if folder is not None:
        now_us = max([now_us, *(unix_us_of(act.at) + 1 for act in listed(folder))])
    return Repricing(id=f"{time_of(now_us):%Y%m%d-%H%M%S}-{os.urandom(2).hex()}", at=time_of(now_us))


def _same(one: Cost, other: Cost) -> bool:
    """Whether two costs are the same to a reader: the amount and how sure it is. A new version of the list is none."""
    return (one.total_nanousd, one.status) == (other.total_nanousd, other.status)


def _count(act: Repricing, entries: Iterator[Entry]) -> None:
    changes: dict[tuple[str, str | None], Change] = {}
    for _ in _counted(changes, entries):
        pass
    act.changes = sorted(changes.values(), key=_weight, reverse=True)


def _counted(changes: dict[tuple[str, str | None], Change], entries: Iterator[Entry]) -> Iterator[Entry]:
    for entry in entries:
        key = entry.provider, entry.model
        if key not in changes:
            changes[key] = Change(provider=entry.provider, model=entry.model)
        changes[key].add(entry.before, entry.after)
        yield entry


def _weight(change: Change) -> tuple[int, int]:
    return abs((change.after_nanousd or 0) - (change.before_nanousd or 0)), change.calls


def _record(folder: Path, identity: str) -> Path:
    return folder / FOLDER / f"{identity}.jsonl.gz"


def _write_record(folder: Path, act: Repricing, entries: Iterator[Entry]) -> None:
    """The record of an act, one line a call, on the disk before anything is amended; none where nothing changes."""
    path = _record(folder, act.id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    changes: dict[tuple[str, str | None], Change] = {}
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as raw:
        with gzip.open(raw, "wb", compresslevel=3) as file:
            for entry in _counted(changes, entries):
                file.write(_encode(entry) + b"\n")
        raw.flush()
        os.fsync(raw.fileno())
    act.changes = sorted(changes.values(), key=_weight, reverse=True)
    if changes:
        temporary.replace(path)
        _write_act(folder, act)
    else:
        temporary.unlink()


def _write_act(folder: Path, act: Repricing) -> None:
    path = folder / FOLDER / f"{act.id}.json"
    temporary = path.with_suffix(".json.tmp")
    temporary.write_bytes(msgspec.json.format(_encode(act), indent=2) + b"\n")
    temporary.replace(path)


def entries_of(folder: Path, identity: str) -> Iterator[Entry]:
    """The calls of an act, from its record. Raises NotFound, StorageError for a damaged record."""
    path = _record(folder, identity)
    try:
        with gzip.open(path, "rb") as file:
            for line in file:
                yield _decode_entry(line)
    except FileNotFoundError as error:
        raise NotFound(f"no repricing {identity!r}", hint="`tallybook reprice --list` names them") from error
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise StorageError(f"{path}: {error}", hint="the record is damaged; the costs are as they were left") from error


def apply(folder: Path, act: Repricing, state: StateStore | None) -> None:
    """Amend the costs of an act that was planned with `folder`. Raises OSError, StorageError."""
    if act.changes:
        act.status = "writing"
        _write_act(folder, act)
        _finish(folder, act, state)


def resume(folder: Path, state: StateStore | None) -> list[Repricing]:
    """Finish the acts that were broken off, the earliest first; what they were. Raises OSError, StorageError."""
    broken = [act for act in reversed(listed(folder)) if act.status == "writing"]
    for act in broken:
        _finish(folder, act, state)
    return broken


def _finish(folder: Path, act: Repricing, state: StateStore | None) -> None:
    _amend(folder, act, unix_us_of(act.at))
    if state is not None:
        state.mark_stale({entry.run_id for entry in entries_of(folder, act.id) if entry.run_id is not None})
        reflect(folder, state)
    act.status = "done"
    _write_act(folder, act)
    if act.undoes is not None:
        undone = find(folder, act.undoes)
        undone.status, undone.undone_at = "undone", act.at
        _write_act(folder, undone)


def _amend(folder: Path, act: Repricing, now_us: int) -> None:
    writer = Writer(folder, "amendments", segment_bytes_max=SEGMENT_BYTES, fsync=True)
    try:
        lines: list[bytes] = []
        for entry in entries_of(folder, act.id):
            lines.append(amendment(entry.call_id, entry.after, act.id, now_us))
            if len(lines) >= BATCH:
                writer.append(b"".join(lines), now_us)
                lines = []
        if lines:
            writer.append(b"".join(lines), now_us)
    finally:
        writer.close()


def amendment(call_id: str, cost: Cost, repricing: str, now_us: int) -> bytes:
    """The journal's line that gives a call another cost, whole: amounts by part, status, price, reasons."""
    line = {
        "call_id": call_id,
        "timestamp": time_of(now_us).isoformat().replace("+00:00", "Z"),
        "kind": "cost",
        "repricing": repricing,
        "cost_usd": None if cost.total_nanousd is None else float(usd(cost.total_nanousd)),
        "cost": {name: getattr(cost, name) for name in cost.__struct_fields__},
    }
    return _encode(line) + b"\n"


def listed(folder: Path) -> list[Repricing]:
    """All acts on record, newest first. Raises StorageError for a damaged one."""
    found = []
    for path in (folder / FOLDER).glob("*.json"):
        try:
            found.append(_decode_act(path.read_bytes()))
        except msgspec.DecodeError as error:
            raise StorageError(
                f"{path}: {error}", hint="remove the file; its record beside it tells the calls"
            ) from error
    return sorted(found, key=lambda act: act.at, reverse=True)


def find(folder: Path, identity: str) -> Repricing:
    """An act by its id or a unique beginning of it. Raises NotFound."""
    matching = [act for act in listed(folder) if act.id.startswith(identity)]
    if len(matching) != 1 or not identity:
        many = "several repricings begin" if len(matching) > 1 else "no repricing begins"
        raise NotFound(f"{many} with {identity!r}", hint="`tallybook reprice --list` names them")
    return matching[0]


def undo(
    store: CallStore, folder: Path, identity: str, state: StateStore | None, now_us: int, *, dry_run: bool = False
) -> Repricing:
    """Amend the calls of an act back to what they cost before. Raises NotFound when it is unknown or was undone.

    A call whose cost is no more what the act made it is left alone and counted as skipped.
    """
    if not dry_run:
        resume(folder, state)
    act = find(folder, identity)
    if act.status == "undone":
        raise NotFound(f"repricing {act.id} was undone on {act.undone_at}", hint="`tallybook reprice --list` tells")
    back = _new(now_us, folder)
    back.undoes, back.filters, back.since_us, back.until_us = act.id, act.filters, act.since_us, act.until_us
    entries = list(entries_of(folder, act.id))
    now = _costs_now(store, entries)
    turned = _turned(entries, now, back)
    if dry_run:
        _count(back, turned)
        return back
    _write_record(folder, back, turned)
    if back.changes:
        apply(folder, back, state)
    else:  # Nothing is left to take back.
        act.status, act.undone_at = "undone", back.at
        _write_act(folder, act)
    return back


def _turned(entries: Sequence[Entry], now: Mapping[str, Cost], back: Repricing) -> Iterator[Entry]:
    for entry in entries:
        back.looked_at += 1
        current = now.get(entry.call_id)
        if current is None or not _same(current, entry.after):
            back.skipped += 1
            continue
        yield msgspec.structs.replace(entry, before=entry.after, after=entry.before)


def _costs_now(store: CallStore, entries: Sequence[Entry]) -> dict[str, Cost]:
    """What the calls cost now; those that are gone are missing."""
    found: dict[str, Cost] = {}
    for start in range(0, len(entries), BATCH):
        some = entries[start : start + BATCH]
        times = [entry.started_at_us for entry in some]
        wanted = Filter("call_id", "in", tuple(entry.call_id for entry in some))
        for calls in store.scan((wanted,), since_us=min(times), until_us=max(times) + 1):
            found.update({call.call_id: call.cost or _UNPRICED for call in calls})
    return found
