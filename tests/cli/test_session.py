"""`session`: one row a session."""

from __future__ import annotations

from .conftest import TERMINAL, Run, text


def test_sessions_in_a_terminal(run: Run) -> None:
    assert (
        text(run("session", "--limit", "2", page=TERMINAL._replace(width=100)))
        == """\
💬 Sessions, last 30 days:
Session  Project  Calls    Input  Output  Cache Read  Total Tokens   Cost  Last activity
───────────────────────────────────────────────────────────────────────────────────────────
chat-0   shop        15    7,500   3,000       1,500        10,500  $0.15  2026-11-22 02:57
chat-1   shop        15    7,500   3,000       1,500        10,500  $0.15  2026-11-21 02:57
───────────────────────────────────────────────────────────────────────────────────────────
Total               210  105,000  42,000      21,000       147,000  $2.10
Hidden at this width: Models.
2 of 14 sessions; the total is over all. --limit shows more.
83 calls without a session not included.
"""
    )


def test_sessions_in_a_narrow_terminal(run: Run) -> None:
    assert (
        text(run("session", "--limit", "1", page=TERMINAL._replace(width=50)))
        == """\
💬 Sessions, last 30 days:
Session  Total Tokens   Cost  Last activity
──────────────────────────────────────────────
chat-0         10,500  $0.15  2026-11-22 02:57
──────────────────────────────────────────────
Total         147,000  $2.10
Hidden at this width: Project, Models, Calls,
Input, Output, Cache Read.
1 of 14 sessions; the total is over all. --limit
  shows more.
83 calls without a session not included.
"""
    )
