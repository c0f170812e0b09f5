"""Other servers beside ours in `bench/ingest.py otlp --peers`: the same batches, until their own interface shows them.

Each is installed into an environment of its own under bench/out (Phoenix 1.2 GB, MLflow 0.9 GB) and keeps its records
in SQLite, its default. Acknowledged need not be written: Phoenix answers first and inserts afterwards, so that the time
until all spans are seen is what is measured.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from process import free_port

ROOT = Path(__file__).resolve().parent.parent
START_S, SEEN_S, STOP_S = 180, 300, 20
_PROJECTS = "{ projects { edges { node { recordCount } } } }"
_SEARCH = "/api/3.0/mlflow/traces/search"
_PAGE = 500


class Rival(NamedTuple):
    """One server."""

    package: str
    program: str
    batches: int
    """How many are sent: some dozens of seconds."""
    command: Callable[[int, str], list[str]]
    """Arguments for a port and a folder."""
    environment: Callable[[int, str], dict[str, str]]
    health: str
    headers: dict[str, str]
    count: Callable[[int], int]
    """Spans seen by whoever asks the port."""


def _ask(port: int, method: str, path: str, body: bytes | None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        got = connection.getresponse()
        return got.status, got.read()
    finally:
        connection.close()


def _asked(port: int, path: str, question: Any) -> Any:
    status, told = _ask(port, "POST", path, json.dumps(question).encode(), content_type="application/json")
    return json.loads(told) if status == 200 else None


def _phoenix_count(port: int) -> int:
    told = _asked(port, "/graphql", {"query": _PROJECTS})
    return sum(edge["node"]["recordCount"] for edge in told["data"]["projects"]["edges"]) if told else 0


def _mlflow_count(port: int) -> int:
    """Traces: each of the load's spans is one of its own."""
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
    seen, token = 0, None
    while True:
        asked = {"locations": [place], "max_results": _PAGE} | ({"page_token": token} if token else {})
        told = _asked(port, _SEARCH, asked)
        seen += len(told.get("traces", ())) if told else 0
        token = told.get("next_page_token") if told else None
        if not token:
            return seen


RIVALS = {
    "phoenix": Rival(
        "arize-phoenix", "phoenix", 16,
        command=lambda port, folder: ["serve"],
        environment=lambda port, folder: {
            "PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(free_port()), "PHOENIX_WORKING_DIR": folder,
            "PHOENIX_HOST": "127.0.0.1",
        },
        health="/healthz", headers={}, count=_phoenix_count,
    ),
    "mlflow": Rival(
        "mlflow", "mlflow", 4,
        command=lambda port, folder: [
            "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", f"{folder}/artifacts",
        ],
        environment=lambda port, folder: {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
        health="/health", headers={"x_mlflow_experiment_id": "0"}, count=_mlflow_count,
    ),
}  # fmt: skip


def _installed(name: str, rival: Rival) -> Path | None:
    place = ROOT / "bench" / "out" / f"peer-{name}"
    if not (place / "bin" / rival.program).exists():
        venv.create(place, with_pip=True)
        install = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "-q", rival.package]
        if subprocess.run(install, check=False).returncode != 0:
            return None
    return place / "bin" / rival.program


def _wait_until_up(port: int, health: str, process: subprocess.Popen[bytes]) -> float | None:
    """Seconds until it answered; `None` where it does not start."""
    begun = time.perf_counter()
    while process.poll() is None and time.perf_counter() - begun < START_S:
        try:
            if _ask(port, "GET", health, None)[0] == 200:
                return time.perf_counter() - begun
        except OSError:
            pass  # It does not listen yet.
        time.sleep(0.2)
    return None


def _load(name: str, rival: Rival, port: int, bodies: list[bytes], size: int) -> None:
    begun = time.perf_counter()
    for body in bodies:
        status, told = _ask(port, "POST", "/v1/traces", body, content_type="application/x-protobuf", **rival.headers)
        if status != 200:
            print(f"{name}: answered {status}: {told[:200]!r}; left out")
            return
    sent = time.perf_counter() - begun
    wanted, seen = len(bodies) * size, rival.count(port)
    while seen < wanted and time.perf_counter() - begun < SEEN_S:
        time.sleep(0.25)
        seen = rival.count(port)
    took = time.perf_counter() - begun
    print(f"{name}: {seen:,} of {wanted:,} spans seen after {took:.1f} s (acknowledged after {sent:.1f} s), "
          f"{seen / took:,.0f}/s", flush=True)  # fmt: skip


def measure(name: str, batch: Callable[[], bytes], size: int) -> None:
    """Send batches of `size` spans to a rival and wait until all are seen; prints what that took."""
    rival = RIVALS[name]
    program = _installed(name, rival)
    if program is None:
        print(f"{name}: does not install here; left out")
        return
    folder, port = tempfile.mkdtemp(prefix=f"{name}-"), free_port()
    process = subprocess.Popen(
        [str(program), *rival.command(port, folder)], cwd=folder, env={**os.environ, **rival.environment(port, folder)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        up = _wait_until_up(port, rival.health, process)
        if up is None:
            print(f"{name}: does not start here; left out")
            return
        print(f"{name}: started in {up:.1f} s", flush=True)
        _load(name, rival, port, [batch() for _ in range(rival.batches)], size)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # The group that it began itself.
        shutil.rmtree(folder, ignore_errors=True)
