"""From the journal to the lake: which segments are sealed, when, and in which order things become durable.

One sealer at a time, by `seal.lock`. A free segment is taken by locking it and renaming it, so no writer adopts it
any more; its lines become Parquet files and summaries; then the manifest is swapped, in one rename; the segment
goes after a grace time. A crash at any point leaves either the state before or the state after: files that no
manifest names are not read, and a renamed segment is hot until the manifest says otherwise.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from tallybook.ingest.follow import follow, is_reflected
from tallybook.ingest.reflect import reflect
from tallybook.ingest.summarise import NAME as SUMMARY_NAME
from tallybook.ingest.summarise import write_summary
from tallybook.journal.acknowledged import Needed
from tallybook.journal.layout import Kind
from tallybook.journal.lock import try_lock
from tallybook.journal.writer import SEALING
from tallybook.model.errors import StorageError
from tallybook.model.limits import SEAL_AGE_S, SEAL_BYTES, SEAL_ROWS, SEAL_SEGMENTS, SEGMENT_GRACE_S
from tallybook.store.base import TotalStore
from tallybook.store.lake import manifest as manifests
from tallybook.store.lake.aside import DamageMet, healed, lost_summaries, noted, readable, watching
from tallybook.store.lake.manifest import Damage, Disk, File, Manifest, RealDisk
from tallybook.store.lake.price import Prices
from tallybook.store.lake.scratch import remove_left
from tallybook.store.lake.sealing import Sealer

LOCK_NAME = "seal.lock"
BATCH_BYTES = 160_000_000
"""Journal bytes sealed at once: about 130,000 calls, which DuckDB holds in some 400 MB."""
COMPACT_FILES = 12
"""Small files of the current day before they are merged; those of past days are always merged."""
COMPACT_ROWS = 250_000
COMPACT_BYTES = 128_000_000
"""Rows and bytes of a merged file, about what memory holds. A file of half as many is not merged again, so that each
call is written twice or thrice however busy its day."""
_LINE_BYTES = 900
"""A usual line, to guess the number of rows from bytes."""
DAMAGES = 1000
"""Stretches of segments that were no record, which the manifest remembers."""
_ADDITIVE = ("telemetry", "steps", "prompts", "responses", "messages")


class Sealed(NamedTuple):
    """What one sealing did."""

    calls: int
    segments: int
    files: int
    compacted: int = 0


@contextmanager
def seal_lock(folder: Path) -> Iterator[bool]:
    """Hold the sealer's lock; yields False when another process has it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)


def is_due(folder: Path, now_s: float | None = None) -> bool:
    """Whether hot lines have become many, big, old or scattered enough that sealing pays."""
    now = time.time() if now_s is None else now_s
    total = 0
    oldest = now
    count = 0
    snap = manifests.snapshot(folder)
    for kind in _ADDITIVE:
        for path in snap.hot.get(kind, []):  # type: ignore[call-overload]
            try:
                status = (folder / path).stat()
            except FileNotFoundError:
                continue
            if not status.st_size:
                continue
            total += status.st_size
            count += 1
            oldest = min(oldest, _first_written(folder / path, status))
    return (
        total >= SEAL_BYTES or total // _LINE_BYTES >= SEAL_ROWS or count >= SEAL_SEGMENTS or now - oldest >= SEAL_AGE_S
    )


def _first_written(path: Path, status: os.stat_result) -> float:
    """A moment no later than a segment's last line. Creation is not told by every file system; the change time is."""
    return min(status.st_mtime, status.st_ctime)


