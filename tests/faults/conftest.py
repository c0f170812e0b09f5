"""Starts the program of the fault tests and gathers what it said and what was recorded."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tallybook.testing import ReplayServer

pytest.importorskip("openai")

PROGRAM = Path(__file__).with_name("program.py")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as running:
        yield running


@pytest.fixture
def start(server: ReplayServer) -> Iterator[Start]:
    """Starts `program.py`; whatever still runs at the end of the test is killed, its children with it."""
    started: list[subprocess.Popen[str]] = []

    def run(how: str, folder: Path, **settings: str) -> subprocess.Popen[str]:
        environment = {**os.environ, **settings, "REPLAY_URL": server.openai_url}
        program = subprocess.Popen(
            [sys.executable, str(PROGRAM), how, str(folder)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
        )  # fmt: skip
        started.append(program)
        return program

    yield run
    for program in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.communicate()
