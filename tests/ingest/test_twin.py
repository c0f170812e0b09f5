"""Two spans of one request are counted once, in whatever order, payload and process they come."""

from __future__ import annotations

import itertools

import pytest
from tests.ingest.otlp import made

from tallybook.ingest.seal import seal
from tallybook.ingest.telemetry import traces
from tallybook.ingest.twin import Twins
from tallybook.model.question import Question
from tallybook.store.lake.store import LakeStore
from tallybook.store.memory import MemoryStore

DAY_NS = 86_400_000_000_000
OUTER = {
    "openinference.span.kind": "LLM", "llm.provider": "anthropic", "llm.request.model_name": "claude-sonnet-5",
    "llm.token_count.prompt": 1167, "llm.token_count.completion": 5, "session.id": "s", "user.id": "u",
}  # fmt: skip
INNER = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-5",
    "gen_ai.response.id": "msg_1", "gen_ai.usage.input_tokens": 1167, "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.cache_write.input_tokens": 32, "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 0,
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 32,
}  # fmt: skip
WITHOUT_ID = {key: value for key, value in INNER.items() if key != "gen_ai.response.id"}


def outer(number=1, parent=None, start_ns=made.START_NS, **more):
    return made.span(OUTER | more, number=number, parent=parent, start_ns=start_ns, lasts_ns=3_000_000_000)


def inner(number=2, parent=1, attributes=INNER, start_ns=made.START_NS):
    return made.span(attributes, number=number, parent=parent, start_ns=start_ns + 1_000_000, lasts_ns=2_000_000_000)


@pytest.fixture(params=["memory", "lake"])
def store(request, tmp_path):
    found = MemoryStore() if request.param == "memory" else LakeStore(tmp_path)
    yield found
    found.close()


class Process:
    """A server from its start: what it remembers is gone when it stops, what it recorded is not."""

    def __init__(self, store):
        self.store = store
        self.twins = Twins(store)

    def take(self, *spans):
        arrival = traces(made.traces(*spans), self.twins).arrival
        self.store.append(arrival.calls, arrival.steps)

    def restarted(self):
        return Process(self.store)


def totals(store):
    (row,) = store.ask(Question(measures=("calls", "input_tokens", "output_tokens"))).rows
    return tuple(row)


ONCE = (1, 1167, 5)


@pytest.mark.parametrize("attributes", [INNER, WITHOUT_ID], ids=["with id", "without id"])
@pytest.mark.parametrize("is_restarted", [False, True], ids=["one process", "restart"])
@pytest.mark.parametrize("order", ["together", "outer first", "inner first"])
def test_an_outer_and_an_inner_span_are_one_call(store, order, is_restarted, attributes):
    process = Process(store)
    spans = [outer(), inner(attributes=attributes)]
    if order == "together":
        process.take(*spans)
    else:
        for one in spans if order == "outer first" else reversed(spans):
            process.take(one)
            process = process.restarted() if is_restarted else process
    for again in itertools.product((0, 1), repeat=2):  # And every one again, in every order.
        for place in again:
            process.take(spans[place])
        process = process.restarted() if is_restarted else process
    assert totals(store) == ONCE
    (call,) = store.calls()
    assert (call.session_id, call.user_id) == ("s", "u")  # The outer one's.
    assert call.response_id == attributes.get("gen_ai.response.id")


@pytest.mark.parametrize("order", ["outer first", "inner first"])
def test_a_span_whose_twin_is_sealed_already_is_the_same_call(tmp_path, order):
    spans = [outer(), inner()]
    for one in spans if order == "outer first" else spans[::-1]:
        store = LakeStore(tmp_path)
        Process(store).take(one)
        store.close()
        seal(tmp_path, None)
    store = LakeStore(tmp_path)
    (call,) = store.calls()
    assert (call.session_id, call.response_id, call.usage.cache_write_1h_tokens) == ("s", "msg_1", 32)
    assert totals(store) == ONCE
    store.close()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_three_spans_around_each_other_one_is_the_call(order):
    store = MemoryStore()
    process = Process(store)
    spans = [outer(1), outer(2, 1, made.START_NS + 1000), inner(3, 2)]
    process.take(*[spans[place] for place in order])
    assert totals(store) == ONCE
    store = MemoryStore()
    process = Process(store)
    for place in order:
        process.take(spans[place])
    assert totals(store) == ONCE


