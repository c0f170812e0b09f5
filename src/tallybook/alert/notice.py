"""The server's notice in the folder, `alerts.json`: the episodes under way, for `tallybook doctor` to read.

It has its full size from the start and is written in place, because what it most needs to tell is that the disk is
full. A reader that meets a torn one sees none.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tallybook.alert.episode import Alert

NAME = "alerts.json"
_BYTES = 16_384
_FRESH_US = 60_000_000


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a server last said about itself."""

    pid: int
    url: str
    written_us: int
    alerts: list[Alert] = []
    more: int = 0
    """Further alerts that did not fit."""
    is_stopped: bool = False

    def is_fresh(self, now_us: int) -> bool:
        """Whether the server that wrote it still runs: it writes at least twice a minute."""
        return not self.is_stopped and now_us - self.written_us < _FRESH_US


def write(folder: Path, notice: Notice) -> None:
    """Write it in place. Raises OSError, also where the folder cannot be written."""
    alerts = list(notice.alerts)
    data = msgspec.json.encode(notice)
    while len(data) > _BYTES - 1 and alerts:
        alerts.pop()
        data = msgspec.json.encode(
            msgspec.structs.replace(notice, alerts=alerts, more=len(notice.alerts) - len(alerts))
        )
    descriptor = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, data.ljust(_BYTES - 1) + b"\n", 0)
    finally:
        os.close(descriptor)


def read(folder: Path) -> Notice | None:
    """The last notice; `None` when there is none that can be read."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Notice)
    except (OSError, msgspec.DecodeError):
        return None


def alerts_of(notice: Notice | None, now_us: int) -> Sequence[Alert]:
    """What a running server complains of now."""
    return notice.alerts if notice is not None and notice.is_fresh(now_us) else ()
