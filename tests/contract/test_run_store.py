"""What every `RunStore` promises, on memory and on SQLite."""

from __future__ import annotations

import time

import pytest

from tallybook.model.call import Run
from tallybook.model.run import Attachment, Message, Share, Task
from tallybook.model.usage import Usage
from tallybook.store.memory_state import MemoryState
from tallybook.store.run_store import SORTS, RunQuery, sort_value
from tallybook.store.sqlite.state import SqliteState
from tallybook.store.tally import Entry

AT = 1_770_000_000_000_000


@pytest.fixture(params=["memory", "sqlite"])
def state(request, tmp_path):
    store = MemoryState() if request.param == "memory" else SqliteState(tmp_path / "state.db")
    yield store
    store.close()


def now_us():
    return time.time_ns() // 1000


def run(run_id="r", **fields):
    return Run(**{"run_id": run_id, "created_at_us": AT, "updated_at_us": AT, **fields})


def task(task_id="t", run_id="r", **fields):
    told = {"call_id": f"call-{task_id}", "created_at_us": AT, "started_at_us": AT, "updated_at_us": AT}
    return Task(**{"task_id": task_id, "run_id": run_id, **told, **fields})


def message(message_id="m", run_id="r", **fields):
    told = {"role": "user", "content": "hello", "created_at_us": AT, "updated_at_us": AT}
    return Message(**{"message_id": message_id, "run_id": run_id, **told, **fields})


def seen(state, run_id="r", call_id="c", **fields):
    told = {"run_id": run_id, "quality": 0, "started_at_us": AT, "ended_at_us": AT + 5, "errors": 0}
    entry = Entry(
        call_id=call_id, response=None, input_tokens=7, output_tokens=3, cost_nanousd=11, **{**told, **fields}
    )
    assert state.follow([entry], "s", 1, sequence=state.sequence())


def ids(state, **query):
    return [one.run_id for one in state.find_runs(RunQuery(**query))]


