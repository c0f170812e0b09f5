"""`import`: what agents have on disk, in one command."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from ingest.importers.lines import answer, data, tool, usage
from tallybook.config import Settings
from tallybook.store.open import open_store

from .conftest import Run, run_on


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME", "GEMINI_CLI_HOME"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / ".claude/projects/atlas"
    place.mkdir(parents=True)
    text = {"type": "text", "text": "All of this was said in three tokens. " * 20}
    path = place / "s.jsonl"
    path.write_bytes(data(answer(blocks=[tool()]), answer("m2", "r2", blocks=[text], usage=usage(3)), "{bad"))
    os.utime(path, (time.time() - 600,) * 2)
    return tmp_path


@pytest.fixture
def on(home: Path) -> Run:
    folder = home / "ledger"
    return run_on(open_store(Settings(folder=folder)), folder)


def test_all_agents_are_found_imported_and_told(on: Run) -> None:
    ran = on("import", "all")
    assert ran.code == 0 and "claude-code" in ran.out and "1 call without a final output count" in ran.out
    assert "1 line not understood" in ran.out
    assert "Nothing new in 1 transcript." in on("import", "all").out
    assert json.loads(on("agents", "--all", "--json").out)["total"]["calls"] == 2
    assert "Bash" in on("tools", "--all").out


def test_a_dry_run_tells_and_stores_nothing(on: Run, home: Path) -> None:
    found = json.loads(on("import", "claude-code", "--dry-run", "--json").out)
    (agent,) = found["agents"]
    assert found["dry_run"] and found["calls"] == 2 and agent["output_estimated_calls"] == 1 and agent["cost_usd"] > 0
    assert list((home / "ledger").rglob("*.jsonl")) == []
    assert not (home / "ledger/state.db").exists()


def test_where_nothing_is_it_says_where_it_looked(on: Run) -> None:
    ran = on("import", "codex")
    assert ran.code == 0 and ".codex/sessions" in ran.out


def test_a_path_may_be_named_and_needs_its_agent(on: Run, home: Path) -> None:
    path = home / ".claude/projects/atlas/s.jsonl"
    assert json.loads(on("import", "claude-code", str(path), "--json").out)["calls"] == 2
    assert on("import", "all", str(path)).code == 2
    assert on("import", "basic").code == 2
    assert on("import", "codex", str(home / "nowhere")).code == 2


def test_since_leaves_out_what_is_older(on: Run) -> None:
    assert json.loads(on("import", "claude-code", "--since", "2026-03-01", "--json").out)["calls"] == 0
    assert json.loads(on("import", "claude-code", "--json").out)["calls"] == 2


def test_watch_goes_on_until_it_is_interrupted(on: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[float] = []

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 2:
            raise KeyboardInterrupt
        with (home / ".claude/projects/atlas/s.jsonl").open("ab") as file:
            file.write(b"\n" + data(answer("m3", "r3")))

    monkeypatch.setattr("tallybook.cli.import_.time.sleep", sleep)
    ran = on("import", "claude-code", "--watch")
    assert ran.code == 130 and ran.out.rstrip().endswith("atlas") and "1 call, $" in ran.out
