"""Phoenix beside the server in `bench/ingest.py otlp --peers`: the same batches, until its own interface shows them.

It is installed into an environment of its own under bench/out. Acknowledged is not yet written there: it answers first
and inserts afterwards, so that the time until all spans are seen is what is measured.
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
from pathlib import Path
from typing import Any

from process import free_port

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "bench" / "out" / "peer-phoenix"
_QUERY = "{ projects { edges { node { recordCount } } } }"


def _installed() -> Path | None:
    python = PLACE / "bin" / "python"
    if not (PLACE / "bin" / "phoenix").exists():
        venv.create(PLACE, with_pip=True)
        install = [str(python), "-m", "pip", "install", "-q", "-q", "arize-phoenix"]
        if subprocess.run(install, check=False).returncode != 0:
            return None
    return PLACE / "bin" / "phoenix"


def _ask(port: int, method: str, path: str, body: bytes | None, content_type: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, {"content-type": content_type})
        got = connection.getresponse()
        return got.status, got.read()
    finally:
        connection.close()


def _count(port: int) -> int:
    status, told = _ask(port, "POST", "/graphql", json.dumps({"query": _QUERY}).encode(), "application/json")
    if status != 200:
        return 0
    edges = json.loads(told)["data"]["projects"]["edges"]
    return sum(edge["node"]["recordCount"] for edge in edges)


def measure(batches: list[bytes], size: int) -> None:
    """Send batches and wait until all of their spans are seen; prints what that took."""
    program = _installed()
    if program is None:
        print("phoenix: does not install here; left out")
        return
    folder, port = tempfile.mkdtemp(prefix="phoenix-"), free_port()
    environment = {**os.environ, "PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(free_port()),
                   "PHOENIX_WORKING_DIR": folder, "PHOENIX_HOST": "127.0.0.1"}  # fmt: skip
    begun = time.perf_counter()
    process = subprocess.Popen(
        [str(program), "serve"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                if _ask(port, "GET", "/healthz", None, "text/plain")[0] == 200:
                    break
            except OSError:
                pass
            if process.poll() is not None or time.perf_counter() - begun > 180:
                print("phoenix: does not start here; left out")
                return
            time.sleep(0.2)
        print(f"phoenix: started in {time.perf_counter() - begun:.1f} s")
        begun = time.perf_counter()
        for body in batches:
            status, told = _ask(port, "POST", "/v1/traces", body, "application/x-protobuf")
            if status != 200:
                print(f"phoenix: answered {status}: {told[:200]!r}; left out")
                return
        sent = time.perf_counter() - begun
        wanted = len(batches) * size
        seen = 0
        while seen < wanted and time.perf_counter() - begun < 300:
            time.sleep(0.25)
            seen = _count(port)
        took = time.perf_counter() - begun
        print(f"phoenix: {seen:,} of {wanted:,} spans seen after {took:.1f} s (acknowledged after {sent:.1f} s), "
              f"{seen / took:,.0f}/s")  # fmt: skip
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
