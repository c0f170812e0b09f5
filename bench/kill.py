"""Kills the server at random moments, hundreds of times: nothing acknowledged is lost, nothing is counted twice.

    ./dev bench kill [--kills 300] [--seed N] [--clients 4] [--folder DIR]

A real `tallybook serve` takes records from clients that send what was not acknowledged again, as they were told to:
with the same ids, or the same `Idempotency-Key`. Meanwhile it is killed with SIGKILL at moments that the seed decides,
in its start as well, and started again on the same folder; a second process seals all the while and is killed likewise.
In the end every record is acknowledged once, and the ledger and the totals of runs must be the sums of what was sent.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from process import free_port

SESSIONS = 12
BATCH_MAX = 60
START_S = 30.0
_SEALER = """
import sys, time
from tallybook.config import Settings
from tallybook.ingest.seal import seal
from tallybook.store.open import open_prices, open_state
from pathlib import Path
settings = Settings(folder=Path(sys.argv[1]))
state = open_state(settings)
while True:
    seal(settings.folder, open_prices(settings), state)
    time.sleep(0.05)
"""


class Post(NamedTuple):
    """One request, the same each time that it is sent."""

    path: str
    body: bytes
    headers: dict[str, str]
    items: list[dict[str, Any]]


class Sums:
    """What was sent and acknowledged, by session."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()
        self.again = 0
        """Requests that had to be sent more than once."""
        self.posts = 0

    def add(self, items: list[dict[str, Any]]) -> None:
        """Note items that were acknowledged."""
        for item in items:
            self.calls[item["session_id"]] += 1
            self.tokens[item["session_id"]] += item["input_tokens"]