class TestRuns:
    """Runs, every store."""

    def test_every_field_of_a_run_comes_back(self, state):
        made = run(
            name="My conversation", description="about AI", source_type="prompt", source_id="p-1", visibility="project",
            is_starred=True, project="atlas", user_id="u", session_id="s", agent_name="a", tags=("x", "y"),
            settings={"model_id": "m", "temperature": 0.5}, variable_values={"topic": "AI"},
            broker_values={"currentDate": "2025-10-27"}, metadata={"deep": {"list": [1, None]}},
        )  # fmt: skip
        assert state.create_run(made)
        found = state.run("r")
        assert found.is_managed and found.updated_at_us == AT
        assert {name: getattr(found, name) for name in Run.__struct_fields__ if name != "is_managed"} == {
            name: getattr(made, name) for name in Run.__struct_fields__ if name != "is_managed"
        }

    def test_a_run_is_made_once(self, state):
        assert state.create_run(run(name="first"))
        assert not state.create_run(run(name="second"))
        assert state.run("r").name == "first"

    def test_a_run_of_telemetry_is_the_same_run_when_it_is_made(self, state):
        seen(state, project="atlas")
        assert not state.run("r").is_managed
        assert state.create_run(run(name="Mine", source_type="chat", settings={"a": 1}, tags=("t",)))
        found = state.run("r")
        assert (found.name, found.source_type, found.project, found.settings) == ("Mine", "chat", "atlas", {"a": 1})
        assert (found.call_count, found.cost_nanousd, found.is_managed, found.tags) == (1, 11, True, ("t",))
        assert found.updated_at_us > AT + 5

    def test_calls_add_to_a_run_that_was_made(self, state):
        state.create_run(run(name="Mine", tags=("mine",)))
        seen(state, tags=("theirs",))
        found = state.run("r")
        assert (found.name, found.call_count, found.input_tokens) == ("Mine", 1, 7)
        assert found.tags == ("mine", "theirs")

    def test_a_change_moves_the_time_and_the_revision_and_telemetry_does_not(self, state):
        state.create_run(run())
        before = state.run("r")
        seen(state)
        assert state.run("r").updated_at_us == AT + 5
        start = now_us()
        changed = state.change_run("r", {"name": "New", "is_starred": True, "tags": ("a",), "settings": {"k": [1]}})
        assert (changed.name, changed.is_starred, changed.tags, changed.settings) == ("New", True, ("a",), {"k": [1]})
        assert changed.revision == before.revision + 1
        assert start - 2000 <= changed.updated_at_us <= now_us() + 2000
        assert state.change_run("nobody", {"name": "x"}) is None

    def test_a_change_of_another_revision_does_nothing(self, state):
        state.create_run(run(name="A"))
        assert state.change_run("r", {"name": "B"}, revision=0).name == "B"
        assert state.change_run("r", {"name": "C"}, revision=0).name == "B"

    def test_a_run_of_telemetry_that_is_changed_is_managed(self, state):
        seen(state)
        assert state.change_run("r", {"is_starred": True}).is_managed

    def test_completed_at_follows_the_status(self, state):
        state.create_run(run())
        assert state.change_run("r", {"status": "completed"}).completed_at_us is not None
        assert state.run("r").completed_at_us is not None
        state.change_run("r", {"status": "archived"})
        assert state.run("r").completed_at_us is not None
        state.change_run("r", {"status": "active"})
        assert state.run("r").completed_at_us is None

    def test_a_past_that_is_written_afterwards_has_its_own_time(self, state):
        state.create_run(Run(run_id="r", created_at_us=AT, updated_at_us=AT))
        state.add_message(Message(message_id="m", run_id="r", role="user", content="x", created_at_us=AT))
        assert state.run("r").updated_at_us > AT
        state.date_run("r", AT + 5)
        assert (state.run("r").updated_at_us, state.run("r").completed_at_us) == (AT + 5, None)
        state.change_run("r", {"status": "completed"})
        state.date_run("r", AT + 6)
        assert (state.run("r").updated_at_us, state.run("r").completed_at_us) == (AT + 6, AT + 6)
        state.date_run("nobody", AT)
        assert state.run("nobody") is None

    def test_a_deleted_run_is_in_the_bin_and_can_be_restored(self, state):
        state.create_run(run())
        state.add_message(message())
        assert state.bin_runs(["r", "nobody"], AT + 9) == ["r"]
        assert state.bin_runs(["r"], AT + 10) == []
        assert state.run("r") is None and state.any_run("r").deleted_at_us == AT + 9
        assert ids(state) == [] and ids(state, in_bin=True) == ["r"]
        assert state.change_run("r", {"name": "x"}) is None
        assert state.bin_runs(["r"], None) == ["r"]
        assert state.run("r").message_count == 1 and ids(state) == ["r"]

    def test_what_is_purged_never_comes_back(self, state):
        for run_id in ("r", "q", "kept"):
            state.create_run(run(run_id, name="secret"))
            state.add_message(message(f"m-{run_id}", run_id))
            state.create_task(task(f"t-{run_id}", run_id))
        state.add_share(Share(share_id="s", run_id="r", hash="h"))
        assert state.purge_runs(["r"]) == []  # Only from the bin.
        state.bin_runs(["r"], AT)
        state.bin_runs(["q"], AT + 100)
        assert state.purge_runs(before_us=AT + 1) == ["r"]
        assert state.purge_runs(["q"]) == ["q"]
        seen(state)
        assert state.any_run("r") is None and ids(state) == ["kept"] and ids(state, in_bin=True) == []
        assert state.deleted_runs(["r", "q", "kept", "nobody"]) == {"r", "q"}
        assert not state.create_run(run())
        assert state.task("t-r") is None and state.message("m-r") is None and state.share("h") is None
        assert state.task("t-kept") is not None and state.message("m-kept") is not None


