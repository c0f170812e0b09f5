"""The store against its targets: `python bench/store.py --calls 10000000 --folder DIR`, or `--quick` for 200,000.

Makes up calls (`bench/generate.py`), day by day as journal lines, seals each day, and measures: sealing on one core,
bytes a call, every usual question on the whole, a folder of ten times as many (days linked to copies), the memory of
the reading process, and a whole `tallybook stats today`. A folder that was filled before is used again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent))

from generate import Generator

DAY_US = 86_400_000_000
DAYS = 90
RUNS = 7
MADE_CALLS = 1_000_000
"""Calls that are made up as lines and sealed; the rest are these days moved (`multiply`)."""


class Target:
    """Prints a measured value beside its target."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, bool]] = []

    def check(self, name: str, value: float, limit: float, unit: str, at_least: bool = False) -> None:
        good = value >= limit if at_least else value <= limit
        sign = ">=" if at_least else "<="
        print(f"{'pass' if good else 'FAIL'}  {name:<58} {value:>12,.1f} {unit:<10} {sign} {limit:,.0f}", flush=True)
        self.rows.append((name, f"{value:.1f} {unit}", f"{sign} {limit:,.0f}", good))


class FixedPrices:
    """One price for every model: the look-up is not what is measured."""

    needs = frozenset()

    def rates(self, keys):
        from tallybook.prices.base import Rate

        return {
            key: (
                Rate(
                    input_picousd=2_500_000, output_picousd=10_000_000, cache_read_picousd=1_250_000,
                    price=f"fixed: {key.provider}/{key.model}",
                ),
            )
            for key in keys
        }  # fmt: skip


def _generate(staging: Path, starts: list[int], counts: list[int], seed: int) -> None:
    """Write the lines of each day into `staging`, at most three days ahead of who takes them."""
    generator = Generator(seed)
    for number, (start, count) in enumerate(zip(starts, counts, strict=True)):
        while len(list(staging.glob("day-*"))) >= 3:
            time.sleep(0.05)
        (staging / "writing").write_bytes(generator.day(start, count))
        (staging / "writing").rename(staging / f"day-{number:03d}")


