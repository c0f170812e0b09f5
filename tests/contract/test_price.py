"""Costs in SQL and the reference arithmetic agree to the last nano-USD."""

from __future__ import annotations

import pytest

from tallybook.model import codec
from tallybook.store.lake.store import LakeStore

from .records import Book, random_calls


@pytest.mark.parametrize("seed", range(4))
def test_sql_and_the_reference_agree_on_random_calls(tmp_path, seed):
    calls = random_calls(seed + 100, 1_500)
    (tmp_path / "2026-02-02").mkdir()
    (tmp_path / "2026-02-02" / "telemetry.jsonl").write_bytes(b"".join(codec.encode(call) for call in calls))
    book = Book()
    store = LakeStore(tmp_path, book)
    got = {call.call_id: call.cost for batch in store.scan() for call in batch}
    store.close()
    assert len(got) == len(calls)
    for call in calls:
        assert got[call.call_id] == book.price(call), call
    statuses = {cost.status for cost in got.values()}
    assert statuses >= {"priced", "partial", "unpriced", "free", "reported", "estimated"}
