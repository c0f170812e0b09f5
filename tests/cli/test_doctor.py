"""`doctor`: what needs something done stands last, and decides the exit code."""

from __future__ import annotations

import json
from pathlib import Path

from tallybook.cli.doctor import lines
from tallybook.cli.terminal import Page
from tallybook.query.finding import Finding
from tallybook.store.memory import MemoryStore

from .conftest import TERMINAL, Run, run_on

FINDINGS = [
    Finding(check="unpriced", grade="warn", text="5 calls have no cost", remedy="give a price"),
    Finding(check="folder", grade="good", text="the folder is fine"),
    Finding(check="disk", grade="bad", text="the disk is full", remedy="make room"),
]


def test_findings_in_a_terminal() -> None:
    assert list(lines(FINDINGS, TERMINAL)) == [
        "✓ the folder is fine",
        "! 5 calls have no cost",
        "  → give a price",
        "✗ the disk is full",
        "  → make room",
        "",
        "1 fault, 1 warning.",
    ]


def test_findings_without_unicode() -> None:
    assert "\n".join(lines(FINDINGS, Page(has_unicode=False))).isascii()
    assert list(lines(FINDINGS[1:2], Page()))[-1] == "Nothing is wrong."


def test_warnings_end_with_0_and_faults_with_1(run: Run, tmp_path: Path) -> None:
    ran = run("doctor", "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert found["report"] == "doctor"
    assert {"check", "grade", "text", "remedy", "facts"} == set(found["findings"][0])
    (tmp_path / "file").write_text("x")
    assert run_on(MemoryStore(), tmp_path / "file")("doctor").code == 1
    assert run("doctor", "--csv").out.startswith("check,grade,text,remedy\n")
