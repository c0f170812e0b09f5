"""`stats`: a day, week or month at a glance."""

# ruff: noqa: RUF001  (the text is as it is shown)

from __future__ import annotations

from .conftest import PIPE, TERMINAL, Run, text


def test_today_in_a_pipe_has_no_bars(run: Run) -> None:
    assert (
        text(run("stats", "today", page=PIPE))
        == """\
📊 Today, Sun 22 Nov 2026:
  Total cost: $0.63+
  Calls: 33 (2 failed, 6%)
  Tokens: 23.5k in, 9.9k out, 6% of input from cache
  Response time: 1.6s average, 5.2s P95
  Of: 2 users, 2 runs, 1 tool call
  By model:
    - gpt-4o:          $0.48+  (76%)  14 calls
    - claude-haiku:     $0.15  (24%)  16 calls
    - mystery-1:     unpriced          2 calls
    - mystery-2:     unpriced          1 call
  By project:
    - mimir:              $0.45  (71%)     5 calls
    - shop:              $0.18+  (29%)    26 calls
    - böse =1+1:     $0.0000031  (<0.1%)   1 call
    - (no project):    unpriced            1 call

3 of 33 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 33 calls failed without telling tokens: unpriced
"""
    )


def test_today_in_a_terminal_has_bars_and_a_sparkline(run: Run) -> None:
    assert (
        text(run("stats", "today", page=TERMINAL._replace(width=80)))
        == """\
📊 Today, Sun 22 Nov 2026:
  Total cost: $0.63+
  Calls: 33 (2 failed, 6%)
  Tokens: 23.5k in, 9.9k out, 6% of input from cache
  Response time: 1.6s average, 5.2s P95
  Of: 2 users, 2 runs, 1 tool call
  By hour: 00:00   █         ▁▁  now
  By model:
    - gpt-4o:          $0.48+  (76%)  █████████▏  14 calls
    - claude-haiku:     $0.15  (24%)  ██▉         16 calls
    - mystery-1:     unpriced                      2 calls
    - mystery-2:     unpriced                      1 call
  By project:
    - mimir:              $0.45  (71%)    ████████▋   5 calls
    - shop:              $0.18+  (29%)    ███▍       26 calls
    - böse =1+1:     $0.0000031  (<0.1%)  ▏           1 call
    - (no project):    unpriced                       1 call

3 of 33 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 33 calls failed without telling tokens: unpriced
"""
    )


def test_the_week_compared_in_a_narrow_terminal_keeps_what_matters(run: Run) -> None:
    assert (
        text(run("stats", "week", "--compare", "previous", page=TERMINAL._replace(width=50)))
        == """\
📊 This week, since Mon 16 Nov:
  Total cost: $4.23+  +1%
  Calls: 153 (2 failed, 1%)  +9%
  Tokens: 128k in, 54.9k out, 8% of input from cache  +5%
  Response time: 2.0s average, 5.2s P95
  Of: 2 users, 1 tool call
  By day: Mon 16 Nov ███████ Sun 22 Nov
  By model:
    - gpt-4o:          $3.18+  (75%)  +1%
    - claude-haiku:     $1.05  (25%)   0%
    - mystery-1:     unpriced           –
    - mystery-2:     unpriced           –
  By project:
    - mimir:              $3.15  (74%)     0%
    - shop:              $1.08+  (26%)    +3%
    - böse =1+1:     $0.0000031  (<0.1%)  new
    - (no project):    unpriced             –

3 of 153 calls unpriced: mystery-1 (2), mystery-2
  (1)
1 of 153 calls failed without telling tokens:
  unpriced
Compared with last week to the same time.
"""
    )
