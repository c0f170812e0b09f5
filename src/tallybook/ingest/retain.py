"""Retention: whole days of calls go by age and by size, bodies by a clock of their own; summaries stay.

So totals over the past outlive the calls they were made from. The current day is never touched, nor is anything that
is not sealed yet. The manifest is swapped first and the files go afterwards, so a reader sees either all or none.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from tallybook.ingest.seal import seal_lock
from tallybook.model.errors import StorageError
from tallybook.store.base import Removed
from tallybook.store.lake import manifest as manifests
from tallybook.store.lake.manifest import BODIES, FACTS, Disk, File, Manifest, RealDisk


def retain(
    folder: Path,
    *,
    days: int | None,
    body_days: int | None = None,
    bytes_max: int | None = None,
    dry_run: bool = False,
    now_s: float | None = None,
    disk: Disk | None = None,
) -> Removed:
    """Remove calls older than `days` (UTC days; `None` keeps all), bodies older than `body_days` (else as calls), and,
    oldest day first, bodies and then calls until the sealed files take at most `bytes_max`.

    With `dry_run` only tells what would go. Raises StorageError when another process is sealing or retaining.
    """
    disk = disk or RealDisk()
    now = time.time() if now_s is None else now_s
    today = datetime.fromtimestamp(now, UTC).date()
    with seal_lock(folder) as mine:
        if not mine:
            raise StorageError(f"{folder}: another process is sealing", hint="try again in a moment")
        manifest = manifests.read(folder)
        gone = _by_age(manifest, _cut(today, days), _cut(today, days if body_days is None else body_days))
        if bytes_max is not None:
            gone = _by_size(manifest, gone, bytes_max, today.isoformat())
        calls = sum(file.rows for file in gone if file.kind == "calls")
        emptied = sorted({file.day for file in gone if file.kind in FACTS})
        removed = Removed(calls, len(gone), sum(file.bytes for file in gone), tuple(emptied))
        if dry_run or not gone:
            return removed
        paths = {file.path for file in gone}
        manifest = msgspec.structs.replace(
            manifest,
            sequence=manifest.sequence + 1,
            files=tuple(file for file in manifest.files if file.path not in paths),
            removed=tuple(sorted({*manifest.removed, *emptied})),
            damaged=tuple(
                one for one in manifest.damaged if one.path not in paths and one.path.split("/")[0] not in emptied
            ),
        )
        manifests.write(folder, manifest, disk)
        for path in paths:
            disk.unlink(folder / path)
        for day in emptied:
            for kept in (folder / day).glob("damaged-*.txt"):
                disk.unlink(kept)
        for day, kind in {(file.day, file.kind) for file in gone if file.kind in BODIES}:
            for kept in (folder / day).glob(f"damaged-*-{kind}.*.txt"):
                disk.unlink(kept)
        return removed


def _cut(today: date, days: int | None) -> str:
    """The first day that stays."""
    return "" if days is None else (today - timedelta(days=days)).isoformat()


def _by_age(manifest: Manifest, facts_from: str, bodies_from: str) -> list[File]:
    return [
        file
        for file in manifest.files
        if (file.kind in FACTS and file.day < facts_from) or (file.kind in BODIES and file.day < bodies_from)
    ]


def _by_size(manifest: Manifest, gone: Sequence[File], bytes_max: int, today: str) -> list[File]:
    """What else must go, oldest first: bodies of all days before calls of any."""
    found = list(gone)
    paths = {file.path for file in gone}
    left = [file for file in manifest.files if file.path not in paths]
    size = sum(file.bytes for file in left)
    for kinds in (BODIES, FACTS):
        for day in sorted({file.day for file in left if file.kind in kinds and file.day < today}):
            if size <= bytes_max:
                return found
            taken = [file for file in left if file.day == day and file.kind in kinds]
            found += taken
            size -= sum(file.bytes for file in taken)
    return found