class Client(threading.Thread):
    """Sends posts one after the other until told to stop, each until it is acknowledged."""

    def __init__(self, port: int, random: Random, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._random = random
        self._stop_sending = stop
        self.sums = Sums()
        self.wrong: str | None = None
        """An answer that no server should give, or what stopped this client."""

    def run(self) -> None:
        """Send."""
        try:
            while not self._stop_sending.is_set():
                post = self._post()
                self._send(post)
                self.sums.add(post.items)
                self.sums.posts += 1
                time.sleep(self._random.random() * 0.02)
        except Exception as error:
            self.wrong = f"{type(error).__name__}: {error}"

    def _post(self) -> Post:
        form = self._random.choice(("single", "single", "keyed", "array", "array", "lines", "spans", "spans"))
        count = self._random.randint(1, BATCH_MAX) if form in ("array", "lines", "spans") else 1
        items = [self._item(form) for _ in range(count)]
        headers = {"content-type": "application/json"}
        if form == "spans":
            spans = [self._span(item) for item in items]
            body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
            return Post("/v1/traces", body, headers, items)
        if form == "lines":
            body = b"\n".join(json.dumps(item).encode() for item in items)
            return Post("/api/ai-usage", body, {"content-type": "application/x-ndjson"}, items)
        if form == "keyed":
            headers["idempotency-key"] = f"key-{self._random.getrandbits(64):016x}"
        return Post("/api/ai-usage", json.dumps(items if form == "array" else items[0]).encode(), headers, items)

    def _span(self, item: dict[str, Any]) -> dict[str, Any]:
        """The same as an OpenTelemetry span."""
        now_ns = time.time_ns()
        texts = {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": item["model"],
            "session.id": item["session_id"],
        }  # fmt: skip
        numbers = {"gen_ai.usage.input_tokens": item["input_tokens"], "gen_ai.usage.output_tokens": 10}
        told = [{"key": key, "value": {"stringValue": value}} for key, value in texts.items()]
        told += [{"key": key, "value": {"intValue": str(value)}} for key, value in numbers.items()]
        return {
            "traceId": f"{self._random.getrandbits(128):032x}", "spanId": f"{self._random.getrandbits(64):016x}",
            "name": f"chat {item['model']}", "kind": 3, "attributes": told, "status": {},
            "startTimeUnixNano": str(now_ns - 300_000_000), "endTimeUnixNano": str(now_ns),
        }  # fmt: skip

    def _item(self, form: str) -> dict[str, Any]:
        item: dict[str, Any] = {
            "operation": "chat", "model": "gpt-4o-mini", "provider": "openai",
            "input_tokens": self._random.randint(1, 5000), "output_tokens": 10, "duration_ms": 300,
            "session_id": f"s-{self._random.randrange(SESSIONS)}", "project_id": "killed",
        }  # fmt: skip
        if form in ("keyed", "spans"):
            return item
        now_ms = time.time_ns() // 1_000_000
        kind = self._random.randrange(3)
        if kind == 0:  # A UUIDv7, which is the record's id as it is.
            bits = now_ms << 80 | 0x7 << 76 | self._random.getrandbits(12) << 64 | 0b10 << 62
            item["id"] = str(uuid.UUID(int=bits | self._random.getrandbits(62)))
        else:
            item["id"] = f"own-{self._random.getrandbits(64):016x}"
            if kind == 1:  # With a moment the id is worked out, without one it is remembered.
                item["created_at"] = now_ms / 1000
        return item

    def _send(self, post: Post) -> None:
        is_first = True
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
                try:
                    connection.request("POST", post.path, post.body, post.headers)
                    answer = connection.getresponse()
                    told = answer.read()
                finally:
                    connection.close()
                if answer.status in (200, 201) and b"rejected" not in told:
                    return
                if answer.status < 500:
                    raise ValueError(f"answered {answer.status}: {told[:300]!r}")
            except (OSError, http.client.HTTPException):
                pass  # Killed before, while or after it wrote: who was not answered sends again.
            if is_first:
                self.sums.again += 1
                is_first = False
            time.sleep(0.02)


def command(folder: Path, port: int) -> list[str]:
    """The server's command line."""
    return [sys.executable, "-m", "tallybook", "serve", "--port", str(port), "--any-project", "--quiet",
            "--dir", str(folder)]  # fmt: skip


def is_ready(port: int) -> bool:
    """Whether the server takes requests."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_up(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait for the server. Raises SystemExit when it ends instead."""
    end = time.monotonic() + START_S
    while not is_ready(port):
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"the server did not start again (code {process.poll()})")
        time.sleep(0.005)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL, and wait for the end."""
    process.kill()
    process.wait()


def run(folder: Path, kills: int, seed: int, clients_count: int) -> str | None:
    """The whole run; what is wrong in the end, or `None`."""
    random = Random(seed)
    port = free_port()
    stop = threading.Event()
    clients = [Client(port, Random(f"{seed}-{number}"), stop) for number in range(clients_count)]
    sealer: subprocess.Popen[bytes] | None = None
    server = subprocess.Popen(command(folder, port))
    try:
        wait_up(server, port)
        for client in clients:
            client.start()
        for number in range(kills):
            if random.random() < 0.15:
                time.sleep(random.random() * 0.3)  # In its start, or before it.
            else:
                wait_up(server, port)
                time.sleep(random.random() ** 2 * 0.8)
            kill(server)
            if sealer is None:
                sealer = subprocess.Popen([sys.executable, "-c", _SEALER, str(folder)])
            elif random.random() < 0.5:
                kill(sealer)
                sealer = None
            server = subprocess.Popen(command(folder, port))
            wrong = next((client.wrong for client in clients if client.wrong), None)
            if wrong:
                return f"after {number + 1} kills: {wrong}"
        wait_up(server, port)
        stop.set()
        for client in clients:
            client.join(60)
        if any(client.is_alive() for client in clients):
            return "a client's records were never acknowledged"
        server.send_signal(signal.SIGTERM)
        if (code := server.wait(30)) != 0:
            return f"the server ended with {code} when asked to stop"
    finally:
        for process in (server, sealer):
            if process is not None and process.poll() is None:
                kill(process)
    return next((client.wrong for client in clients if client.wrong), None) or compare(folder, clients)


def compare(folder: Path, clients: list[Client]) -> str | None:
    """What the ledger and the state have against what was acknowledged."""
    from tallybook.config import Settings
    from tallybook.ingest.seal import seal
    from tallybook.model.question import Question
    from tallybook.store.open import open_prices, open_state, open_store

    calls = sum((client.sums.calls for client in clients), Counter())
    tokens = sum((client.sums.tokens for client in clients), Counter())
    posts, again = sum(client.sums.posts for client in clients), sum(client.sums.again for client in clients)
    expected = {session: (count, tokens[session]) for session, count in calls.items()}
    print(f"{calls.total():,} records in {posts:,} requests acknowledged, {again:,} of them sent again", flush=True)
    settings = Settings(folder=folder)
    question = Question(measures=("calls", "input_tokens"), dimensions=("session_id",))
    for moment in ("as it was left", "sealed"):
        store = open_store(settings)
        try:
            found = {row[0]: (row[1], row[2]) for row in store.ask(question).rows}
            warned = store.warnings()
        finally:
            store.close()
        if found != expected:
            return f"the ledger {moment} has other sums (sent, found): {_differing(expected, found)}"
        if warned:
            return f"the ledger {moment} has damage: {warned}"
        if moment == "as it was left":
            state = open_state(settings)
            try:
                seal(folder, open_prices(settings), state)
                totals = {run.run_id: (run.call_count, run.input_tokens) for run in state.runs(limit=1000)}
            finally:
                state.close()
            if totals != expected:
                return f"the totals of runs are others (sent, found): {_differing(expected, totals)}"
    return None


def _differing(expected: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    keys = sorted({*expected, *found})
    return {key: (expected.get(key), found.get(key)) for key in keys if expected.get(key) != found.get(key)}


def main() -> None:
    """Parse, run, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="an empty folder to use and keep")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="tallybook-kill-"))
    begun = time.monotonic()
    print(f"seed {given.seed}, {given.kills} kills, {folder}", flush=True)
    wrong = run(folder, given.kills, given.seed, given.clients)
    if wrong:
        raise SystemExit(f"seed {given.seed}: {wrong}; the folder is kept: {folder}")
    print(f"nothing lost, nothing twice, in {time.monotonic() - begun:.0f} s")
    if given.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