def seal(
    folder: Path,
    prices: Prices | None,
    state: TotalStore | None = None,
    *,
    disk: Disk | None = None,
    compact: bool = True,
    now_s: float | None = None,
    is_known: bool = False,
) -> Sealed | None:
    """Seal every free segment; `None` when another process is sealing. Raises StorageError.

    With `state`, run totals are brought to what is sealed then; a crash before that leaves it to who follows next.
    Lines are followed before, so that repeats of them are known, unless `is_known` says that there are none.
    """
    disk = disk or RealDisk()
    with seal_lock(folder) as mine:
        if not mine:
            return None
        now = time.time() if now_s is None else now_s
        manifest = _manifest(folder, disk)
        _clean(folder, manifest, disk)
        remove_left()
        manifest = _drop_sealed(folder, manifest, disk, now)
        _drop_started(folder, disk)
        before = len(manifest.files)
        done = _Done()
        while True:
            sealer = Sealer(folder, prices, disk)
            try:
                manifest = _all(
                    folder, sealer, manifest, disk, _day_of(now) if compact else None, done, state, is_known
                )
                break
            except DamageMet as met:
                # What was done stands in the manifest. Each turn finds another file, so this ends.
                manifest = _set_aside(folder, done.manifest or manifest, met, disk)
            finally:
                sealer.close()
        if done.segments or done.folded or done.compacted or not (folder / SUMMARY_NAME).exists():
            write_summary(folder, int(now * 1_000_000), disk)
        if state is not None and not is_reflected(manifests.snapshot(folder), state):
            reflect(folder, state)
        return Sealed(done.calls, done.segments, len(manifest.files) - before, done.compacted)


class _Done:
    """What a sealing has done so far, also when it has to go on without a file that it met."""

    def __init__(self) -> None:
        self.calls = self.segments = self.folded = self.compacted = 0
        self.manifest: Manifest | None = None
        """As it was last written."""


def _all(
    folder: Path, sealer: Sealer, manifest: Manifest, disk: Disk, today: str | None, done: _Done,
    state: TotalStore | None, is_known: bool,
) -> Manifest:  # fmt: skip
    """All that is due, with the counts added to `done`; without `today` nothing is merged. Raises DamageMet."""
    done.manifest = manifest
    if manifest.is_rebuilt:
        done.manifest = manifest = _order(folder, sealer, manifest, disk)
    done.manifest = manifest = _summaries_anew(folder, sealer, manifest, disk)
    taken = _take(folder, manifest, disk)
    if state is not None and not is_known and taken.get("telemetry"):
        follow(folder, state, sealer.prices)
    for segments in _batches(folder, taken):
        done.manifest, count = _seal_batch(folder, sealer, manifest, segments, disk, state)
        manifest = done.manifest
        done.calls += count
        done.segments += sum(len(paths) for paths in segments.values())
    done.manifest, count = _fold(folder, sealer, manifest, disk)
    manifest = done.manifest
    done.folded += count
    if today is not None:
        manifest = _compact(folder, sealer, manifest, disk, today, done)
    return manifest


def _summaries_anew(folder: Path, sealer: Sealer, manifest: Manifest, disk: Disk) -> Manifest:
    """Make the summaries anew of days in which one is damaged and all facts can be read; the damaged file is kept."""
    for day, lost in lost_summaries(manifest).items():
        sequence = manifest.sequence + 1
        seen = readable(manifest)
        with watching(folder, [file for file in seen.files if file.day == day and file.kind in ("calls", "tools")]):
            made = sealer.summaries(seen, day, sequence)
        gone = {file.path for file in (*lost, *made.gone)}
        kept = {}
        for file in lost:
            name = f"damaged-{sequence:06d}-{Path(file.path).name}.txt"
            if (folder / file.path).exists():
                disk.replace(folder / file.path, folder / day / name)
                kept[file.path] = f"{day}/{name}"
        manifest = msgspec.structs.replace(
            manifest,
            sequence=sequence,
            files=_ordered([*(file for file in manifest.files if file.path not in gone), *made.files]),
            damaged=tuple(
                msgspec.structs.replace(one, kept_in=kept[one.path]) if one.path in kept else one
                for one in manifest.damaged
            ),
        )
        manifests.write(folder, manifest, disk)
        for file in made.gone:
            disk.unlink(folder / file.path)
    return manifest


