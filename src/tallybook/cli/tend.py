"""Sealing after an answer, when unsealed lines have become so many that they slow every question down.

A ledger that only programs write and nobody serves is sealed by whoever asks it. It happens after the answer is
written, one process at a time, and its failure is a remark: the answer stands.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from tallybook.cli.host import Host
from tallybook.config import Settings
from tallybook.model.errors import TallybookError
from tallybook.model.limits import SEGMENT_GRACE_S

HOT_BYTES = 8_000_000
HOT_SEGMENTS = 100
"""Unsealed lines and files from which reading them takes longer than a short question may."""


def is_due(settings: Settings) -> bool:
    """Whether there is enough to seal, and it is allowed."""
    if not os.access(settings.folder, os.W_OK | os.X_OK):
        return False
    from tallybook.store.lake.manifest import snapshot  # here, because help needs it not

    snap = snapshot(settings.folder)
    sizes = [_size(settings.folder / path) for paths in snap.hot.values() for path in paths]
    left = [_age_s(settings.folder / path) for path in snap.manifest.sealed]
    return sum(sizes) >= HOT_BYTES or len(sizes) >= HOT_SEGMENTS or max(left, default=0.0) > 4 * SEGMENT_GRACE_S


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # Sealed and removed since it was listed.


def _age_s(path: Path) -> float:
    """Seconds since a sealed segment was last changed: it is only waiting to be removed."""
    try:
        return time.time() - path.stat().st_ctime
    except FileNotFoundError:
        return 0.0


def tend(host: Host, settings: Settings) -> None:
    """Seal what is due."""
    host.out.flush()
    try:
        if is_due(settings):
            seal(settings)
            learn(settings)
    except (TallybookError, OSError) as error:
        host.remark(host.err_page.dim(f"The journal could not be sealed: {error}"))


def seal(settings: Settings) -> int:
    """Seal every free segment now; the number of calls sealed. Raises StorageError."""
    from tallybook.ingest.seal import seal as seal_folder  # here, because most commands have nothing to seal
    from tallybook.store.open import open_prices, open_state

    state = open_state(settings)
    try:
        sealed = seal_folder(settings.folder, open_prices(settings), state)
    finally:
        state.close()
    return 0 if sealed is None else sealed.calls


def learn(settings: Settings) -> int:
    """Take new stored answers into the ratios that token estimates are corrected by; the number taken.

    Only where answers are stored, or were when something was learnt last.
    """
    from tallybook.prices import ratio  # here, because most ledgers hold no answers

    if settings.responses != "full" and not (settings.folder / ratio.FILE_NAME).exists():
        return 0
    from tallybook.query.learn import learn as learn_from
    from tallybook.store.open import open_store

    ratios = ratio.read(settings.folder)
    store = open_store(settings)
    try:
        taken = learn_from(store, ratios)
    finally:
        store.close()
    ratio.write(settings.folder, ratios)
    return taken