def fill(folder: Path, calls: int, seed: int) -> dict[str, float]:
    """Make up and seal day by day; seconds of sealing (wall and CPU) and calls."""
    from tallybook.ingest.seal import seal
    from tallybook.ingest.summarise import write_summary
    from tallybook.store.lake.manifest import RealDisk

    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    made = sealed_wall = sealed_cpu = 0.0
    per_day = -(-calls // DAYS)
    made_days = min(DAYS, max(1, MADE_CALLS // per_day))
    days = [today - timedelta(days=DAYS - 1 - number) for number in range(made_days)]
    counts = [per_day] * made_days
    staging = folder / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    starts = [int(day.timestamp()) * 1_000_000 for day in days]
    maker = multiprocessing.Process(target=_generate, args=(staging, starts, counts, seed), daemon=True)
    maker.start()
    for number, start in enumerate(days):
        place = folder / start.strftime("%Y-%m-%d")
        place.mkdir(parents=True, exist_ok=True)
        lines = staging / f"day-{number:03d}"
        while not lines.exists():
            time.sleep(0.05)
        lines.rename(place / "telemetry.jsonl")
        made += counts[number]
        wall, cpu = time.perf_counter(), time.process_time()
        # The clock handed in is ahead, so that sealed segments are removed at once and the disk stays small.
        seal(folder, FixedPrices(), None, compact=False, now_s=time.time() + 3600)
        sealed_wall += time.perf_counter() - wall
        sealed_cpu += time.process_time() - cpu
        if number % 10 == 9:
            print(f"  {int(made):,} calls, sealing {made / sealed_cpu:,.0f} calls/s of CPU", flush=True)
    maker.join()
    shutil.rmtree(staging)
    seal(folder, FixedPrices(), None, now_s=time.time() + 7200)
    multiply(folder, DAYS)
    write_summary(folder, time.time_ns() // 1000, RealDisk())  # As the last sealing would have.
    return {"calls": made, "wall": sealed_wall, "cpu": sealed_cpu}


def _moved_id(column: str, days: int) -> str:
    """A UUIDv7 with its time moved by whole days."""
    ms = f"(CAST('0x' || substr({column}, 1, 8) || substr({column}, 10, 4) AS BIGINT) + {days * 86_400_000})"
    text = f"lower(lpad(to_hex({ms}), 12, '0'))"
    return f"substr({text}, 1, 8) || '-' || substr({text}, 9, 4) || substr({column}, 14)"


def _moved_sql(kind: str, source: str, days: int) -> str:
    """The rows of a file, moved by whole days."""
    time = f"INTERVAL {days} DAY"
    moved = {
        "calls": {"started_at": f"started_at + {time}", "day": f"day + {days}", "call_id": _moved_id("call_id", days),
                  "run_id": _moved_id("run_id", days)},
        "summary": {"hour": f"hour + {time}", "first_at": f"first_at + {time}", "last_at": f"last_at + {time}"},
        "summary_tools": {"hour": f"hour + {time}", "last_at": f"last_at + {time}"},
        "summary_users": {"day": f"day + {days}", "first_at": f"first_at + {time}", "last_at": f"last_at + {time}"},
        "summary_latency": {"day": f"day + {days}"},
        "summary_runs": {"day": f"day + {days}", "run": _moved_id("run", days), "first_at": f"first_at + {time}",
                         "ended_us": f"ended_us + {days * DAY_US}"},
    }  # fmt: skip
    moved["tools"] = moved["calls"]
    replaced = ", ".join(f"{sql} AS {name}" for name, sql in moved[kind].items())
    return f"SELECT * REPLACE ({replaced}) FROM read_parquet('{source}')"


def multiply(folder: Path, days: int) -> None:
    """Fill the folder up to `days` days before today with the days that are there, moved as they are.

    Making up and encoding ten million lines in Python takes half an hour; the rest of the days repeats the
    first ones with other times and ids, which neither compression (by file) nor a question can tell.
    """
    import duckdb

    con = duckdb.connect()
    con.execute("SET preserve_insertion_order=true")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    by_day: dict[str, list[dict]] = {}
    for file in manifest["files"]:
        by_day.setdefault(file["day"], []).append(file)
    bases = sorted(by_day)
    last = datetime.now(UTC).date()
    for number in range(days):
        day = (last - timedelta(days=number)).isoformat()
        if day in by_day:
            continue
        base = bases[number % len(bases)]
        shift = (datetime.fromisoformat(day) - datetime.fromisoformat(base)).days
        (folder / day).mkdir(exist_ok=True)
        for file in by_day[base]:
            path = f"{day}/{Path(file['path']).name}"
            con.execute(
                f"COPY ({_moved_sql(file['kind'], str(folder / file['path']), shift)}) TO '{folder / path}' "
                "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 20480, PARQUET_VERSION v2)"
            )
            new = {**file, "path": path, "day": day, "bytes": (folder / path).stat().st_size}
            new["min_us"] += shift * DAY_US
            new["max_us"] += shift * DAY_US
            key = {"calls": "call_id", "tools": "call_id", "summary_runs": "run"}.get(file["kind"])
            if key:
                got = con.execute(f"SELECT min({key}), max({key}) FROM read_parquet('{folder / path}')").fetchone()
                new["min_id"], new["max_id"] = got
            manifest["files"].append(new)
    manifest["files"].sort(key=lambda file: (file["day"], file["kind"], file["path"]))
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _lines(place: Path, calls: int) -> None:
    """Segments of four days."""
    start = int(time.time()) // 86400 * 86400
    generator = Generator(3)
    (place / "2026-01-01").mkdir(parents=True)
    for number in range(4):
        lines = generator.day((start - number * 86400) * 1_000_000, calls // 4)
        (place / "2026-01-01" / f"telemetry.w{number}.jsonl").write_bytes(lines)


def seal_alone(place: Path) -> tuple[float, float]:
    """CPU and wall seconds of sealing a folder's segments on one core."""
    from tallybook.ingest.seal import seal

    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    wall, cpu = time.perf_counter(), time.process_time()
    seal(place, FixedPrices(), None, compact=False)
    return time.process_time() - cpu, time.perf_counter() - wall


def copy_alone(place: Path) -> tuple[float, float]:
    """The same of what DuckDB does at least: the lines' keys to sorted, compressed Parquet, nothing worked out."""
    import duckdb

    from tallybook.store.lake.schema import LINE_COLUMNS, files_sql, struct_sql

    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    wall, cpu = time.perf_counter(), time.process_time()
    con = duckdb.connect()
    con.execute("SET threads=1; SET enable_progress_bar=false")
    files = files_sql(sorted(map(str, place.glob("*/*.jsonl"))))
    con.execute(
        f"COPY (SELECT * FROM read_json({files}, format='newline_delimited', columns={struct_sql(LINE_COLUMNS)}) "
        f"ORDER BY timestamp) TO '{place / 'plain.parquet'}' "
        "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 20480, PARQUET_VERSION v2)"
    )
    return time.process_time() - cpu, time.perf_counter() - wall


def measure_sealing(folder: Path, targets: Target, calls: int = 400_000, rounds: int = 3) -> None:
    """Journal to sealed, priced Parquet with summaries, in a process held to one core, in turn with the mere copying
    of the same lines to Parquet; of each the best of some rounds."""
    made = folder.with_name(folder.name + "-lines")
    shutil.rmtree(made, ignore_errors=True)
    _lines(made, calls)
    best: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name in ("copy_alone", "seal_alone"):
            place = folder.with_name(folder.name + "-seal")
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(made, place)
            code = (
                f"import sys; sys.path.insert(0, {str(Path(__file__).resolve().parent)!r}); import store; "
                f"from pathlib import Path; print(*store.{name}(Path({str(place)!r})))"
            )
            got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
            spent = [float(word) for word in got.split()]
            best[name] = [min(pair) for pair in zip(spent, best.get(name, spent), strict=True)]
            shutil.rmtree(place)
    shutil.rmtree(made)
    (cpu, wall), plain = best["seal_alone"], best["copy_alone"][0]
    targets.check("journal to sealed, priced Parquet, one core, by CPU", calls / cpu, 100_000, "calls/s", True)
    targets.check("the same by the clock on the wall", calls / wall, 100_000, "calls/s", True)
    print(f"      mere read_json to sorted Parquet: {calls / plain:,.0f} calls/s")
    print(f"      sealing takes {cpu / plain:.2f} times that, by CPU")


def questions(since_us: int, until_us: int):
    """Name, question and limit in milliseconds."""
    from tallybook.model.question import Filter, Question

    span = {"since_us": since_us, "until_us": until_us}
    return [
        ("totals by day and model, 30 days",
         Question(measures=("calls", "cost_nanousd", "input_tokens", "output_tokens", "errors", "unpriced_calls"),
                  dimensions=("model",), grain="day", **span), 100),
        ("percentiles by model, 30 days",
         Question(measures=("calls", "duration_p50_us", "duration_p95_us", "duration_p99_us"),
                  dimensions=("model",), **span),
         100),
        ("top users by cost, 30 days",
         Question(measures=("cost_nanousd", "calls"), dimensions=("user_id",), limit=20, **span), 100),
        ("tool statistics, 30 days",
         Question(source="tool_calls", measures=("uses", "failures", "duration_avg_us"),
                  dimensions=("tool",), **span), 100),
        ("heat map in Europe/Berlin, 30 days",
         Question(measures=("calls",), dimensions=("day_of_week", "hour_of_day"), zone="Europe/Berlin", **span), 100),
        ("by metadata.customer with two filters, 30 days",
         Question(measures=("calls", "cost_nanousd"), dimensions=("metadata.customer",),
                  filters=(Filter("project", "eq", "storefront"), Filter("environment", "eq", "production")),
                  **span), 300),
    ]  # fmt: skip


def measure_questions(folder: Path, targets: Target, factor: int, label: str) -> None:
    """Every usual question, the median of a few, warm."""
    from tallybook.store.lake.store import LakeStore

    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    since_us = int((until - timedelta(days=30)).timestamp()) * 1_000_000
    until_us = int(until.timestamp()) * 1_000_000
    store = LakeStore(folder, FixedPrices())
    sample = store.calls(limit=40)
    old = store.calls(until_us=since_us, limit=5)
    from tallybook.model.question import Filter

    cases = [(name, lambda q=q: store.ask(q), limit) for name, q, limit in questions(since_us, until_us)]
    cases += [
        ("one call by id", lambda: store.call(old[0].call_id), 30),
        ("one run with its calls", lambda: store.run_calls(old[0].run_id), 30),
        ("last 50 of a frequent filter", lambda: store.calls((Filter("project", "eq", "storefront"),), limit=50), 30),
        ("last 50 of a rare filter",
         lambda: store.calls(
             (Filter("model", "eq", sample[0].response_model), Filter("status", "eq", "error")), limit=50), 30),
        ("last 50 runs", lambda: store.runs(limit=50), 100),
    ]  # fmt: skip
    for name, work, limit in cases:
        work()
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            work()
            times.append((time.perf_counter() - start) * 1000)
        targets.check(f"{label}: {name}", median(times), limit * factor, "ms")
        print(f"      lowest {min(times):.1f} ms")
    store.close()
    targets.check(
        f"{label}: memory of this process", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1000, "MB"
    )


def linked(folder: Path, copies: int) -> Path:
    """A folder with each file linked so many times, named in its manifest as files of their own."""
    place = folder.with_name(f"{folder.name}-x{copies}")
    shutil.rmtree(place, ignore_errors=True)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    files = []
    for file in manifest["files"]:
        for copy in range(copies):
            path = file["path"].replace(".parquet", f"-{copy}.parquet")
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            os.link(folder / file["path"], place / path)
            files.append({**file, "path": path})
    manifest["files"] = files
    (place / "manifest.json").write_text(json.dumps(manifest))
    return place


def without_today(folder: Path) -> Path:
    """The same folder as on a morning without calls: all but today's files, linked."""
    place = folder.with_name(f"{folder.name}-morning")
    shutil.rmtree(place, ignore_errors=True)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    manifest["files"] = [file for file in manifest["files"] if file["day"] < today]
    for file in manifest["files"]:
        (place / file["path"]).parent.mkdir(parents=True, exist_ok=True)
        os.link(folder / file["path"], place / file["path"])
    (place / "manifest.json").write_text(json.dumps(manifest))
    return place


def measure_command(folder: Path, targets: Target, label: str) -> None:
    """A whole process of the command line, from start to exit, beside a bare Python."""
    command = [str(Path(sys.executable).with_name("tallybook")), "stats", "today"]
    environ = os.environ | {"TALLYBOOK_DIR": str(folder)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # Compiling every module at each start is not what users do.
    walls: dict[str, list[float]] = {"bare": [], "stats": []}
    cpus: dict[str, list[float]] = {"bare": [], "stats": []}
    for _ in range(RUNS):
        for name, words in (("bare", [sys.executable, "-c", "pass"]), ("stats", command)):
            start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            walls[name].append((time.perf_counter() - start) * 1000)
            cpus[name].append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
            if done.returncode:
                print(f"      {name} failed:", done.stderr.strip()[-300:])
    targets.check(f"tallybook stats today, whole process{label}", median(walls["stats"]), 200, "ms")
    for name in walls:
        print(f"      {name}: lowest {min(walls[name]):.1f} ms, by CPU {min(cpus[name]):.1f} ms")


def measure_size(folder: Path, targets: Target) -> int:
    """Bytes a call, by kind of file."""
    files = json.loads((folder / "manifest.json").read_bytes())["files"]
    calls = sum(file["rows"] for file in files if file["kind"] == "calls")
    kinds: dict[str, int] = {}
    for file in files:
        kinds[file["kind"]] = kinds.get(file["kind"], 0) + file["bytes"]
    for kind, size in sorted(kinds.items()):
        print(f"      {kind:<18} {size / calls:8.1f} bytes a call")
    facts = sum(size for kind, size in kinds.items() if not kind.startswith("summary"))
    targets.check("bytes a call, facts", facts / calls, 150, "bytes")
    targets.check("bytes a call, facts and summaries", sum(kinds.values()) / calls, 150, "bytes")
    return calls


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/tallybook-bench"))
    parser.add_argument("--quick", action="store_true", help="200,000 calls")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="do not remove the folder afterwards")
    parser.add_argument("--skip-linked", action="store_true")
    options = parser.parse_args()
    calls = 200_000 if options.quick else options.calls
    targets = Target()
    measure_sealing(options.folder, targets, 100_000 if options.quick else 400_000)
    if not (options.folder / "manifest.json").exists():
        fill(options.folder, calls, options.seed)
    print(f"{measure_size(options.folder, targets):,} calls in {options.folder}")
    measure_questions(options.folder, targets, 1, "as it is")
    measure_command(options.folder, targets, "")
    morning = without_today(options.folder)
    measure_command(morning, targets, ", nothing today")
    shutil.rmtree(morning)
    if not options.skip_linked:
        place = linked(options.folder, 10)
        measure_questions(place, targets, 10, "ten times")
        shutil.rmtree(place)
    if not options.keep:
        shutil.rmtree(options.folder)
    failed = [row for row in targets.rows if not row[3]]
    print(f"{len(targets.rows) - len(failed)} of {len(targets.rows)} targets met")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
