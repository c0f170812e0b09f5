"""What calls would have cost on another model: exact amounts of the same calls, by a price that is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.model.call import Call
from tallybook.model.errors import NotFound
from tallybook.model.question import Filter
from tallybook.model.usage import Usage
from tallybook.prices.base import Rate
from tallybook.prices.book import PriceBook
from tallybook.prices.cost import cost_of
from tallybook.query.other_model import Tokens, compared, repriced
from tallybook.query.span import everything
from tallybook.query.totals import Scope
from tallybook.store.memory import MemoryStore

from .company import NOW_US, call

SCOPE = Scope(span=everything(NOW_US, "UTC"))
RATE = Rate(input_picousd=2_000_000, output_picousd=10_000_000, cache_read_picousd=200_000, price="ours")
OWN = """
[[price]]
provider = "acme"
model = "solo"
input = 2.0
output = 10.0
cache_read = 0.2
"""


@pytest.fixture
def book(tmp_path: Path) -> PriceBook:
    """Prices of which one is our own."""
    file = tmp_path / "prices.toml"
    file.write_text(OWN)
    return PriceBook(tmp_path, prices_file=file)


def ledger(*calls: Call) -> MemoryStore:
    store = MemoryStore()
    store.append(calls)
    return store


amounts = st.integers(0, 10**13)


@given(amounts, amounts, amounts, amounts)
def test_sums_are_priced_as_one_call_with_these_tokens_would_be(fresh: int, read: int, write: int, out: int) -> None:
    tokens = Tokens(calls=7, input_tokens=fresh + read + write, output_tokens=out, cache_read_tokens=read,
                    cache_write_tokens=write)  # fmt: skip
    usage = Usage(input_tokens=fresh + read + write, output_tokens=out, cache_read_tokens=read,
                  cache_write_5m_tokens=write)  # fmt: skip
    one = Call(call_id="x", started_at_us=NOW_US, provider="p", usage=usage)
    assert repriced(tokens, RATE) == cost_of(one, (RATE,))


def test_a_million_calls_of_one_token_are_rounded_once_and_not_a_million_times() -> None:
    assert repriced(
        Tokens(calls=10**6, input_tokens=10**6, output_tokens=0), Rate(input_picousd=499)
    ).total_nanousd == (499_000)


def test_a_fee_of_each_request_counts_for_each_call() -> None:
    rate = Rate(input_picousd=1_000, output_picousd=1_000, request_nanousd=5_000)
    cost = repriced(Tokens(calls=3, input_tokens=10, output_tokens=0), rate)
    assert (cost.total_nanousd, cost.tools_nanousd) == (15_010, 15_000)


def test_what_a_long_call_costs_more_does_not_hold_for_many_short_ones() -> None:
    long = Rate(input_picousd=1_000, output_picousd=1_000, above_input_tokens=200_000, since_us=NOW_US, until_us=NOW_US)
    assert repriced(Tokens(calls=1, input_tokens=1_000, output_tokens=0), long).total_nanousd == 1_000


def test_each_model_is_beside_its_cost_on_the_other(book: PriceBook) -> None:
    store = ledger(
        call("2026-11-20T10:00:00", "claude-haiku", 4_000_000, input_tokens=1_000, output_tokens=100),
        call("2026-11-20T11:00:00", "claude-haiku", 4_000_000, input_tokens=1_000, output_tokens=100,
             cache_read_tokens=500),
        call("2026-11-20T12:00:00", "gpt-4o", 9_000_000, provider="openai", input_tokens=10, output_tokens=10),
    )  # fmt: skip
    found = compared(store, SCOPE, book, "solo", "acme", NOW_US)
    assert [(one.model, one.cost_nanousd, one.other_cost_nanousd) for one in found.models] == [
        ("gpt-4o", 9_000_000, 20_000 + 100_000),
        ("claude-haiku", 8_000_000, 1_500 * 2_000 + 500 * 200 + 200 * 10_000),
    ]
    assert found.compared.calls == 3 and found.compared.other_cost_nanousd == 5_220_000
    assert found.difference_nanousd == 5_220_000 - 17_000_000
    assert (found.basis.price, found.basis.input_picousd, found.basis.priced_at_us) == (
        "prices.toml: price 1", 2_000_000, NOW_US,
    )  # fmt: skip


def test_a_model_without_a_known_cost_is_shown_and_not_added_up(book: PriceBook) -> None:
    store = ledger(call("2026-11-20T10:00:00", "mystery", None), call("2026-11-20T10:00:00", "claude-haiku", 1_000_000))
    found = compared(store, SCOPE, book, "solo", "acme", NOW_US)
    assert {one.model: one.is_comparable for one in found.models} == {"mystery": False, "claude-haiku": True}
    assert found.compared.calls == 1 and found.compared.cost_nanousd == 1_000_000
    assert next(one for one in found.models if one.model == "mystery").other_cost_nanousd is not None


def test_calls_that_told_no_tokens_are_on_neither_side(book: PriceBook) -> None:
    store = ledger(
        call("2026-11-20T10:00:00", "claude-haiku", 1_000_000),
        call("2026-11-20T11:00:00", "claude-haiku", None, input_tokens=None, output_tokens=None, status="error"),
    )
    (one,) = compared(store, SCOPE, book, "solo", "acme", NOW_US).models
    assert (one.tokens.calls, one.silent_calls, one.is_comparable) == (1, 1, True)


def test_embeddings_are_left_out_unless_they_are_asked_for(book: PriceBook) -> None:
    store = ledger(call("2026-11-20T10:00:00", "embedder", 1_000, operation="embeddings"))
    found = compared(store, SCOPE, book, "solo", "acme", NOW_US)
    assert found.models == [] and found.left_out and found.difference_nanousd is None
    asked = SCOPE.within(Filter("operation", "eq", "embeddings"))
    found = compared(store, asked, book, "solo", "acme", NOW_US)
    assert [one.model for one in found.models] == ["embedder"] and found.left_out == ()


def test_a_model_of_the_list_is_found_by_its_name_alone(book: PriceBook) -> None:
    found = compared(ledger(), SCOPE, book, "claude-opus-5", None, NOW_US)
    assert found.basis.provider == "anthropic" and found.basis.input_picousd and "claude-opus-5" in found.basis.price


@pytest.mark.parametrize(("name", "provider"), [("no-such-model", None), ("no-such-model", "openai")])
def test_a_model_without_a_price_is_refused(book: PriceBook, name: str, provider: str | None) -> None:
    with pytest.raises(NotFound, match="no-such-model"):
        compared(ledger(), SCOPE, book, name, provider, NOW_US)