def test_a_span_that_comes_a_day_late_is_still_the_same_call(store):
    process = Process(store)
    process.take(inner())
    for hour in range(30):  # Other hours go by, and push the first one out of memory.
        process.take(inner(100 + hour, 99, WITHOUT_ID | {"gen_ai.usage.input_tokens": hour},
                           made.START_NS + hour * 3_600_000_000_000))  # fmt: skip
    process.twins._max = 1
    process.take(outer())
    assert totals(store)[0] == 31


def test_two_spans_at_either_side_of_midnight_are_one_call(store):
    midnight_ns = made.START_NS // DAY_NS * DAY_NS + DAY_NS - 500_000
    for first, second in ((0, 1), (1, 0)):
        spans = [outer(10 + first, None, midnight_ns), inner(20 + first, 10 + first, INNER | {
            "gen_ai.response.id": f"msg_{first}"}, midnight_ns)]  # fmt: skip
        process = Process(store)
        process.take(spans[first])
        process.restarted().take(spans[second])
    assert totals(store) == (2, 2334, 10)


def test_the_sdks_span_of_another_trace_is_the_same_call_by_its_response_id(store):
    root = made.span(INNER | {"user.id": "u"}, number=5, trace=b"\x07" * 16)
    process = Process(store)
    process.take(root, inner())
    process.take(inner())
    process.take(root)
    assert totals(store) == ONCE


def test_a_streams_spans_that_are_not_each_others_parents_are_paired_one_to_one():
    """Two requests at once with the same tokens: two calls, though four spans tell of them."""
    spans = []
    for number in (1, 2):
        spans.append(made.span(OUTER, number=number, trace=bytes((number,)) * 16, lasts_ns=3_000_000_000))
        spans.append(made.span(INNER | {"gen_ai.response.id": f"msg_{number}"}, number=number + 10,
                               trace=bytes((number + 10,)) * 16, scope="com.anthropic.sdk.python"))  # fmt: skip
    store = MemoryStore()
    Process(store).take(*spans)
    assert totals(store) == (2, 2334, 10)
    assert {call.session_id for call in store.calls()} == {"s"}


def test_what_the_sdk_alone_tells_goes_to_the_call():
    store = MemoryStore()
    Process(store).take(outer(), inner())
    (call,) = store.calls()
    assert (call.usage.cache_write_1h_tokens, call.usage.cache_write_5m_tokens, call.flags) == (32, 0, ())


def test_calls_of_one_parent_are_not_one_call(store):
    """An agent asks twice the same and gets as many tokens: two calls, as the agent's own span is none."""
    agent = made.span({"openinference.span.kind": "AGENT"}, number=1)
    process = Process(store)
    process.take(inner(2, 1, WITHOUT_ID), agent)
    process.take(inner(3, 1, WITHOUT_ID))
    process.restarted().take(inner(4, 1, WITHOUT_ID))
    assert totals(store) == (3, 3501, 15)


@pytest.mark.parametrize(
    "other",
    [{"gen_ai.usage.output_tokens": 6}, {"gen_ai.request.model": "claude-haiku-4-5"}],
    ids=["tokens", "model"],
)
def test_spans_that_do_not_agree_are_two_calls(other):
    store = MemoryStore()
    process = Process(store)
    process.take(outer())
    process.take(inner(attributes=INNER | other))
    assert totals(store)[0] == 2


def test_a_failed_try_within_a_call_that_succeeded_is_a_call_of_its_own():
    store = MemoryStore()
    failed = {key: value for key, value in INNER.items() if "usage" not in key and "response" not in key}
    process = Process(store)
    process.take(outer(), made.span(failed, number=2, parent=1, status=2), inner(3))
    assert totals(store) == (2, 1167, 5)


def test_the_outer_span_is_a_step_between_its_parent_and_the_call():
    store = MemoryStore()
    agent = made.span({"openinference.span.kind": "AGENT", "session.id": "s"}, number=9)
    for order in itertools.permutations((agent, outer(1, 9), inner())):
        store = MemoryStore()
        for one in order:
            Process(store).take(one)
        (call,), steps = store.run_calls("s")[0], store.run_calls("s")[1]
        parents = {step.step_id: step.parent_id for step in steps}
        root = next(step.step_id for step in steps if step.kind == "agent")
        assert parents[call.parent_id] == root, order


def test_what_is_remembered_is_bounded():
    twins = Twins(None, remembered_max=100)
    for number in range(1, 2000):
        traces(made.traces(inner(number, 5000, start_ns=made.START_NS + number * 60_000_000_000)), twins)
    assert twins._size <= 202
    assert sum(len(hour) for hour in twins._hours.values()) == twins._size
