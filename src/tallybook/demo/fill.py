"""Writing the demo into a folder: by day, atomically, and never beside real data."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tallybook.config import Settings
from tallybook.demo import talk
from tallybook.demo.company import live
from tallybook.demo.month import SECOND, Month
from tallybook.journal import layout
from tallybook.model.codec import unix_us_of
from tallybook.model.errors import InputError, StorageError, TallybookError
from tallybook.model.question import Question
from tallybook.store.lake import manifest as manifests
from tallybook.store.open import open_state, open_store

WRITER = "demo"

_OURS = frozenset(("prices.toml", "prices-cache.json", "tallybook.toml", "rates.toml", "README.md"))
"""Files beside the days that are settings or may be rebuilt, and so no data."""
_MARK = "demo.json"
"""Tells how many calls the demo wrote, so that it is known again after its journal was sealed."""
_MADE = frozenset((_MARK, "manifest.json", "digest.msgpack", "summary.json", "seal.lock", "alerts.json", *talk.FILES))
"""Files beside the days that follow from a ledger's own."""


class DemoFilled(NamedTuple):
    """What was written. `first_at_us` and `last_at_us` are the starts of the first and last call, UTC."""

    calls: int
    steps: int
    days: int
    bytes: int
    first_at_us: int | None
    last_at_us: int | None
    chats: int
    """Conversations with their messages, in `state.db`."""


def _check_empty(folder: Path) -> list[Path]:
    """The demo's own files that stand in the folder. Raises InputError when anything else is data."""
    hint = "name another folder, for instance --dir ./demo, or remove this one"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is not a folder", field="folder", hint=hint)
    ours: list[Path] = []
    sealed: list[str] = []
    for entry in sorted(folder.iterdir()) if folder.exists() else ():
        if entry.is_dir() and layout.is_day(entry.name):
            for path in sorted(entry.iterdir()):
                segment = layout.segment_of(path)
                if segment is None or segment.writer.startswith("sealing-"):
                    sealed.append(f"{entry.name}/{path.name}")
                elif segment.writer != WRITER:
                    what = f"{entry.name}/{path.name}"
                    raise InputError(f"{folder} holds recorded calls ({what})", field="folder", hint=hint)
                ours.append(path)
        elif entry.name in _MADE:
            ours.append(entry)
        elif entry.name not in _OURS:
            raise InputError(f"{folder} is not empty: {entry.name} is no demo data", field="folder", hint=hint)
    if sealed and not _is_whole(folder, sealed):
        raise InputError(f"{folder} holds recorded calls ({sealed[0]})", field="folder", hint=hint)
    states = [path for path in ours if path.name in talk.FILES]
    if states and not _is_demos(folder):
        raise InputError(f"{folder} holds a state of its own ({states[0].name})", field="folder", hint=hint)
    return ours


def _is_whole(folder: Path, sealed: list[str]) -> bool:
    """Whether these files were sealed here and the ledger holds as many calls as the demo wrote: so all are its own."""
    try:
        known = manifests.read(folder)
        if not {*sealed} <= {*known.sealed, *(file.path for file in known.files)}:
            return False
        written = int(json.loads((folder / _MARK).read_bytes())["calls"])
        store = open_store(Settings(folder=folder))
        try:
            return bool(store.ask(Question(measures=("calls",))).rows[0][0] == written)
        finally:
            store.close()
    except (OSError, ValueError, KeyError, TypeError, TallybookError):
        return False


def _is_demos(folder: Path) -> bool:
    """Whether the folder's state holds nothing that a demo did not write, but figures that follow from the journal."""
    try:
        state = open_state(Settings(folder=folder))
    except StorageError:
        return False
    try:
        return talk.is_replaceable(state)
    finally:
        state.close()


def _flush(
    folder: Path, records: dict[str, list[tuple[int, bytes]]], kind: layout.Kind, before: str
) -> tuple[int, int]:
    """Write the days before `before` and forget them; returns lines and bytes."""
    lines = size = 0
    for day in sorted(day for day in records if day < before):
        rows = records.pop(day)
        rows.sort(key=lambda row: row[0])
        path = folder / day / f"{kind}.{WRITER}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = b"".join(line for _, line in rows)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(data)
        temporary.replace(path)
        lines, size = lines + len(rows), size + len(data)
    return lines, size


def fill(
    folder: Path,
    *,
    seed: int = 7,
    until: datetime,
    days: int = 30,
    scale: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> DemoFilled:
    """Fill `folder` with the `days` days before `until` (without a zone: UTC); at `scale` 1 a month is 20,000 calls.

    `progress` is told (days done, days in all). An earlier demo in the folder is replaced. Raises InputError, before
    anything is written, when the folder holds anything but a demo or an argument makes no sense.
    """
    if days < 1 or not 0 < scale <= 1_000:
        raise InputError(f"a demo of {days} days at scale {scale}", field="days", hint="days from 1, scale above 0")
    for path in _check_empty(folder):
        path.unlink()
    until_us = unix_us_of(until)
    month = Month(seed, until_us - days * 86_400 * SECOND, until_us, scale)
    first = last = None
    lines, steps, size = 0, 0, 0
    written: set[str] = set()
    for number in range(days + 1):
        live(month, number)
        # A chat begun before midnight runs into the next day, and the local day begins before the UTC one or after.
        before = (month.local_day(number) - timedelta(days=1)).isoformat() if number < days else "9"
        closing = sorted(day for day in month.calls if day < before)
        if closing:
            written.update(closing)
            first = min(row[0] for row in month.calls[closing[0]]) if first is None else first
            last = max(row[0] for row in month.calls[closing[-1]])
        done = _flush(folder, month.calls, "telemetry", before)
        also = _flush(folder, month.steps, "steps", before)
        lines, steps, size = lines + done[0], steps + also[0], size + done[1] + also[1]
        if progress is not None:
            progress(min(number + 1, days), days)
    (folder / _MARK).write_text(json.dumps({"calls": lines, "steps": steps, "seed": seed}) + "\n", encoding="utf-8")
    state = open_state(Settings(folder=folder))
    try:
        chats = talk.keep(state, month.chats, month.since_us, until_us)
    finally:
        state.close()
    return DemoFilled(lines, steps, len(written), size, first, last, chats)