def _set_aside(folder: Path, manifest: Manifest, met: DamageMet, disk: Disk) -> Manifest:
    """The manifest with what cannot be read on record. Segments that are there still are kept for who mends it."""
    for one in met.found:
        path = folder / one.path
        until = path.stat().st_mtime if path.exists() else time.time()
        for name in manifest.sealed:
            segment = folder / name
            # One that was taken after the file was written is not in it.
            if segment.parent == path.parent and segment.exists() and segment.stat().st_ctime <= until:
                disk.replace(segment, path.parent / f"damaged-{manifest.sequence:06d}-{segment.name}.txt")
    manifest = noted(manifest, met.found, DAMAGES)
    manifests.write(folder, manifest, disk)
    return manifest


def _day_of(now_s: float) -> str:
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%d")


def _manifest(folder: Path, disk: Disk) -> Manifest:
    """The manifest to go on from; rebuilt from the files found when the real one is damaged or was removed."""
    try:
        if _is_lost(folder):
            reason = "the manifest is gone; it was rebuilt from the files"
            rebuilt = manifests.rebuilt(folder)
            damage = Damage(path=manifests.NAME, offset=None, reason=reason)
            rebuilt = msgspec.structs.replace(rebuilt, damaged=(damage,))
            manifests.write(folder, rebuilt, disk)
            return rebuilt
        return healed(folder, manifests.read(folder))
    except StorageError as error:
        if "damaged" not in str(error):
            raise
        rebuilt = manifests.rebuilt(folder)
        kept = folder / f"{manifests.NAME}.damaged-{int(time.time())}"
        kept.write_bytes((folder / manifests.NAME).read_bytes())
        damage = Damage(path=manifests.NAME, offset=0, reason=str(error), kept_in=kept.name)
        rebuilt = msgspec.structs.replace(rebuilt, damaged=(damage,))
        # At once and in one rename: without a manifest all files would be what a crash left behind.
        manifests.write(folder, rebuilt, disk)
        return rebuilt


def _is_lost(folder: Path) -> bool:
    """Whether files tell that there was a manifest. What the very first sealing left behind has its segments still."""
    if (folder / manifests.NAME).exists():
        return False
    found = manifests.rebuilt(folder)
    if not found.files or found.sequence > 1:
        return bool(found.files)
    return not any(f".{SEALING}" in path for paths in manifests.list_segments(folder).values() for path in paths)


def _clean(folder: Path, manifest: Manifest, disk: Disk) -> None:
    """Remove what a sealing that crashed left behind. Its segments are still there, so nothing is lost."""
    if manifest.is_rebuilt:
        return
    known = {file.path for file in manifest.files}
    for path in folder.glob("????-??-??/.*.parquet.tmp"):
        disk.unlink(path)
    for path in folder.glob("????-??-??/*.parquet"):
        if f"{path.parent.name}/{path.name}" not in known:
            disk.unlink(path)
    for path in folder.glob(f"{manifests.NAME}.*.tmp"):
        disk.unlink(path)


def _drop_sealed(folder: Path, manifest: Manifest, disk: Disk, now_s: float) -> Manifest:
    """Remove sealed segments whose grace time is over; their unique names may then leave the manifest.

    Those that a server still lacks stay until it has them (`journal.acknowledged`).
    """
    left: list[str] = []
    needed = Needed(folder, now_s)
    for name in manifest.sealed:
        path = folder / name
        try:
            age = now_s - path.stat().st_ctime
        except FileNotFoundError:
            continue
        if age < SEGMENT_GRACE_S or needed(path):
            left.append(name)
        else:
            disk.unlink(path)
            left.append(name)  # Until the next sealing: a reader may hold this listing still.
    return msgspec.structs.replace(manifest, sealed=tuple(left))


