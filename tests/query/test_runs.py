"""The execution tree: every call and step once, sums right at every node, whatever the parents say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallybook.model.call import Call, Cost, Step
from tallybook.model.errors import InputError, NotFound
from tallybook.model.usage import Usage
from tallybook.query.runs import Node, runs, tree
from tallybook.query.span import everything
from tallybook.query.totals import Scope
from tallybook.store.memory import MemoryStore

from .company import NOW_US, RUN, call, company


def walk(nodes: list[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from walk(node.children)


def test_the_tree_of_a_run() -> None:
    found = tree(company(), RUN)
    assert (found.name, found.calls, found.steps, found.errors, found.status) == ("planner", 8, 2, 1, "ok")
    assert (found.cost_nanousd, found.priced_calls, found.unpriced_calls) == (30_000_000, 7, 1)
    (agent,) = found.roots
    assert [child.name for child in agent.children] == ["plan", "research", "answer"]
    research = agent.children[1]
    assert (research.calls, research.sum_cost_nanousd, research.unpriced_calls) == (6, 5_000_000, 1)
    assert agent.children[0].tool_calls == ["research"]
    assert found.duration_us == 9_000_000


def test_a_run_is_found_by_the_beginning_of_its_id() -> None:
    assert tree(company(), "run-of-the").run_id == RUN
    with pytest.raises(NotFound):
        tree(company(), "run-of-a-nobody")
    with pytest.raises(NotFound):
        tree(company(), "run")
    store = MemoryStore()
    store.append([call("2026-11-22T10:00", run_id=f"same-beginning-{number}") for number in range(2)])
    with pytest.raises(InputError, match="2 runs"):
        tree(store, "same-beginning")


def test_runs_are_listed_by_latest_activity_and_told_when_cut() -> None:
    scope = Scope(span=everything(NOW_US, "UTC"))
    found = runs(company(), scope, limit=3)
    assert [run.run_id for run in found.runs] == [RUN, "chat-0", "chat-1"]
    assert found.is_cut
    assert not runs(company(), scope, limit=15).is_cut


def test_a_run_nested_deeper_than_pythons_stack_is_drawn() -> None:
    steps = [
        Step(step_id=f"s{n}", started_at_us=n, run_id="deep", parent_id=f"s{n - 1}" if n else None, name="s")
        for n in range(3_000)
    ]
    store = MemoryStore()
    store.append([Call(call_id="c", started_at_us=9_000, run_id="deep", parent_id="s2999")], steps)
    node = tree(store, "deep").roots[0]
    depth = 1
    while node.children:
        (node,) = node.children
        depth += 1
    assert (depth, node.id) == (3_001, "c")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.booleans(), st.one_of(st.none(), st.integers(0, 50))), min_size=1, max_size=12
    )
)
def test_every_record_is_in_the_tree_once_and_sums_hold_for_any_parents(
    made: list[tuple[int, bool, int | None]],
) -> None:
    calls, steps = [], []
    for number, (parent, is_call, cost) in enumerate(made):
        if is_call:
            calls.append(
                Call(
                    call_id=str(number), started_at_us=number, run_id="r", parent_id=str(parent),
                    usage=Usage(input_tokens=number),
                    cost=Cost(status="unpriced" if cost is None else "priced", total_nanousd=cost),
                )
            )  # fmt: skip
        else:
            steps.append(Step(step_id=str(number), started_at_us=number, run_id="r", parent_id=str(parent)))
    store = MemoryStore()
    store.append(calls, steps)
    found = tree(store, "r")
    nodes = list(walk(found.roots))
    assert sorted(node.id for node in nodes) == sorted(str(number) for number in range(len(made)))
    for node in nodes:
        below = list(walk([node]))
        assert node.sum_cost_nanousd == sum(one.cost_nanousd or 0 for one in below)
        assert node.calls == sum(one.kind == "call" for one in below)
        assert node.unpriced_calls == sum(one.kind == "call" and one.cost_nanousd is None for one in below)
    assert found.calls == len(calls)
    assert sum(root.sum_cost_nanousd for root in found.roots) == sum(cost or 0 for _, is_call, cost in made if is_call)
