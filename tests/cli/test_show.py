"""`show`: everything about one call; the tree of one run."""

# ruff: noqa: RUF001  (the text is as it is shown)

from __future__ import annotations

import json
from pathlib import Path

import pytest

from query.company import call
from tallybook.model.call import Cost, ToolCall
from tallybook.store.memory import MemoryStore

from .conftest import PIPE, TERMINAL, Run, run_on, text


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    tool = ToolCall(name="search", arguments='{"q":"\x1b[2Jcats"}', duration_us=150_000, error="no such index")
    one = call(
        "2026-11-22T14:03:11.250", "gpt-4o", name="generate_ideas", provider="openai", is_stream=True,
        response_model="gpt-4o-2024-08-06", ttft_us=340_000, input_tokens=1_200, cache_read_tokens=800,
        output_tokens=300, reasoning_tokens=100, tool_calls=(tool,),
        finish_reasons=("tool_calls",), tags=("a", "b"), metadata={"customer": "acme", "n": 3}, run_id="run-1",
        prompt_chars=5_000, prompt_preview="Once upon", flags=("parts_exceed_input",),
    )  # fmt: skip
    from msgspec.structs import replace

    cost = Cost(
        status="partial", total_nanousd=4_600_000, input_nanousd=1_000_000, cache_read_nanousd=600_000,
        output_nanousd=3_000_000,
        price="list 1: openai/gpt-4o", reasons=("no_price_for:web_search",),
    )  # fmt: skip
    store.append([replace(one, cost=cost)])
    store.keep_body(
        one.call_id, prompt=[{"role": "user", "content": "hi"}], response="line one\nline \x1b[31mtwo\n" + "more\n" * 30
    )
    return store


def test_a_call_is_shown_whole(store: MemoryStore, tmp_path: Path) -> None:
    (one,) = store.calls()
    assert (
        text(run_on(store, tmp_path)("show", one.call_id[:18], page=TERMINAL._replace(width=72)))
        == """\
Call <id>
  Status       ok (tool_calls)
  When         2026-11-22 14:03:11 UTC, 26 minutes ago
  Model        gpt-4o, answered by gpt-4o-2024-08-06
  Provider     openai
  Operation    generate_ideas (chat)
  Took         1.2s, first token after 340ms (streamed)
  Project      shop
  User         mia
  Run          run-1
  Tags         a, b
  Metadata     customer=acme  n=3
  Source       sdk
  Flags        parts_exceed_input

  Part          Tokens      Cost
  ──────────────────────────────
  Input          1,200    $0.001
    from cache     800   $0.0006
  Output           300    $0.003
    reasoning      100
  ──────────────────────────────
  Total          1,500  $0.0046+
  The cost of input is without its cached parts.
  Cost partial: no price for web search
  Price: list 1: openai/gpt-4o

Tool calls
  search (150ms)  failed: no such index
    in: {"q":"?[2Jcats"}

Prompt (5,000 characters)
  [
    {
      "role": "user",
      "content": "hi"
    }
  ]

Response
  line one
  line ?[31mtwo
  more
  more
  more
  more
  more
  more
  more
  more
  more
  more
  … more: --full
"""
    )


def test_a_call_in_json_has_cost_by_part_and_bodies(store: MemoryStore, tmp_path: Path) -> None:
    (one,) = store.calls()
    found = json.loads(run_on(store, tmp_path)("show", one.call_id, "--json").out)
    assert (found["report"], found["cost_nanousd"], found["cost"]["cache_read_nanousd"]) == ("call", 4_600_000, 600_000)
    assert found["body"]["prompt"] == [{"role": "user", "content": "hi"}]


def test_the_tree_of_a_run_in_a_terminal(run: Run) -> None:
    assert (
        text(run("show", "run-of-the-planner", page=TERMINAL))
        == """\
Run run-of-the-planner  planner
ok · 8 calls · 2 steps · 4.0k in, 1.6k out · $0.03+ · 9.0s · 1 failed
2026-11-22 13:00:00 UTC, 1 hour ago · project shop · user mia

Step                         Status   Input  Output       Cost     Time  Begins
───────────────────────────────────────────────────────────────────────────────
agent planner                ok      ∑ 4.0k  ∑ 1.6k   ∑ $0.03+     9.0s    +0ms
├─ plan (gpt-4o) → research  ok         500     200     $0.005     1.2s  +100ms
├─ tool research             ok      ∑ 3.0k  ∑ 1.2k  ∑ $0.005+     4.0s   +2.0s
│  ├─ summarise (gpt-4o)     failed     500     200   unpriced     1.2s   +2.1s
│  └─ search (gpt-4o) ×5     ok      ∑ 2.5k  ∑ 1.0k   ∑ $0.005  ∑ 450ms   +3.0s
└─ answer (gpt-4o)           ok         500     200      $0.02     1.2s   +7.0s
Hidden at this width: Call.
summarise: context too long
1 of 8 calls unpriced
"""
    )


def test_like_leaves_are_drawn_each_when_all_is_asked_for(run: Run) -> None:
    ran = run("show", "run-of-the-planner", "--full", page=PIPE)
    assert ran.out.count("search (gpt-4o)") == 5


def test_the_tree_of_a_run_in_json_nests(run: Run) -> None:
    found = json.loads(run("show", "run-of-the-planner", "--json").out)
    (agent,) = found["roots"]
    assert (agent["name"], len(agent["children"]), agent["sum_cost_nanousd"]) == ("planner", 3, 30_000_000)
    assert (found["calls"], found["priced_calls"], found["unpriced_calls"]) == (8, 7, 1)


def test_a_beginning_that_several_calls_share_is_refused(run: Run) -> None:
    ran = run("show", "01a20357")
    assert ran.code == 1
    assert "give more of the id" in ran.err


def test_one_call_is_no_table(run: Run) -> None:
    assert run("show", "run-of-the-planner", "--csv").code == 2
