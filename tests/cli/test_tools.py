"""`tools`: uses of tools."""

from __future__ import annotations

from .conftest import TERMINAL, Run, text


def test_tools_in_a_terminal(run: Run) -> None:
    assert (
        text(run("tools", page=TERMINAL._replace(width=80)))
        == """\
🔧 Tools, last 30 days:
Tool      Uses              Average  Last used
─────────────────────────────────────────────────────
research     1  ██████████     4.0s  2026-11-22 13:00
─────────────────────────────────────────────────────
Total        1                 4.0s  2026-11-22 13:00
"""
    )


def test_tools_of_a_week_tell_runs_and_percentiles(run: Run) -> None:
    assert (
        text(run("tools", "--days", "7", page=TERMINAL._replace(width=80)))
        == """\
🔧 Tools, last 7 days:
Tool      Uses              Average   P95  Runs  Last used
─────────────────────────────────────────────────────────────────
research     1  ██████████     4.0s  4.0s     1  2026-11-22 13:00
─────────────────────────────────────────────────────────────────
Total        1                 4.0s  4.0s     1  2026-11-22 13:00
"""
    )
