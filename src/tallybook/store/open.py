"""Opening the stores of a folder, as every command and server does.

A network file system is refused here: locks and renames do not keep their promises across machines.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tallybook.model.errors import StorageError

if TYPE_CHECKING:  # Only the annotations need it, and it reads the environment's names.
    from tallybook.config import Settings
    from tallybook.prices.book import PriceBook
    from tallybook.store.base import CallStore, StateStore

_MOUNTS = Path("/proc/mounts")
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "fuse.sshfs", "fuse.s3fs",
                     "fuse.gcsfuse", "glusterfs", "fuse.glusterfs", "lustre", "davfs", "ncpfs"})  # fmt: skip


def file_system_of(folder: Path, mounts: str) -> str | None:
    """Type of the file system that holds `folder`, by the text of /proc/mounts; `None` when it does not tell."""
    place = str(folder.resolve())
    best: tuple[int, str] | None = None
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and (best is None or len(point) >= best[0]):
            best = (len(point), fields[2])
    return None if best is None else best[1]


def refuse_network(folder: Path, mounts: str | None = None) -> None:
    """Raise StorageError when the folder lies on a network file system. Where that cannot be told, it is allowed."""
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
    kind = file_system_of(folder, mounts)
    if kind in _REMOTE:
        raise StorageError(
            f"{folder} is on a network file system ({kind}), where file locks and renames do not hold between machines",
            hint="set TALLYBOOK_DIR to a folder on a local disk",
        )


def open_prices(settings: Settings) -> PriceBook:
    """The prices in force for the settings' folder; what was looked up is kept there, if the folder exists."""
    from tallybook.prices.book import PriceBook  # here, because the state needs no prices

    return PriceBook(settings.folder if settings.folder.is_dir() else None, prices_file=settings.prices_file)


def open_store(settings: Settings) -> CallStore:
    """The calls of the settings' folder. Reading only: nothing is created. Raises StorageError."""
    from tallybook.store.lake.light import LightStore  # here, because the state needs no calls

    refuse_network(settings.folder)
    return LightStore(settings.folder, lambda: open_prices(settings), fsync=settings.fsync == "always")


def open_state(settings: Settings) -> StateStore:
    """The state of the settings' folder, created when absent. Raises StorageError."""
    from tallybook.store.sqlite.state import SqliteState

    refuse_network(settings.folder)
    return SqliteState(settings.folder / "state.db")
