from __future__ import annotations

from typing import Any

import pytest

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.rerank import RERANK, parse

RESULTS = [{"index": 0, "relevance_score": 0.7}]


@pytest.mark.parametrize(
    ("answer", "usage", "cost"),
    [
        ({"id": "r", "results": RESULTS, "meta": {"billed_units": {"search_units": 2}}},
         Usage(quantities={"search_units": 2}), None),
        ({"object": "list", "data": RESULTS, "model": "rerank-2-lite", "usage": {"total_tokens": 57}},
         Usage(input_tokens=57), None),
        ({"model": "m", "results": RESULTS, "usage": {"total_tokens": 17, "cost": 3.4e-7}, "id": "g"},
         Usage(input_tokens=17), 340),
        ({"results": RESULTS, "usage": {"prompt_tokens": 2966, "completion_tokens": 0, "total_tokens": 2966}},
         Usage(input_tokens=2966, output_tokens=0), None),
    ],
    ids=["cohere", "voyage", "openrouter", "together"],
)  # fmt: skip
def test_every_hosts_counting_is_read(answer: dict[str, Any], usage: Usage, cost: int | None) -> None:
    got = parse(body(answer))
    assert (got.usage, got.cost_nanousd, got.flags) == (usage, cost, ())


def test_an_answer_without_any_counting_is_flagged() -> None:
    assert parse(body({"results": RESULTS})).flags == ("usage_missing",)


def test_the_request_is_told() -> None:
    got = RERANK.asked({"model": "rerank-v3.5", "query": "q", "documents": ["d"], "top_n": 3}, "")
    assert (got.model, got.prompt, got.parameters) == (
        "rerank-v3.5", {"query": "q", "documents": ["d"]}, {"top_n": 3},
    )  # fmt: skip


def test_a_negative_count_of_searches_is_no_count() -> None:
    got = parse(body({"id": "x", "results": [], "meta": {"billed_units": {"search_units": -2}}}))
    assert got.usage is None or got.usage.quantities == {}
