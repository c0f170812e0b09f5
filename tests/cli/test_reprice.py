"""`reprice`: before and after by model, done, listed, taken back; with the folder's own prices."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from query.company import NOW_US
from tallybook import config
from tallybook.cli.host import Host
from tallybook.cli.main import main
from tallybook.cli.tend import seal
from tallybook.cli.terminal import Page
from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.usage import Usage
from tallybook.store.open import open_store
from tallybook.testing import FrozenClock, SequentialIds

from .conftest import Ran, Run

PRICE = '[[price]]\nprovider = "acme"\nmodel = "acme-1"\ninput = {}\noutput = 0\n'


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs command lines on a folder with two calls of a model that had no price when they were sealed."""
    clock = FrozenClock(NOW_US - 3_600_000_000)
    ids = SequentialIds(clock)
    writer = Writer(tmp_path, "telemetry", segment_bytes_max=1 << 25)
    for project in ("shop", "bot"):
        call = Call(
            call_id=ids(), started_at_us=clock.now_us(), provider="acme", model="acme-1", project=project,
            usage=Usage(input_tokens=1_000_000, output_tokens=5), run_id="run-1",
        )  # fmt: skip
        writer.append(codec.encode(call), clock.now_us())
    writer.close()
    seal(config.load(environ={}, cwd=tmp_path, folder=tmp_path))

    def run(*args: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        host = Host(
            settings=lambda given: config.load(environ={}, cwd=tmp_path, folder=given or tmp_path),
            open_store=open_store,
            now_us=lambda: NOW_US,
            zone="UTC",
            page=Page(),
            out=out,
            err=err,
            err_page=Page(),
        )
        return Ran(main(list(args), host), out.getvalue(), err.getvalue())

    return run


def price(folder: Path, amount: float) -> None:
    (folder / "prices.toml").write_text(PRICE.format(amount))


def cost(run: Run) -> float | None:
    found = json.loads(run("costs", "--all", "--json").out)
    return found["total"]["cost_usd"]  # type: ignore[no-any-return]


def test_a_price_that_came_later_mends_the_past(run: Run, tmp_path: Path) -> None:
    assert cost(run) is None
    price(tmp_path, 2)
    ran = run("reprice", "--days", "7", "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    assert "acme-1" in ran.out and "unpriced" in ran.out and "$4.00" in ran.out and "dry run" in ran.out
    assert cost(run) is None
    assert "Done, as" in run("reprice", "--days", "7").out
    assert cost(run) == 4.0
    assert run("reprice", "--days", "7").out.startswith("Nothing changes: 2 calls looked at")


def test_a_wrong_price_is_corrected_and_both_figures_are_listed(run: Run, tmp_path: Path) -> None:
    price(tmp_path, 2)
    run("reprice", "--all")
    price(tmp_path, 3)
    found = json.loads(run("reprice", "--all", "--json").out)
    assert (found["report"], found["dry_run"], found["calls"]) == ("reprice", False, 2)
    assert (found["total"]["before_usd"], found["total"]["after_usd"]) == (4.0, 6.0)
    acts = json.loads(run("reprice", "--list", "--json").out)["repricings"]
    assert [(act["total"]["before_usd"], act["total"]["after_usd"]) for act in acts] == [(4.0, 6.0), (None, 4.0)]
    assert "done" in run("reprice", "--list").out


def test_it_is_undone_by_its_id(run: Run, tmp_path: Path) -> None:
    price(tmp_path, 2)
    identity = json.loads(run("reprice", "--all", "--json").out)["id"]
    assert "dry run" in run("reprice", "--undo", identity, "--dry-run").out and cost(run) == 4.0
    ran = run("reprice", "--undo", identity)
    assert ran.code == 0 and f"Repricing {identity} was undone" in ran.out
    assert cost(run) is None
    assert f"undoes {identity}" in run("reprice", "--list").out
    ran = run("reprice", "--undo", identity)
    assert ran.code == 1 and "was undone" in ran.err


def test_filters_choose_the_calls(run: Run, tmp_path: Path) -> None:
    price(tmp_path, 2)
    rows = list(csv.DictReader(io.StringIO(run("reprice", "--all", "--project", "shop", "--csv").out)))
    assert [(row["model"], row["calls"], row["after_usd"], row["unpriced_before"]) for row in rows] == [
        ("acme-1", "1", "2.000000000", "1")
    ]
    assert cost(run) == 2.0
    assert "project = shop" in run("reprice", "--list").out


def test_a_span_must_be_said(run: Run) -> None:
    ran = run("reprice")
    assert ran.code == 2 and "--since" in ran.err


def test_a_ledger_without_repricings_says_so(run: Run) -> None:
    assert run("reprice", "--list").out == "Nothing was repriced yet.\n"
    assert run("reprice", "--undo", "2026").code == 1
