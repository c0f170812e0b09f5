"""What the server takes in: records a second, durable when acknowledged and visible to queries; latency, CPU, memory.

    ./dev bench ingest usage [--seconds 5]     single usage logs with keep-alive, then batches of 100
    ./dev bench ingest otlp                    OpenTelemetry: batches of 512 LLM spans of 6 kB as protobuf
    ./dev bench ingest otlp --peers            and Phoenix and MLflow beside it, where they install

The server runs as `tallybook serve` in a process of its own on one core, the client on another where there is one.
"Durable" is the acknowledgement (fsync before it); "visible" is asked of the command line's store right afterwards.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parent))

import rival
from process import Server
from spans import Batch

LOG = {
    "operation": "chat", "model": "gpt-4o", "provider": "openai", "input_tokens": 1200, "output_tokens": 300,
    "total_tokens": 1500, "estimated_cost": 0.0012, "duration_ms": 812, "tool_calls_count": 1,
    "tool_calls_json": '[{"name":"search","arguments":{"query":"latest web frameworks"},"durationMs":150}]',
    "response_metadata": '{"finishReason":"stop","id":"chatcmpl-1"}', "user_id": "u-17", "session_id": "s-4",
}  # fmt: skip


def check(folder: Path, sent: int) -> None:
    """Hold what was acknowledged against what a reader of the ledger sees now; SystemExit when it is not the same."""
    from tallybook.config import Settings
    from tallybook.model.question import Question
    from tallybook.store.open import open_store

    begun = time.perf_counter()
    store = open_store(Settings(folder=folder))
    try:
        seen = int(store.ask(Question(measures=("calls",))).rows[0][0])
    finally:
        store.close()
    print(f"acknowledged {sent:,}, visible at once {seen:,} (asked in {time.perf_counter() - begun:.2f} s)")
    if seen != sent:
        raise SystemExit("what was acknowledged is not what is seen")


def request(path: str, body: bytes, content_type: str) -> bytes:
    """The bytes of a POST."""
    head = ("POST", path, "HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type:", content_type)
    return f"{' '.join(head)}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def load(port: int, data: bytes, connections: int, seconds: float, is_good: Callable[[bytes], bool]) -> list[float]:
    """Send the same request over kept-alive connections as fast as it is answered; seconds that each took."""
    took: list[float] = []
    began: dict[int, float] = {}
    held: dict[int, bytes] = {}
    end = time.perf_counter() + seconds
    with selectors.DefaultSelector() as watched:
        for _ in range(connections):
            one = socket.create_connection(("127.0.0.1", port), timeout=10)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            watched.register(one, selectors.EVENT_READ)
            began[one.fileno()] = time.perf_counter()
            one.sendall(data)
        while watched.get_map():
            for key, _ in watched.select(10):
                one = key.fileobj
                held[key.fd] = got = held.get(key.fd, b"") + one.recv(262_144)
                if not _is_whole(got):
                    continue
                now = time.perf_counter()
                if not is_good(got):
                    raise SystemExit(f"unexpected answer: {got[:300]!r}")
                held[key.fd] = b""
                took.append(now - began[key.fd])
                if now >= end:
                    watched.unregister(one)
                    one.close()
                    continue
                began[key.fd] = now
                one.sendall(data)
    return took


def _is_whole(data: bytes) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    return body.endswith(b"0\r\n\r\n")


def report(
    name: str, server: Server, took: list[float], each: int, seconds: float, cpu_s: float, target: str = ""
) -> None:
    """Print what a load came to."""
    cuts = quantiles(took, n=100)
    items = len(took) * each
    print(
        f"{name:<34} {items / seconds:>9,.0f}/s  {items / cpu_s:>9,.0f} a second of CPU  "
        f"p50 {median(took) * 1e3:>6.2f}  p99 {cuts[98] * 1e3:>6.2f} ms  {server.memory_mb():>4.0f} MB  {target}",
        flush=True,
    )


def usage(seconds: float) -> None:
    """Usage logs one by one and by the hundred."""
    with Server(is_pinned=True) as server:
        print(f"started in {server.start_s:.2f} s, {server.memory_mb():.0f} MB (target: under 1 s)")
        single = request("/api/ai-usage", json.dumps(LOG).encode(), "application/json")
        many = request("/api/ai-usage", json.dumps([LOG] * 100).encode(), "application/json")
        sent = len(load(server.port, single, 8, 0.5, lambda got: got.startswith(b"HTTP/1.1 201")))
        for connections in (1, 16, 64):
            cpu, begun = server.cpu_s(), time.perf_counter()
            took = load(server.port, single, connections, seconds, lambda got: got.startswith(b"HTTP/1.1 201"))
            wall = time.perf_counter() - begun
            target = "target 3,000/s at p99 under 20 ms" if connections == 16 else ""
            report(f"single, {connections} connections", server, took, 1, wall, server.cpu_s() - cpu, target)
            sent += len(took)
        cpu, begun = server.cpu_s(), time.perf_counter()
        took = load(server.port, many, 4, seconds, lambda got: got.startswith(b"HTTP/1.1 201"))
        wall = time.perf_counter() - begun
        report("batches of 100, 4 connections", server, took, 100, wall, server.cpu_s() - cpu, "target 30,000/s")
        sent += len(took) * 100
        check(server.folder, sent)


def otlp(seconds: float) -> None:
    """Batches of 512 LLM spans, all different, over two connections."""
    batch = Batch()
    with Server(is_pinned=True) as server:
        print(f"batches of {batch.size} spans, {len(batch.next()) / batch.size:,.0f} bytes a span")
        sent = _spans(server, batch, 0.5)[0] * batch.size
        for _ in range(3):
            cpu, begun = server.cpu_s(), time.perf_counter()
            count, took = _spans(server, batch, seconds / 3)
            wall = time.perf_counter() - begun
            report("spans, 2 connections", server, took, batch.size, wall, server.cpu_s() - cpu, "target 20,000/s")
            sent += count * batch.size
        check(server.folder, sent)


def _spans(server: Server, batch: Batch, seconds: float) -> tuple[int, list[float]]:
    """Send fresh batches over two connections by turns; how many, and the seconds that each took."""
    took: list[float] = []
    lines = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(2)]
    began = [0.0, 0.0]
    end = time.perf_counter() + seconds
    turn = 0
    while time.perf_counter() < end or any(began):
        place = turn % 2
        turn += 1
        if began[place]:
            got = b""
            while not _is_whole(got):
                got += lines[place].recv(65_536)
            if not got.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"unexpected answer: {got[:300]!r}")
            took.append(time.perf_counter() - began[place])
            began[place] = 0.0
        if time.perf_counter() < end:
            body = batch.next()
            began[place] = time.perf_counter()
            lines[place].sendall(request("/v1/traces", body, "application/x-protobuf"))
    for one in lines:
        one.close()
    return len(took), took


PARTS: dict[str, Callable[[float], None]] = {"usage": usage, "otlp": otlp}


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--peers", action="store_true", help="measure others' servers with the same load")
    given = parser.parse_args()
    for part in given.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}; there are {', '.join(PARTS)}")
        PARTS[part](given.seconds)
        if part == "otlp" and given.peers:
            for name in rival.RIVALS:
                batch = Batch(seed=2)
                rival.measure(name, batch.next, batch.size)


if __name__ == "__main__":
    main()
