"""`patterns`: when and what for."""

from __future__ import annotations

from .conftest import PIPE, TERMINAL, Run, text


def test_patterns_in_a_terminal_draw_the_week(run: Run) -> None:
    assert (
        text(run("patterns", page=TERMINAL._replace(width=80)))
        == """\
🔍 Usage Patterns:
Last 30 days · UTC
  Peak hours: 10am-11am
  Most active day: Sunday
  Common operations:
    - doc-search:     210 calls  (72%)   ████████▋
    - code-analysis:   70 calls  (24%)   ██▉
    - search:           5 calls  (2%)    ▎
    - chat:             4 calls  (1%)    ▏
    - answer:           1 call   (0.3%)  ▏
  Calls by hour (UTC):
         0           6           12          18
    Mon  ····················██··························
    Tue  ····················██··························
    Wed  ····················██··························
    Thu  ····················██··························
    Fri  ····················██··························
    Sat  ····██··········································
    Sun  ····██··················░░░░····················

3 of 293 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 293 calls failed without telling tokens: unpriced
"""
    )


def test_patterns_in_another_zone_move_the_hours(run: Run) -> None:
    assert (
        text(run("patterns", "--timezone", "Asia/Kolkata", "--top", "1", page=PIPE))
        == """\
🔍 Usage Patterns:
Last 30 days · Asia/Kolkata
  Peak hours: 3pm-5pm
  Most active day: Sunday
  Common operations:
    - doc-search:  210 calls  (72%)

3 of 293 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 293 calls failed without telling tokens: unpriced
"""
    )
