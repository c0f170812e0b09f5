"""`costs`: the figures of the seed's example, in its order."""

from __future__ import annotations

from .conftest import PIPE, TERMINAL, Run, text


def test_costs_in_a_terminal(run: Run) -> None:
    assert (
        text(run("costs", "--days=30", page=TERMINAL._replace(width=80)))
        == """\
📊 Last 30 days:
  Total cost: $8.43+
  By day: Sat 24 Oct                 ██████████████ Sun 22 Nov
  By model:
    - gpt-4o:          $6.33+  (75%)  █████████   79 calls
    - claude-haiku:     $2.10  (25%)  ███        211 calls
    - mystery-1:     unpriced                      2 calls
    - mystery-2:     unpriced                      1 call
  By project:
    - mimir:              $6.30  (75%)    █████████   70 calls
    - shop:              $2.13+  (25%)    ███        221 calls
    - böse =1+1:     $0.0000031  (<0.1%)  ▏            1 call
    - (no project):    unpriced                        1 call

3 of 293 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 293 calls failed without telling tokens: unpriced
"""
    )


def test_costs_by_tag_and_metadata_in_a_pipe(run: Run) -> None:
    assert (
        text(run("costs", "--by", "tag", "--by", "metadata.customer", page=PIPE))
        == """\
📊 Last 30 days:
  Total cost: $8.43+
  By tag:
    - nightly:    $6.30  (75%)   70 calls
    - (no tag):  $2.13+  (25%)  223 calls
  By customer:
    - acme:            $5.04  (60%)   56 calls
    - (no customer):  $2.13+  (25%)  223 calls
    - globex:          $1.26  (15%)   14 calls

3 of 293 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 293 calls failed without telling tokens: unpriced
"""
    )


def test_costs_compared_with_the_days_before(run: Run) -> None:
    assert (
        text(run("costs", "--days", "7", "--compare", "previous", "--top", "2", page=PIPE))
        == """\
📊 Last 7 days:
  Total cost: $4.23+  +1% from $4.20
  By model:
    - gpt-4o:        $3.18+  (75%)  +1%   44 calls
    - claude-haiku:   $1.05  (25%)   0%  106 calls
  By project:
    - mimir:   $3.15  (74%)   0%   35 calls
    - shop:   $1.08+  (26%)  +3%  116 calls

3 of 153 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 153 calls failed without telling tokens: unpriced
Compared with the 7 days before to the same time.
"""
    )
