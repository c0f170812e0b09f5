"""Command lines on a real folder: their totals equal a plain sum over the journal's lines, and all else works there."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from query.company import NOW, NOW_US, company
from tallybook.config import Settings
from tallybook.demo import fill
from tallybook.model import codec
from tallybook.prices.book import PriceBook
from tallybook.prices.cost import cost_of, key_of
from tallybook.store.lake.store import LakeStore
from tallybook.store.open import open_store

from .conftest import TERMINAL, Run, run_on


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake") / "demo"
    fill(folder, seed=3, until=NOW, days=12, scale=0.15)
    return folder


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*/telemetry*.jsonl")):
        for line in path.read_bytes().splitlines():
            yield json.loads(line)


def on(folder: Path) -> Run:
    return run_on(open_store(Settings(folder=folder)), folder)


def test_totals_equal_a_plain_sum_over_the_journal(demo: Path) -> None:
    calls: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    inputs: Counter[str] = Counter()
    outputs: Counter[str] = Counter()
    for line in lines(demo):
        model = line.get("response_model") or line["model"]
        calls[model] += 1
        errors[model] += line.get("status", "ok") == "error"
        inputs[model] += line["tokens"]["input"] or 0
        outputs[model] += line["tokens"]["output"] or 0
    found = json.loads(on(demo)("models", "--all", "--top", "1000", "--json").out)
    assert len(calls) > 5
    assert {group["model"]: group["calls"] for group in found["groups"]} == calls
    assert {group["model"]: group["errors"] for group in found["groups"]} == dict(errors)
    assert {group["model"]: group["input_tokens"] or 0 for group in found["groups"]} == dict(inputs)
    assert {group["model"]: group["output_tokens"] or 0 for group in found["groups"]} == dict(outputs)
    assert found["total"]["calls"] == sum(calls.values())
    assert found["total"]["total_tokens"] == sum(inputs.values()) + sum(outputs.values())


def test_costs_by_local_day_equal_the_reference_arithmetic_call_by_call(demo: Path) -> None:
    from zoneinfo import ZoneInfo

    book = PriceBook()
    zone = ZoneInfo("America/New_York")
    sums: Counter[str] = Counter()
    unpriced: Counter[str] = Counter()
    for path in sorted(demo.glob("*/telemetry*.jsonl")):
        for raw in path.read_bytes().splitlines():
            call = codec.decode(raw)
            key = key_of(call)
            day = datetime.fromtimestamp(call.started_at_us // 1_000_000, zone).date().isoformat()
            total = cost_of(call, book.rates([key])[key]).total_nanousd
            sums[day] += total or 0
            unpriced[day] += total is None
    found = json.loads(on(demo)("daily", "--all", "--timezone", "America/New_York", "--json").out)
    assert {group["time"]: group["cost_nanousd"] for group in found["groups"]} == dict(sums)
    assert {group["time"]: group["unpriced_calls"] for group in found["groups"]} == dict(unpriced)
    assert found["total"]["cost_nanousd"] == sum(sums.values()) > 0


def test_stated_costs_add_up_to_the_last_billionth(tmp_path: Path) -> None:
    place = tmp_path / "2026-11-22"
    place.mkdir()
    costs = [f"0.{number:09d}" for number in range(1, 400, 7)]
    text = "".join(
        f'{{"timestamp":"2026-11-22T10:00:{number % 60:02d}Z","call_id":"c{number}","operation":"chat","model":"m",'
        f'"tokens":{{"input":1,"output":1,"total":2}},"cost_usd":{cost},"success":true}}\n'
        for number, cost in enumerate(costs)
    )
    (place / "telemetry.jsonl").write_text(text)
    found = json.loads(on(tmp_path)("costs", "--json").out)["total"]
    assert Fraction(found["cost_nanousd"], 10**9) == sum(Fraction(cost) for cost in costs)
    assert found["calls"] == found["priced_calls"] == len(costs)


@pytest.fixture
def both(tmp_path: Path) -> tuple[Run, Run]:
    """The company's ledger in memory and in a folder."""
    memory = company()
    folder = tmp_path / "ledger"
    store = LakeStore(folder)  # Without prices: the company states its own.
    store.append(memory.calls(limit=1_000), memory.run_calls("run-of-the-planner")[1])
    return run_on(memory, folder), run_on(store, folder)


@pytest.mark.parametrize(
    "args",
    [
        ["stats", "today"], ["stats", "week", "--compare", "previous"],
        ["costs", "--by", "tag,user", "--by", "metadata.customer"],
        ["models", "--by", "provider,model"], ["agents", "--operation", "doc-search", "--operation", "search"],
        ["performance"], ["patterns", "--timezone", "Asia/Kathmandu"], ["daily", "--breakdown"],
        ["weekly", "--user", "!mia"],
        ["session"], ["blocks"], ["tools"], ["runs"], ["calls", "--model", "~mystery"], ["calls", "--slower", "5"],
    ],
)  # fmt: skip
def test_the_folder_answers_as_the_memory_does(both: tuple[Run, Run], args: list[str]) -> None:
    in_memory, in_folder = (json.loads(run(*args, "--json").out) for run in both)
    # The journal keeps of a stated cost the amount, not its parts, and writes out where a record came from.
    for found in (in_memory, in_folder):
        for call in found.get("calls", []):
            call["cost"] = None
            call["source"] = call.get("source") or "sdk"
        for run in found.get("runs", []):
            run.pop("name")
    assert in_folder == in_memory


