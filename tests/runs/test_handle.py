"""Managed runs from a program: made, messaged, listed, changed; tasks that stream, end once and count once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import tallybook
from tallybook.capture import recorder
from tallybook.ingest.follow import follow
from tallybook.ingest.seal import seal
from tallybook.model.errors import InputError, NotFound
from tallybook.runs import Ledger, handle, life
from tallybook.store.lake.store import LakeStore


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("TALLYBOOK_DIR", str(tmp_path / "ledger"))
    found = Ledger(tmp_path / "ledger")
    yield found
    found.close()


def calls(ledger):
    store = LakeStore(ledger.pen.settings.folder)
    try:
        return store.calls()
    finally:
        store.close()


def totals(ledger, run_id):
    follow(ledger.pen.settings.folder, ledger.state, None)
    run = ledger.state.run(run_id)
    return run.call_count, run.input_tokens, run.output_tokens, run.cost_nanousd


def test_a_conversation_from_beginning_to_end(ledger):
    run = ledger.create(
        source_type="prompt", source_id="p-1", settings={"model_id": "gpt-4o", "temperature": 0.2},
        variable_values={"topic": "AI"}, broker_values={"currentDate": "2025-10-27"}, user="u-1", project="atlas",
    )  # fmt: skip
    run.message("user", "## How do **tides** work?\nPlease.", attachments=[
        {"kind": "youtube", "url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=3"},
        {"kind": "file", "name": "moon.pdf", "size_bytes": 10},
    ])  # fmt: skip
    with run.task("socket-17", provider="openai", model="gpt-4o", service="chat_service", task_name="direct_chat",
                  request_data={"messages": 1}) as task:  # fmt: skip
        for piece in ("The ", "moon", "."):
            task.append(piece)
        task.usage(input_tokens=100, output_tokens=20, cost_usd=0.0125, response_id="resp-1")
    run.message("assistant", "The moon.", task_id=task.task_id)
    run.refresh()
    assert run.name == "How do tides work?"
    assert (run.message_count, run.task_count, run.open_task_count) == (2, 1, 0)
    assert run.messages()[0].attachments[0].video_id == "dQw4w9WgXcQ"
    stored = ledger.task("socket-17").data
    assert (stored.status, stored.response_text, stored.is_recorded) == ("completed", "The moon.", True)
    assert stored.completed_at_us and stored.ttft_us is not None and stored.duration_us >= stored.ttft_us
    (call,) = calls(ledger)
    assert (call.call_id, call.run_id, call.name, call.source) == (stored.call_id, run.run_id, "direct_chat", "task")
    assert (call.project, call.user_id, call.response_id, call.model) == ("atlas", "u-1", "resp-1", "gpt-4o")
    assert call.cost.status == "reported" and call.metadata["task_id"] == "socket-17"
    assert totals(ledger, run.run_id) == (1, 100, 20, 12_500_000)


def test_the_call_of_a_task_with_any_id_is_found_by_its_id(ledger):
    run = ledger.create()
    with run.task("7f1c0b1e-5d3a-4f7e-8f1e-0123456789ab") as task:  # A UUIDv4, as browsers make them.
        pass
    store = LakeStore(ledger.pen.settings.folder)
    seal(ledger.pen.settings.folder, None, ledger.state)
    assert store.call(task.call_id).metadata["task_id"] == task.task_id
    store.close()


@pytest.mark.parametrize("days", [0, 1, -1, 400])
def test_the_id_of_a_call_is_of_the_day_of_its_start(days):
    start = 1_770_000_000_000_000
    own = life.uuid7(start // 1000 + days * 86_400_000, 12345)
    found = life.call_id_of(own, start)
    assert (found == own) == (days == 0)
    assert life.unix_ms_of(found) // 86_400_000 == start // 86_400_000_000
    assert life.call_id_of(own, start) == found != life.call_id_of(own + "x", start)


def test_an_ended_task_is_ended_once(ledger):
    run = ledger.create()
    task = run.task("t", model="gpt-4o")
    first = task.complete(input_tokens=10, output_tokens=5, response_text="done")
    again = ledger.task("t")
    assert again.complete(input_tokens=999, response_text="other") == first
    assert again.fail("late") == first
    again.update(response_text="late")
    again.flush()
    assert ledger.task("t").data == first
    assert totals(ledger, run.run_id)[:3] == (1, 10, 5)
    assert len(calls(ledger)) == 1


def test_changes_of_a_streaming_task_are_stored_now_and_then_and_the_last_wins(ledger, monkeypatch):
    run = ledger.create()
    now = [100.0]
    monkeypatch.setattr(handle.time, "monotonic", lambda: now[0])
    stored = []
    change = life.update
    monkeypatch.setattr(handle.life, "update", lambda *given: stored.append(given[2]) or change(*given))
    task = run.task("t")
    for number in range(100):
        task.append(f"{number} ")
        now[0] += 0.01
    assert 3 <= len(stored) <= 6
    assert ledger.task("t").status == "streaming"
    task.flush()
    assert ledger.task("t").response_text == "".join(f"{number} " for number in range(100))
    task.update(tool_updates=[{"name": "search"}], response_text="x")
    task.complete()
    assert ledger.task("t").data.response_text == "x" and ledger.task("t").data.tool_updates == [{"name": "search"}]


def test_an_error_in_the_task_fails_it_and_goes_on_to_the_application(ledger):
    run = ledger.create()
    with pytest.raises(ValueError, match="no"), run.task("t") as task:
        task.append("half")
        raise ValueError("no")
    assert (task.status, task.error_type, task.error_message) == ("failed", "ValueError", "no")
    with pytest.raises(KeyboardInterrupt), run.task("u"):
        raise KeyboardInterrupt
    assert ledger.task("u").status == "cancelled"
    assert {call.status for call in calls(ledger)} == {"error", "cancelled"}


def test_a_total_alone_is_split_by_estimate_and_says_so(ledger):
    run = ledger.create()
    run.task("t", model="gpt-4o").complete(tokens_total=500, response_text="word " * 100, cost=0.01, totalTime=1500)
    (call,) = calls(ledger)
    assert call.usage.total_tokens == 500 and 50 < call.usage.output_tokens < 200
    assert "usage_estimated" in call.flags and call.duration_us == 1_500_000
    assert totals(ledger, run.run_id)[3] == 10_000_000


def test_a_response_of_a_provider_tells_its_figures(ledger):
    run = ledger.create()
    run.task("t", provider="openai", model="gpt-4o").complete({
        "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    })  # fmt: skip
    task = ledger.task("t")
    assert (task.response_text, task.response_id, task.finish_reason) == ("Hi", "chatcmpl-1", "stop")
    assert totals(ledger, run.run_id)[:3] == (1, 9, 3)


def test_a_request_that_an_instrumented_sdk_records_inside_counts_once(ledger, monkeypatch):
    monkeypatch.setattr(recorder, "_recorder", ledger.pen)
    run = ledger.create()
    with run.task("t", provider="acme", model="m") as task:
        with tallybook.track("inside") as tracked:  # Records as a patched SDK does.
            tracked.usage(model="m", provider="acme", input_tokens=7, output_tokens=2)
        task.usage(input_tokens=7, output_tokens=2)
    assert totals(ledger, run.run_id)[:3] == (1, 7, 2)
    assert ledger.task("t").is_recorded


def test_runs_are_listed_changed_and_deleted(ledger):
    first = ledger.create("First", tags=["b", "a"], source_type="chat")
    second = ledger.create("Second", starred=True)
    assert [run.name for run in ledger.list(sort="name", order="asc").runs] == ["First", "Second"]
    assert [run.name for run in ledger.list(starred=True).runs] == ["Second"]
    assert [run.name for run in ledger.list(tag=["a", "b"], sourceType="chat").runs] == ["First"]
    page = ledger.list(limit=1)
    assert len(page.runs) == 1 and len(ledger.list(limit=1, cursor=page.cursor).runs) == 1
    first.rename("Renamed").star().tag("c").untag("a")
    assert (first.name, first.is_starred, first.tags) == ("Renamed", True, ("b", "c"))
    first.archive()
    assert [run.name for run in ledger.list(status="archived").runs] == ["Renamed"]
    assert ledger.resume(first.run_id).status == "active"
    first.delete()
    with pytest.raises(NotFound, match="in the bin"):
        ledger.get(first.run_id)
    with pytest.raises(InputError, match="in the bin"):
        first.task("t")
    assert ledger.restore(first.run_id).name == "Renamed"
    first.delete()
    first.purge()
    with pytest.raises(NotFound):
        ledger.restore(first.run_id)
    with pytest.raises(InputError, match="deleted for good"):
        first.task("t")
    assert second.refresh().name == "Second"


def test_a_link_shows_a_run_until_it_is_revoked(ledger):
    run = ledger.create("Shared")
    share, token = run.share(label="for Ann")
    other = run.share()
    assert ledger.shared(token).name == "Shared" and run.refresh().visibility == "link"
    assert token not in (ledger.pen.settings.folder / "state.db").read_bytes().decode("latin-1")
    run.unshare(share.share_id)
    with pytest.raises(NotFound):
        ledger.shared(token)
    assert ledger.shared(other.token).run_id == run.run_id
    run.delete()
    with pytest.raises(NotFound):
        ledger.shared(other.token)
    run.restore()
    run.unshare(other.share.share_id)
    assert run.refresh().visibility == "private"


def test_what_is_not_valid_is_named(ledger):
    with pytest.raises(InputError, match="`source_type` must be one of prompt, chat"):
        ledger.create(source_type="telepathy")
    with pytest.raises(InputError, match="there is no field `nmae`") as caught:
        ledger.create(nmae="x")
    assert "name" in caught.value.hint
    run = ledger.create()
    for wrong in ({"input_tokens": -1}, {"cost": float("nan")}, {"cost": -1}, {"output_tokens": 1.5},
                  {"status": "streaming"}, {"task_id": "other"}, {"usage": 3}):  # fmt: skip
        with pytest.raises(InputError):
            run.task("t").complete(**wrong)
    with pytest.raises(InputError, match="YouTube"):
        run.message("user", "x", attachments=[{"kind": "youtube", "url": "https://example.com/v"}])
    with pytest.raises(InputError):
        ledger.list(sort="colour")
    with pytest.raises(InputError, match="none of ours"):
        ledger.list(cursor="!!!")


def test_many_threads_complete_the_same_tasks_once(ledger):
    run = ledger.create()
    for number in range(10):
        run.task(f"t{number}")

    def work(own):
        mine = Ledger(ledger.pen.settings.folder)
        for number in range(10):
            mine.task(f"t{number}").complete(input_tokens=own, output_tokens=1)
        mine.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = {task.call_id: task.usage.input_tokens for task in run.tasks()}
    assert {call.call_id: call.usage.input_tokens for call in calls(ledger)} == stored
    assert totals(ledger, run.run_id)[:2] == (10, sum(stored.values()))


_KILLED = """
import os, signal, sys
from tallybook.runs import Ledger, life
ledger = Ledger(sys.argv[1])
run = ledger.create(run_id="r")
made = run.task("t", model="m")
def die(*given, **more):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "before":
    ledger.pen.call = die
