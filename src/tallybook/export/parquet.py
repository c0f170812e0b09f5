"""Parquet: the store writes it itself, column by column, since only stores know the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tallybook.model.question import Filter
from tallybook.store.base import CallStore


def calls(
    store: CallStore, path: Path, filters: Sequence[Filter] = (), *, since_us: int | None, until_us: int | None
) -> int:
    """Write matching calls to one file; the number of rows. Raises InputError where the store cannot."""
    return store.export_parquet(str(path), filters, since_us=since_us, until_us=until_us)