def test_sql_is_read_only_and_speaks_three_formats(demo: Path) -> None:
    run = on(demo)
    ran = run("sql", "SELECT status, count(*) AS n FROM calls GROUP BY 1 ORDER BY 2 DESC", "--csv")
    rows = dict(csv.reader(io.StringIO(ran.out)))
    assert int(rows["ok"]) == sum(line.get("status", "ok") == "ok" for line in lines(demo))
    (first,) = json.loads(run("sql", "SELECT min(started_at) AS t, NULL AS u, [1, 2] AS l FROM calls", "--json").out)
    assert first["u"] is None and first["l"] == [1, 2] and first["t"].startswith("2026-11-1")
    shown = run("sql", "SELECT model FROM calls", "--limit", "3", page=TERMINAL)
    assert shown.out.endswith("3 rows\n")
    assert "more rows than these 3" in shown.err
    for bad in ("DROP TABLE calls", "SELECT nothing FROM calls", "SELECT 1; SELECT 2", "not sql"):
        ran = run("sql", bad)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("Error: ")


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_an_export_holds_every_matching_call(demo: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"out.{kind}"
    ran = on(demo)("export", "--output", str(path), "--project", "support-bot")
    assert (ran.code, ran.out) == (0, "")
    text = path.read_text(encoding="utf-8")
    if kind == "csv":
        ids = [row["call_id"] for row in csv.DictReader(io.StringIO(text))]
    else:
        ids = [call["call_id"] for call in (json.loads(text) if kind == "json" else map(json.loads, text.splitlines()))]
    expected = [line["call_id"] for line in lines(demo) if line["metadata"]["project"] == "support-bot"]
    assert len(ids) == len(set(ids))
    assert sorted(ids) == sorted(expected)
    assert f"{len(expected):,} calls written" in ran.err
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_an_export_to_parquet_opens_elsewhere(demo: Path, tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "out.parquet"
    ran = on(demo)("export", "--output", str(path))
    assert ran.code == 0, ran.err
    count, cost = duckdb.sql(f"SELECT count(*), sum(cost_nanousd) FROM read_parquet('{path}')").fetchall()[0]
    found = json.loads(on(demo)("costs", "--all", "--json").out)["total"]
    assert (count, cost) == (found["calls"], found["cost_nanousd"])


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TALLYBOOK_DIR": str(folder), "TZ": "UTC"}


def test_tail_shows_the_last_calls_and_follows_new_ones(tmp_path: Path) -> None:
    place = tmp_path / datetime.now(UTC).strftime("%Y-%m-%d")
    place.mkdir()
    path = place / "telemetry.x.jsonl"
    now = datetime.now(UTC).isoformat()

    def line(number: int) -> str:
        tokens = '{"input":5,"output":5,"total":10}'
        return f'{{"timestamp":"{now}","call_id":"c{number}","model":"gpt-4o","tokens":{tokens}}}\n'

    path.write_text(line(1) + line(2))
    process = subprocess.Popen(
        [sys.executable, "-m", "tallybook", "tail", "--json", "-n", "1"],
        env=environment(tmp_path), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    kill = threading.Timer(60, process.kill)
    kill.start()
    try:
        assert json.loads(process.stdout.readline())["call_id"] == "c2"
        begin = time.monotonic()
        with path.open("a") as file:
            file.write(line(3))
        found = json.loads(process.stdout.readline())
        assert found["call_id"] == "c3"
        assert time.monotonic() - begin < 5
        assert found["cost"]["status"] in ("priced", "partial", "estimated")
    finally:
        kill.cancel()
        process.kill()
        process.communicate()


def test_a_whole_process_ends_with_the_right_code(tmp_path: Path) -> None:
    def code(*args: str) -> int:
        ran = subprocess.run(  # noqa: PLW1510  (the code is what is looked at)
            [sys.executable, "-m", "tallybook", *args],
            env=environment(tmp_path / "none"),
            capture_output=True,
            timeout=60,
        )
        return ran.returncode

    assert code("costs") == 0
    assert code("show", "nothing-like-it") == 1
    assert code("costs", "--days", "none") == 2


def test_the_clock_of_the_fixture_is_the_demos_end(demo: Path) -> None:
    newest = max(datetime.fromisoformat(line["timestamp"]) for line in lines(demo))
    assert int(newest.timestamp() * 1_000_000) <= NOW_US