else:
    life.recorded = die
made.complete(input_tokens=11, output_tokens=3, response_text="kept")
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_killed_around_the_record_leaves_exactly_one(tmp_path, monkeypatch, when):
    """Killed after the end was claimed: before its call was written, or after that and before the state knew."""
    folder = tmp_path / "ledger"
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(_KILLED), str(folder), when], check=False)
    assert killed.returncode == -signal.SIGKILL
    monkeypatch.setattr(life, "RECOVER_AFTER_US", -1)
    ledger = Ledger(folder)
    task = ledger.task("t")
    assert (task.status, task.response_text, task.is_recorded) == ("completed", "kept", True)
    assert ledger.task("t").complete(input_tokens=99).usage.input_tokens == 11  # The application tries again.
    assert len(calls(ledger)) == 1
    assert totals(ledger, "r")[:3] == (1, 11, 3)
    seal(folder, None, ledger.state)
    assert totals(ledger, "r")[:3] == (1, 11, 3)
    ledger.close()


def test_the_module_works_on_the_folder_of_the_settings(tmp_path):
    program = "import tallybook, json; run = tallybook.runs.create('A'); " \
              "print(json.dumps([one.name for one in tallybook.runs.list().runs]))"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "TALLYBOOK_DIR": str(tmp_path / "x")},
    )  # fmt: skip
    assert json.loads(done.stdout) == ["A"] and Path(tmp_path / "x" / "state.db").exists()
