"""What a command needs of the world, handed in as one thing: settings, store, clock, page, output.

Tests hand in a memory store and a fixed clock; `real()` is the process's own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from tallybook import config
from tallybook.cli.terminal import Page, local_zone, page_of
from tallybook.config import Settings

if TYPE_CHECKING:
    from tallybook.store.base import CallStore


class Host(NamedTuple):
    """The surroundings of one command."""

    settings: Callable[[Path | None], Settings]
    """Settings in force, with the folder that `--dir` gave."""
    open_store: Callable[[Settings], CallStore]
    now_us: Callable[[], int]
    zone: str
    """IANA name of the system's zone."""
    page: Page
    out: TextIO
    err: TextIO
    err_page: Page
    tend: Callable[[Settings], None] = lambda _: None
    """What is done for the ledger after an answer."""

    def say(self, text: str = "") -> None:
        """One line of the answer."""
        self.out.write(text + "\n")

    def remark(self, text: str) -> None:
        """One line beside the answer, on standard error."""
        self.out.flush()
        self.err.write(text + "\n")
        self.err.flush()


def _open(settings: Settings) -> CallStore:
    from tallybook.store.open import open_store  # here, because help and usage errors need no DuckDB (55 ms)

    return open_store(settings)


def real() -> Host:
    """This process: its environment, standard streams and clock."""
    environ = os.environ

    def tend(settings: Settings) -> None:
        from tallybook.cli.tend import tend as seal_if_due  # here, because it needs this module

        seal_if_due(host, settings)

    host = Host(
        settings=lambda folder: config.load(folder=folder),
        open_store=_open,
        now_us=lambda: time.time_ns() // 1000,
        zone=local_zone(environ),
        page=page_of(sys.stdout, environ),
        out=sys.stdout,
        err=sys.stderr,
        err_page=page_of(sys.stderr, environ),
        tend=tend,
    )
    return host
