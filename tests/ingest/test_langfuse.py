"""What Langfuse's events come to, whatever their order and batches."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.exporters.payload import payloads
from tests.ingest.dialects.odd import damaged

from tallybook.ingest import langfuse
from tallybook.ingest.langfuse import Scope, Taken
from tallybook.model.call import Call, Step
from tallybook.model.usage import faults
from tallybook.store.base import StateStore
from tallybook.store.memory import MemoryStore
from tallybook.store.memory_state import MemoryState
from tallybook.store.quality import REVISION
from tallybook.store.sqlite.state import SqliteState

BATCHES = [sent.json["batch"] for sent in payloads("langfuse2") if sent.path.endswith("ingestion")]
EVENTS = [event for batch in BATCHES for event in batch]
NOW_US = 1_795_700_000_000_000
ALL = Scope(None)


class Ledger:
    """A state and a store, and what a server does with them."""

    def __init__(self, state: StateStore | None = None) -> None:
        self.state = state or MemoryState()
        self.store = MemoryStore()
        self.steps: dict[str, Step] = {}
        self.feedback: list[dict[str, Any]] = []
        self.refused: list[Any] = []
        self.lines = 0
        self.now_us = NOW_US

    def send(self, items: list[Any], scope: Scope = ALL, *, crash: str = "") -> Taken:
        self.now_us += 1_000
        taken = langfuse.take(self.state, items, scope, self.now_us)
        if crash != "before":
            self.write(taken)
            if crash != "after":
                langfuse.recorded(self.state, taken, self.now_us)
        return taken

    def write(self, taken: Taken) -> None:
        self.lines += len(taken.arrival.calls)
        self.store.append(taken.arrival.calls)
        self.steps |= {step.step_id: step for step in taken.arrival.steps}
        self.refused += taken.arrival.refused
        self.feedback += [json.loads(one.line) for one in taken.feedback]

    def tend(self, later_us: int) -> None:
        self.now_us += later_us
        for _, taken in langfuse.overdue(self.state, self.now_us):
            self.write(taken)
            langfuse.recorded(self.state, taken, self.now_us)

    def calls(self) -> list[Call]:
        return [bare(call) for call in self.store.calls(limit=1_000, oldest_first=True)]

    def named(self, name: str) -> Call:
        return next(call for call in self.calls() if call.name == name)


def bare(call: Call) -> Call:
    return msgspec.structs.replace(call, flags=tuple([flag for flag in call.flags if not flag.startswith(REVISION)]))


def sent(*batches: list[Any]) -> Ledger:
    ledger = Ledger()
    for batch in batches:
        ledger.send(batch)
    return ledger


WHOLE = sent(EVENTS)
"""All events in one batch: what every other way must come to."""


def test_what_the_real_client_sends_is_one_call_a_generation() -> None:
    ledger = sent(*BATCHES)
    assert ledger.calls() == WHOLE.calls() and ledger.refused == []
    names = ["answer", "price", "fails", "streamed", "wrapped", "model_call"]
    assert sorted(call.name or "" for call in ledger.calls()) == sorted(names)


def test_a_generation_told_in_parts_is_one_call_with_all_of_them() -> None:
    call = sent(*BATCHES).named("answer")
    assert (call.model, call.provider, call.status) == ("gpt-4o-2024-08-06", "openai", "ok")
    assert (call.usage.input_tokens, call.usage.cache_read_tokens, call.usage.output_tokens) == (140, 40, 20)
    assert call.duration_us == 202_246 and call.environment == "staging"
    assert call.metadata["step"] == 2 and call.metadata["grade"] == "good" and call.metadata["release"] == "r-7"
    assert call.parameters == {"temperature": "0.2", "max_tokens": 300}


def test_who_a_trace_was_for_is_told_last_and_holds_for_its_calls() -> None:
    call = sent(*BATCHES).named("answer")
    assert (call.user_id, call.session_id, call.tags) == ("ada", "s-1", ("beta", "support"))


def test_before_the_trace_tells_the_call_is_there_without_it() -> None:
    ledger = Ledger()
    for batch in BATCHES[:3]:
        ledger.send(batch)
    assert ledger.named("answer").user_id is None and ledger.named("answer").usage.output_tokens == 20


def test_a_call_that_is_whole_is_not_written_again_when_nothing_of_it_changed() -> None:
    ledger = sent(*BATCHES)
    lines = ledger.lines
    for batch in BATCHES:
        assert ledger.send(batch).arrival.calls == ()
    assert ledger.lines == lines


def test_the_wrapper_around_openai_is_counted_by_openais_own_object() -> None:
    call = sent(*BATCHES).named("streamed")
    assert (call.usage.input_tokens, call.usage.output_tokens, call.usage.reasoning_tokens) == (13, 27, 0)
    assert call.is_stream and call.ttft_us and (call.model, call.response_model) == ("gpt-4o", "gpt-4o-2024-08-06")


def test_anthropics_keys_add_up_to_the_input() -> None:
    call = sent(*BATCHES).named("model_call")
    usage = call.usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens) == (1_250, 1_000, 200)
    assert (call.provider, call.user_id, call.session_id) == ("anthropic", "eve", "s-3")


def test_a_failure_is_an_error_and_a_stated_cost_is_kept_beside() -> None:
    ledger = sent(*BATCHES)
    failed = ledger.named("fails")
    assert (failed.status, failed.error_message) == ("error", "rate limited")
    assert ledger.named("price").metadata["langfuse_cost_usd"] == 0.003


def test_spans_events_and_traces_are_steps() -> None:
    steps = {(step.kind, step.name) for step in sent(*BATCHES).steps.values()}
    assert {("chain", "retrieve"), ("event", "clicked"), ("run", "ticket 4711"), ("run", "workflow")} <= steps


def test_scores_are_later_facts_of_their_call_or_run_and_written_once() -> None:
    ledger = sent(*BATCHES, *BATCHES)
    correct, helpful = (next(one for one in ledger.feedback if one["name"] == name) for name in ("correct", "helpful"))
    assert correct["call_id"] == ledger.named("answer").call_id and correct["value"] == "right"
    assert helpful["call_id"] == helpful["run_id"] == ledger.named("answer").run_id
    assert helpful["kind"] == "feedback" and helpful["comment"] == "yes" and len(ledger.feedback) == 2


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_any_order_and_any_batches_give_the_same_ledger(rng: random.Random, size: int) -> None:
    events = copy.deepcopy(EVENTS)
    rng.shuffle(events)
    repeated = events + rng.sample(events, 5)
    ledger = sent(*(repeated[at : at + size] for at in range(0, len(repeated), size)))
    assert ledger.calls() == WHOLE.calls()
    assert ledger.steps == WHOLE.steps


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(["", "before", "after"]), min_size=30, max_size=30))
def test_a_crash_at_any_point_loses_nothing_and_doubles_nothing(rng: random.Random, crashes: list[str]) -> None:
    events = copy.deepcopy(EVENTS)
    rng.shuffle(events)
    ledger = Ledger()
    for at, crash in zip(range(0, len(events), 2), crashes, strict=False):
        ledger.send(events[at : at + 2], crash=crash)
    ledger.tend(langfuse.RETRY_US + 1)
    ledger.tend(langfuse.RETRY_US + 1)
    assert ledger.calls() == WHOLE.calls()


def test_a_store_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    ledger = Ledger(SqliteState(tmp_path / "state.db"))
    states = [ledger.state]
    for batch in BATCHES:
        ledger.send(batch)
        ledger.state = SqliteState(tmp_path / "state.db")
        states.append(ledger.state)
    assert ledger.calls() == WHOLE.calls() and ledger.steps == WHOLE.steps
    for state in states:
        state.close()


def test_a_generation_that_never_ends_is_recorded_as_it_is_after_an_hour_and_may_still_end() -> None:
    create = next(event for event in EVENTS if event["body"].get("name") == "answer")
    end = next(event for event in EVENTS if event["body"].get("id") == create["body"]["id"] and event is not create)
    ledger = Ledger()
    ledger.send([create])
    ledger.tend(langfuse.WAIT_US - 5_000)
    assert ledger.calls() == []
    ledger.tend(10_000)
    assert ledger.named("answer").status == "incomplete"
    ledger.tend(langfuse.WAIT_US * 2)
    assert ledger.lines == 1
    ledger.send([end])
    assert len(ledger.calls()) == 1 and ledger.named("answer").status == "ok"


def test_an_update_whose_creation_never_comes_is_recorded_with_the_moment_it_was_told() -> None:
    end = next(event for event in EVENTS if "usageDetails" in event["body"])
    ledger = sent([end])
    assert ledger.calls() == []
    ledger.tend(langfuse.WAIT_US + 10_000)
    assert "start_unknown" in ledger.calls()[0].flags
    create = next(event for event in EVENTS if event["body"].get("id") == end["body"]["id"] and event is not end)
    ledger.send([create])
    assert len(ledger.calls()) == 1 and ledger.calls()[0].name == "answer" and ledger.calls()[0].flags == ()


def test_two_projects_have_their_own_things_under_the_same_ids() -> None:
    ledger = Ledger()
    ledger.send(EVENTS, Scope("a"))
    ledger.send(EVENTS, Scope("b"))
    calls = ledger.calls()
    assert len(calls) == 2 * len(WHOLE.calls()) and {call.project for call in calls} == {"a", "b"}


def test_texts_wait_only_where_they_are_to_be_kept_and_go_when_they_are_recorded() -> None:
    ledger = Ledger()
    first = [langfuse.take(ledger.state, batch, Scope(None, True), NOW_US) for batch in BATCHES[:3]]
    told = [content for taken in first for content in taken.arrival.contents]
    assert [(one.prompt, one.response) for one in told] == [
        ([{"role": "user", "content": "How do refunds work?"}], "Within thirty days.")
    ]

    def data(state: StateStore) -> bytes:
        keys = [one.key for taken in first for one in taken.due]
        return b"".join(part.data for part in state.rework(lambda box: box.get(keys)).values())

    assert b"How do refunds" in data(ledger.state)
    for taken in first:
        langfuse.recorded(ledger.state, taken, NOW_US)
    assert b"How do refunds" not in data(ledger.state)
    for batch in BATCHES:
        ledger.send(batch)
    assert ledger.named("answer").prompt_hash == WHOLE.named("answer").prompt_hash
    bare_ledger = Ledger()
    assert not any(bare_ledger.send(batch).arrival.contents for batch in BATCHES)


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (5, None), ({}, "id"), ({"id": "x"}, "type"), ({"id": "x", "type": "brand-new"}, "type"),
        ({"id": "x", "type": "trace-create", "timestamp": "soon", "body": {}}, "timestamp"),
        ({"id": "x", "type": "trace-create", "timestamp": "1970-01-01T00:00:00Z", "body": {}}, "timestamp"),
        ({"id": "x", "type": "trace-create", "timestamp": "2026-01-01T00:00:00Z"}, "body"),
        ({"id": "x", "type": "span-update", "timestamp": "2026-01-01T00:00:00Z", "body": {}}, "body.id"),
        ({"id": "x", "type": "span-create", "timestamp": "2026-01-01T00:00:00Z", "body": {"startTime": "no"}},
         "body.startTime"),
        ({"id": "x", "type": "generation-create", "timestamp": "2026-01-01T00:00:00Z", "body": {"usage": 5}},
         "body.usage"),
        ({"id": "x", "type": "score-create", "timestamp": "2026-01-01T00:00:00Z", "body": {"name": "n"}}, "body.value"),
    ],
)  # fmt: skip
def test_an_event_that_is_damaged_is_refused_alone(item: Any, field: str | None) -> None:
    ledger = sent([item, *EVENTS, item])
    assert [(one.position, one.field) for one in ledger.refused] == [(0, field), (len(EVENTS) + 1, field)]
    assert ledger.calls() == WHOLE.calls()


def test_a_member_that_should_be_text_and_is_not_is_passed_over() -> None:
    events = copy.deepcopy(EVENTS)
    for one in (one for one in events if one["type"] != "score-create"):
        for name in ("name", "model", "userId", "statusMessage", "environment", "version"):
            one["body"][name] = 5
    ledger = sent(events)
    assert ledger.refused == [] and len(ledger.calls()) == len(WHOLE.calls())
    assert all(call.model is None and call.user_id is None for call in ledger.calls())


def test_every_type_of_event_is_known() -> None:
    for kind in ("generation", "span", "event", "agent", "tool", "chain", "retriever", "evaluator", "embedding",
                 "guardrail", "observation"):  # fmt: skip
        for verb in ("create", "update"):
            body = {"id": f"{kind}-1", "type": "GENERATION", "startTime": "2026-01-01T00:00:00Z"}
            item = {"id": verb, "type": f"{kind}-{verb}", "timestamp": "2026-01-01T00:00:00Z", "body": body}
            assert sent([item]).refused == []
    log = {"id": "l", "type": "sdk-log", "timestamp": "2026-01-01T00:00:00Z", "body": {"log": "x"}}
    taken = Ledger().send([log])
    assert taken.arrival == type(taken.arrival)() and [one.id for one in taken.accepted] == ["l"]


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(damaged(BATCHES[-1]))
def test_a_damaged_batch_gives_sound_records_or_refusals_and_the_server_goes_on(batch: list[Any]) -> None:
    ledger = sent(batch)
    assert all(faults(call.usage) == () for call in ledger.calls())
    for other in BATCHES[:4]:
        ledger.send(other)
    assert ledger.named("answer").usage.input_tokens == 140
