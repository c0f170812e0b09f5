"""What shipping costs the thread that records, and how fast a backlog is caught up: against a real server process.

Processes that record without and with a server alternate; each tells the CPU time of its recording thread a call, which
another process's noise does not enter, and the medians are compared.

    ./dev bench ship [--rounds 10] [--calls 2000] [--backlog 100000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from process import Server, machine_load

from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.ids import uuid7
from tallybook.model.usage import Usage
from tallybook.ship.rest import ship
from tallybook.ship.shipper import Shipper

RECORDER = """
import sys, time, tallybook
def record(count):
    for _ in range(count):
        with tallybook.track("bench", project="shop", user="u") as call:
            call.usage(model="gpt-4o", provider="openai", input_tokens=500, output_tokens=200)
record(300)
costs = []
for _ in range(20):
    begin = time.thread_time_ns()
    record(int(sys.argv[1]) // 20)
    costs.append((time.thread_time_ns() - begin) / (int(sys.argv[1]) // 20) / 1000)
    time.sleep(0.05)  # As an application that also does something else: the shipper's thread has its turn.
print(sorted(costs)[len(costs) // 2])
"""


def recorded(folder: Path, calls: int, url: str | None) -> float:
    environment = {**os.environ, "TALLYBOOK_DIR": str(folder)}
    if url is not None:
        environment["TALLYBOOK_URL"] = url
    ran = subprocess.run(
        [sys.executable, "-c", RECORDER, str(calls)], env=environment, check=True, capture_output=True, text=True
    )
    return float(ran.stdout)


def fill(folder: Path, count: int) -> int:
    writer = Writer(folder, "telemetry", segment_bytes_max=1 << 25)
    size = 0
    for number in range(count):
        now = time.time_ns()
        call = Call(
            call_id=uuid7(now // 1_000_000, number), started_at_us=now // 1000, duration_us=812_000, provider="openai",
            model="gpt-4o", response_model="gpt-4o-2024-08-06", response_id=f"chatcmpl-{number}", project="shop",
            usage=Usage(input_tokens=500 + number % 97, output_tokens=200), user_id="u-17",
            prompt_hash="sha256:" + "0" * 64, response_hash="sha256:" + "1" * 64,
            usage_raw={"prompt_tokens": 500, "completion_tokens": 200},
        )  # fmt: skip
        line = codec.encode(call)
        size += len(line)
        writer.append(line, now // 1000)
    writer.close()
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--backlog", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tallybook-ship-") as name:
        place = Path(name)
        with Server(folder=place / "s") as server:
            without, with_it = [], []
            for number in range(given.rounds):
                without.append(recorded(place / f"a{number}", given.calls, None))
                with_it.append(recorded(place / f"b{number}", given.calls, server.url))
            bare, shipped = statistics.median(without), statistics.median(with_it)
            print(
                f"recording a tracked call: {bare:.1f} µs of its thread's CPU without a server, {shipped:.1f} with one"
            )
            print(f"  ({shipped / bare - 1:+.0%}, {given.rounds} rounds)")
            size = fill(place / "backlog", given.backlog)
            shipper = Shipper(place / "backlog", server.url, None)
            began, cpu = time.monotonic(), time.process_time()
            last = list(ship(shipper))[-1]
            took, used = time.monotonic() - began, time.process_time() - cpu
            assert last.problem is None, last
            print(
                f"a backlog of {given.backlog:,} calls ({size / 1e6:.0f} MB): {took:.1f} s until durable on the server,"
            )
            print(f"  {given.backlog / took:,.0f} calls/s; the sender's CPU {used:.1f} s")
            print(machine_load())
            shipper.release()


if __name__ == "__main__":
    main()
