"""Examination of the ledger's folder: does it exist, can it be written, is there room, what waits, what is damaged.

Looks at files only; what the calls themselves tell is in `doctor`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tallybook.config import Settings
from tallybook.model.errors import StorageError
from tallybook.model.limits import SEAL_BYTES, SEAL_SEGMENTS
from tallybook.query.finding import Finding
from tallybook.store.base import Warned
from tallybook.store.lake.manifest import snapshot
from tallybook.store.open import refuse_network

LOW_BYTES = 1_000_000_000
FULL_BYTES = 50_000_000
"""Free space below which the disk is low, and as good as full."""

FAILURES = "failures.jsonl"
FAILURES_BYTES = 4_000_000
"""Read from the end of the failures' file. Beyond: older ones are not counted."""

BACKLOG = 4
"""So many times the sealing limits must wait before it is a finding: one batch always waits."""

_REMEDIES = {
    "writing": "see the message; calls made meanwhile were kept in memory as long as they fit",
    "patching": "upgrade tallybook, or pin the SDK to a version that docs/capture.md lists",
}


def examine(settings: Settings, warned: Sequence[Warned]) -> Iterator[Finding]:
    """All findings about the folder, the usual ones also when all is well."""
    folder = settings.folder
    if not settings.enabled:
        yield Finding(
            check="enabled",
            grade="bad",
            text="recording is switched off",
            remedy="unset TALLYBOOK_ENABLED or set it to true",
        )
    yield _folder(folder)
    if not folder.is_dir():
        return
    yield from _file_system(folder)
    yield from _disk(folder)
    yield from _size(settings)
    yield from _backlog(folder)
    yield from damage(warned)
    yield from failures(folder)


def _folder(folder: Path) -> Finding:
    facts = {"folder": str(folder)}
    if not folder.exists():
        above = next(place for place in folder.parents if place.exists())
        if not os.access(above, os.W_OK | os.X_OK):
            return Finding(
                check="folder", grade="bad", text=f"{folder} does not exist and {above} does not let it be created",
                remedy="set TALLYBOOK_DIR to a folder that this user may write", facts=facts,
            )  # fmt: skip
        return Finding(
            check="folder", grade="warn", text=f"{folder} does not exist yet: nothing was recorded here",
            remedy="add `tallybook.instrument()` to the program, or compare its TALLYBOOK_DIR", facts=facts,
        )  # fmt: skip
    if not folder.is_dir():
        return Finding(
            check="folder", grade="bad", text=f"{folder} is a file, not a folder",
            remedy="set TALLYBOOK_DIR to a folder", facts=facts,
        )  # fmt: skip
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            check="folder", grade="bad", text=f"{folder} cannot be read and written by this user",
            remedy=f"chmod u+rwx {folder}, or run as its owner", facts=facts,
        )  # fmt: skip
    days = [entry for entry in folder.iterdir() if entry.is_dir() and not os.access(entry, os.R_OK | os.W_OK | os.X_OK)]
    if days:
        return Finding(
            check="folder", grade="bad", text=f"{len(days)} days in {folder} cannot be written, first {days[0].name}",
            remedy="give them the owner and permissions of the others", facts=facts,
        )  # fmt: skip
    return Finding(check="folder", grade="good", text=f"{folder} can be read and written", facts=facts)


def _file_system(folder: Path) -> Iterator[Finding]:
    try:
        refuse_network(folder)
    except StorageError as error:
        yield Finding(check="file_system", grade="bad", text=str(error), remedy=error.hint)


def _disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    grade = "bad" if free < FULL_BYTES else "warn" if free < LOW_BYTES else "good"
    yield Finding(
        check="disk",
        grade=grade,  # type: ignore[arg-type]
        text=f"{_size_text(free)} free on the disk",
        remedy=None if grade == "good" else "make room, or `tallybook prune`; a full disk loses records",
        facts={"free_bytes": free},
    )


def _size(settings: Settings) -> Iterator[Finding]:
    size = 0
    for place, _, names in os.walk(settings.folder):
        for name in names:
            try:
                size += (Path(place) / name).stat().st_size
            except FileNotFoundError:
                continue  # Sealed and removed while we looked.
    limit = settings.storage_max_mb * 1_000_000
    is_over = bool(limit) and size > limit
    text = f"the ledger takes {_size_text(size)}"
    if limit:
        text += f" of the {settings.storage_max_mb:,} MB it may (LLM_STORAGE_MAX_SIZE_MB)"
    yield Finding(
        check="size",
        grade="note" if is_over else "good",
        text=text,
        remedy="`tallybook prune --dry-run` shows what would go; raise the limit to keep it" if is_over else None,
        facts={"bytes": size, "limit_mb": settings.storage_max_mb},
    )


def _backlog(folder: Path) -> Iterator[Finding]:
    try:
        hot = snapshot(folder).hot
    except StorageError as error:
        yield Finding(check="backlog", grade="bad", text=str(error), remedy=error.hint)
        return
    count = size = 0
    for path in (path for paths in hot.values() for path in paths):
        try:
            size += (folder / path).stat().st_size
        except FileNotFoundError:
            continue  # Sealed and removed while we looked.
        count += 1
    is_much = size > BACKLOG * SEAL_BYTES or count > BACKLOG * SEAL_SEGMENTS
    yield Finding(
        check="backlog",
        grade="warn" if is_much else "good",
        text=f"{count:,} journal files with {_size_text(size)} wait to be sealed",
        remedy="every report seals them afterwards, so something prevents it: run one and see" if is_much else None,
        facts={"segments": count, "bytes": size},
    )


def damage(warned: Sequence[Warned]) -> Iterator[Finding]:
    """Files that were set aside, each with its offset."""
    for one in warned:
        at = "" if one.offset is None else f" at byte {one.offset}"
        yield Finding(
            check="damage",
            grade="bad",
            text=f"{one.path}{at}: {one.reason}",
            remedy="the rest is served; restore the file from a backup, or leave it: nothing else is affected",
            facts={"path": one.path, "offset": one.offset, "reason": one.reason},
        )
    if not warned:
        yield Finding(check="damage", grade="good", text="no damaged file")


def failures(folder: Path) -> Iterator[Finding]:
    """Failures that recording programs contained and left a note of: once a kind and process, so at least so many."""
    path = folder / FAILURES
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - FAILURES_BYTES))
            data = file.read()
    except FileNotFoundError:
        yield Finding(check="failures", grade="good", text="no program that records here had to contain a failure")
        return
    counts: Counter[str] = Counter()
    last: dict[str, tuple[float, str]] = {}
    for line in data.splitlines():
        try:
            note = json.loads(line)
            reason, at, message = str(note["reason"]), float(note["timestamp"]), str(note.get("message", ""))
        except (ValueError, TypeError, KeyError):
            counts["unreadable note"] += 1
            continue
        counts[reason] += 1
        last[reason] = max(last.get(reason, (0.0, "")), (at, message))
    for reason, count in counts.most_common():
        at, message = last.get(reason, (0.0, ""))
        yield Finding(
            check="failures",
            grade="warn",
            text=f"{reason}: contained in {count:,} {'process' if count == 1 else 'processes'}; last: {message}",
            remedy=_REMEDIES.get(reason, f"the notes are in {path}; remove the file when it is mended"),
            facts={"reason": reason, "count": count, "last_at_us": int(at * 1_000_000), "message": message},
        )


def _size_text(size: int) -> str:
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
