"""Learning from stored answers: what teaches, what does not, and that nothing is taken twice."""

from __future__ import annotations

import msgspec
import pytest

from tallybook.model.call import Call, ToolCall
from tallybook.model.usage import Usage
from tallybook.prices import tokenizer, tokens
from tallybook.prices.ratio import Ratios
from tallybook.query.learn import CALLS_MAX, learn
from tallybook.store.memory import MemoryStore
from tallybook.testing import FrozenClock, SequentialIds

TEXT = "The ledger of model calls: every request recorded once, priced when read. " * 12
START_US = FrozenClock().now_us()


def answered(store: MemoryStore, number: int = 1, text: str = TEXT, factor: float = 1.25, **changes: object) -> None:
    """Add calls whose provider counted `factor` times our estimate."""
    clock = FrozenClock(START_US + len(store.calls(limit=10_000)) * 1_000_000)
    ids = SequentialIds(clock)
    for _ in range(number):
        clock.advance(seconds=1)
        call = Call(
            call_id=ids(), started_at_us=clock.now_us(), provider="acme", model="acme-1",
            usage=Usage(input_tokens=10, output_tokens=round(tokens.raw(TEXT, "acme-1", "characters") * factor)),
            response_chars=len(TEXT),
        )  # fmt: skip
        call = msgspec.structs.replace(call, **changes)
        store.append([call])
        store.keep_body(call.call_id, response=text)


def factor_of(store: MemoryStore) -> float:
    ratios = Ratios()
    learn(store, ratios)
    return ratios.factor("acme-1", "characters")


def test_whole_stored_answers_teach_by_how_much_estimates_are_off() -> None:
    store = MemoryStore()
    answered(store, 6)
    ratios = Ratios()
    assert learn(store, ratios) == 6
    assert ratios.factor("acme-1", "characters") == pytest.approx(1.25, abs=0.01)
    if tokenizer.is_installed():
        by_tokenizer = tokens.raw(TEXT, "acme-1", "tokenizer")
        actual = round(tokens.raw(TEXT, "acme-1", "characters") * 1.25)
        assert ratios.factor("acme-1", "tokenizer") == pytest.approx(actual / by_tokenizer)


def test_what_was_learnt_is_not_learnt_again() -> None:
    store, ratios = MemoryStore(), Ratios()
    answered(store, 6)
    assert (learn(store, ratios), learn(store, ratios)) == (6, 0)
    answered(store, 2)
    assert learn(store, ratios) == 2


def test_a_ledger_without_stored_answers_teaches_nothing() -> None:
    store = MemoryStore()
    store.append([Call(call_id=SequentialIds()(), started_at_us=START_US, model="acme-1", response_chars=100)])
    assert factor_of(store) == 1.0


@pytest.mark.parametrize(
    "changes",
    [
        {"flags": ("usage_estimated",)},
        {"tool_calls": (ToolCall(name="search"),)},
        {"usage": Usage(input_tokens=10, output_tokens=300, reasoning_tokens=100)},
        {"usage": Usage(input_tokens=10)},
        {"status": "incomplete"},
        {"response_chars": None},
    ],
    ids=["estimated", "tools", "reasoning", "no count", "broken off", "no length"],
)
def test_answers_whose_count_is_not_of_their_text_alone_do_not_teach(changes: dict[str, object]) -> None:
    store = MemoryStore()
    answered(store, 8, **changes)
    assert factor_of(store) == 1.0


def test_a_masked_or_cut_text_does_not_teach() -> None:
    store = MemoryStore()
    answered(store, 8, text=TEXT[:-1])
    assert factor_of(store) == 1.0


def test_a_count_far_from_the_text_does_not_teach() -> None:
    store = MemoryStore()
    answered(store, 8, factor=2.6)
    assert factor_of(store) == 1.0


def test_at_one_time_only_so_many_answers_are_read() -> None:
    store = MemoryStore()
    answered(store, CALLS_MAX + 5)
    assert learn(store, Ratios()) == CALLS_MAX
