"""Sealed files that cannot be read, while sealing: found, named in the manifest's `damaged`, and left where they are.

A damaged file stays in the manifest and on the disk, so that one that is restored counts again. Sealing goes on
without it. Its day is then treated as one whose facts were removed: nothing in it is written anew, since summaries
made from what is left would lose what only they still tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tallybook.model.errors import StorageError
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.manifest import FACTS, SUMMARIES, Damage, File, Manifest
from tallybook.store.lake.reader import connect, damage_of


class DamageMet(StorageError):
    """Sealing met files that cannot be read."""

    def __init__(self, found: Sequence[Damage]) -> None:
        super().__init__(
            "; ".join(f"{one.path}: {one.reason}" for one in found), hint="the rest is served; see `tallybook doctor`"
        )
        self.found = tuple(found)


def readable(manifest: Manifest) -> Manifest:
    """What sealing may read: without files that were found damaged, their days' facts fixed as removed ones are."""
    aside = {one.path for one in manifest.damaged}
    lost = [file for file in manifest.files if file.path in aside]
    if not lost:
        return manifest
    days = {file.day for file in lost if file.kind in ("calls", "tools")}
    return msgspec.structs.replace(
        manifest,
        files=tuple(file for file in manifest.files if file.path not in aside),
        removed=tuple(sorted({*manifest.removed, *days})),
    )


def lost_summaries(manifest: Manifest) -> dict[str, list[File]]:
    """Damaged summaries by day, of days whose facts are all there to make them anew from."""
    aside = {one.path for one in manifest.damaged}
    seen = readable(manifest)
    days = {file.day for file in seen.files if file.kind == "calls"} - {*seen.removed}
    lost: dict[str, list[File]] = {}
    for file in manifest.files:
        if file.kind in SUMMARIES and file.path in aside and file.day in days:
            lost.setdefault(file.day, []).append(file)
    return lost


def noted(manifest: Manifest, found: Sequence[Damage], most: int) -> Manifest:
    """The manifest with more damage on record: of the rest the latest `most`, of its own files all."""
    own = {file.path for file in manifest.files}
    every = [*manifest.damaged, *found]
    rest = [one for one in every if one.path not in own][-most:]
    return msgspec.structs.replace(manifest, damaged=(*(one for one in every if one.path in own), *rest))


def healed(folder: Path, manifest: Manifest) -> Manifest:
    """The manifest without the damage of files that can be read again, as after a restore."""
    own = {file.path: file for file in manifest.files}
    met = [own[one.path] for one in manifest.damaged if one.path in own]
    if not met:
        return manifest
    still = {one.path for one in examine(folder, met)}
    return msgspec.structs.replace(
        manifest, damaged=tuple(one for one in manifest.damaged if one.path not in own or one.path in still)
    )


def examine(folder: Path, files: Sequence[File], deep: bool = True) -> list[Damage]:
    """Which files cannot be read, and where; without `deep` only what is gone or has no head or foot."""
    found = []
    con = connect() if deep else None  # An error may have left the one that met it unusable.
    try:
        for file in files:
            try:
                met = damage_of(con, folder / file.path) if con else _cut(folder / file.path)
            except FileNotFoundError:
                met = (None, "the file is gone")
            except OSError as error:
                met = (None, f"cannot be read: {error.strerror}")
            if met is not None:
                found.append(Damage(path=file.path, offset=met[0], reason=met[1]))
    finally:
        if con is not None:
            con.close()
    return found


def _cut(path: Path) -> tuple[int | None, str] | None:
    """Whether a file lacks what a look at its two ends finds."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            return 0, "not a Parquet file"
        file.seek(max(size - 4, 0))
        return None if file.read(4) == b"PAR1" else (size, "cut off: the footer is missing")


@contextmanager
def watching(folder: Path, files: Sequence[File]) -> Iterator[None]:
    """Raise DamageMet when what is done fails since one of the files cannot be read."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.Error, OSError) as error:
        text = str(error)
        found = examine(folder, files, deep=False)
        found = found or examine(folder, [file for file in files if file.path in text])
        for file in () if found else sorted(files, key=lambda one: one.kind not in FACTS):
            found = examine(folder, [file])
            if found:
                break
        if not found:
            raise
        raise DamageMet(found) from error