class TestList:
    """The list of runs, every store."""

    @pytest.fixture
    def full(self, state):
        for number in range(12):
            state.create_run(
                run(
                    f"r{number:02}", name=f"Name {number % 5}", source_type=("chat", "prompt", "workflow")[number % 3],
                    is_starred=number % 4 == 0, project=("atlas", "web", None)[number % 3], user_id=f"u{number % 2}",
                    visibility=("private", "project", "link")[number // 4],
                    tags=("even",) if number % 2 == 0 else ("odd", "50%_x"), created_at_us=AT + number // 2,
                    updated_at_us=AT + (number * 7) % 5,
                )
            )  # fmt: skip
        seen(state, "by-itself", "c1", project="atlas")
        return state

    def test_filters_narrow_the_list(self, full):
        assert set(ids(full, source_types=("chat",))) == {"r00", "r03", "r06", "r09"}
        assert set(ids(full, is_starred=True)) == {"r00", "r04", "r08"}
        assert set(ids(full, projects=("atlas",), is_managed=False)) == {"by-itself"}
        assert set(ids(full, tags=("odd", "50%_x"), user_ids=("u1",), source_types=("chat",))) == {"r03", "r09"}
        assert set(ids(full, text="name 4")) == {"r04", "r09"}
        assert len(ids(full, text="50%_x")) == 6 and ids(full, text="%") == ids(full, text="50%_")
        assert set(ids(full, created_since_us=AT + 5, created_until_us=AT + 6)) == {"r10", "r11"}
        assert ids(full, since_us=AT + 5, until_us=AT + 6) == ["by-itself"]
        full.change_run("r01", {"status": "archived"})
        assert ids(full, statuses=("archived",)) == ["r01"]
        assert ids(full, run_ids=("r05", "r02"), sort="created_at") == ["r05", "r02"]

    def test_text_is_found_in_messages(self, full):
        full.add_message(message("m", "r07", content="Where is the GIRAFFE?"))
        assert ids(full, text="giraffe") == ["r07"]

    def test_who_asks_sees_their_own_and_what_is_shared(self, full):
        assert set(ids(full, viewer=("atlas", "u0"))) == {"by-itself", "r00", "r06", "r09"}
        assert set(ids(full, viewer=("atlas", "u1"))) == {"by-itself", "r03", "r06", "r09"}
        assert {f"r{number:02}" for number in range(4, 12)} <= set(ids(full, viewer=(None, "nobody")))

    @pytest.mark.parametrize("sort", SORTS)
    @pytest.mark.parametrize("is_ascending", [False, True])
    def test_pages_follow_each_other_without_gap_or_repeat(self, full, sort, is_ascending):
        whole = full.find_runs(RunQuery(sort=sort, is_ascending=is_ascending, limit=100))
        keys = [(sort_value(one, sort), one.run_id) for one in whole]
        assert keys == sorted(keys, reverse=not is_ascending) and len(keys) == 13
        paged, after = [], None
        while page := full.find_runs(RunQuery(sort=sort, is_ascending=is_ascending, limit=5, after=after)):
            paged += page
            after = (sort_value(page[-1], sort), page[-1].run_id)
        assert paged == whole


class TestTasks:
    """Tasks, every store."""

    def test_every_field_of_a_task_comes_back(self, state):
        made = task(
            status="streaming", service="chat_service", task_name="direct_chat", operation="chat", provider="openai",
            endpoint="/v1/chat", model="gpt-4o", response_model="gpt-4o-2024", response_id="resp", parent_id="step",
            project="atlas", user_id="u", request_data={"messages": [{"role": "user"}]}, response_text="Hi",
            response_data=[1, {"a": None}], tool_updates=[{"name": "search"}], error_type="E", error_message="m",
            usage=Usage(input_tokens=5, cache_read_tokens=2), total_tokens=9, cost_nanousd=7, finish_reason="stop",
            ttft_us=3, duration_us=4, metadata={"k": 1},
        )  # fmt: skip
        stored, is_new = state.create_task(made)
        assert is_new and state.task("t") == stored
        assert {name: getattr(stored, name) for name in Task.__struct_fields__ if name != "change"} == {
            name: getattr(made, name) for name in Task.__struct_fields__ if name != "change"
        }

    def test_a_task_is_made_once_and_makes_its_run(self, state):
        assert state.create_task(task(project="atlas", user_id="u"))[1]
        again, is_new = state.create_task(task(run_id="other", model="x"))
        assert not is_new and (again.run_id, again.model) == ("r", None)
        found = state.run("r")
        assert (found.is_managed, found.project, found.user_id, found.task_count) == (True, "atlas", "u", 1)
        assert state.run("other") is None

    def test_the_last_change_wins_and_an_ended_task_never_changes(self, state):
        state.create_task(task())
        for text in ("a", "ab", "abc"):
            state.change_task("t", {"response_text": text, "status": "streaming"})
        assert state.task("t").response_text == "abc"
        ended = state.change_task("t", {"response_text": "abcd", "status": "completed", "usage": Usage(input_tokens=1)})
        assert ended.completed_at_us is not None and ended.status == "completed"
        assert state.change_task("t", {"response_text": "late", "status": "streaming"}) == ended
        assert state.change_task("t", {"status": "failed"}) == ended == state.task("t")
        assert state.change_task("nobody", {"status": "failed"}) is None

    def test_counts_and_times_of_the_run_follow_its_tasks(self, state):
        state.create_run(run())
        state.create_task(task("a"))
        state.create_task(task("b"))
        found = state.run("r")
        assert (found.task_count, found.open_task_count, found.last_task_status) == (2, 2, "pending")
        assert found.updated_at_us > AT and found.last_message_at_us is None
        state.change_task("a", {"status": "streaming"})
        state.change_task("a", {"status": "failed"})
        found = state.run("r")
        assert (found.task_count, found.open_task_count, found.last_task_status) == (2, 1, "failed")
        assert abs(found.last_message_at_us - now_us()) < 60_000_000

    def test_tasks_come_in_order_and_in_pages(self, state):
        for number in (3, 1, 2, 5, 4):
            state.create_task(task(f"t{number}", created_at_us=AT + number // 2))
        state.create_task(task("x", "other"))
        first = state.tasks("r", limit=2)
        rest = state.tasks("r", after=(first[-1].created_at_us, first[-1].task_id))
        assert [one.task_id for one in (*first, *rest)] == ["t1", "t2", "t3", "t4", "t5"]

    def test_what_changed_is_told_in_order(self, state):
        start = state.last_change()
        state.create_task(task("a"))
        state.create_task(task("b"))
        state.change_task("a", {"response_text": "x"})
        assert [one.task_id for one in state.changed_tasks(start)] == ["b", "a"]
        mark = state.last_change()
        assert state.changed_tasks(mark) == []
        state.change_task("b", {"status": "completed"})
        assert [one.task_id for one in state.changed_tasks(mark)] == ["b"]

    def test_ended_tasks_wait_for_their_record(self, state):
        for name in ("a", "b", "open"):
            state.create_task(task(name))
        state.change_task("a", {"status": "completed"})
        state.change_task("b", {"status": "cancelled"})
        later = now_us() + 1_000_000
        assert {one.task_id for one in state.unrecorded_tasks(later)} == {"a", "b"}
        assert state.unrecorded_tasks(AT) == []
        state.record_tasks(["call-a", "call-open"])
        assert [one.task_id for one in state.unrecorded_tasks(later)] == ["b"]
        seen(state, call_id="call-b")  # The follower met its line.
        assert state.unrecorded_tasks(later) == [] and state.task("b").is_recorded
        assert not state.task("open").is_recorded


class TestMessages:
    """Messages, every store."""

    def test_messages_keep_their_order_content_and_attachments(self, state):
        attachments = (
            Attachment(kind="file", file_id="f", name="a.pdf", mime_type="application/pdf", size_bytes=9),
            Attachment(kind="youtube", url="https://youtu.be/x", video_id="x", metadata={"t": 3}),
        )
        parts = [{"type": "text", "text": "hi"}]
        state.add_message(message("a", attachments=attachments, task_id="t", name="n", metadata={"k": 1}))
        state.add_message(message("b", role="assistant", content=parts))
        found = state.messages("r")
        assert [(one.message_id, one.role, one.content) for one in found] == [
            ("a", "user", "hello"), ("b", "assistant", parts),
        ]  # fmt: skip
        assert found[0].attachments == attachments and found[0].metadata == {"k": 1}
        assert state.messages("r", limit=1, after=found[0].position) == found[1:]
        assert state.message("b") == found[1]

    def test_a_message_is_added_once_and_counts_and_times_follow(self, state):
        assert state.add_message(message())[1]
        assert not state.add_message(message(content="other"))[1]
        found = state.run("r")
        assert (found.message_count, found.last_message_at_us, found.is_managed) == (1, AT, True)
        state.add_message(message("n", created_at_us=AT + 7))
        assert state.run("r").last_message_at_us == AT + 7
        assert state.remove_message("n") and not state.remove_message("n")
        assert state.run("r").message_count == 1

    def test_a_message_can_be_changed(self, state):
        state.add_message(message())
        changed = state.change_message("m", {"content": "edited", "attachments": (Attachment(kind="url", url="u"),)})
        assert changed.content == "edited" and changed.updated_at_us > AT == changed.created_at_us
        assert state.message("m") == changed
        assert state.change_message("nobody", {"content": "x"}) is None

    def test_the_first_name_stays(self, state):
        state.add_message(message(), "Hello")
        state.add_message(message("n"), "Other")
        assert state.run("r").name == "Hello"


class TestShares:
    """Links, every store."""

    def test_a_link_holds_until_it_is_revoked(self, state):
        share = Share(share_id="s", run_id="r", hash="h", label="for Ann", created_at_us=AT, expires_at_us=AT + 5)
        state.add_share(share)
        assert state.share("h") == share and state.share("x") is None and list(state.shares("r")) == [share]
        revoked = state.revoke_share("s", AT + 2)
        assert revoked.revoked_at_us == AT + 2 and state.share("h") == revoked
        assert state.revoke_share("s", AT + 3) == revoked
        assert state.revoke_share("nobody", AT) is None
