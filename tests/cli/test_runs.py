"""`runs`: the list of runs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tallybook.runs import Ledger
from tallybook.store.lake.store import LakeStore

from .conftest import TERMINAL, Run, run_on, text


def test_runs_in_a_terminal(run: Run) -> None:
    assert (
        text(run("runs", "-n", "2", page=TERMINAL._replace(width=100)))
        == """\
Run                 Project  Agent   User  Calls  Failed  Tokens   Length    Cost  Last activity
───────────────────────────────────────────────────────────────────────────────────────────────────
run-of-the-planner  shop             mia       8       1    5.6k     8.1s  $0.03+  2026-11-22 13:00
chat-0              shop     finder  mia      15           10.5k  54m 01s   $0.15  2026-11-22 02:57
1 call of these runs unpriced; `tallybook doctor` says why
There are more than these 2: --limit, --since or a filter.
"""
    )


@pytest.fixture
def ledger(tmp_path: Path):
    found = Ledger(tmp_path / "ledger")
    yield found
    found.close()


@pytest.fixture
def on(ledger) -> Run:
    """Command lines on a folder with managed runs, and one that only calls name."""
    folder = ledger.pen.settings.folder
    first = ledger.create("Tides", run_id="r-tides", project="atlas", tags=["sea"], settings={"timeout_us": 5})
    with first.task("t1", provider="acme", model="m") as task:
        task.usage(input_tokens=100, output_tokens=20, cost_usd=0.5)
    first.star()
    ledger.create("No calls yet", run_id="r-empty", project="atlas", source_type="workflow")
    gone = ledger.create("Gone", run_id="r-gone", project="atlas")
    with gone.task("t2", model="m"):
        pass
    gone.delete()

    def run(*args: str, **given: object):
        return run_on(LakeStore(folder), folder)(*args, **given)  # type: ignore[arg-type]

    return run


def ids(ran) -> list[str]:
    return [one["run_id"] for one in json.loads(text(ran))["runs"]]


def listed(on: Run, *args: str) -> list[str]:
    # The fixtures' clock stands in the past of the runs that were made just now.
    return ids(on("runs", "--json", "--until", "2100-01-01", *args))


def test_managed_runs_are_in_the_list_and_deleted_ones_are_not(on: Run) -> None:
    assert sorted(listed(on)) == ["r-empty", "r-tides"]
    assert listed(on, "--starred") == ["r-tides"]
    assert listed(on, "--source", "workflow") == ["r-empty"]
    assert listed(on, "--run-tag", "sea", "--project", "atlas") == ["r-tides"]
    assert listed(on, "--text", "no calls") == ["r-empty"]
    assert listed(on, "--run-status", "archived") == []
    assert listed(on, "--deleted") == ["r-gone"]
    assert listed(on, "--project", "web") == []


def test_names_and_stars_are_shown_and_objects_stay_as_they_were(on: Run) -> None:
    shown = text(on("runs", "--until", "2100-01-01", page=TERMINAL._replace(width=110)))
    assert "★ Tides" in shown and "No calls yet" in shown
    data = {one["run_id"]: one for one in json.loads(text(on("runs", "--json", "--until", "2100-01-01")))["runs"]}
    assert data["r-tides"]["settings"] == {"timeout_us": 5} and data["r-tides"]["cost_usd"] == 0.5
    rows = list(csv.DictReader(io.StringIO(text(on("runs", "--csv", "--until", "2100-01-01")))))
    assert {row["name"] for row in rows} == {"Tides", "No calls yet"} and "settings" not in rows[0]


def test_filters_of_calls_and_of_runs_do_not_mix(on: Run) -> None:
    ran = on("runs", "--starred", "--model", "gpt-4o")
    assert ran.code == 1 and "leave the other filters out" in ran.err


def test_a_managed_run_is_shown_with_its_name_or_its_messages_and_tasks(on: Run, ledger) -> None:
    assert "Run r-tides  Tides" in text(on("show", "r-tides"))
    assert json.loads(text(on("show", "r-tides", "--json")))["name"] == "Tides"
    run = ledger.get("r-empty")
    run.message("user", "Hello there")
    run.task("t9", model="gpt-4o", task_name="direct_chat")
    shown = text(on("show", "r-empty"))
    assert "No calls yet" in shown and "Hello there" in shown and "direct_chat" in shown and "pending" in shown
    data = json.loads(text(on("show", "r-empty", "--json")))
    assert (data["report"], data["run"]["name"], data["tasks"][0]["task_id"]) == ("run", "No calls yet", "t9")
    assert on("show", "r-gone-for-good").code == 1


def test_prune_empties_the_bin_of_what_has_been_in_it_for_a_month(on: Run, ledger) -> None:
    ledger.state.bin_runs(["r-gone"], None)
    ledger.state.bin_runs(["r-gone"], 1_000_000)
    ledger.restore("r-empty").delete()
    ran = on("prune", "--yes")
    assert "1 run deleted for good, 30 days" in ran.err
    assert listed(on, "--deleted") == ["r-empty"]
    assert ledger.state.any_run("r-gone") is None
