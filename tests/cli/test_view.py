"""The options that every report shares: the same words, the same calls, in text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from query.company import call
from tallybook.store.memory import MemoryStore

from .conftest import Run, run_on

REPORTS = [
    ["stats", "today"], ["costs"], ["models"], ["agents"], ["performance"], ["patterns"], ["daily"], ["weekly"],
    ["monthly"], ["session"], ["blocks"], ["tools"], ["runs"], ["calls"],
]  # fmt: skip


@pytest.mark.parametrize("args", REPORTS)
def test_every_report_speaks_json_with_its_name(run: Run, args: list[str]) -> None:
    ran = run(*args, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["report"] == args[0]


@pytest.mark.parametrize("args", REPORTS)
def test_every_report_speaks_csv_with_rows_of_one_shape(run: Run, args: list[str]) -> None:
    ran = run(*args, "--csv")
    assert (ran.code, ran.err) == (0, "")
    rows = list(csv.reader(io.StringIO(ran.out)))
    assert len(rows) > 1
    assert len({len(row) for row in rows}) == 1


@pytest.mark.parametrize(
    "name", ["stats", "costs", "models", "agents", "daily", "blocks", "session", "performance", "patterns"]
)
def test_every_total_in_json_carries_its_coverage(run: Run, name: str) -> None:
    found = json.loads(run(name, "--days", "30", "--json").out)
    total = found["total"]
    assert total["calls"] == total["priced_calls"] + total["unpriced_calls"]
    assert {"cost_usd", "cost_nanousd"} <= set(total)
    assert found["coverage"]["calls"] == total["calls"]


@pytest.mark.parametrize(
    ("args", "calls"),
    [
        ([], 293),
        (["--project", "mimir"], 70),
        (["--project", "mimir", "--project", "shop"], 291),
        (["--user", "!mia"], 71),
        (["--model", "~GPT", "--since", "2026-11-22"], 14),
        (["--provider", "openai"], 79),
        (["--operation", "doc-search"], 210),
        (["--operation", "chat"], 293),
        (["--agent", "finder", "--until", "2026-11-15"], 105),
        (["--tag", "nightly"], 70),
        (["--status", "error"], 2),
        (["--environment", "production"], 1),
        (["--metadata", "customer=acme"], 56),
        (["--since", "yesterday", "--until", "yesterday"], 20),
        (["--since", "24h"], 33),
        (["--all"], 293),
        (["--days", "2"], 53),
    ],
)
def test_filters_mean_the_same_everywhere(run: Run, args: list[str], calls: int) -> None:
    whole = args if args else ["--all"]
    assert json.loads(run("costs", *whole, "--json").out)["total"]["calls"] == calls
    assert json.loads(run("models", *whole, "--json").out)["total"]["calls"] == calls
    assert len(json.loads(run("calls", "-n", "1000", *whole, "--json").out)["calls"]) == calls


def test_the_zone_decides_what_today_is(tmp_path: Path) -> None:
    store = MemoryStore()
    store.append([call("2026-11-21T23:30", response_id="late"), call("2026-11-22T01:00", response_id="early")])
    run = run_on(store, tmp_path)

    def calls(*args: str, **settings: object) -> int:
        return int(json.loads(run("stats", "today", "--json", *args, **settings).out)["total"]["calls"])

    assert calls() == 1
    assert calls("--timezone", "Europe/Berlin") == 2
    assert calls(timezone="Europe/Berlin") == 2
    assert calls("-z", "UTC", timezone="Europe/Berlin") == 1
    assert calls("-z", "America/New_York") == 0


def test_amounts_in_another_currency(tmp_path: Path) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text("date,currency,per_usd\n2026-11-21,EUR,0.5\n2026-11-22,EUR,2\n")
    store = MemoryStore()
    store.append(
        [
            call("2026-11-21T10:00", "a", 10**9),
            call("2026-11-22T10:00", "a", 10**9),
            call("2026-11-22T10:01", "b", None),
        ]
    )
    run = run_on(store, tmp_path)
    ran = run("costs", "--days", "2", "--currency", "eur", rates_file=rates)
    assert "Total cost: €2.50+" in ran.out
    found = json.loads(run("costs", "--days", "2", "--currency", "EUR", "--json", rates_file=rates).out)
    assert (found["currency"], found["total"]["cost"], found["total"]["cost_usd"]) == ("EUR", 2.5, 2.0)
    rows = list(
        csv.DictReader(io.StringIO(run("costs", "--days", "2", "--currency", "EUR", "--csv", rates_file=rates).out))
    )
    assert (rows[0]["cost_usd"], rows[0]["cost_eur"]) == ("2.000000000", "2.5")
    assert "€0.50" in run("calls", currency="EUR", rates_file=rates).out


def test_a_day_without_a_rate_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text("2026-11-22,EUR,2\n")
    store = MemoryStore()
    store.append([call("2026-11-21T10:00", "a", 10**9)])
    ran = run_on(store, tmp_path)("costs", "--currency", "EUR", rates_file=rates)
    assert (ran.code, ran.out) == (2, "")
    assert "no EUR rate for 2026-11-21" in ran.err
    assert "2026-11-21,EUR,0.92" in ran.err


def test_output_without_unicode_stays_ascii(run: Run) -> None:
    from .conftest import TERMINAL

    page = TERMINAL._replace(has_unicode=False)
    for args in (
        ["stats", "today"],
        ["patterns"],
        ["blocks"],
        ["daily", "-b"],
        ["show", "run-of-the-planner"],
        ["calls", "--json"],
    ):
        shown = run(*args, page=page).out.replace("böse", "")
        assert shown.isascii(), args


def test_colour_is_only_for_those_who_see_it(run: Run) -> None:
    from .conftest import TERMINAL

    assert "\x1b[" in run("stats", "today", page=TERMINAL._replace(has_color=True)).out
    assert "\x1b[" not in run("stats", "today").out
    assert "\x1b[" not in run("stats", "today", page=TERMINAL).out


def test_text_from_records_cannot_write_escape_codes(run: Run) -> None:
    from .conftest import TERMINAL

    for args in (["stats", "--by", "task"], ["calls", "-n", "300"], ["models", "--by", "task,project"]):
        assert "\x1b" not in run(*args, "--all" if args[0] != "stats" else "--since=2w", page=TERMINAL).out


def test_a_spreadsheet_does_not_take_a_name_for_a_formula(tmp_path: Path) -> None:
    store = MemoryStore()
    store.append([call("2026-11-22T10:00", "=HYPERLINK(1)")])
    assert "'=HYPERLINK(1)" in run_on(store, tmp_path)("costs", "--csv").out
