"""A sealed file that cannot be read is named and left where it is; sealing goes on with the rest."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from contract.records import START_US, Book, random_calls, random_steps
from store.test_repeat import OTHERS, POLLED, SUBMITTED, QuickDisk, write
from tallybook.ingest import seal as sealing
from tallybook.ingest.retain import retain
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.question import Question
from tallybook.query.folder import damage
from tallybook.store.lake import answer
from tallybook.store.lake.store import LakeStore

CALLS = random_calls(41, 60, days=1)
STEPS = random_steps(41, CALLS)
KINDS = ("calls", "tools", "steps", "prompts", "responses", "messages",
         "summary", "summary_users", "summary_tools", "summary_latency", "summary_runs")  # fmt: skip
LATER = {"now_s": 1.9e9}


def _zero_middle(path):
    data = bytearray(path.read_bytes())
    data[4 : len(data) - 8] = bytes(len(data) - 12)
    path.write_bytes(data)


def _garble_pages(path):
    """Random bytes where the values are; the footer stays."""
    data = bytearray(path.read_bytes())
    end = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    data[4:end] = os.urandom(end - 4)
    path.write_bytes(data)


def _bytes(made):
    return lambda path: path.write_bytes(made(path.read_bytes()))


DAMAGE = {
    "cut off": _bytes(lambda data: data[: len(data) // 2]),
    "empty": _bytes(lambda data: b""),
    "zeros": _bytes(lambda data: bytes(len(data))),
    "garbage": _bytes(lambda data: os.urandom(len(data))),
    "no footer": _zero_middle,
    "bad pages": _garble_pages,
    "gone": lambda path: path.unlink(),
}


def seal(folder, **more):
    return sealing.seal(folder, Book(), disk=QuickDisk(), **more)


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_bytes())


def files_of(folder, kind):
    return [folder / file["path"] for file in manifest_of(folder)["files"] if file["kind"] == kind]


def _append(folder, kind, data):
    writer = Writer(folder, kind, segment_bytes_max=1 << 25)
    writer.append(data, START_US)
    writer.close()


def _bodies(folder, part):
    for number, call in enumerate(part):
        digest = f"{number:02d}{call.call_id}"
        _append(folder, "prompts", msgspec.json.encode({"call_id": call.call_id, "messages": [digest]}) + b"\n")
        _append(folder, "responses", msgspec.json.encode({"call_id": call.call_id, "response": "yes"}) + b"\n")
        _append(folder, "messages", msgspec.json.encode({"hash": digest, "message": {"role": "user"}}) + b"\n")


def calls_in(folder):
    store = LakeStore(folder, Book())
    try:
        return {call.call_id for batch in store.scan() for call in batch}
    finally:
        store.close()


def totals(folder):
    store = LakeStore(folder, Book())
    try:
        return store.ask(Question(measures=("calls", "cost_nanousd"), dimensions=("project",))).rows
    finally:
        store.close()


def findings(folder):
    store = LakeStore(folder, Book())
    try:
        list(store.scan())
        return [one for one in damage(store.warnings()) if one.grade == "bad"]
    finally:
        store.close()


@pytest.fixture(params=DAMAGE)
def break_file(request):
    return DAMAGE[request.param]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A past day in two files of each kind that wait to be merged."""
    place = tmp_path_factory.mktemp("made") / "ledger"
    for part, steps in ((CALLS[:30], STEPS[: len(STEPS) // 2]), (CALLS[30:], STEPS[len(STEPS) // 2 :])):
        write(place, *part)
        _append(place, "steps", b"".join(codec.encode_step(step) for step in steps))
        _bodies(place, part[:3])
        seal(place, compact=False)
    for segment in place.glob("*/*.jsonl"):
        segment.unlink()
    return place


@pytest.fixture
def folder(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "ledger"))


@pytest.mark.parametrize(
    ("kind", "break_file"),
    [pytest.param(kind, DAMAGE[name], id=f"{kind} {name}") for kind in KINDS for name in DAMAGE
     if kind == "calls" or name in ("cut off", "bad pages", "gone")],
)  # fmt: skip
def test_a_damaged_file_that_is_due_for_merging_is_named_and_the_rest_is_merged(folder, kind, break_file):
    broken, *_ = files_of(folder, kind)
    name = str(broken.relative_to(folder))
    break_file(broken)
    is_there, content = broken.exists(), broken.read_bytes() if broken.exists() else None
    new = random_calls(77, 5, days=1)
    write(folder, *new)
    done = seal(folder, **LATER)
    assert done is not None and done.calls == len(new) and done.compacted >= 5
    assert {call.call_id for call in new} <= calls_in(folder)
    met = [one for one in manifest_of(folder)["damaged"] if one["path"] == name]
    assert len(met) == 1 and met[0]["reason"]
    if is_there:
        kept = folder / (met[0].get("kept_in") or name)
        assert kept.read_bytes() == content, "a damaged file is not kept as it was"
    assert [one.facts["path"] for one in findings(folder)].count(name) == 1
    again = seal(folder, **LATER)
    assert again is not None and again.compacted == 0
    assert [one["path"] for one in manifest_of(folder)["damaged"]].count(name) == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("summary")])
