"""`prune`: what is too old goes when asked for twice, and the totals stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from query.company import NOW
from tallybook.cli.host import Host
from tallybook.cli.tend import is_due, seal
from tallybook.config import Settings
from tallybook.demo import fill
from tallybook.store.open import open_store

from .conftest import Run, run_on


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "ledger"
    fill(place, seed=1, until=NOW, days=6, scale=0.05)
    seal(Settings(folder=place))
    return place


def on(folder: Path) -> Run:
    return run_on(open_store(Settings(folder=folder)), folder)


def total(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(on(folder)("costs", "--all", "--json").out)["total"]
    return {name: found[name] for name in ("calls", "cost_nanousd", "total_tokens", "unpriced_calls", "errors")}


def test_a_dry_run_changes_nothing(folder: Path) -> None:
    before = sorted((path, path.stat().st_size) for path in folder.rglob("*"))
    found = json.loads(on(folder)("prune", "--dry-run", "--days", "3", "--json").out)
    assert found["dry_run"] and found["calls"] > 0 and found["days"]
    assert sorted((path, path.stat().st_size) for path in folder.rglob("*")) == before


def test_calls_go_and_totals_stay(folder: Path) -> None:
    before = total(folder)
    planned = json.loads(on(folder)("prune", "--dry-run", "--days", "3", "--json").out)
    done = json.loads(on(folder)("prune", "--yes", "--days", "3", "--json").out)
    assert {**done, "dry_run": True} == planned
    assert total(folder) == before
    calls = json.loads(on(folder)("calls", "--json", "-n", "100000").out)["calls"]
    assert len(calls) == int(str(before["calls"])) - done["calls"]
    assert "Nothing is older" in on(folder)("prune", "--dry-run", "--days", "3").out


def test_a_report_that_needs_the_calls_says_that_they_are_gone(folder: Path) -> None:
    on(folder)("prune", "--yes", "--days", "3")
    ran = on(folder)("costs", "--all", "--by", "metadata.customer")
    assert "removed by retention" in ran.out


def test_nothing_is_removed_without_a_yes(folder: Path) -> None:
    before = total(folder)
    ran = on(folder)("prune", "--days", "3")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert total(folder) == before


def test_no_limit_removes_nothing_and_neither_does_no_folder(folder: Path, tmp_path: Path) -> None:
    assert "Nothing is older" in on(folder)("prune", "--yes", "--days", "0", "--max-mb", "0").out
    assert "Nothing is older" in on(tmp_path / "none")("prune", "--yes").out


def test_what_waits_is_sealed_when_it_is_much_and_the_folder_may_be_written(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path / "none")
    assert not is_due(settings)
    place = tmp_path / "ledger"
    fill(place, seed=1, until=NOW, days=6, scale=0.05)
    settings = Settings(folder=place)
    assert not is_due(settings)
    waiting = place / "2026-11-22" / "telemetry.big.jsonl"
    waiting.write_bytes(b"\n" * 8_000_000)
    assert is_due(settings)
    assert seal(settings) > 0
    assert not is_due(settings)


def test_a_failure_to_seal_leaves_the_answer_standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from tallybook.cli import tend
    from tallybook.cli.terminal import Page
    from tallybook.model.errors import StorageError

    def fail(_: Settings) -> int:
        raise StorageError("no room")

    monkeypatch.setattr(tend, "is_due", lambda _: True)
    monkeypatch.setattr(tend, "seal", fail)
    err = io.StringIO()
    host = Host(
        settings=lambda _: Settings(folder=tmp_path), open_store=open_store, now_us=lambda: 0, zone="UTC", page=Page(),
        out=io.StringIO(), err=err, err_page=Page(),
    )  # fmt: skip
    tend.tend(host, Settings(folder=tmp_path))
    assert err.getvalue() == "The journal could not be sealed: no room\n"
