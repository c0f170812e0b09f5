"""What every `StateStore` promises, on memory and on SQLite."""

from __future__ import annotations

import pytest

from tallybook.model.call import Run
from tallybook.store.base import UNREFLECTED, Building
from tallybook.store.memory_state import MemoryState
from tallybook.store.sqlite.state import SqliteState
from tallybook.store.tally import Entry, response_key


@pytest.fixture(params=["memory", "sqlite"])
def state(request, tmp_path):
    store = MemoryState() if request.param == "memory" else SqliteState(tmp_path / "state.db")
    yield store
    store.close()


def entry(call_id, run_id="r", *, response=None, quality=0, at=50, **more):
    told = {
        "ended_at_us": at + 10, "errors": 0, "input_tokens": 10, "output_tokens": 1, "cost_nanousd": 100, **more,
    }  # fmt: skip
    key = None if response is None else response_key(response)
    return Entry(call_id=call_id, response=key, run_id=run_id, quality=quality, started_at_us=at, **told)


def follow(state, *entries, segment="s", offset=1, is_sealed=False):
    assert state.follow(entries, segment, offset, sequence=state.sequence(), is_sealed=is_sealed)


def reflect(state, *runs, gone=(), **more):
    before = state.sequence()
    assert state.reflect(runs, gone, before=before, after=before + 1, **more)


def sums(state, run_id="r"):
    run = state.run(run_id)
    return None if run is None else (run.call_count, run.input_tokens, run.cost_nanousd, run.unpriced_count)