def test_a_damaged_summary_is_made_anew_from_the_facts(folder, kind, monkeypatch):
    monkeypatch.setattr(answer, "SUMMARY_ROWS", 0)
    wanted = totals(folder)
    _garble_pages(files_of(folder, kind)[1])
    seal(folder, **LATER)
    assert totals(folder) == wanted
    assert all(path.exists() for path in files_of(folder, kind))


@pytest.mark.parametrize("kind", ["calls", "tools"])
def test_a_repeat_of_a_call_in_a_day_with_a_damaged_file_does_not_stop_sealing(tmp_path, kind, break_file, monkeypatch):
    folder = tmp_path / "ledger"
    write(folder, *OTHERS, SUBMITTED)
    seal(folder)
    monkeypatch.setattr(answer, "SUMMARY_ROWS", 0)
    before = sum(row[1] for row in totals(folder))
    day = sorted(folder.glob(f"*/{kind}-*.parquet"))[0]
    break_file(day)
    write(folder, POLLED)
    assert seal(folder) is not None
    assert [one["path"] for one in manifest_of(folder)["damaged"]] == [str(day.relative_to(folder))]
    # Totals that only the summaries still tell are as they were: no call is lost from them or counted twice.
    assert sum(row[1] for row in totals(folder)) - before in (0, 1)
    assert not list(folder.glob("*/telemetry.w*.jsonl")), "lines stayed behind"


@pytest.mark.parametrize("kind", ["calls", "summary"])
def test_amendments_are_folded_where_all_can_be_read_and_wait_where_not(folder, kind, break_file, monkeypatch):
    monkeypatch.setattr(answer, "SUMMARY_ROWS", 0)
    line = {"kind": "cost", "timestamp": "2026-02-03T10:00:00Z", "call_id": CALLS[40].call_id, "cost_usd": 7.0}
    break_file(files_of(folder, kind)[0])
    _append(folder, "amendments", msgspec.json.encode(line) + b"\n")
    assert seal(folder, compact=False) is not None
    store = LakeStore(folder, Book())
    try:
        found = store.call(CALLS[40].call_id)
        assert found is not None and found.cost is not None and found.cost.total_nanousd == 7_000_000_000
    finally:
        store.close()


def test_a_file_that_was_restored_counts_again_and_is_merged(folder):
    broken, *_ = files_of(folder, "calls")
    good = broken.read_bytes()
    broken.write_bytes(good[:100])
    seal(folder, **LATER)
    assert findings(folder)
    assert len(calls_in(folder)) == 30
    broken.write_bytes(good)
    assert len(calls_in(folder)) == len(CALLS)
    done = seal(folder, **LATER)
    assert done is not None and done.compacted >= 1
    assert len(calls_in(folder)) == len(CALLS)
    assert not findings(folder)


def test_segments_that_a_damaged_file_was_made_of_are_kept_while_there_and_go_with_their_day(tmp_path):
    folder = tmp_path / "ledger"
    for part in (CALLS[:30], CALLS[30:]):
        write(folder, *part)
        seal(folder, compact=False)
    broken = files_of(folder, "calls")[1]
    broken.write_bytes(broken.read_bytes()[:-50])
    write(folder, *random_calls(77, 2, days=1))
    sealing.seal(folder, Book(), disk=QuickDisk())
    kept = list(folder.glob("*/damaged-*telemetry*.txt"))
    lines = b"".join(path.read_bytes() for path in kept)
    assert all(call.call_id.encode() in lines for call in CALLS[30:])
    retain(folder, days=1, now_s=1.9e9)
    assert not list(folder.glob("*/damaged-*"))
    assert not manifest_of(folder).get("damaged")


def test_a_sealing_that_stops_right_after_a_damaged_manifest_was_met_removes_nothing(folder):
    class Stops(QuickDisk):
        def replace(self, source, target):
            raise KeyboardInterrupt

    (folder / "manifest.json").write_bytes(b"{")
    with pytest.raises(KeyboardInterrupt):
        sealing.seal(folder, Book(), disk=Stops())
    seal(folder)
    assert len(calls_in(folder)) == len(CALLS)


def test_a_manifest_that_was_removed_is_made_up_from_the_files_and_none_of_them_goes(folder):
    wanted = totals(folder)
    (folder / "manifest.json").unlink()
    seal(folder)
    assert len(calls_in(folder)) == len(CALLS)
    assert totals(folder) == wanted
    assert [one.facts["path"] for one in findings(folder)] == ["manifest.json"]
