"""How long a call takes from its write by another process to a thousand live listeners, and what that costs.

One server process, one process that writes, listeners in this one over real connections. Every twentieth listener reads
every event and takes its delay; the others read and count, so that listening does not hide what serving costs.

    ./dev bench live [--listeners 1000] [--rate 100] [--seconds 15]
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from process import Server, machine_load

WRITER = """
import sys, time, os
from pathlib import Path
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.ids import uuid7
from tallybook.model.usage import Usage
folder, rate, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
writer = Writer(folder, "telemetry", segment_bytes_max=1 << 25)
begin = time.time()
for number in range(int(rate * seconds)):
    time.sleep(max(0, begin + number / rate - time.time()))
    now = time.time_ns()
    call_id = uuid7(now // 1_000_000, int.from_bytes(os.urandom(9), "big"))
    call = Call(call_id=call_id, started_at_us=now // 1000, duration_us=0, provider="openai", model="gpt-4o",
                usage=Usage(input_tokens=500, output_tokens=200), project="bench", user_id="u", run_id="r",
                metadata={"written_us": now // 1000})
    writer.append(codec.encode(call), now // 1000)
"""
WRITTEN = re.compile(rb'"written_us":(\d+)')
EVERY = 20


class Tally:
    def __init__(self) -> None:
        self.delays_us: list[int] = []
        self.bytes = 0
        self.connected = 0
        self.dropped = 0


async def listen(port: int, tally: Tally, *, is_exact: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(b"GET /api/v1/live?kind=completed HTTP/1.1\r\nHost: localhost\r\n\r\n")
    rest = b""
    try:
        await reader.readuntil(b": connected\n\n")
        tally.connected += 1
        while data := await reader.read(1 << 18):
            tally.bytes += len(data)
            if not is_exact:
                continue
            now_us = time.time_ns() // 1000
            data = rest + data
            end = data.rfind(b"\n\n") + 1
            tally.delays_us += [now_us - int(text) for text in WRITTEN.findall(data[:end])]
            tally.dropped += b"event: dropped" in data
            rest = data[end:]
    finally:
        writer.close()


async def measure(server: Server, given: argparse.Namespace) -> None:
    tally = Tally()
    listening = (listen(server.port, tally, is_exact=number % EVERY == 0) for number in range(given.listeners))
    tasks = [asyncio.create_task(one) for one in listening]
    while tally.connected < given.listeners:
        await asyncio.sleep(0.05)
    idle, began = server.cpu_s(), time.monotonic()
    await asyncio.sleep(3)
    idle = (server.cpu_s() - idle) / (time.monotonic() - began)
    before, began = server.cpu_s(), time.monotonic()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(server.folder), str(given.rate), str(given.seconds)])
    while writer.poll() is None:
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.5)
    took = time.monotonic() - began
    busy = (server.cpu_s() - before) / took
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    sampled = len(range(0, given.listeners, EVERY))
    wanted = sampled * int(given.rate * given.seconds)
    delays = sorted(tally.delays_us)
    if not delays:
        raise SystemExit("nothing arrived")
    cuts = statistics.quantiles(delays, n=100)
    print(f"{given.listeners:,} listeners, {given.rate} calls/s for {given.seconds:.0f} s")
    print(f"delay from write to receipt: p50 {cuts[49] / 1e3:.0f} ms, p95 {cuts[94] / 1e3:.0f} ms, "
          f"p99 {cuts[98] / 1e3:.0f} ms, longest {delays[-1] / 1e3:.0f} ms")  # fmt: skip
    print(f"{len(delays):,} of {wanted:,} sampled events arrived, {tally.dropped} listeners dropped, "
          f"{tally.bytes / 1e6 / took:.0f} MB/s in all")  # fmt: skip
    print(f"server's CPU: {busy:.0%} of a core; idle with all listening {idle:.1%}")
    print(machine_load())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=1_000)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=15)
    given = parser.parse_args()
    with Server() as server:
        asyncio.run(measure(server, given))


if __name__ == "__main__":
    main()
