"""Reading segments: cut anywhere, padded with zeros, interleaved, damaged: every whole line is read, once."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.records import START_US, random_calls
from tallybook.ingest import seal as sealing
from tallybook.model import codec
from tallybook.model.question import Question
from tallybook.store.lake.lines import look
from tallybook.store.lake.manifest import RealDisk
from tallybook.store.lake.store import LakeStore

CALLS = random_calls(3, 12)
LINES = [codec.encode(call) for call in CALLS]
DAY = "2026-02-02"
_FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class QuickDisk(RealDisk):
    def fsync(self, path):
        assert path.exists()


def seal(folder, prices):
    return sealing.seal(folder, prices, disk=QuickDisk())


def _folder(tmp_path):
    folder = tmp_path / f"ledger-{len(list(tmp_path.iterdir()))}"
    (folder / DAY).mkdir(parents=True)
    return folder


def _ids(folder):
    store = LakeStore(folder)
    try:
        return [call.call_id for call in store.calls(limit=1000)], store.warnings()
    finally:
        store.close()


def _whole(data: bytes) -> set[str]:
    """Ids of the lines that are whole in `data`, by plain string work."""
    return {call.call_id for call, line in zip(CALLS, LINES, strict=True) if line in data}


@_FEW
@given(cut=st.integers(0, sum(map(len, LINES))), seals=st.booleans())
def test_a_segment_cut_anywhere_gives_every_whole_line_once(tmp_path, cut, seals):
    folder = _folder(tmp_path)
    data = b"".join(LINES)[:cut]
    (folder / DAY / "telemetry.jsonl").write_bytes(data)
    if seals:
        seal(folder, None)
    ids, warned = _ids(folder)
    assert len(ids) == len(set(ids))
    # A last line may have lost nothing but its newline: it is whole all the same.
    assert _whole(data) <= set(ids) <= _whole(data + b"\n")
    assert warned == []


@_FEW
@given(cut=st.integers(0, sum(map(len, LINES))), zeros=st.integers(1, 5000))
def test_zeros_after_a_power_cut_are_reported_and_the_rest_is_served(tmp_path, cut, zeros):
    folder = _folder(tmp_path)
    data = b"".join(LINES)[:cut]
    (folder / DAY / "telemetry.jsonl").write_bytes(data + b"\x00" * zeros + b"\n" + LINES[0].replace(b"019", b"018"))
    ids, warned = _ids(folder)
    assert len(ids) == len(set(ids))
    assert _whole(data) <= set(ids)
    assert any(one.path == f"{DAY}/telemetry.jsonl" and "zero bytes" in one.reason for one in warned)
    assert min(one.offset for one in warned) <= cut


@_FEW
@given(seed=st.integers(0, 10_000), writers=st.integers(1, 5))
def test_lines_interleaved_over_writers_are_all_read_once(tmp_path, seed, writers):
    folder = _folder(tmp_path)
    r = random.Random(seed)
    for number in range(writers):
        (folder / DAY / f"telemetry.w{number}.jsonl").write_bytes(b"")
    for line in LINES:
        with (folder / DAY / f"telemetry.w{r.randrange(writers)}.jsonl").open("ab") as file:
            file.write(b"\n" * r.randrange(2) + line)
    if r.random() < 0.5:
        seal(folder, None)
    ids, warned = _ids(folder)
    assert sorted(ids) == sorted(call.call_id for call in CALLS)
    assert warned == []


def test_a_damaged_line_is_reported_with_its_offset_and_set_aside_when_sealed(tmp_path):
    folder = _folder(tmp_path)
    (folder / DAY / "telemetry.jsonl").write_bytes(LINES[0] + b"this is no record\n" + LINES[1])
    ids, warned = _ids(folder)
    assert len(ids) == 2
    assert [(one.path, one.offset) for one in warned] == [(f"{DAY}/telemetry.jsonl", len(LINES[0]))]
    seal(folder, None)
    ids, warned = _ids(folder)
    assert len(ids) == 2
    assert [one.offset for one in warned] == [len(LINES[0])]
    (kept,) = (folder / DAY).glob("damaged-*.txt")
    assert kept.read_bytes() == b"this is no record\n"


def test_a_line_without_an_id_gets_the_same_one_hot_and_sealed(tmp_path):
    folder = _folder(tmp_path)
    line = b'{"timestamp":"2026-02-02T10:30:45.123Z","model":"claude-3-5-haiku","duration_ms":1234,'
    line += b'"tokens":{"input":500,"output":200,"total":700},"cost_usd":0.0025,"success":true,'
    line += b'"metadata":{"project":"spacewalker","git_branch":"main","error":null,"team":"core"}}\n'
    (folder / DAY / "telemetry.jsonl").write_bytes(line * 3)
    before, _ = _ids(folder)
    assert len(set(before)) == 3
    seal(folder, None)
    after, _ = _ids(folder)
    assert after == before
    store = LakeStore(folder)
    question = Question(measures=("calls", "cost_nanousd", "total_tokens"), dimensions=("project", "metadata.team"))
    assert store.ask(question).rows == [("spacewalker", "core", 3, 7_500_000, 2_100)]
    store.close()


def test_a_time_with_an_offset_is_read_as_utc(tmp_path):
    folder = _folder(tmp_path)
    line = b'{"timestamp":"2026-02-02T10:30:45+02:00","call_id":"a","success":true,"tokens":{"input":1}}\n'
    (folder / DAY / "telemetry.jsonl").write_bytes(line)
    store = LakeStore(folder)
    (call,) = store.calls()
    assert codec.time_of(call.started_at_us).isoformat() == "2026-02-02T08:30:45+00:00"
    store.close()


def test_looking_at_lines_keeps_offsets_in_bytes():
    data = LINES[0] + "ключ".encode() + b"\n" + LINES[1] + b'{"half": '
    looked = look(data)
    assert [one.offset for one in looked.bad] == [len(LINES[0])]
    assert len(looked.lines) == 2
    assert START_US > 0
