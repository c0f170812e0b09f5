"""Costs in SQL and the reference arithmetic agree to the last nano-USD."""

from __future__ import annotations

import msgspec
import pytest

from tallybook.model import codec
from tallybook.model.usage import TOKEN_FIELDS, Usage
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


WITHOUT = {
    "nothing but input and output": (*TOKEN_FIELDS[2:], "requests", "quantities"),
    "no server-side tools": ("requests",),
    "no cache": ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
    "nothing by modality": ("input_audio_tokens", "input_image_tokens", "output_audio_tokens", "quantities"),
    "no parts of the output": ("reasoning_tokens", "output_audio_tokens", "output_image_tokens"),
}


@pytest.mark.parametrize("what", WITHOUT)
def test_what_no_call_of_a_batch_has_is_left_out_of_the_statement_and_changes_no_cost(tmp_path, what):
    plain = Usage()
    nothing = {name: getattr(plain, name) for name in WITHOUT[what]}
    calls = [
        msgspec.structs.replace(call, usage=msgspec.structs.replace(call.usage, **nothing), flags=flags)
        for call in random_calls(7, 600)
        for flags in [() if what.startswith("nothing") else call.flags]
    ]
    (tmp_path / "2026-02-02").mkdir()
    (tmp_path / "2026-02-02" / "telemetry.jsonl").write_bytes(b"".join(codec.encode(call) for call in calls))
    store = LakeStore(tmp_path, Book())
    got = {call.call_id: call.cost for batch in store.scan() for call in batch}
    store.close()
    for call in calls:
        assert got[call.call_id] == Book().price(call), call
