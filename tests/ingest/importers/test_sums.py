"""Sums cost what their calls cost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tallybook.ingest.importers.sums import Summing
from tallybook.model.call import Call
from tallybook.model.usage import Usage
from tallybook.prices.book import PriceBook
from tallybook.prices.pricer import Pricer

BOOK = PriceBook(None)
AT = 1_770_000_000_000_000
MODELS = ("claude-sonnet-4-20250514", "claude-opus-4-5-20251101", "gemini-2.5-pro", "no-such-model", None)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    parts = [draw(st.integers(0, 150_000)) for _ in range(4)]
    known = draw(st.integers(0, 9)) > 0
    model = draw(st.sampled_from(MODELS))
    usage = Usage(input_tokens=sum(parts), output_tokens=draw(st.integers(0, 5000)), cache_read_tokens=parts[0],
                  cache_write_5m_tokens=parts[1], cache_write_1h_tokens=parts[2],
                  requests=draw(st.sampled_from(({}, {"web_search": 2}))))  # fmt: skip
    return Call(
        call_id=str(draw(st.uuids())), started_at_us=AT + draw(st.integers(0, 10**14)), model=model,
        response_model=model, provider="google" if model and model.startswith("gem") else "anthropic",
        run_id=draw(st.sampled_from(("r1", "r2", None))), usage=usage if known else Usage(),
        status=draw(st.sampled_from(("ok", "ok", "error"))), flags=draw(st.sampled_from(((), ("usage_estimated",)))),
    )  # fmt: skip


@settings(deadline=None)  # The first call loads the price list.
@given(st.lists(calls(), max_size=12))
def test_a_sum_costs_what_its_calls_cost_but_for_rounding(found: list[Call]) -> None:
    summing = Summing(BOOK)
    for call in found:
        summing.add(call)
    sums = summing.sums()
    costs = [Pricer(BOOK).cost(call).total_nanousd for call in found]
    assert sum(one.calls for one in sums) == len(found)
    assert sum(one.unpriced for one in sums) == costs.count(None)
    assert abs(sum(one.cost_nanousd for one in sums) - sum(cost or 0 for cost in costs)) <= len(found)
    assert sum(one.input_tokens for one in sums) == sum(call.usage.input_tokens or 0 for call in found)
    assert sum(one.errors for one in sums) == sum(call.status == "error" for call in found)
