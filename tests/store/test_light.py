"""The store that opens the lake only when it must: what it answers without DuckDB, and when it hands over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tallybook.ingest import seal as sealing
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.question import Filter, Question
from tallybook.model.usage import Usage
from tallybook.store.lake.light import LightStore
from tallybook.store.lake.manifest import RealDisk
from tallybook.store.lake.plain import BYTES_MAX
from tallybook.store.lake.store import LakeStore

START_US = 1_770_000_000_000_000 // 86_400_000_000 * 86_400_000_000
DAY_US = 86_400_000_000


class QuickDisk(RealDisk):
    def fsync(self, path: Path) -> None:
        assert path.exists()


def call(number: int, at_us: int = START_US, **given: object) -> Call:
    usage = Usage(input_tokens=number, output_tokens=1)
    values: dict[str, object] = {"provider": "openai", "model": "m", "response_id": f"r{number}", **given}
    return Call(call_id=f"c{number:07d}", started_at_us=at_us + number, usage=usage, **values)  # type: ignore[arg-type]


def write(folder: Path, calls: list[Call], name: str = "telemetry.jsonl", tail: bytes = b"") -> None:
    (folder / "2026-02-02").mkdir(parents=True, exist_ok=True)
    (folder / "2026-02-02" / name).write_bytes(b"".join(codec.encode(one) for one in calls) + tail)


def is_open(store: LightStore) -> bool:
    return store._lake is not None


def same(folder: Path) -> bool:
    """Whether both stores count the same; the light one is closed before it says whether it opened the lake."""
    question = Question(measures=("calls", "input_tokens", "duration_p95_us", "users", "runs"))
    light, lake = LightStore(folder), LakeStore(folder)
    try:
        assert light.ask(question).rows == lake.ask(question).rows
        assert light.calls(limit=9) == lake.calls(limit=9)
        return is_open(light)
    finally:
        light.close()
        lake.close()


def test_a_small_ledger_is_read_without_duckdb(tmp_path: Path) -> None:
    write(tmp_path, [call(number) for number in range(20)])
    code = """
import sys
from pathlib import Path
from tallybook.model.question import Question
from tallybook.store.lake.light import LightStore
store = LightStore(Path(sys.argv[1]))
assert store.ask(Question(measures=("calls",))).rows == [(20,)]
assert len(store.calls()) == 20 and store.call("c0000003").usage.input_tokens == 3
assert store.warnings() == [] and store.body("c0000003") is None and store.runs() == []
print([name for name in sys.modules if "duckdb" in name])
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("tail", "opens"),
    [
        (b"", False),
        (b'{"v":1,"timestamp":"2026-02-02T0', False),  # The torn tail of a dead writer.
        (b'{"torn\n' + codec.encode(call(77)), True),
        (b"\x00\x00\x00", True),
        (b'{"timestamp":"2026-02-02T00:00:00Z","tokens":{"input":5}}\n', True),
        (codec.encode(call(3)), False),  # The same record twice.
        (codec.encode(call(78, response_id="r3")), True),
    ],
)
def test_lines_that_need_a_closer_look_are_left_to_the_lake(tmp_path: Path, tail: bytes, opens: bool) -> None:
    write(tmp_path, [call(number) for number in range(20)], tail=tail)
    assert same(tmp_path) is opens


def test_a_repeat_from_another_source_is_merged_without_the_lake(tmp_path: Path) -> None:
    write(tmp_path, [call(1), call(2, response_id="r1", source="gateway", may_repeat=True)])
    assert same(tmp_path) is False


def test_much_is_left_to_the_lake(tmp_path: Path) -> None:
    write(tmp_path, [call(1, prompt_preview="x" * 1_000) for _ in range(3)] + [call(2)])
    long = codec.encode(call(3, parameters={"note": "y" * 400_000}))
    (tmp_path / "2026-02-02" / "telemetry.more.jsonl").write_bytes(
        b"".join(long.replace(b"c0000003", b"d%07d" % number).replace(b"r3", b"s%d" % number)
                 for number in range(BYTES_MAX // len(long) + 1))
    )  # fmt: skip
    assert same(tmp_path) is True


def test_amended_costs_are_left_to_the_lake(tmp_path: Path) -> None:
    write(tmp_path, [call(1)])
    amended = b'{"call_id":"c0000001","timestamp":"2026-02-02T00:00:01Z","kind":"cost","cost_usd":0.5}\n'
    (tmp_path / "2026-02-02" / "amendments.jsonl").write_bytes(amended)
    store = LightStore(tmp_path)
    assert store.ask(Question(measures=("cost_nanousd",))).rows == [(500_000_000,)]
    store.close()


def test_a_span_in_which_nothing_is_sealed_needs_no_lake(tmp_path: Path) -> None:
    write(tmp_path, [call(number) for number in range(20)])
    sealing.seal(tmp_path, None, disk=QuickDisk())
    write(tmp_path, [call(number, START_US + 3 * DAY_US) for number in range(100, 130)], "telemetry.w.jsonl")
    store, lake = LightStore(tmp_path), LakeStore(tmp_path)
    since_us = START_US + 3 * DAY_US
    question = Question(measures=("calls", "input_tokens"), since_us=since_us, until_us=since_us + DAY_US)
    assert store.ask(question).rows == lake.ask(question).rows
    assert store.calls(limit=10) == lake.calls(limit=10), "the newest are hot, whatever is sealed"
    assert not is_open(store)
    assert store.calls(limit=40) == lake.calls(limit=40)
    assert is_open(store)
    store.close()
    lake.close()


def test_the_newest_moment_of_what_is_sealed_needs_no_lake(tmp_path: Path) -> None:
    write(tmp_path, [call(number) for number in range(20)])
    sealing.seal(tmp_path, None, disk=QuickDisk())
    store = LightStore(tmp_path)
    assert store.latest_us() == START_US + 19
    write(tmp_path, [call(7, START_US - 50), call(30)], "telemetry.w.jsonl")
    assert store.latest_us() == START_US + 30
    assert not is_open(store)


def test_a_repeat_of_a_sealed_call_is_left_to_the_lake(tmp_path: Path) -> None:
    write(tmp_path, [call(number) for number in range(20)])
    sealing.seal(tmp_path, None, disk=QuickDisk())
    again = call(500, START_US + DAY_US // 2, response_id="r7", source="gateway", may_repeat=True)
    write(tmp_path, [again], "telemetry.w.jsonl")
    store = LightStore(tmp_path)
    since_us = START_US + DAY_US // 4
    assert store.ask(Question(measures=("calls",), since_us=since_us)).rows == [(0,)]
    store.close()


def test_what_is_written_between_two_questions_is_in_the_second(tmp_path: Path) -> None:
    write(tmp_path, [call(1)])
    store = LightStore(tmp_path)
    question = Question(measures=("calls",), filters=(Filter("model", "eq", "m"),))
    assert store.ask(question).rows == [(1,)]
    with (tmp_path / "2026-02-02" / "telemetry.jsonl").open("ab") as file:
        file.write(codec.encode(call(2)))
    assert store.ask(question).rows == [(2,)]
    write(tmp_path, [call(3)], "telemetry.other.jsonl")
    assert store.ask(question).rows == [(3,)]
    sealing.seal(tmp_path, None, disk=QuickDisk())
    assert store.ask(question).rows == [(3,)]
    store.close()
