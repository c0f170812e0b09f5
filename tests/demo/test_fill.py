"""The demo: the same bytes for the same arguments, sound records, all that a reader wants to see, and no harm done."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tallybook.config import Settings
from tallybook.demo import DemoFilled, fill
from tallybook.demo.company import QUESTIONS
from tallybook.demo.month import ZONE
from tallybook.demo.talk import KEPT
from tallybook.ingest.seal import seal
from tallybook.model.call import Call, Run, Step
from tallybook.model.codec import decode, decode_step, encode, time_of, unix_us_of
from tallybook.model.errors import InputError
from tallybook.model.ids import is_uuid7, unix_ms_of
from tallybook.model.run import Message, Task
from tallybook.model.usage import faults
from tallybook.prices.book import PriceBook
from tallybook.prices.cost import cost_of, key_of
from tallybook.store.open import open_state
from tallybook.store.run_store import RunQuery

UNTIL = datetime(2026, 11, 22, 15, tzinfo=UTC)
DAY_US = 86_400_000_000


class Filled(NamedTuple):
    folder: Path
    told: DemoFilled
    calls: list[Call]
    steps: list[Step]


def lines(folder: Path, kind: str) -> list[bytes]:
    return [line for path in sorted(folder.glob(f"*/{kind}.demo.jsonl")) for line in path.read_bytes().splitlines()]


def digest(folder: Path) -> dict[str, str]:
    """Bytes of all files but the state, which holds when it was written."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("state.db-"))
    files = [path for path in files if path.name != "state.db" or path.read_bytes() == b"mine"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Talk(NamedTuple):
    run: Run
    messages: list[Message]
    tasks: list[Task]


def talks(folder: Path) -> list[Talk]:
    """The conversations of a folder, without the order of their writing."""
    state = open_state(Settings(folder=folder))
    try:
        found = [
            run
            for in_bin in (False, True)
            for run in state.find_runs(RunQuery(is_managed=True, in_bin=in_bin, limit=500))
        ]
        return [
            Talk(
                replace(run, revision=0),
                list(state.messages(run.run_id)),
                [replace(task, updated_at_us=0, change=0) for task in state.tasks(run.run_id)],
            )
            for run in sorted(found, key=lambda run: run.run_id)
        ]
    finally:
        state.close()


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("demo")
    told = fill(folder, until=UNTIL)
    return Filled(
        folder, told, [decode(x) for x in lines(folder, "telemetry")], [decode_step(x) for x in lines(folder, "steps")]
    )


def test_a_month_at_scale_one_has_some_twenty_thousand_calls_and_tells_what_it_wrote(month: Filled) -> None:
    assert 15_000 <= len(month.calls) <= 26_000
    assert month.told.calls == len(month.calls)
    assert month.told.steps == len(month.steps)
    assert month.told.days == len([path for path in month.folder.iterdir() if path.is_dir()]) == 31
    assert month.told.bytes == sum(path.stat().st_size for path in month.folder.rglob("*.jsonl"))
    starts = [call.started_at_us for call in month.calls]
    assert (month.told.first_at_us, month.told.last_at_us) == (min(starts), max(starts))


def test_the_same_arguments_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        fill(tmp_path / name, seed=seed, until=UNTIL, days=4, scale=0.1)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")
    assert talks(tmp_path / "a") == talks(tmp_path / "b")
    assert talks(tmp_path / "a") != talks(tmp_path / "c")


def test_every_record_lies_in_the_month_and_in_the_file_of_its_utc_day(month: Filled) -> None:
    until = unix_us_of(UNTIL)
    for path in month.folder.glob("*/telemetry.demo.jsonl"):
        starts = [decode(line).started_at_us for line in path.read_bytes().splitlines()]
        assert {time_of(at).date().isoformat() for at in starts} == {path.parent.name}
        assert starts == sorted(starts)
    for record in (*month.calls, *month.steps):
        assert until - 30 * DAY_US <= record.started_at_us < until


def test_ids_are_unique_tell_their_time_and_responses_are_not_merged(month: Filled) -> None:
    ids = [call.call_id for call in month.calls] + [step.step_id for step in month.steps]
    assert len(set(ids)) == len(ids)
    assert all(is_uuid7(name) for name in ids)
    assert all(unix_ms_of(call.call_id) == call.started_at_us // 1_000 for call in month.calls)
    answers = [(call.provider, call.response_id) for call in month.calls if call.response_id]
    assert len(set(answers)) == len(answers)


def test_usage_is_sound_everywhere(month: Filled) -> None:
    assert Counter(faults(call.usage) for call in month.calls) == {(): len(month.calls)}
    assert all(call.ttft_us is None or call.ttft_us <= (call.duration_us or 0) for call in month.calls)
    assert all((call.ttft_us is not None) is call.is_stream for call in month.calls if call.status == "ok")


def test_trees_hold_together(month: Filled) -> None:
    steps = {step.step_id: step for step in month.steps}
    cut = unix_us_of(UNTIL) - DAY_US // 2  # A tree that the end of the month cuts may lack its root.
    for record in (*month.calls, *month.steps):
        if record.parent_id is not None and record.started_at_us < cut and record.started_at_us > cut - 28 * DAY_US:
            parent = steps[record.parent_id]
            assert parent.run_id == record.run_id
            end = record.started_at_us + (record.duration_us or 0)
            assert parent.started_at_us <= record.started_at_us
            assert end <= parent.started_at_us + (parent.duration_us or 0)
    assert Counter(step.kind for step in month.steps).keys() == {"agent", "chain", "tool", "retrieval"}
    asked = {tool.id for call in month.calls for tool in call.tool_calls if not tool.server_side}
    executed = [step.tool_call_id for step in month.steps if step.kind == "tool"]
    assert len(set(executed)) == len(executed)
    assert set(executed) <= asked


def test_everything_a_reader_wants_to_see_is_there(month: Filled) -> None:
    calls = month.calls
    statuses = Counter(call.status for call in calls)
    assert statuses.keys() == {"ok", "error", "cancelled", "incomplete"}
    assert all(call.flags == ("usage_estimated",) for call in calls if call.status in ("cancelled", "incomplete"))
    assert {call.environment for call in calls} == {"prod", "staging", "dev", "ci"}
    assert {call.project for call in calls} >= {
        "support-bot",
        "doc-search",
        "code-review",
        "report-writer",
        "playground",
    }
    assert len({call.user_id for call in calls}) >= 20
    assert len({(call.provider, call.model) for call in calls}) >= 10
    assert {call.operation for call in calls} == {"chat", "embeddings", "generate_content"}
    assert any(call.usage.requests.get("web_search") for call in calls)
    assert any(tool.error for call in calls for tool in call.tool_calls)
    assert any(call.is_batch for call in calls)
    assert any(call.retries and call.status == "ok" for call in calls)
    assert {key for call in calls for key in call.metadata} >= {"customer", "feature", "ticket"}
    assert len({call.git_branch for call in calls}) >= 4
    assert any(call.model != call.response_model for call in calls if call.status == "ok")


def test_one_model_is_unknown_to_every_price_list_one_is_local_and_all_others_have_prices(month: Filled) -> None:
    book = PriceBook()
    status: dict[str, set[str]] = {}
    for call in month.calls:
        if call.status == "ok":
            status.setdefault(call.provider, set()).add(cost_of(call, book.rates([key_of(call)])[key_of(call)]).status)
    assert status.pop("inhouse") == {"unpriced"}
    assert status.pop("ollama") == {"free"}
    assert status.pop("openrouter") == {"reported"}
    assert status == {name: {"priced"} for name in ("anthropic", "google", "mistral", "openai")}


def test_one_agent_ran_away_with_the_budget(month: Filled) -> None:
    book = PriceBook()
    spent: Counter[str] = Counter()
    for call in month.calls:
        if call.run_id is not None:
            spent[call.run_id] += cost_of(call, book.rates([key_of(call)])[key_of(call)]).total_nanousd or 0
    (_, first), (_, second) = spent.most_common(2)
    assert first > 20 * second


def test_one_day_a_provider_was_overloaded(month: Filled) -> None:
    failed = Counter(
        time_of(call.started_at_us).date() for call in month.calls if call.http_status in (429, 529)
    ).most_common(2)
    assert failed[0][1] > 5 * failed[1][1]
    assert {call.provider for call in month.calls if call.http_status == 529} == {"anthropic"}


def test_nights_and_weekends_are_quieter_in_the_companys_own_zone(month: Filled) -> None:
    zone = ZoneInfo(ZONE)
    local = [time_of(call.started_at_us).astimezone(zone) for call in month.calls if call.project == "doc-search"]
    by_day = Counter(moment.date() for moment in local)
    weekdays = [count for day, count in by_day.items() if day.weekday() < 5]
    weekends = [count for day, count in by_day.items() if day.weekday() >= 5]
    assert sum(weekends) / len(weekends) < 0.8 * sum(weekdays) / len(weekdays)
    asked = Counter(
        moment.hour
        for moment, call in zip(local, (c for c in month.calls if c.project == "doc-search"), strict=True)
        if call.name == "embed_query"
    )
    assert sum(asked[hour] for hour in range(9, 18)) > 10 * sum(asked[hour] for hour in range(6))


def test_conversations_grow_on_what_was_cached_before(month: Filled) -> None:
    turns: dict[str, list[Call]] = {}
    for call in month.calls:
        if call.name == "answer_customer" and call.provider == "anthropic" and call.status == "ok" and call.run_id:
            turns.setdefault(call.run_id, []).append(call)
    longest = max(turns.values(), key=len)
    prompts = [call.usage.input_tokens or 0 for call in longest]
    assert len(prompts) >= 5
    assert prompts == sorted(prompts)
    assert sum(call.usage.cache_read_tokens or 0 for call in longest) > sum(prompts) / 3


def test_the_newest_chats_are_conversations_whose_answers_name_their_calls(month: Filled) -> None:
    found = talks(month.folder)
    assert len(found) == month.told.chats == KEPT
    calls = {call.call_id: call for call in month.calls}
    for talk in found:
        assert talk.run.name and talk.run.source_type == "chat"
        assert [message.role for message in talk.messages[::2]] == ["user"] * (-(-len(talk.messages) // 2))
        assert {message.content for message in talk.messages[::2]} <= set(QUESTIONS)
        for message in talk.messages[1::2]:
            assert message.role == "assistant" and message.content
            call = calls[str(message.task_id)]
            assert call.run_id == talk.run.run_id and call.name == "answer_customer"
        assert [task.usage for task in talk.tasks] == [calls[task.call_id].usage for task in talk.tasks]
        assert all(task.is_recorded for task in talk.tasks)
        assert talk.run.updated_at_us == talk.run.last_message_at_us == talk.messages[-1].created_at_us
    runs = [talk.run for talk in found]
    assert {run.status for run in runs} == {"active", "archived", "completed"}
    assert any(run.is_starred for run in runs) and any(run.deleted_at_us for run in runs)
    assert {tag for run in runs for tag in run.tags} >= {"billing", "return", "shipping", "bug"}


def test_every_question_of_the_chats_has_answers() -> None:
    from tallybook.demo import talk

    assert talk._ANSWERS.keys() == set(QUESTIONS)


def test_runs_that_somebody_made_in_the_folder_are_not_taken_for_a_demo(tmp_path: Path) -> None:
    fill(tmp_path, until=UNTIL, days=2, scale=0.1)
    state = open_state(Settings(folder=tmp_path))
    state.create_run(Run(run_id="mine", created_at_us=1, updated_at_us=1))
    state.close()
    before = talks(tmp_path)
    with pytest.raises(InputError, match="a state of its own"):
        fill(tmp_path, seed=9, until=UNTIL, days=2, scale=0.1)
    assert talks(tmp_path) == before


def test_an_earlier_demo_is_replaced_as_a_whole(tmp_path: Path) -> None:
    fill(tmp_path, seed=1, until=UNTIL, days=5, scale=0.1)
    (tmp_path / "prices-cache.json").write_text("{}")
    fill(tmp_path, seed=2, until=UNTIL, days=2, scale=0.1)
    (tmp_path / "prices-cache.json").unlink()
    fresh = tmp_path / "fresh"
    fill(fresh, seed=2, until=UNTIL, days=2, scale=0.1)
    expected = digest(fresh)
    found = {name: text for name, text in digest(tmp_path).items() if not name.startswith("fresh")}
    assert found == expected
    assert talks(tmp_path) == talks(fresh)


def test_a_demo_whose_journal_was_sealed_is_replaced_and_one_with_a_call_of_somebody_is_not(tmp_path: Path) -> None:
    fill(tmp_path, seed=1, until=UNTIL, days=3, scale=0.1)
    seal(tmp_path, PriceBook())
    assert list(tmp_path.glob("*/calls-*.parquet"))
    fill(tmp_path, seed=2, until=UNTIL, days=3, scale=0.1)
    assert not list(tmp_path.glob("*/calls-*.parquet"))
    fresh = tmp_path / "2026-11-21"
    mine = encode(replace(decode(lines(tmp_path, "telemetry")[0]), call_id="019c2ef0-91a4-79b2-95f2-598d6ffe3041"))
    (fresh / "telemetry.jsonl").write_bytes(mine)
    seal(tmp_path, PriceBook())
    before = digest(tmp_path)
    with pytest.raises(InputError, match="holds recorded calls"):
        fill(tmp_path, seed=3, until=UNTIL, days=3, scale=0.1)
    assert digest(tmp_path) == before


@pytest.mark.parametrize(
    "name",
    [
        "2026-11-20/telemetry.jsonl",
        "2026-11-20/telemetry.w1.jsonl",
        "2026-11-20/calls.parquet",
        "manifest.bin",
        "state.db",
        "notes.txt",
    ],
)
def test_a_folder_with_anything_else_is_refused_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    fill(tmp_path, until=UNTIL, days=2, scale=0.1)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"mine")
    before = digest(tmp_path)
    with pytest.raises(InputError) as caught:
        fill(tmp_path, seed=9, until=UNTIL, days=2, scale=0.1)
    assert caught.value.hint
    assert Path(name).name in str(caught.value)
    assert digest(tmp_path) == before


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    with pytest.raises(InputError, match="is not a folder"):
        fill(path, until=UNTIL)


@pytest.mark.parametrize(("days", "scale"), [(0, 1.0), (-1, 1.0), (3, 0.0), (3, -1.0), (3, float("nan")), (3, 5_000.0)])
def test_senseless_arguments_are_refused(tmp_path: Path, days: int, scale: float) -> None:
    with pytest.raises(InputError):
        fill(tmp_path, until=UNTIL, days=days, scale=scale)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_for_every_day_and_ends_at_the_last(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    fill(tmp_path, until=UNTIL, days=3, scale=0.05, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (3, 3)
    assert told == sorted(told)


def test_the_scale_multiplies_the_calls_and_a_time_without_a_zone_is_utc(tmp_path: Path) -> None:
    small = fill(tmp_path / "small", until=UNTIL.replace(tzinfo=None), days=3, scale=0.2)
    large = fill(tmp_path / "large", until=UNTIL, days=3, scale=0.8)
    assert 2 < large.calls / small.calls < 8
    assert fill(tmp_path / "day", until=UNTIL, days=1, scale=0.05).days <= 2
