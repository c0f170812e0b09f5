"""The digest of the newest days: what is answered from it is what the files themselves say."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from contract.records import DAY_US, START_US, Book, random_call
from tallybook.ingest import seal as sealing
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.question import Filter, Question
from tallybook.store.lake import condense, digest
from tallybook.store.lake.digest import DIMENSIONS, MEASURES
from tallybook.store.lake.light import LightStore
from tallybook.store.lake.manifest import RealDisk
from tallybook.store.lake.store import LakeStore

HOUR_US = 3_600_000_000
HELD = (*(name for name in MEASURES if name != "duration_count"), "unpriced_calls", "duration_avg_us")
WHOLE = ("users", "runs", "duration_p50_us", "duration_p95_us", "duration_p99_us")


class QuickDisk(RealDisk):
    def fsync(self, path: Path) -> None:
        assert path.exists()


def plain_calls(seed: int, count: int, days: float = 2) -> list[Call]:
    """Calls as our own capture writes them: a repeat is not possible."""
    r = random.Random(seed)
    calls = [random_call(r, number, days) for number in range(seed * 10_000, seed * 10_000 + count)]
    return [msgspec.structs.replace(call, may_repeat=False, source="sdk") for call in calls]


def write(folder: Path, calls: list[Call], name: str) -> None:
    (folder / "2026-02-02").mkdir(parents=True, exist_ok=True)
    (folder / "2026-02-02" / name).write_bytes(b"".join(map(codec.encode, calls)))


def seal(folder: Path) -> None:
    sealing.seal(folder, Book(), disk=QuickDisk())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days, sealed in two goes, and some calls of both days not sealed yet."""
    place = tmp_path_factory.mktemp("digest") / "ledger"
    for number in (1, 2):
        write(place, plain_calls(number, 300), "telemetry.jsonl")
        seal(place)
    write(place, plain_calls(3, 80), "telemetry.jsonl")
    return place


@pytest.fixture
def stores(folder: Path) -> Iterator[tuple[LightStore, LakeStore]]:
    light, lake = LightStore(folder, Book()), LakeStore(folder, Book())
    yield light, lake
    light.close()
    lake.close()


def random_question(r: random.Random) -> Question:
    zone = r.choice(["UTC", "UTC", "Europe/Berlin", "America/New_York"])
    filters = tuple(
        r.choice([
            Filter("model", "contains", "m-"), Filter("project", "ne", "O'Hara"),
            Filter("status", "in", ("ok", "error")),
            Filter("provider", "eq", "openai"), Filter("cost_status", "not_in", ("unpriced",)),
            Filter("project", "missing"), Filter("model", "exists"),
        ])
        for _ in range(r.choice([0, 0, 1, 2]))
    )  # fmt: skip
    dimensions = tuple(r.sample(DIMENSIONS, r.choice([0, 0, 1, 2, 4])))
    grain = r.choice([None, None, "hour", "day", "week", "month"])
    measures = HELD if dimensions or filters or grain else (*HELD, *WHOLE)
    hours = sorted(r.sample(range(-3, 52), 2))
    spans = [(None, None), *[(START_US + hours[0] * HOUR_US, START_US + hours[1] * HOUR_US)] * 3]
    since_us, until_us = r.choice(spans)
    return Question(
        measures=tuple(r.sample(measures, len(measures))), dimensions=dimensions, filters=filters, grain=grain,
        zone=zone, since_us=since_us, until_us=until_us, limit=r.choice([None, None, 3]),
    )  # fmt: skip


def test_answers_from_the_digest_are_those_of_the_lake(stores: tuple[LightStore, LakeStore]) -> None:
    light, lake = stores
    r = random.Random(11)
    for _ in range(150):
        question = random_question(r)
        assert light.ask(question) == lake.ask(question), question
    assert light._lake is None, "one of these questions was not answered from the digest"


@pytest.mark.parametrize(
    "question",
    [
        Question(measures=("calls",), dimensions=("user_id",)),
        Question(measures=("ttft_p95_us",)),
        Question(measures=("duration_p95_us",), dimensions=("model",)),
        Question(measures=("users",), filters=(Filter("provider", "eq", "openai"),)),
        Question(measures=("calls",), filters=(Filter("user_id", "exists"),)),
        Question(measures=("calls",), since_us=START_US + HOUR_US + 1),
        Question(measures=("calls",), until_us=START_US + 30 * HOUR_US + 60_000_000),
        Question(measures=("calls",), grain="hour", zone="Asia/Kathmandu"),
        Question(source="tool_calls", measures=("uses",)),
    ],
)
def test_what_the_digest_does_not_hold_is_asked_of_the_lake(
    stores: tuple[LightStore, LakeStore], question: Question
) -> None:
    light, lake = stores
    assert light.ask(question) == lake.ask(question)
    assert light._lake is not None


def test_a_question_that_the_digest_answers_loads_no_duckdb(folder: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from tallybook.model.question import Question
from tallybook.store.lake.light import LightStore
store = LightStore(Path(sys.argv[1]))
assert store.ask(Question(measures=("calls", "users"), since_us={START_US})).rows[0][0] == 680
print([name for name in sys.modules if "duckdb" in name])
"""
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _ask(place: Path) -> tuple[bool, int]:
    """Whether the lake was opened to count, and the count."""
    store = LightStore(place, Book())
    try:
        (row,) = store.ask(Question(measures=("calls",))).rows
        return store._lake is not None, row[0]
    finally:
        store.close()


def test_a_digest_of_other_files_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, plain_calls(1, 50, 1), "telemetry.jsonl")
    seal(tmp_path)
    old = (tmp_path / digest.NAME).read_bytes()
    assert _ask(tmp_path) == (False, 50)
    write(tmp_path, plain_calls(2, 50, 1), "telemetry.jsonl")
    seal(tmp_path)
    assert _ask(tmp_path) == (False, 100)
    (tmp_path / digest.NAME).write_bytes(old)
    assert _ask(tmp_path) == (True, 100)
    for spoilt in (b"", old[:100], msgspec.msgpack.encode({"version": 99})):
        (tmp_path / digest.NAME).write_bytes(spoilt)
        assert _ask(tmp_path) == (True, 100)


def test_a_day_that_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, plain_calls(1, 50, 1), "telemetry.jsonl")
    seal(tmp_path)
    later = [msgspec.structs.replace(call, started_at_us=call.started_at_us + DAY_US) for call in plain_calls(2, 50, 1)]
    write(tmp_path, later, "telemetry.jsonl")
    made: list[int] = []
    real = condense._day
    monkeypatch.setattr(condense, "_day", lambda reader, view, files: made.append(1) or real(reader, view, files))
    seal(tmp_path)
    assert len(made) == 1
    assert _ask(tmp_path) == (False, 100)


def test_a_day_with_too_many_calls_has_no_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condense, "CALLS_MAX", 49)
    write(tmp_path, plain_calls(1, 50, 1), "telemetry.jsonl")
    seal(tmp_path)
    assert digest.read(tmp_path) == {}
    assert _ask(tmp_path) == (True, 50)
