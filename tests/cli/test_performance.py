"""`performance`: response times and what was slow."""

from __future__ import annotations

from .conftest import PIPE, TERMINAL, Run, text


def test_performance_in_a_pipe(run: Run) -> None:
    assert (
        text(run("performance", page=PIPE))
        == """\
⚡ Performance Stats:
Last 30 days · UTC
  Average response time: 2.1s
  P95 response time: 5.2s
  Median 1.1s, P99 5.2s, longest 5.2s
  First token: 340ms median, 340ms P95
  Over 293 calls, 0.7% failed
  Slowest operations:
    - code-analysis:  5.2s avg  5.2s P95  173 tok/s  70 calls
    - answer:         1.2s avg  1.2s P95  167 tok/s   1 call
    - chat:           1.2s avg  1.2s P95  167 tok/s   4 calls
    - plan:           1.2s avg  1.2s P95  167 tok/s   1 call
    - summarise:      1.2s avg  1.2s P95  167 tok/s   1 call
  Slowest models:
    - gpt-4o:        4.7s avg  5.2s P95  176 tok/s   79 calls
    - mystery-1:     1.2s avg  1.2s P95  167 tok/s    2 calls
    - claude-haiku:  1.1s avg  1.2s P95  182 tok/s  211 calls

3 of 293 calls unpriced: mystery-1 (2), mystery-2 (1)
1 of 293 calls failed without telling tokens: unpriced
"""
    )


def test_performance_compared_in_a_narrow_terminal(run: Run) -> None:
    assert (
        text(
            run(
                "performance",
                "--compare",
                "previous",
                "--days",
                "1",
                "--by",
                "provider",
                page=TERMINAL._replace(width=50),
            )
        )
        == """\
⚡ Performance Stats:
Today · UTC
  Average response time: 1.6s  -24% from 2.1s
  P95 response time: 5.2s  0% from 5.2s
  Median 1.1s, P99 5.2s, longest 5.2s
  First token: 340ms median, 340ms P95
  Over 33 calls, 6% failed
  Slowest providers:
    - openai:     2.2s avg  5.2s P95  14 calls
    - anthropic:  1.1s avg  1.2s P95  19 calls

3 of 33 calls unpriced: mystery-1 (2), mystery-2
  (1)
1 of 33 calls failed without telling tokens:
  unpriced
Compared with the day before to the same time.
"""
    )
