"""Questions over HTTP while calls arrive: `python bench/query.py --folder DIR [--seconds 40] [--rate 500]`.

DIR is one that `bench/store.py --keep` filled; with `--quick` a small one is made. A server is started on it, calls are
posted at the given rate by another process, and the usage's summary and other questions are asked all the while, one
after the other, by a single keep-alive client. Sealing goes on as always. What was posted stays in the folder.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import random
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from process import Server

TARGET_MS = 50
BATCH = 25
QUESTIONS = (
    ("usage summary, 30 days", "/api/ai/usage/summary?days=30", 6),
    ("usage summary, all time", "/api/ai/usage/summary?period=all", 1),
    ("timeseries by model, 30 days", "/api/ai/usage/timeseries?days=30&by=model", 1),
    ("tools, 30 days", "/api/ai/usage/tools?days=30", 1),
    ("models, 30 days", "/api/ai/usage/models?days=30", 1),
    ("newest 50 calls", "/api/v1/calls", 1),
    ("query by project and model, 30 days", "/api/v1/query?days=30&by=project,model", 1),
)
"""Name, address, and how often in a round."""


def send(port: int, rate: int, until: float, taken) -> None:
    """Post calls at a rate until a moment; counts those that were acknowledged."""
    r = random.Random(5)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    began, sent = time.monotonic(), 0
    while time.monotonic() < until:
        wait = began + sent / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        logs = [
            {"operation": r.choice(("answer", "plan", "route")), "model": r.choice(("gpt-4o", "gpt-4.1", "gpt-5-mini")),
             "provider": "openai", "input_tokens": r.randrange(50, 9000), "output_tokens": r.randrange(5, 900),
             "duration_ms": r.randrange(100, 9000), "project_id": r.choice(("atlas", "reports")),
             "user_id": f"u-{r.randrange(400)}", "session_id": f"s-{r.randrange(900)}"}
            for _ in range(BATCH)
        ]  # fmt: skip
        connection.request("POST", "/api/ai-usage", json.dumps(logs), {"content-type": "application/json"})
        reply = connection.getresponse()
        reply.read()
        if reply.status == 201:
            taken.value += BATCH
        sent += BATCH


def ask(connection: http.client.HTTPConnection, path: str) -> float:
    """Milliseconds of one question."""
    start = time.perf_counter()
    connection.request("GET", path)
    reply = connection.getresponse()
    data = reply.read()
    if reply.status != 200:
        raise SystemExit(f"{path}: {reply.status} {data[:300]!r}")
    return (time.perf_counter() - start) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/tallybook-bench"))
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between two questions")
    parser.add_argument("--quick", action="store_true", help="200,000 calls, 8 seconds")
    options = parser.parse_args()
    if options.quick:
        from store import fill

        options.folder, options.seconds = options.folder.with_name(options.folder.name + "-quick"), 8
        shutil.rmtree(options.folder, ignore_errors=True)
        fill(options.folder, 200_000, 1)
    with Server("--any-project", folder=options.folder) as server:
        taken = multiprocessing.Value("i", 0)
        until = time.monotonic() + options.seconds
        sender = multiprocessing.Process(target=send, args=(server.port, options.rate, until, taken), daemon=True)
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for _, path, _ in QUESTIONS:
            print(f"first: {ask(connection, path):8.1f} ms  {path}", flush=True)
        sender.start()
        times: dict[str, list[float]] = {name: [] for name, _, _ in QUESTIONS}
        cpu = time.monotonic(), os.times()
        while time.monotonic() < until:
            for name, path, often in QUESTIONS:
                for _ in range(often):
                    times[name].append(ask(connection, path))
                    time.sleep(options.pause)
        sender.join()
        print(f"{taken.value:,} calls acknowledged, {taken.value / (time.monotonic() - cpu[0]):,.0f} a second")
        for name, found in times.items():
            found.sort()
            middle, high = found[len(found) // 2], found[min(len(found) - 1, int(len(found) * 0.95))]
            print(f"{name:<40} p50 {middle:7.1f}  p95 {high:7.1f} ms  of {len(found)}")
        found = times[QUESTIONS[0][0]]
        high = found[min(len(found) - 1, int(len(found) * 0.95))]
        print(f"{'pass' if high <= TARGET_MS else 'FAIL'}  p95 of the summary {high:.1f} ms <= {TARGET_MS}")
    if options.quick:
        shutil.rmtree(options.folder)
    return 0 if high <= TARGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
