"""Real exporters and instrumentations in processes of their own, a real server, and the replay server as provider."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.server.conftest import Running, start

from tallybook.model.call import Call, Step
from tallybook.store.lake.store import LakeStore
from tallybook.testing import ReplayServer

__all__ = ["start"]  # A fixture.

PROGRAM = Path(__file__).with_name("program.py")


class Ran(NamedTuple):
    """What the ledger has after a program ran."""

    calls: list[Call]
    steps: list[Step]


@pytest.fixture
def provider() -> Iterator[ReplayServer]:
    with ReplayServer(ids="fixed") as running:
        yield running


@pytest.fixture
def server(start, tmp_path: Path) -> Running:
    return start(tmp_path / "ledger")


def found(server: Running) -> Ran:
    """All calls, oldest first, and the steps of their runs."""
    store = LakeStore(server.context.settings.folder)
    try:
        calls = store.calls(oldest_first=True)
        runs = dict.fromkeys(call.run_id for call in calls)
        return Ran(calls, [step for run in runs if run for step in store.run_calls(run)[1]])
    finally:
        store.close()


def run(server: Running, provider: ReplayServer, *arguments: str, **environment: str) -> Ran:
    """Run the program with only the exporter's address changed, and look at the ledger."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TALLYBOOK_", "PYTEST"))
    } | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.port}",
        "OPENAI_BASE_URL": f"{provider.url}/v1", "OPENAI_API_KEY": "sk-test",
        "ANTHROPIC_BASE_URL": provider.url, "ANTHROPIC_API_KEY": "sk-test", **environment,
    }  # fmt: skip
    done = subprocess.run(  # noqa: PLW1510  (the assertion says more)
        [sys.executable, "-W", "ignore", str(PROGRAM), *arguments], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Failed to export" not in done.stderr, done.stderr[-3000:]
    return found(server)


def need(*modules: str) -> None:
    """Skip where a package is not installed."""
    for name in modules:
        try:
            is_there = find_spec(name) is not None
        except ModuleNotFoundError:
            is_there = False
        if not is_there:
            pytest.skip(f"not installed: {name} (extra [exporters])")
