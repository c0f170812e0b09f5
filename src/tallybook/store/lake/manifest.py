"""`DIR/manifest.json`: which Parquet files hold what, and which journal segments they replace.

It is swapped as a whole by one rename after everything it names is on disk, so a reader sees the state before a
sealing or after it, never in between. The format is documented in `docs/lake.md`.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from tallybook.journal.layout import Kind, is_day, kind_of
from tallybook.journal.writer import SEALING
from tallybook.model.errors import StorageError

NAME = "manifest.json"
VERSION = 1

FileKind = Literal[
    "calls", "tools", "steps", "amendments", "prompts", "responses", "messages",
    "summary", "summary_users", "summary_tools", "summary_latency", "summary_runs",
]  # fmt: skip
FACTS: tuple[FileKind, ...] = ("calls", "tools", "steps", "amendments")
BODIES: tuple[FileKind, ...] = ("prompts", "responses", "messages")
SUMMARIES: tuple[FileKind, ...] = (
    "summary", "summary_users", "summary_tools", "summary_latency", "summary_runs",
)  # fmt: skip


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One Parquet file. `path` is relative to the folder; times are microseconds since 1970 of its records."""

    path: str
    kind: FileKind
    day: str
    rows: int
    bytes: int
    min_us: int = 0
    max_us: int = 0
    min_id: str = ""
    max_id: str = ""
    promoted: dict[str, str] = {}
    """Metadata keys that have a column of their own, with its type."""
    is_mixed: bool = False
    """Holds calls that may come from more than one source, so that a repeat is possible."""
    crc32: int = 0


class Damage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes of a segment that were no record, set aside when it was sealed; or a file of the manifest that cannot be
    read, left where it is. `offset` is None where the file is gone."""

    path: str
    offset: int | None
    reason: str
    kept_in: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole state of the lake."""

    version: int = VERSION
    sequence: int = 0
    """Counts sealings; part of the names of new files."""
    files: tuple[File, ...] = ()
    sealed: tuple[str, ...] = ()
    """Segments, relative to the folder, whose lines are in `files` but which are not removed yet."""
    damaged: tuple[Damage, ...] = ()
    removed: tuple[str, ...] = ()
    """Days whose facts retention has removed; their summaries stay."""
    is_rebuilt: bool = False
    """Made up from the files found because the real one was damaged: calls may be in two files."""

    def of(self, kind: FileKind, since_us: int | None = None, until_us: int | None = None) -> list[File]:
        """Files of a kind whose records can lie in the span, by day."""
        return [
            file
            for file in self.files
            if file.kind == kind
            and (since_us is None or file.max_us >= since_us)
            and (until_us is None or file.min_us < until_us)
        ]


_decode = msgspec.json.Decoder(Manifest).decode


class Disk(Protocol):
    """The calls that make a change durable; tests hand in one that fails at the nth."""

    def fsync(self, path: Path) -> None:
        """Make a file's content, or a folder's names, survive power loss."""
        ...

    def replace(self, source: Path, target: Path) -> None:
        """As os.replace."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is gone already is no error."""
        ...


class RealDisk:
    """The real thing."""

    def fsync(self, path: Path) -> None:
        """See `Disk.fsync`."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """See `Disk.replace`."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """See `Disk.unlink`."""
        path.unlink(missing_ok=True)


_SETTLED_NS = 2_000_000_000
"""What changed less long ago may change again within the same tick of the file system's clock."""


class Seen:
    """What earlier snapshots of a folder found, kept by who asks often, so that only what changed is read again."""

    def __init__(self) -> None:
        self.names: dict[str, tuple[int, int, list[str]]] = {}
        """Segments' names by day, with inode and time of the folder that was listed."""
        self.manifest: tuple[tuple[int, int, int], Manifest] | None = None
        """The manifest with inode, time and size of its file."""


def read(folder: Path, seen: Seen | None = None) -> Manifest:
    """The manifest; an empty one where there is none. One that `seen` holds is not decoded again.

    Raises StorageError when it is damaged or of a later version.
    """
    path = folder / NAME
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen is not None and seen.manifest is not None and seen.manifest[0] == stamp:
                return seen.manifest[1]
            data = file.read()
    except FileNotFoundError:
        return Manifest()
    manifest = _decoded(path, data)
    if seen is not None:
        is_settled = time.time_ns() - status.st_mtime_ns > _SETTLED_NS
        seen.manifest = (stamp, manifest) if is_settled else None
    return manifest


def _decoded(path: Path, data: bytes) -> Manifest:
    try:
        manifest = _decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise StorageError(f"{path}: damaged: {error}", hint="the next sealing rebuilds it from the files") from error
    if manifest.version > VERSION:
        raise StorageError(
            f"{path}: version {manifest.version} is newer than this program's {VERSION}", hint="upgrade tallybook"
        )
    return manifest


