"""What every `StateStore` promises, on memory and on SQLite."""

from __future__ import annotations

import pytest

from tallybook.model.call import Run
from tallybook.store.memory import MemoryState
from tallybook.store.sqlite.state import SqliteState


@pytest.fixture(params=["memory", "sqlite"])
def state(request, tmp_path):
    store = MemoryState() if request.param == "memory" else SqliteState(tmp_path / "state.db")
    yield store
    store.close()


class TestStateStore:
    """One class, every store."""

    def test_figures_of_a_run_add_up_and_its_span_widens(self, state):
        state.follow(
            [Run(run_id="r", created_at_us=50, updated_at_us=60, call_count=2, input_tokens=10, tags=("b", "a"))], {}
        )
        state.follow(
            [
                Run(
                    run_id="r", created_at_us=40, updated_at_us=55, call_count=1, error_count=1, input_tokens=5,
                    output_tokens=7, cost_nanousd=9, unpriced_count=1, project="p", tags=("c",),
                )
            ],
            {},
        )  # fmt: skip
        assert state.run("r") == Run(
            run_id="r", created_at_us=40, updated_at_us=60, call_count=3, error_count=1, input_tokens=15,
            output_tokens=7, cost_nanousd=9, unpriced_count=1, project="p", tags=("a", "b", "c"),
        )  # fmt: skip

    def test_what_is_known_of_a_run_is_not_replaced(self, state):
        state.follow([Run(run_id="r", project="first", name=None)], {})
        state.follow([Run(run_id="r", project="second", name="later")], {})
        run = state.run("r")
        assert (run.project, run.name) == ("first", "later")

    def test_an_unknown_run_is_none(self, state):
        assert state.run("r") is None

    def test_offsets_advance_with_the_figures_and_can_be_forgotten(self, state):
        assert state.offsets() == {}
        state.follow([Run(run_id="r", call_count=1)], {"a": 10, "b": 20})
        state.follow([], {"a": 15, "b": -1, "c": -1})
        assert state.offsets() == {"a": 15}
        assert state.run("r").call_count == 1

    def test_runs_come_latest_first_in_pages(self, state):
        state.follow([Run(run_id=f"r{number}", updated_at_us=number // 2) for number in range(9)], {})
        first = state.runs(limit=4)
        assert [run.run_id for run in first] == ["r8", "r7", "r6", "r5"]
        rest = state.runs(limit=50, before=(first[-1].updated_at_us, first[-1].run_id))
        assert [run.run_id for run in rest] == ["r4", "r3", "r2", "r1", "r0"]

    def test_settings_are_stored_replaced_and_removed(self, state):
        assert state.setting("k") is None
        state.set_setting("k", "1")
        state.set_setting("k", "2")
        assert state.setting("k") == "2"
        state.set_setting("k", None)
        state.set_setting("k", None)
        assert state.setting("k") is None
