"""`reconcile FILE`: text, JSON, CSV, exit codes, and errors that name the place."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from query.test_reconcile import ledger

from .conftest import TERMINAL, Run, run_on

HEADER = "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,api_key_id,model,input_tokens\n"
ROW = "1793577600,1793664000,2026-11-02T00:00:00+00:00,,proj_a,{},{},gpt-5.4,{}\n"


@pytest.fixture
def here(tmp_path: Path) -> Run:
    return run_on(ledger({"project": "shop"}, {"project": "bot", "tokens": 500}), tmp_path)


def export(folder: Path, *rows: tuple[object, ...]) -> str:
    path = folder / "export.csv"
    path.write_text(HEADER + "".join(ROW.format(*row) for row in rows))
    return str(path)


def test_an_export_that_agrees_ends_with_0(here: Run, tmp_path: Path) -> None:
    ran = here("reconcile", export(tmp_path, (2, "key_a", 1_500)))
    assert (ran.code, ran.err) == (0, "")
    assert "OpenAI usage, CSV, 2026-11-02 to 2026-11-02 (UTC)" in ran.out and "Within tolerance" in ran.out


def test_one_that_differs_ends_with_1_and_tells_why(here: Run, tmp_path: Path) -> None:
    file = export(tmp_path, (2, "key_a", 1_500), (9, "key_b", 9_000))
    ran = here("reconcile", file, page=TERMINAL)
    assert ran.code == 1
    assert "Outside tolerance (1% or $0.01)" in ran.out
    assert "agrees with key key_a alone" in " ".join(ran.out.split())
    assert here("reconcile", file, "--tolerance", "90").code == 0


def test_json_has_both_sides_and_the_causes(here: Run, tmp_path: Path) -> None:
    ran = here("reconcile", export(tmp_path, (2, "key_a", 1_500), (9, "key_b", 9_000)), "--json")
    found = json.loads(ran.out)
    assert (ran.code, found["report"], found["is_within"]) == (1, "reconcile", False)
    assert found["total"]["export"]["input_tokens"] == 10_500
    assert found["total"]["ledger"]["input_tokens"] == 1_500
    assert found["causes"][0]["code"] == "other_keys"
    assert found["since"] == "2026-11-02T00:00:00.000Z"


def test_csv_has_a_row_a_day_model_and_key(here: Run, tmp_path: Path) -> None:
    ran = here("reconcile", export(tmp_path, (2, "key_a", 1_500)), "--csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [row["section"] for row in rows] == ["total", "day", "model", "key"]
    assert (rows[1]["value"], rows[1]["export_input_tokens"], rows[1]["ledger_cost_usd"]) == (
        "2026-11-02", "1500", "1.500000000",
    )  # fmt: skip


def test_keys_are_compared_with_what_stands_for_them(here: Run, tmp_path: Path) -> None:
    file = export(tmp_path, (1, "key_a", 1_000), (1, "key_b", 500))
    names = ("--key-by", "project", "--key-is", "key_a=shop", "--key-is", "key_b=bot")
    assert here("reconcile", file, *names).code == 0
    assert here("reconcile", file, *names[:4]).code == 1
    assert here("reconcile", file, "--key-is", "key_a=shop").code == 2
    assert here("reconcile", file, "--key-by", "colour").code == 2
    assert here("reconcile", file, "--key-by", "project", "--key-is", "key_a").code == 2


def test_filters_narrow_the_ledgers_side(here: Run, tmp_path: Path) -> None:
    assert here("reconcile", export(tmp_path, (1, "key_a", 1_000)), "--project", "shop").code == 0


def test_a_file_that_cannot_be_read_names_the_place(here: Run, tmp_path: Path) -> None:
    ran = here("reconcile", export(tmp_path, (2, "key_a", "many")))
    assert ran.code == 1 and "export.csv: line 2, column input_tokens: 'many' is not a number" in ran.err
    ran = here("reconcile", str(tmp_path / "absent.csv"))
    assert ran.code == 1 and "absent.csv" in ran.err
    assert here("reconcile", export(tmp_path, (1, "a", 1)), "--day-zone", "Mars/Olympus").code != 0


def test_the_days_zone_can_be_given(here: Run, tmp_path: Path) -> None:
    ran = here("reconcile", export(tmp_path, (2, "key_a", 1_500)), "--day-zone", "Asia/Tokyo", "--json")
    assert json.loads(ran.out)["zone"] == "Asia/Tokyo"
