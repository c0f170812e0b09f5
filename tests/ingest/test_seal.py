"""Sealing: nothing is lost or doubled, whatever crashes; damage is named and the rest is served."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from contract.records import START_US, Book, random_calls, random_steps
from tallybook.ingest import seal as sealing
from tallybook.ingest.follow import follow
from tallybook.ingest.seal import seal_lock
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.limits import SEGMENT_GRACE_S
from tallybook.model.question import Question
from tallybook.store.lake.manifest import RealDisk
from tallybook.store.lake.store import LakeStore
from tallybook.store.memory_state import MemoryState
from tallybook.store.sqlite.state import SqliteState

CALLS = random_calls(11, 60, days=2)
STEPS = random_steps(11, CALLS)


class Crash(Exception):
    """The machine stops here."""


class QuickDisk(RealDisk):
    """Does not wait for the disk: these tests stop processes, not the power."""

    def fsync(self, path: Path) -> None:
        assert path.exists()


class FailingDisk(QuickDisk):
    """Stops at the nth call that makes something durable."""

    def __init__(self, at: int) -> None:
        self.left = at

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Crash

    def fsync(self, path: Path) -> None:
        self._step()
        super().fsync(path)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def unlink(self, path: Path) -> None:
        self._step()
        super().unlink(path)


def seal(folder, prices, state=None, disk=None, **more):
    return sealing.seal(folder, prices, state, disk=disk or QuickDisk(), **more)


def _write(folder, calls, steps=(), writer="telemetry"):
    journal = Writer(folder, writer, segment_bytes_max=1 << 25)
    for call in calls:
        journal.append(codec.encode(call), START_US)
    journal.close()
    if steps:
        journal = Writer(folder, "steps", segment_bytes_max=1 << 25)
        for step in steps:
            journal.append(codec.encode_step(step), START_US)
        journal.close()


def _seen(folder):
    store = LakeStore(folder, Book())
    try:
        ids = [call.call_id for batch in store.scan() for call in batch]
        (total,) = store.ask(Question(measures=("calls", "cost_nanousd", "input_tokens"))).rows
        return Counter(ids), total, store.warnings()
    finally:
        store.close()


def _expected(calls):
    book = Book()
    costs = [book.price(call).total_nanousd for call in calls]
    tokens = [call.usage.input_tokens for call in calls]
    return (
        Counter(call.call_id for call in calls),
        (len(calls), sum(cost for cost in costs if cost is not None), sum(tok for tok in tokens if tok is not None)),
        [],
    )


def test_a_crash_at_any_step_neither_loses_nor_doubles_a_call(tmp_path):
    at = 0
    while True:
        folder = tmp_path / f"crash-{at}"
        _write(folder, CALLS[:30], STEPS)
        seal(folder, Book())
        _write(folder, CALLS[30:])
        disk = FailingDisk(at)
        try:
            seal(folder, Book(), disk=disk)
            crashed = False
        except Crash:
            crashed = True
        assert _seen(folder) == _expected(CALLS), f"after a crash at step {at}"
        seal(folder, Book())
        assert _seen(folder) == _expected(CALLS), f"after the sealing that followed a crash at step {at}"
        if not crashed:
            break
        at += 9
    assert at > 20


def test_a_segment_in_use_is_left_alone_and_read_as_it_is(tmp_path):
    folder = tmp_path / "ledger"
    writer = Writer(folder, "telemetry", segment_bytes_max=1 << 25)
    for call in CALLS[:5]:
        writer.append(codec.encode(call), START_US)
    pid = os.fork()  # Locks are of processes' open files: another process must hold this one.
    if pid == 0:
        os._exit(0 if seal(folder, Book()).calls == 0 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert len(_seen(folder)[0]) == 5
    writer.close()
    assert seal(folder, Book()).calls == 5
    assert len(_seen(folder)[0]) == 5


def test_only_one_process_seals(tmp_path):
    with seal_lock(tmp_path) as mine:
        assert mine
        with seal_lock(tmp_path) as again:
            assert not again
            assert seal(tmp_path, Book()) is None


def test_sealed_segments_go_after_the_grace_time(tmp_path):
    folder = tmp_path / "ledger"
    _write(folder, CALLS)
    seal(folder, Book())
    assert list(folder.glob("*/telemetry*.jsonl"))
    seal(folder, Book(), now_s=time.time() + SEGMENT_GRACE_S + 1)
    assert not list(folder.glob("*/telemetry*.jsonl"))
    assert _seen(folder) == _expected(CALLS)


def test_past_days_are_merged_to_one_file_of_each_kind(tmp_path):
    folder = tmp_path / "ledger"
    for start in range(0, 60, 20):
        _write(folder, CALLS[start : start + 20])
        seal(folder, Book())
    files = json.loads((folder / "manifest.json").read_bytes())["files"]
    assert max(Counter((file["day"], file["kind"]) for file in files).values()) == 1
    on_disk = {str(path.relative_to(folder)) for path in folder.glob("*/*.parquet")}
    assert on_disk == {file["path"] for file in files}
    assert _seen(folder) == _expected(CALLS)


def test_the_same_segment_restored_from_a_backup_counts_once(tmp_path):
    folder = tmp_path / "ledger"
    _write(folder, CALLS)
    (segment,) = folder.glob("*/telemetry.jsonl")
    data = segment.read_bytes()
    seal(folder, Book())
    segment.write_bytes(data)
    assert seal(folder, Book()).calls == 0
    assert _seen(folder) == _expected(CALLS)


def test_a_damaged_parquet_file_is_named_with_its_offset_and_the_rest_is_served(tmp_path):
    folder = tmp_path / "ledger"
    _write(folder, CALLS)
    seal(folder, Book())
    first, *_ = sorted(folder.glob("*/calls-*.parquet"))
    data = first.read_bytes()
    lost = json.loads((folder / "manifest.json").read_bytes())["files"]
    lost_rows = next(f["rows"] for f in lost if f["path"] == str(first.relative_to(folder)))
    for damaged in (data[: len(data) // 2], b"", data[:4] + b"\xff" * 600 + data[604:]):
        first.write_bytes(damaged)
        ids, _, warned = _seen(folder)
        assert len(ids) == len(CALLS) - lost_rows
        (one,) = warned
        assert one.path == str(first.relative_to(folder))
        assert one.offset is not None
    first.unlink()
    ids, _, warned = _seen(folder)
    assert len(ids) == len(CALLS) - lost_rows
    assert [one.reason for one in warned] == ["the file is gone"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"files": 5}', b"\x00" * 100])
def test_a_damaged_manifest_is_reported_and_rebuilt_from_the_files(tmp_path, content):
    folder = tmp_path / "ledger"
    _write(folder, CALLS)
    seal(folder, Book())
    (folder / "manifest.json").write_bytes(content)
    ids, total, warned = _seen(folder)
    assert (ids, total) == _expected(CALLS)[:2]
    assert [one.path for one in warned] == ["manifest.json"]
    seal(folder, Book())
    ids, total, warned = _seen(folder)
    assert (ids, total) == _expected(CALLS)[:2]
    assert [one.path for one in warned] == ["manifest.json"]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_following_counts_each_line_once_also_across_sealing(tmp_path, kind):
    folder = tmp_path / "ledger"
    state = MemoryState() if kind == "memory" else SqliteState(tmp_path / "state.db")
    _write(folder, CALLS[:20])
    assert follow(folder, state, Book()).calls == 20
    assert follow(folder, state, Book()).calls == 0
    _write(folder, CALLS[20:40])
    seal(folder, Book(), state)
    assert follow(folder, state, Book()).calls == 0
    _write(folder, CALLS[40:])
    assert follow(folder, state, Book()).calls == 20
    runs = {run.run_id: run for run in state.runs(limit=1000)}
    store = LakeStore(folder, Book())
    for wanted in store.runs(limit=1000):
        got = runs.pop(wanted.run_id)
        for name in ("call_count", "error_count", "input_tokens", "output_tokens", "cost_nanousd", "unpriced_count"):
            assert getattr(got, name) == getattr(wanted, name), (wanted.run_id, name)
        assert (got.created_at_us, got.updated_at_us) == (wanted.created_at_us, wanted.updated_at_us)
    assert runs == {}
    store.close()
    state.close()


def test_half_a_line_is_followed_when_it_is_whole(tmp_path):
    folder = tmp_path / "ledger"
    (folder / "2026-02-02").mkdir(parents=True)
    state = MemoryState()
    line = codec.encode(CALLS[0])
    path = folder / "2026-02-02" / "telemetry.jsonl"
    path.write_bytes(line[:50])
    assert follow(folder, state, Book()).calls == 0
    path.write_bytes(line + codec.encode(CALLS[1])[:30])
    assert follow(folder, state, Book()).calls == 1
    path.write_bytes(line + codec.encode(CALLS[1]))
    assert follow(folder, state, Book()).calls == 1
