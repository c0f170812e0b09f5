"""Processes that are measured: a free port, what a process has used, and `tallybook serve` on a folder."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

START_S = 60


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def machine_load() -> str:
    """A line on what else the machine did: every figure is to be read with it."""
    return f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


class Server:
    """`tallybook serve` in a process of its own, listening when the constructor returns; ended on leaving the block.

    `folder` is the ledger; without one it has a temporary, removed in the end. With `is_pinned` the server keeps to one
    core and this process to another where there is one, so that "on one core" is that. Raises SystemExit when it does
    not come up.
    """

    def __init__(self, *options: str, folder: Path | None = None, is_pinned: bool = False) -> None:
        self._is_own = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="tallybook-bench-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "tallybook", "serve", "--port", str(self.port), "--quiet", *options]
        begun = time.perf_counter()
        self.process = subprocess.Popen([*command, "--dir", str(self.folder)])
        if is_pinned:
            _pin(self.process.pid, 0)
            _pin(os.getpid(), -1)
        while not _listens(self.port):
            if self.process.poll() is not None or time.perf_counter() - begun > START_S:
                self.stop()
                raise SystemExit("the server did not start")
            time.sleep(0.005)
        self.start_s = time.perf_counter() - begun
        """Seconds from the command to the first connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    def cpu_s(self) -> float:
        """Seconds of processor time that it has used, all threads."""
        return cpu_s(self.pid)

    def memory_mb(self) -> float:
        """Resident memory."""
        return memory_mb(self.pid)

    def stop(self) -> None:
        """End it; its folder goes with it when it is its own."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(40)
        if self._is_own:
            shutil.rmtree(self.folder, ignore_errors=True)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


def _pin(pid: int, core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(pid, {cores[core]})
