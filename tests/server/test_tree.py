"""The execution tree over HTTP: the very figures of the run, for who may see it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.query.company import RUN, call, company
from tests.server.conftest import Running, Start

from tallybook.access import key as keys
from tallybook.ingest.follow import follow
from tallybook.model.limits import RUN_NODES
from tallybook.query.runs import tree, walk
from tallybook.server.tree import shown_tree
from tallybook.store.memory import MemoryStore
from tallybook.store.open import open_prices
from tallybook.store.sqlite.state import SqliteState


@pytest.fixture
def server(start: Start) -> Running:
    return start()


def logged(server: Running, run_id: str, **more: Any) -> None:
    log = {"operation": "chat", "model": "gpt-4o", "provider": "openai", "input_tokens": 1000, "output_tokens": 100}
    reply = server.post("/api/ai-usage", {**log, "run_id": run_id, **more})
    assert reply.status == 201, reply.body


def known(server: Running, run_id: str) -> dict[str, Any]:
    """The run as the journal tells of it: the upkeep of a whole server follows by itself."""
    folder = server.context.settings.folder
    state = SqliteState(folder / "state.db")
    follow(folder, state, open_prices(server.context.settings))
    state.close()
    run: dict[str, Any] = server.get(f"/api/v1/runs/{run_id}").json()
    return run


def test_a_run_seen_in_telemetry_has_its_tree_with_the_runs_own_sums(server: Running) -> None:
    for _ in range(3):
        logged(server, "r-1")
    run = known(server, "r-1")
    found = server.get("/api/v1/runs/r-1/tree").json()
    assert [node["kind"] for node in found["nodes"]] == ["call"] * 3
    assert (found["calls"], found["input_tokens"], found["output_tokens"]) == (3, 3000, 300)
    assert found["cost_nanousd"] == run["cost_nanousd"] == sum(node["cost_nanousd"] for node in found["nodes"])


def test_a_run_in_which_nothing_has_happened_has_an_empty_tree(server: Running) -> None:
    server.post("/api/v1/runs", {"run_id": "r-2"})
    found = server.get("/api/v1/runs/r-2/tree").json()
    assert (found["nodes"], found["calls"], found["started_at"], found["cost_usd"]) == ([], 0, None, None)


def test_an_unknown_run_and_an_unknown_parameter_are_told(server: Running) -> None:
    assert server.get("/api/v1/runs/none/tree").status == 404
    server.post("/api/v1/runs", {"run_id": "r-3"})
    assert server.get("/api/v1/runs/r-3/tree?depht=3").status == 400


def test_the_tree_of_one_project_holds_no_call_of_another() -> None:
    store = MemoryStore()
    store.append([call("2026-11-22T10:00", run_id="r-4", project=project) for project in ("atlas", "atlas", "shop")])
    assert tree(store, "r-4").calls == 3
    assert tree(store, "r-4", project="atlas").calls == 2


def test_a_key_of_another_project_sees_no_tree(start: Start) -> None:
    server = start(is_open=False)
    state = SqliteState(server.context.settings.folder / "state.db")

    def key(project: str) -> dict[str, str]:
        made = keys.make(state, role="admin", project=project, name=None, now_us=time.time_ns() // 1000)
        return {"authorization": f"Bearer {made.text}"}

    own, other = key("shop"), key("atlas")
    state.close()
    assert server.ask("POST", "/api/v1/runs", {"run_id": "r-5"}, own).status == 201
    assert server.ask("GET", "/api/v1/runs/r-5/tree", None, own).status == 200
    assert server.ask("GET", "/api/v1/runs/r-5/tree", None, other).status == 404


def test_the_list_has_parents_before_children_and_right_sums() -> None:
    whole = tree(company(), RUN)
    found = shown_tree(whole)
    place = {node.id: number for number, node in enumerate(found.nodes)}
    assert all(node.parent_id is None or place[node.parent_id] < place[node.id] for node in found.nodes)
    assert len(found.nodes) == whole.calls + whole.steps == sum(1 for _ in walk(whole.roots))
    assert sum(node.sum_cost_nanousd or 0 for node in found.nodes if node.parent_id is None) == whole.cost_nanousd
    assert not found.is_cut and found.nodes[0].offset_ms == 0


def test_a_tree_too_large_for_one_answer_is_cut_and_says_so() -> None:
    store = MemoryStore()
    store.append([call("2026-11-22T10:00", run_id="r-6") for _ in range(RUN_NODES + 1)])
    found = shown_tree(tree(store, "r-6"))
    assert (len(found.nodes), found.is_cut, found.calls) == (RUN_NODES, True, RUN_NODES + 1)
