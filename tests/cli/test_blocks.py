"""`blocks`: windows, gaps, burn rate, projection."""

from __future__ import annotations

from .conftest import TERMINAL, Run, text


def test_windows_with_gaps_and_the_running_one(run: Run) -> None:
    assert (
        text(run("blocks", "--days", "2", page=TERMINAL._replace(width=80)))
        == """\
⏱  Windows of 5 hours, last 2 days:
Window                      Calls  Tokens  Tokens/min  Cost/h    Cost
─────────────────────────────────────────────────────────────────────
2026-11-21 02:00-07:00         20  25,000         439   $0.63   $0.60
⋯ gap of 19h 00m
2026-11-22 02:00-07:00         20  25,000         439   $0.63   $0.60
⋯ gap of 5h 00m
2026-11-22 12:00-17:00 now     13   8,400          56  $0.012  $0.03+
─────────────────────────────────────────────────────────────────────
Total                          53  58,400                      $1.23+
Hidden at this width: Models.

Running window: 2h 30m gone, 2h 30m left (17:00)
  So far:     8.4k tokens, $0.03+
  Burn rate:  56 tokens/min, $0.012/h
  Projection: 16.8k tokens, $0.06+ at its end

3 of 53 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 53 calls failed without telling tokens: unpriced
"""
    )


def test_only_the_running_window(run: Run) -> None:
    assert (
        text(run("blocks", "--active", page=TERMINAL._replace(width=50)))
        == """\
⏱  Windows of 5 hours, last 7 days:

Running window: 2h 30m gone, 2h 30m left (17:00)
  So far:     8.4k tokens, $0.03+
  Burn rate:  56 tokens/min, $0.012/h
  Projection: 16.8k tokens, $0.06+ at its end

3 of 153 calls unpriced: mystery-1 (2), mystery-2
  (1)
1 of 153 calls failed without telling tokens:
  unpriced
"""
    )