class TestTotals:
    """Run totals, every store."""

    def test_figures_of_a_run_add_up_and_its_span_widens(self, state):
        follow(state, entry("a", at=50, tags=("b", "a")), entry("b", at=45))
        follow(
            state,
            entry("c", at=40, ended_at_us=55, errors=1, output_tokens=7, cost_nanousd=None, project="p", tags=("c",)),
        )
        assert state.run("r") == Run(
            run_id="r", created_at_us=40, updated_at_us=60, call_count=3, error_count=1, input_tokens=30,
            output_tokens=9, cost_nanousd=200, unpriced_count=1, project="p", tags=("a", "b", "c"),
        )  # fmt: skip

    def test_what_is_known_of_a_run_is_not_replaced(self, state):
        follow(state, entry("a", project="first"))
        follow(state, entry("b", project="second", agent_name="planner"))
        state.name_runs({"r": "named", "nobody": "x"})
        state.name_runs({"r": "again"})
        run = state.run("r")
        assert (run.project, run.agent_name, run.name) == ("first", "planner", "named")
        assert state.run("nobody") is None

    def test_an_unknown_run_is_none(self, state):
        assert state.run("r") is None

    def test_the_same_line_twice_counts_once(self, state):
        follow(state, entry("a"), entry("a"))
        follow(state, entry("a"))
        follow(state, entry("a"), segment="other")
        assert sums(state) == (1, 10, 100, 0)

    def test_the_same_response_told_by_two_sources_counts_once(self, state):
        follow(state, entry("a", response="x"), entry("b", response="y"))
        follow(state, entry("c", response="x", at=60), segment="other")
        assert sums(state) == (2, 20, 200, 0)

    @pytest.mark.parametrize("segment", ["s", "other"])
    def test_a_better_record_takes_the_place_of_a_worse_one_also_in_another_run(self, state, segment):
        follow(state, entry("a", "r", response="x", quality=2, input_tokens=0, cost_nanousd=None))
        follow(state, entry("b", "q", response="x", at=60), segment=segment)
        assert (sums(state, "r"), sums(state, "q")) == (None, (1, 10, 100, 0))
        follow(state, entry("c", "r", response="x", quality=1, at=10), segment=segment)
        assert (sums(state, "r"), sums(state, "q")) == (None, (1, 10, 100, 0))

    def test_what_is_sealed_counts_by_the_lake_and_no_more_by_its_lines(self, state):
        follow(state, entry("a"), entry("b", cost_nanousd=None))
        follow(state, entry("c"), segment="other")
        assert state.segments() == {"s", "other"}
        reflect(state, Run(run_id="r", call_count=2, input_tokens=20, cost_nanousd=170), gone=["s"])
        assert sums(state) == (3, 30, 270, 0)
        assert state.segments() == {"other"}
        reflect(state, Run(run_id="r", call_count=3, input_tokens=30, cost_nanousd=271), gone=["other"])
        assert sums(state) == (3, 30, 271, 0)

    def test_a_repeat_of_a_sealed_call_counts_nothing_and_a_better_one_its_difference(self, state):
        follow(state, entry("a", response="x", quality=2, input_tokens=0))
        reflect(state, Run(run_id="r", call_count=1, cost_nanousd=100), gone=["s"])
        follow(state, entry("b", response="x", quality=2, input_tokens=0, at=10), segment="t")
        assert sums(state) == (1, 0, 100, 0)
        follow(state, entry("c", "q", response="x", cost_nanousd=130), segment="u")
        assert (sums(state, "r"), sums(state, "q")) == (None, (1, 10, 130, 0))
        reflect(state, Run(run_id="r"), Run(run_id="q", call_count=1, input_tokens=10, cost_nanousd=130), gone=["u"])
        reflect(state, gone=["t"])
        assert (sums(state, "r"), sums(state, "q")) == (None, (1, 10, 130, 0))

    @pytest.mark.parametrize("first", ["s", "t"])
    def test_two_records_of_a_call_may_be_sealed_in_either_order(self, state, first):
        follow(state, entry("a", response="x", quality=2, input_tokens=0), segment="s")
        follow(state, entry("b", response="x"), segment="t")
        assert sums(state) == (1, 10, 100, 0)
        reflect(state, Run(run_id="r", call_count=1, input_tokens=10 * (first == "t"), cost_nanousd=100), gone=[first])
        assert sums(state) == (1, 10, 100, 0)
        reflect(state, Run(run_id="r", call_count=1, input_tokens=10, cost_nanousd=100), gone=["s", "t"])
        assert sums(state) == (1, 10, 100, 0)
        assert state.segments() == set()

    def test_lines_of_a_sealed_segment_are_remembered_and_count_nothing(self, state):
        reflect(state, Run(run_id="r", call_count=1, input_tokens=10, cost_nanousd=100))
        follow(state, entry("a"), is_sealed=True)
        follow(state, entry("a"), segment="t")
        assert sums(state) == (1, 10, 100, 0)

    def test_what_was_seen_by_another_manifest_is_refused(self, state):
        assert not state.follow([entry("a")], "s", 1, sequence=7)
        assert not state.reflect([], [], before=7, after=8)
        assert state.offsets() == {} and state.run("r") is None and state.sequence() == 0

    def test_a_whole_reading_leaves_nothing_sealed_of_other_runs(self, state):
        reflect(state, Run(run_id="r", call_count=1), Run(run_id="q", call_count=2))
        follow(state, entry("a", "q"))
        reflect(state, Run(run_id="r", call_count=4), is_whole=True)
        assert (sums(state, "r")[0], sums(state, "q")[0]) == (4, 1)

    def test_totals_told_in_portions_are_those_told_at_once(self, state):
        follow(state, entry("a", "r"), entry("b", "q"), segment="s")
        follow(state, entry("c", "r"), entry("d", "x"), segment="t")
        assert state.begin(["s"], before=0, after=5)
        assert state.sequence() == UNREFLECTED
        assert not state.follow([entry("e")], "u", 1, sequence=0)  # Nobody counts on top of what is half told.
        assert not state.begin([], before=0, after=5)
        begun = state.building()
        assert begun == Building(0, 5, 0)
        assert state.advance([Run(run_id="q", call_count=7, input_tokens=70)], begun, upto="q")
        assert not state.advance([Run(run_id="q", call_count=9)], begun, upto="q")
        assert state.building().past == "q"
        assert state.advance([Run(run_id="r", call_count=4, input_tokens=40)], state.building(), upto=None)
        assert (state.building(), state.sequence()) == (None, 5)
        assert [sums(state, run)[:2] for run in "qrx"] == [(7, 70), (5, 50), (1, 10)]

    def test_portions_of_all_there_is_clear_what_is_no_more_between_them(self, state):
        reflect(state, *(Run(run_id=run, call_count=1) for run in "abcdef"))
        state.mark_stale(["a"])
        mark = state.stale().mark
        assert state.begin([], before=1, after=0, stale=mark)
        state.mark_stale(["b"])
        assert state.advance([Run(run_id="b", call_count=2)], state.building(), upto="c")
        assert [(sums(state, run) or [0])[0] for run in "abcdef"] == [0, 2, 0, 1, 1, 1]
        assert state.advance([Run(run_id="e", call_count=3)], state.building(), upto=None)
        assert [(sums(state, run) or [0])[0] for run in "abcdef"] == [0, 2, 0, 0, 3, 0]
        assert state.stale().run_ids == ("b",)

    def test_what_was_begun_can_be_begun_anew(self, state):
        assert state.begin([], before=0, after=9)
        assert state.advance([Run(run_id="b", call_count=2)], state.building(), upto="c")
        assert state.begin([], before=UNREFLECTED, after=3)
        assert state.building() == Building(UNREFLECTED, 3, 0)
        assert state.reflect([Run(run_id="a", call_count=1)], [], before=UNREFLECTED, after=3, is_whole=True)
        assert (state.building(), sums(state, "b")) == (None, None)

    def test_stale_runs_are_told_until_they_are_reflected(self, state):
        assert state.stale().run_ids == ()
        state.mark_stale(["r", "q"])
        mark, found = state.stale()
        assert set(found) == {"r", "q"}
        state.mark_stale(["r"])
        reflect(state, Run(run_id="r"), Run(run_id="q"), stale=mark)
        assert state.stale().run_ids == ("r",)
        reflect(state, Run(run_id="r"), stale=state.stale().mark)
        assert state.stale().run_ids == ()

    def test_offsets_advance_and_can_be_forgotten(self, state):
        assert state.offsets() == {}
        follow(state, entry("a"), segment="a", offset=10)
        follow(state, segment="b", offset=20)
        follow(state, segment="b", offset=15)  # Of one who is behind.
        state.forget(["a", "c"])
        assert state.offsets() == {"b": 20}
        assert sums(state)[0] == 1

    def test_runs_come_latest_first_in_pages(self, state):
        follow(state, *(entry(f"c{number}", f"r{number}", at=number // 2) for number in range(9)))
        first = state.runs(limit=4)
        assert [run.run_id for run in first] == ["r8", "r7", "r6", "r5"]
        rest = state.runs(limit=50, before=(first[-1].updated_at_us, first[-1].run_id))
        assert [run.run_id for run in rest] == ["r4", "r3", "r2", "r1", "r0"]


class TestSettings:
    """Stored values, every store."""

    def test_settings_are_stored_replaced_and_removed(self, state):
        assert state.setting("k") is None
        state.set_setting("k", "1")
        state.set_setting("k", "2")
        assert state.setting("k") == "2"
        state.set_setting("k", None)
        state.set_setting("k", None)
        assert state.setting("k") is None
