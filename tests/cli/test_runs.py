"""`runs`: the list of runs."""

from __future__ import annotations

from .conftest import TERMINAL, Run, text


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
