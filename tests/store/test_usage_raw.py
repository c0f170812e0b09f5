"""The provider's usage object comes back as it went in, and is stored in fewer bytes."""

from __future__ import annotations

import random

from tallybook.ingest import seal as sealing
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.usage import Usage
from tallybook.store.lake.manifest import RealDisk
from tallybook.store.lake.store import LakeStore
from tallybook.store.lake.usage_raw import _template

START_US = 1_770_000_000_000_000


class QuickDisk(RealDisk):
    def fsync(self, path):
        assert path.exists()


def _call(r: random.Random, number: int) -> Call:
    tokens = Usage(
        input_tokens=r.randrange(2000), output_tokens=r.randrange(500), cache_read_tokens=r.choice([None, 7, 0])
    )
    odd = {"note": "mail me @home: 5", "n": [1, 2]}, {"a": ":@i"}, None, "text", {"input": 1.5, "x": None}
    usual = {
        "prompt_tokens": tokens.input_tokens,
        "completion_tokens": tokens.output_tokens,
        "total_tokens": tokens.total_tokens,
        "details": {"cached_tokens": tokens.cache_read_tokens or 0, "constant": 0},
    }
    wrong = usual | {"total_tokens": 3}
    raw = r.choices((usual, wrong, *odd), (20, 2, 1, 1, 1, 1, 1))[0]
    return Call(call_id=f"c{number:05d}", started_at_us=START_US + number, usage=tokens, usage_raw=raw)


def test_every_usage_object_comes_back_as_it_went_in(tmp_path):
    r = random.Random(4)
    calls = [_call(r, number) for number in range(1_500)]
    (tmp_path / "2026-02-02").mkdir()
    lines = b"".join(codec.encode(call) for call in calls)
    for part in (lines[: lines.index(b"\n", len(lines) // 2) + 1], lines[lines.index(b"\n", len(lines) // 2) + 1 :]):
        (tmp_path / "2026-02-02" / "telemetry.jsonl").write_bytes(part)
        sealing.seal(tmp_path, None, disk=QuickDisk())
    store = LakeStore(tmp_path)
    got = {call.call_id: call.usage_raw for batch in store.scan() for call in batch}
    (stored,) = store.sql("SELECT count(*) FROM calls WHERE contains(usage_raw, ':@')").rows[0]
    store.close()
    assert got == {call.call_id: call.usage_raw for call in calls}
    assert stored == sum(call.usage_raw == {"a": ":@i"} for call in calls)


def test_a_number_is_marked_by_the_one_column_that_it_always_equals():
    text = '{"a":5,"b":5,"c":0}'
    seen = [[{"5", "i", "o"}, {"5", "i"}, {"0"}], [{"9", "i"}, {"8", "o", "i"}, {"0"}]]
    assert _template(text, seen) == '{"a":@i,"b":@i,"c":0}'
