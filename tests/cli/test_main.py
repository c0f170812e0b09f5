"""How a command line ends: codes, messages, hints; and that starting one is light."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tallybook.cli.main import COMMANDS
from tallybook.store.memory import MemoryStore

from .conftest import Run, run_on

NAMES = [name for section in COMMANDS.values() for name in section]


@pytest.mark.parametrize(
    "args",
    [
        ["costs", "--days", "0"],
        ["costs", "--since", "someday"],
        ["costs", "--since", "today", "--days", "3"],
        ["stats", "today", "--days", "3"],
        ["stats", "fortnight"],
        ["costs", "--status", "fine"],
        ["costs", "--by", "colour"],
        ["costs", "--timezone", "Mars/Olympus"],
        ["costs", "--all", "--compare", "previous"],
        ["costs", "--compare", "next"],
        ["calls", "--json", "--csv"],
        ["tools", "--by", "tag"],
        ["tools", "--status", "ok"],
        ["export", "--format", "parquet"],
        ["export", "--output", "calls.docx"],
        ["patterns", "--by", "model,user"],
        ["cost"],
        ["show"],
        ["--nonsense"],
    ],
)
def test_what_is_not_understood_ends_with_2_and_says_why(run: Run, args: list[str]) -> None:
    ran = run(*args)
    assert (ran.code, ran.out) == (2, "")
    assert "Error" in ran.err


def test_a_mistyped_command_is_guessed(run: Run) -> None:
    assert "Did you mean 'costs'?" in run("cost").err


def test_what_fails_ends_with_1_and_a_hint(run: Run) -> None:
    ran = run("show", "nothing-like-this")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        "Error: no call and no run has the id 'nothing-like-this'",
        "Hint: `tallybook calls` and `tallybook runs` list ids; 8 first characters name a call",
    ]
    assert run("costs", "--currency", "EUR").code == 1
    assert run("sql", "select 1").code == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself_with_examples(run: Run, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help").code == 0
    text = capsys.readouterr().out
    assert "Examples:" in text
    assert f"tallybook {name}" in text


def test_the_folder_may_be_named_before_or_after_the_command(run: Run, tmp_path: Path) -> None:
    found = [json.loads(run(*args).out)["folder"] for args in (
        ("--dir", str(tmp_path), "doctor", "--json"), ("doctor", "--json", "--dir", str(tmp_path)),
        ("--dir", "/nowhere", "doctor", "--json", "--dir", str(tmp_path)),
    )]  # fmt: skip
    assert found == [str(tmp_path)] * 3
    assert f"Ledger: {tmp_path / 'x'}" in run("--dir", str(tmp_path / "x")).out


def test_help_lists_every_command(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help").code == 0
    text = capsys.readouterr().out
    for name in NAMES:
        assert f"  {name} " in text


def test_an_empty_ledger_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    run = run_on(MemoryStore(), tmp_path / "ledger")
    for args in (
        [],
        ["stats"],
        ["costs"],
        ["models"],
        ["daily"],
        ["blocks"],
        ["session"],
        ["runs"],
        ["calls"],
        ["tools"],
    ):
        ran = run(*args)
        assert ran.code == 0
        assert f"{tmp_path / 'ledger'} does not exist yet" in ran.out
        assert "tallybook.instrument()" in ran.out
        assert "tallybook demo" in ran.out


def test_nothing_that_matches_is_told_apart_from_nothing_at_all(run: Run) -> None:
    ran = run("costs", "--project", "nope")
    assert ran.out.splitlines()[:2] == [
        "No calls in: Last 30 days, with project = nope (times in UTC).",
        "The latest call is of 2026-11-22 13:00, 1 hour ago.",
    ]


def test_the_start_screen_shows_the_ledger_and_todays_figure(run: Run, tmp_path: Path) -> None:
    ran = run()
    assert ran.out.splitlines()[:5] == [
        f"Ledger: {tmp_path}",
        "Today: $0.63+ for 33 calls, 2 failed",
        "November 2026: $8.43+ for 293 calls, 2 failed",
        "3 of 293 calls unpriced: mystery-1 (2), mystery-2 (1)",
        "1 of 293 calls failed without telling tokens: unpriced",
    ]
    assert "tallybook stats today" in ran.out


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    command = f"{sys.executable} -m tallybook --help | true; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(  # noqa: PLW1510  (the code is what is looked at)
        ["bash", "-c", command], capture_output=True, text=True, timeout=60
    )
    assert ran.stderr == ""
    assert ran.returncode in (0, 141)


def test_ctrl_c_ends_it_quietly_with_130(tmp_path: Path) -> None:
    environ = {**os.environ, "TALLYBOOK_DIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tallybook", "tail"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err


def loaded(*args: str) -> set[str]:
    code = (
        f"import sys; sys.argv = ['tallybook', *{list(args)!r}]\n"
        "from tallybook.cli.main import main\n"
        "main()\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run(  # noqa: PLW1510  (the code is what is looked at)
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    return set(ran.stderr.split())


def test_help_loads_no_store_no_command_and_no_table_library() -> None:
    found = loaded("--help")
    assert not {"duckdb", "rich", "genai_prices", "tallybook.cli.costs", "tallybook.query.totals"} & found


def test_a_report_loads_neither_rich_nor_a_price_list_nor_other_commands() -> None:
    found = loaded("stats", "today")
    assert not {"rich", "sqlite3", "tallybook.cli.blocks", "tallybook.export.json", "difflib.get_close_matches"} & found
