"""Parquet: written by the store; a store that cannot says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from query.company import company, fortnight
from tallybook.export import parquet
from tallybook.model.errors import InputError
from tallybook.model.question import Filter
from tallybook.store.lake.store import LakeStore


def test_matching_calls_are_counted_and_written(tmp_path: Path) -> None:
    store = LakeStore(tmp_path / "ledger")
    store.append(fortnight())
    path = tmp_path / "out.parquet"
    assert parquet.calls(store, path, [Filter("project", "eq", "mimir")], since_us=None, until_us=None) == 70
    assert path.read_bytes()[:4] == b"PAR1"


def test_the_memory_store_writes_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Parquet"):
        parquet.calls(company(), tmp_path / "out.parquet", since_us=None, until_us=None)
