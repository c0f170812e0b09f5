"""`models` and `agents`: groups in order with a total."""

# ruff: noqa: RUF001  (the text is as it is shown)

from __future__ import annotations

from .conftest import PIPE, TERMINAL, Run, text


def test_models_in_a_wide_terminal(run: Run) -> None:
    assert (
        text(run("models", "--top=5", page=TERMINAL._replace(width=120)))
        == """\
🤖 Models, last 30 days:
Model         Calls  Share            Input  Output      Cost  Of cost    Failed  Average   P95  Last used
─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
claude-haiku    211    72%  ███████▎   106k   42.2k     $2.10      25%               1.1s  1.2s  2026-11-22 12:04
gpt-4o           79    27%  ██▊        144k   64.6k    $6.33+      75%    2 (3%)     4.7s  5.2s  2026-11-22 13:00
mystery-1         2   0.7%  ▏          1.0k     400  unpriced        –               1.2s  1.2s  2026-11-22 12:01
mystery-2         1   0.3%  ▏           500     200  unpriced        –                  –     –  2026-11-22 12:02
─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
Total           293                    251k    107k    $8.43+           2 (0.7%)     2.1s  5.2s  2026-11-22 13:00

3 of 293 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 293 calls failed without telling tokens: unpriced
"""
    )


def test_models_in_a_narrow_terminal(run: Run) -> None:
    assert (
        text(run("models", "--top=2", page=TERMINAL._replace(width=50)))
        == """\
🤖 Models, last 30 days:
Model         Calls  Input    Cost  Average
───────────────────────────────────────────
claude-haiku    211   106k   $2.10     1.1s
gpt-4o           79   144k  $6.33+     4.7s
───────────────────────────────────────────
Total           293   251k  $8.43+     2.1s
Hidden at this width: Share, Output, Of cost,
Failed, P95, Last used.
The first 2; --top shows more.

3 of 293 calls unpriced: mystery-1 (2), mystery-2
  (1)
1 of 293 calls failed without telling tokens:
  unpriced
"""
    )


def test_agents_by_two_dimensions(run: Run) -> None:
    assert (
        text(run("agents", "--by", "agent,model", "--sort", "cost", page=PIPE))
        == """\
🧭 Agents, last 30 days:
Agent       Model         Calls  Share  Input  Output        Cost  Of cost    Failed  Average   P95  Last used
(no agent)  gpt-4o           79    27%   144k   64.6k      $6.33+      75%    2 (3%)     4.7s  5.2s  2026-11-22 13:00
finder      claude-haiku    210    72%   105k   42.0k       $2.10      25%               1.1s  1.2s  2026-11-22 02:57
(no agent)  claude-haiku      1   0.3%    500     200  $0.0000031    <0.1%               1.2s  1.2s  2026-11-22 12:04
(no agent)  mystery-1         2   0.7%   1.0k     400    unpriced        –               1.2s  1.2s  2026-11-22 12:01
(no agent)  mystery-2         1   0.3%    500     200    unpriced        –                  –     –  2026-11-22 12:02
Total                       293          251k    107k      $8.43+           2 (0.7%)     2.1s  5.2s  2026-11-22 13:00

3 of 293 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 293 calls failed without telling tokens: unpriced
"""
    )
