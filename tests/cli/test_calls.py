"""`calls`: the list of calls."""

# ruff: noqa: RUF001, E501  (the text is as it is shown)

from __future__ import annotations

from pathlib import Path

import pytest

from tallybook.cli.main import main

from .conftest import PIPE, TERMINAL, Run, text


def test_calls_in_a_terminal_show_what_show_needs(run: Run) -> None:
    assert (
        text(run("calls", "-n", "3", "--model", "~mystery", page=TERMINAL._replace(width=120)))
        == """\
Calls:
model ~ mystery · UTC
Time      Call                Model      Operation  Project  User  Input  Output  Time taken      Cost  Status
──────────────────────────────────────────────────────────────────────────────────────────────────────────────
12:02:00  <id…>  mystery-2  chat       shop     mia     500     200           –  unpriced  ok
12:01:00  <id…>  mystery-1  chat       shop     mia     500     200        1.2s  unpriced  ok
12:00:00  <id…>  mystery-1  chat                        500     200        1.2s  unpriced  ok
3 of these 3 calls unpriced; `tallybook doctor` says why
"""
    )


def test_failed_calls_in_a_pipe_have_whole_ids_and_times(run: Run) -> None:
    assert (
        text(run("calls", "--status", "error", page=PIPE))
        == """\
Calls:
status = error · UTC
Time                 Call                                  Model   Operation  Project  User  Input  Output  Time taken      Cost  Status
2026-11-22 13:00:02  <id>  gpt-4o  summarise  shop     mia     500     200        1.2s  unpriced  error
2026-11-22 12:03:00  <id>  gpt-4o  chat       shop     mia       –       –        1.2s     $0.00  error: RateLimitError
1 of these 2 calls unpriced; `tallybook doctor` says why
"""
    )


def test_csv_without_a_row_has_its_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls", "--csv", "--dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("call_id,started_at,provider,")
    assert main(["sql", "SELECT call_id, model FROM calls", "--csv", "--dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "call_id,model\n"