def _drop_started(folder: Path, disk: Disk) -> None:
    """Remove what dead writers told of calls that began: it is for live views, and they have seen it."""
    for path in manifests.list_segments(folder).get("started", []):
        try:
            descriptor = os.open(folder / path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            if try_lock(descriptor):
                disk.unlink(folder / path)
        finally:
            os.close(descriptor)


def _take(folder: Path, manifest: Manifest, disk: Disk, kinds: Sequence[str] = _ADDITIVE) -> dict[Kind, list[str]]:
    """Rename every free segment so that only a sealer knows it, and name those taken before a crash too."""
    sealed = set(manifest.sealed)
    taken: dict[Kind, list[str]] = {}
    renamed: set[str] = set()
    for kind, paths in manifests.list_segments(folder).items():
        if kind not in kinds:
            continue
        for path in paths:
            if path in sealed:
                continue
            day, name = path.split("/")
            if name.startswith(f"{kind}.{SEALING}"):
                taken.setdefault(kind, []).append(path)
                continue
            new = _rename(folder / day, kind, name, disk)
            if new is not None:
                taken.setdefault(kind, []).append(f"{day}/{new}")
                renamed.add(day)
    for day in renamed:
        disk.fsync(folder / day)
    return taken


def _rename(place: Path, kind: Kind, name: str, disk: Disk) -> str | None:
    """Take one segment if its writer is gone or has rotated; `None` when it is in use or empty."""
    try:
        descriptor = os.open(place / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if not try_lock(descriptor):
            return None
        mine = os.fstat(descriptor)
        try:
            named = (place / name).stat()
        except FileNotFoundError:
            return None
        if mine.st_ino != named.st_ino or mine.st_size == 0:
            return None
        new = f"{kind}.{SEALING}{os.urandom(8).hex()}.jsonl"
        disk.replace(place / name, place / new)
        return new
    finally:
        os.close(descriptor)


def _batches(folder: Path, taken: dict[Kind, list[str]]) -> Iterator[dict[str, list[str]]]:
    """Segments in portions that fit in memory; steps go with the first, so that they find their calls or lie before."""
    rest: dict[str, list[str]] = {kind: paths for kind, paths in taken.items() if kind != "telemetry"}
    batch: list[str] = []
    size = 0
    for path in taken.get("telemetry", []):
        batch.append(path)
        size += (folder / path).stat().st_size
        if size >= BATCH_BYTES:
            yield {"telemetry": batch}
            batch, size = [], 0
    if batch or rest:
        yield {**({"telemetry": batch} if batch else {}), **rest}


def _seal_batch(
    folder: Path, sealer: Sealer, manifest: Manifest, segments: dict[str, list[str]], disk: Disk,
    state: TotalStore | None,
) -> tuple[Manifest, int]:  # fmt: skip
    """One portion: its files first, then the manifest that names them."""
    sequence = manifest.sequence + 1
    seen = readable(manifest)
    with watching(folder, [file for file in seen.files if file.kind in ("calls", "tools")]):
        batch = sealer.seal(seen, segments, sequence)
    damaged: list[Damage] = []
    for path, bad in batch.bad.items():
        if not bad:
            continue
        kept = f"{path.split('/')[0]}/damaged-{sequence:06d}-{os.urandom(3).hex()}.txt"
        data = b"\n".join(one.data for one in bad if one.data)
        if data:
            (folder / kept).write_bytes(data + b"\n")
        damaged += [
            Damage(path=path, offset=one.offset, reason=one.reason, kept_in=kept if data else "") for one in bad
        ]
    gone = {file.path for file in batch.gone}
    manifest = msgspec.structs.replace(
        manifest,
        sequence=sequence,
        files=_ordered([*(file for file in manifest.files if file.path not in gone), *batch.files]),
        sealed=(*manifest.sealed, *(path for paths in segments.values() for path in paths)),
    )
    manifest = noted(manifest, damaged, DAMAGES)
    if state is not None and batch.left_runs:
        state.mark_stale(batch.left_runs)
    manifests.write(folder, manifest, disk)
    for path in gone:
        disk.unlink(folder / path)
    return manifest, batch.calls


def _ordered(files: Sequence[File]) -> tuple[File, ...]:
    return tuple(sorted(files, key=lambda file: (file.day, file.kind, file.path)))


def _fold(folder: Path, sealer: Sealer, manifest: Manifest, disk: Disk) -> tuple[Manifest, int]:
    """Put amended costs into the files of their calls; how many segments of amendments that were."""
    taken = _take(folder, manifest, disk, ("amendments",)).get("amendments", [])
    if not taken:
        return manifest, 0
    gone_before = {*manifest.sealed, *taken}
    others = [path for path in manifests.list_segments(folder).get("amendments", []) if path not in gone_before]
    sequence = manifest.sequence + 1
    seen = readable(manifest)
    with watching(folder, [file for file in seen.files if file.kind in ("calls", "tools")]):
        done = sealer.fold(seen, taken, others, sequence)
    if not done.segments:
        return manifest, 0
    gone = {file.path for file in done.gone}
    manifest = msgspec.structs.replace(
        manifest,
        sequence=sequence,
        files=_ordered([*(file for file in manifest.files if file.path not in gone), *done.files]),
        sealed=(*manifest.sealed, *done.segments),
    )
    manifests.write(folder, manifest, disk)
    for path in gone:
        disk.unlink(folder / path)
    return manifest, len(done.segments)


def _order(folder: Path, sealer: Sealer, manifest: Manifest, disk: Disk) -> Manifest:
    """A rebuilt manifest with nothing in it twice, in its place."""
    with watching(folder, readable(manifest).files):
        manifest, gone = sealer.ordered(manifest)
    manifest = msgspec.structs.replace(manifest, files=_ordered(manifest.files))
    manifests.write(folder, manifest, disk)
    for file in gone:
        disk.unlink(folder / file.path)
    return manifest


def _compact(folder: Path, sealer: Sealer, manifest: Manifest, disk: Disk, today: str, done: _Done) -> Manifest:
    """Merge the files of each past day, and of the current one when they are many, kind by kind."""
    groups: dict[tuple[str, str], list[File]] = {}
    for file in readable(manifest).files:
        groups.setdefault((file.day, file.kind), []).append(file)
    replaced: list[File] = []
    for (day, _), files in groups.items():
        small = [file for file in files if _is_small(file)]
        if day >= today and len(small) < COMPACT_FILES:
            continue
        for portion in _portions(small):
            sequence = manifest.sequence + 1
            with watching(folder, portion):
                one = sealer.compact(portion, sequence)
            gone = {file.path for file in portion}
            kept = [file for file in manifest.files if file.path not in gone]
            manifest = msgspec.structs.replace(manifest, sequence=sequence, files=_ordered([*kept, one]))
            manifests.write(folder, manifest, disk)
            done.manifest = manifest
            replaced += portion
            done.compacted += 1
    for file in replaced:
        disk.unlink(folder / file.path)
    return manifest


def _is_small(file: File) -> bool:
    return file.rows < COMPACT_ROWS // 2 and file.bytes < COMPACT_BYTES // 2


def _portions(files: Sequence[File]) -> Iterator[list[File]]:
    """Files of one kind and day in groups of at least two that make one file each, the earliest first."""
    portion: list[File] = []
    rows = size = 0
    for file in sorted(files, key=lambda one: (one.min_us, one.path)):
        if portion and (rows + file.rows > COMPACT_ROWS or size + file.bytes > COMPACT_BYTES):
            if len(portion) > 1:
                yield portion
            portion, rows, size = [], 0, 0
        portion.append(file)
        rows += max(file.rows, 0)
        size += file.bytes
    if len(portion) > 1:
        yield portion
