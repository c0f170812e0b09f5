"""Importing does nothing, is quick, and brings nothing with it that is not needed yet."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
IMPORT_MS_MAX = 30

MODULES = sorted(
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
    for path in (SRC / "tallybook").rglob("*.py")
    if path.name != "__main__.py"
)

NOT_LOADED = (
    "duckdb", "sqlite3", "genai_prices", "pydantic", "click", "rich", "http.client", "http.server", "socketserver",
    "urllib.request", "ssl", "httpx", "httpx2", "openai", "anthropic", "google.genai", "asyncio",
    "tallybook.store", "tallybook.query", "tallybook.cli", "tallybook.server", "tallybook.replay",
)  # fmt: skip

_WATCH = """
import sys, os, threading, json, platform

def watched(name):
    done = []
    def audit(event, arguments):
        if event == "open" and isinstance(arguments[0], str) and isinstance(arguments[2], int):
            mode = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if mode and not arguments[0].endswith((".pyc",)) and "__pycache__" not in arguments[0]:
                done.append(["writes", arguments[0]])
        elif event in ("socket.bind", "socket.connect", "subprocess.Popen", "os.fork", "os.mkdir", "os.remove",
                       "os.rename", "sqlite3.connect", "signal.signal"):
            done.append([event, str(arguments)])
    sys.addaudithook(audit)
    class Environment(dict):
        def _seen(self, key):
            frame = sys._getframe(2)
            if frame.f_globals.get("__name__") == "os":  # os.getenv, os.path.expanduser
                frame = frame.f_back
            if frame.f_globals.get("__name__") == name:
                done.append(["reads the environment", str(key)])
        def get(self, key, default=None):
            self._seen(key); return dict.get(self, key, default)
        def __getitem__(self, key):
            self._seen(key); return dict.__getitem__(self, key)
    os.environ = Environment(os.environ)
    threads = threading.active_count()
    __import__(name)
    if threading.active_count() != threads:
        done.append(["starts a thread", ""])
    return done

# Each module in a child of its own, forked before anything of the package is loaded: as fresh as a new interpreter,
# and a small part of its cost. What is of others is the same for all of them.
for other in ("asyncio", "click", "concurrent.futures", "duckdb", "msgspec", "rich.console", "sqlite3", "ssl",
              "starlette.applications", "starlette.requests", "starlette.responses", "uvicorn"):
    __import__(other)
for name in sys.stdin.read().split():
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = watched(name)
        except BaseException as error:
            told = [["fails", repr(error)]]
        os.write(writing, json.dumps(told).encode()[:60000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    print(json.dumps([name, json.loads(told or b'[["ends without a word", ""]]')]), flush=True)
"""


def _run(code: str, *options: str, given: str = "", timeout_s: int = 60) -> str:
    environment = {**os.environ, "PYTHONPATH": str(SRC), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, *options, "-c", code], input=given, capture_output=True, text=True, timeout=timeout_s,
        env=environment, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def imported() -> dict[str, list[list[str]]]:
    """What importing each module did besides."""
    lines = _run(_WATCH, given=" ".join(MODULES), timeout_s=500).splitlines()
    return dict(json.loads(line) for line in lines)


def test_importing_a_module_does_nothing(imported: dict[str, list[list[str]]]) -> None:
    assert set(imported) == set(MODULES)
    assert {name: done for name, done in imported.items() if done} == {}


def test_importing_the_package_loads_nothing_of_store_server_or_network() -> None:
    loaded = _run("import tallybook, sys; print(*sorted(sys.modules))").split()
    assert [name for name in loaded if name.startswith(NOT_LOADED)] == []


def test_instrumenting_loads_no_database_and_no_terminal(tmp_path: Path) -> None:
    code = f"import tallybook, sys; tallybook.instrument(folder={str(tmp_path)!r}); print(*sorted(sys.modules))"
    heavy = ("duckdb", "sqlite3", "genai_prices", "pydantic", "click", "rich", "tallybook.store", "openai", "anthropic")
    assert [name for name in _run(code).split() if name.startswith(heavy)] == []


def test_importing_the_package_adds_less_than_30_ms_to_bare_python() -> None:
    """Interleaved, so that a busy machine slows both alike; the time the process spent computing, not waiting."""
    code = "import time; begun=time.process_time(); {}; print((time.process_time()-begun)*1000)"
    _run(code.format("import tallybook"))
    pairs = [(float(_run(code.format("pass"))), float(_run(code.format("import tallybook")))) for _ in range(7)]
    added = statistics.median(package for _, package in pairs) - statistics.median(bare for bare, _ in pairs)
    assert added < IMPORT_MS_MAX, f"{added:.1f} ms"
