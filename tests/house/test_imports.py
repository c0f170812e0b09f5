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
import sys, os, threading, json
import {before}
allowed = sys.prefix, sys.base_prefix
done = []
def audit(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and isinstance(arguments[2], int):
        mode = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if mode and not arguments[0].endswith((".pyc",)) and "__pycache__" not in arguments[0]:
            done.append(["writes", arguments[0]])
    elif event in ("socket.bind", "socket.connect", "subprocess.Popen", "os.fork", "os.mkdir", "os.remove", "os.rename",
                   "sqlite3.connect", "signal.signal"):
        done.append([event, str(arguments)])
sys.addaudithook(audit)
class Environment(dict):
    def _seen(self, name):
        callers = [sys._getframe(depth).f_globals.get("__name__", "") for depth in (2, 3)]
        if callers[0] == "{name}" or callers == ["os", "{name}"]:
            done.append(["reads the environment", str(name)])
    def get(self, name, default=None):
        self._seen(name); return dict.get(self, name, default)
    def __getitem__(self, name):
        self._seen(name); return dict.__getitem__(self, name)
os.environ = Environment(os.environ)
threads = threading.active_count()
import {name}
if threading.active_count() != threads:
    done.append(["starts a thread", ""])
print(json.dumps(done))
"""


def _run(code: str, *options: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(SRC), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("name", MODULES)
def test_importing_a_module_does_nothing(name: str, tmp_path: Path) -> None:
    done = json.loads(_run(_WATCH.format(name=name, before="platform")))
    assert done == []


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
