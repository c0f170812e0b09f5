"""`daily`, `weekly`, `monthly`: the tables that users of ccusage know."""

# ruff: noqa: RUF001, E501  (the text is as it is shown)

from __future__ import annotations

from .conftest import PIPE, TERMINAL, Run, text


def test_daily_with_a_breakdown(run: Run) -> None:
    assert (
        text(run("daily", "--days", "2", "--breakdown", page=TERMINAL._replace(width=100)))
        == """\
📅 Daily, last 2 days:
Date              Calls   Input  Output  Cache Read  Total Tokens      Cost
───────────────────────────────────────────────────────────────────────────────────────
2026-11-21           20  17,500   7,500       1,500        25,000     $0.60  █████████▌
  └ gpt-4o            5  10,000   4,500           –        14,500     $0.45
  └ claude-haiku     15   7,500   3,000       1,500        10,500     $0.15
2026-11-22           33  23,500   9,900       1,500        33,400    $0.63+  ██████████
  └ gpt-4o           14  14,000   6,100           –        20,100    $0.48+
  └ claude-haiku     16   8,000   3,200       1,500        11,200     $0.15
  └ mystery-1         2   1,000     400           –         1,400  unpriced
  └ mystery-2         1     500     200           –           700  unpriced
───────────────────────────────────────────────────────────────────────────────────────
Total                53  41,000  17,400       3,000        58,400    $1.23+

3 of 53 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 53 calls failed without telling tokens: unpriced
"""
    )


def test_daily_in_a_narrow_terminal(run: Run) -> None:
    assert (
        text(run("daily", "--days", "3", page=TERMINAL._replace(width=50)))
        == """\
📅 Daily, last 3 days:
Date        Models            Total Tokens    Cost
──────────────────────────────────────────────────
2026-11-20  claude-haiku, g…        25,000   $0.60
2026-11-21  claude-haiku, g…        25,000   $0.60
2026-11-22  claude-haiku, g…        33,400  $0.63+
──────────────────────────────────────────────────
Total                               83,400  $1.83+
Hidden at this width: Calls, Input, Output, Cache
Read.

3 of 73 calls unpriced: mystery-1 (2), mystery-2
  (1)
1 of 73 calls failed without telling tokens:
  unpriced
"""
    )


def test_weekly_compared(run: Run) -> None:
    assert (
        text(run("weekly", "--days", "7", "--compare", "previous", page=PIPE))
        == """\
📅 Weekly, last 7 days:
Week                 Models                                      Calls    Input  Output  Cache Read  Total Tokens    Cost
2026-11-16 to 11-22  claude-haiku, gpt-4o, mystery-1, mystery-2    153  128,500  54,900      10,500       183,400  $4.23+
Total                                                              153  128,500  54,900      10,500       183,400  $4.23+
Before                                                             140  122,500  52,500      10,500       175,000   $4.20
Change                                                             +9%      +5%     +5%          0%           +5%     +1%

3 of 153 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 153 calls failed without telling tokens: unpriced
Compared with the 7 days before to the same time.
"""
    )


def test_monthly_compact(run: Run) -> None:
    assert (
        text(run("monthly", "--compact", page=PIPE))
        == """\
📅 Monthly, last 366 days:
Month    Total Tokens    Cost
2026-11       358,400  $8.43+
Total         358,400  $8.43+

3 of 293 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 293 calls failed without telling tokens: unpriced
"""
    )


def test_newest_first_by_project_and_user(run: Run) -> None:
    assert (
        text(run("daily", "--days", "2", "--by", "project,user", "--order", "desc", page=PIPE))
        == """\
📅 Daily, last 2 days:
Date                         Calls   Input  Output  Cache Read  Total Tokens        Cost
2026-11-22                      33  23,500   9,900       1,500        33,400      $0.63+
  └ mimir, ben                   5  10,000   4,500           –        14,500       $0.45
  └ shop, mia                   26  12,500   5,000       1,500        17,500      $0.18+
  └ böse =1+1, mia               1     500     200           –           700  $0.0000031
  └ (no project), (no user)      1     500     200           –           700    unpriced
2026-11-21                      20  17,500   7,500       1,500        25,000       $0.60
  └ mimir, ben                   5  10,000   4,500           –        14,500       $0.45
  └ shop, mia                   15   7,500   3,000       1,500        10,500       $0.15
Total                           53  41,000  17,400       3,000        58,400      $1.23+

3 of 53 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 53 calls failed without telling tokens: unpriced
"""
    )