def write(folder: Path, manifest: Manifest, disk: Disk) -> None:
    """Put the manifest in place of the old one, durably and at once."""
    path = folder / NAME
    temporary = path.with_name(f"{NAME}.{os.getpid()}.tmp")
    temporary.write_bytes(msgspec.json.encode(manifest))
    disk.fsync(temporary)
    disk.replace(temporary, path)
    disk.fsync(folder)


class Snapshot(NamedTuple):
    """What a reader sees: the manifest, and the segments whose lines are not in its files."""

    manifest: Manifest
    hot: dict[Kind, list[str]]
    problem: str | None = None
    """Why the manifest could not be read, if so."""


def _names_of_day(place: str, day: str, seen: Seen | None) -> list[str]:
    """Names of lines' files in a day's folder; a folder that has not changed since is not listed again."""
    if seen is None:
        return sorted(entry.name for entry in os.scandir(place) if entry.name.endswith(".jsonl"))
    status = os.stat(place)  # noqa: PTH116  (a path object a day costs as much as the rest)
    known = seen.names.get(day)
    if known is not None and known[0] == status.st_ino and known[1] == status.st_mtime_ns:
        return known[2]
    now_ns = time.time_ns()
    names = _names_of_day(place, day, None)
    seen.names.pop(day, None)
    if now_ns - status.st_mtime_ns > _SETTLED_NS:
        seen.names[day] = (status.st_ino, status.st_mtime_ns, names)
    return names


def list_segments(folder: Path, seen: Seen | None = None) -> dict[Kind, list[str]]:
    """Paths of all journal segments by kind, relative to the folder, in order. Faster than `layout.segments`."""
    found: dict[Kind, list[str]] = {}
    try:
        days = sorted(entry.name for entry in os.scandir(folder) if is_day(entry.name))
    except FileNotFoundError:
        return found
    for day in days:
        try:
            names = _names_of_day(f"{folder}/{day}", day, seen)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            kind = kind_of(name)
            if kind is not None:
                found.setdefault(kind, []).append(f"{day}/{name}")
    return found


def stamp(folder: Path, seen: Seen) -> tuple[Any, ...]:
    """What tells this state of the manifest and the segments from every other, in a `stat` each; nothing is opened."""
    found: list[Any] = []
    paths = [NAME, *(path for paths in list_segments(folder, seen).values() for path in paths)]
    for path in paths:
        try:
            status = os.stat(f"{folder}/{path}")  # noqa: PTH116  (as above)
        except FileNotFoundError:
            found.append((path, None))
        else:
            found.append((path, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


def _names_of_sealer(listed: dict[Kind, list[str]]) -> set[str]:
    return {path for paths in listed.values() for path in paths if f".{SEALING}" in path}


def _is_within(before: dict[Kind, list[str]], after: dict[Kind, list[str]]) -> bool:
    """Whether every segment of the first listing is in the second one."""
    return all(set(paths) <= set(after.get(kind, ())) for kind, paths in before.items())


def snapshot(folder: Path, seen: Seen | None = None) -> Snapshot:
    """A consistent view without any lock.

    Segments are listed before and after the manifest is read: the sealer's renaming in between would show as a
    difference. New segments of writers are none: many writers that rotate often would keep a reader waiting.
    A line is therefore in a hot segment or in a file of the manifest, never in both nor in neither.
    """
    seen = Seen() if seen is None else seen  # The second listing then is of changed folders only.
    before = list_segments(folder, seen)
    while True:
        problem = None
        try:
            manifest = read(folder, seen)
        except StorageError as error:
            if "damaged" not in str(error):
                raise
            manifest, problem = rebuilt(folder), str(error)
        after = list_segments(folder, seen)
        if _names_of_sealer(before) == _names_of_sealer(after) and _is_within(before, after):
            break
        before = after
    sealed = set(manifest.sealed)
    hot = {kind: [path for path in paths if path not in sealed] for kind, paths in after.items()}
    return Snapshot(manifest, {kind: paths for kind, paths in hot.items() if paths}, problem)


def rebuilt(folder: Path) -> Manifest:
    """A manifest of all Parquet files found, for when the real one is damaged. Spans are unknown and thus all."""
    files: list[File] = []
    for path in sorted(folder.glob("????-??-??/*.parquet")):
        kind = path.name.split("-")[0].split(".")[0]
        if kind in (*FACTS, *BODIES, *SUMMARIES) and is_day(path.parent.name):
            files.append(
                File(
                    path=f"{path.parent.name}/{path.name}", kind=kind, day=path.parent.name, rows=-1,
                    bytes=path.stat().st_size, min_us=0, max_us=1 << 62, max_id="\U0010ffff",
                )
            )  # fmt: skip
    # New files must not take the names of those that are there.
    sequence = max((sequence_of(file.path) for file in files), default=0)
    return Manifest(sequence=sequence, files=tuple(files), is_rebuilt=True)


def sequence_of(path: str) -> int:
    """The sealing that a file is of, by its name."""
    match = re.search(r"-(\d+)(?:r\d+)?\.parquet$", path)
    return int(match[1]) if match else 0
