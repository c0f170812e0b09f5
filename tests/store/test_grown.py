"""Hot lines between questions: what is new is read, what is known is not, and nothing is counted twice."""

from __future__ import annotations

from contract.records import random_calls
from tallybook.ingest.seal import COMPACT_ROWS, _portions
from tallybook.model import codec
from tallybook.model.question import Question
from tallybook.store.lake.manifest import File
from tallybook.store.lake.store import LakeStore

DAY = "2026-02-02"
COUNT = Question(measures=("calls",))
LINES = [codec.encode(call) for call in random_calls(5, 400) if not call.may_repeat and call.source == "sdk"][:20]


def _count(store):
    return store.ask(COUNT).rows[0][0]


def test_a_line_written_between_two_questions_is_in_the_second_answer(tmp_path):
    place = tmp_path / DAY
    place.mkdir()
    store = LakeStore(tmp_path)
    with (place / "telemetry.jsonl").open("ab", buffering=0) as file:
        for number, line in enumerate(LINES):
            file.write(line)
            assert _count(store) == number + 1
    store.close()


def test_a_torn_line_counts_once_it_is_whole(tmp_path):
    place = tmp_path / DAY
    place.mkdir()
    store = LakeStore(tmp_path)
    with (place / "telemetry.jsonl").open("ab", buffering=0) as file:
        file.write(LINES[0] + LINES[1][:40])
        assert _count(store) == 1
        file.write(LINES[1][40:])
        assert _count(store) == 2
    store.close()


def test_a_segment_that_the_sealer_renames_is_not_counted_twice(tmp_path):
    place = tmp_path / DAY
    place.mkdir()
    (place / "telemetry.jsonl").write_bytes(b"".join(LINES[:3]))
    store = LakeStore(tmp_path)
    assert _count(store) == 3
    (place / "telemetry.jsonl").rename(place / "telemetry.sealing-0a.jsonl")
    (place / "telemetry.jsonl").write_bytes(LINES[3])
    assert _count(store) == 4
    store.close()


def test_a_repeated_line_counts_once_also_when_it_comes_later(tmp_path):
    place = tmp_path / DAY
    place.mkdir()
    store = LakeStore(tmp_path)
    with (place / "telemetry.jsonl").open("ab", buffering=0) as file:
        file.write(LINES[0])
        assert _count(store) == 1
        file.write(LINES[0] + LINES[1])
        assert _count(store) == 2
    store.close()


def test_files_are_merged_into_files_of_a_bounded_size(tmp_path):
    files = [
        File(path=f"{DAY}/calls-{n}.parquet", kind="calls", day=DAY, rows=100_000, bytes=1, min_us=n) for n in range(7)
    ]
    merged = list(_portions(files))
    assert [len(one) for one in merged] == [2, 2, 2]
    assert all(sum(file.rows for file in one) <= COMPACT_ROWS for one in merged)


def test_a_store_that_was_closed_answers_again(tmp_path):
    place = tmp_path / DAY
    place.mkdir()
    (place / "telemetry.jsonl").write_bytes(b"".join(LINES[:3]))
    store = LakeStore(tmp_path)
    assert _count(store) == 3
    store.close()
    assert _count(store) == 3
    store.close()
