"""Runs command lines in the process, on a memory ledger and a fixed clock."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from query.company import NOW_US, company
from tallybook import config
from tallybook.cli.host import Host
from tallybook.cli.main import main
from tallybook.cli.terminal import Page
from tallybook.store.base import CallStore

PIPE = Page()
TERMINAL = Page(width=80, has_color=False, has_unicode=True, is_terminal=True)


class Ran(NamedTuple):
    """What a command line wrote and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def run_on(store: CallStore, folder: Path) -> Run:
    """A function that runs command lines on a store."""

    def run(*args: str, page: Page = PIPE, **settings: object) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        host = Host(
            settings=lambda given: config.load(environ={}, cwd=folder, **{"folder": given or folder, **settings}),
            open_store=lambda _: store,
            now_us=lambda: NOW_US,
            zone="UTC",
            page=page,
            out=out,
            err=err,
            err_page=Page(),
        )
        code = main(list(args), host)
        return Ran(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs command lines on the company's ledger."""
    return run_on(company(), tmp_path)


def text(ran: Ran) -> str:
    """What was written, with ids (which differ from run to run) replaced by `<id>`, or `<id…>` where cut."""
    assert (ran.code, ran.err) == (0, "")
    return _ID.sub(lambda match: "<id>" if match.group(1) else "<id…>", ran.out)


_ID = re.compile(r"01a2[0-9a-f]{4}-[0-9a-f]{4}-7[0-9a-f]{3}(-[0-9a-f]{4}-[0-9a-f]{12})?")
