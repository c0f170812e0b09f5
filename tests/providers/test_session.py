from __future__ import annotations

from tallybook.model.usage import Usage
from tallybook.providers.base import Parsed
from tallybook.providers.session import summed


def _call(model: str | None, tokens: int, cost: int | None = None) -> Parsed:
    return Parsed(
        usage=Usage(input_tokens=tokens, requests={"web_search": 1}), response_model=model, cost_nanousd=cost, text="a"
    )


def test_calls_of_one_model_are_added() -> None:
    got = summed([_call("m", 5, 10), _call(None, 7, 20), Parsed(is_complete=False)])
    assert got.usage == Usage(input_tokens=12, requests={"web_search": 2})
    assert (got.cost_nanousd, got.text, got.is_complete, got.further) == (30, "aa", False, ())


def test_another_models_usage_stays_apart() -> None:
    got = summed([_call("m", 5), _call("n", 7), _call("n", 1)])
    assert got.usage == Usage(input_tokens=5, requests={"web_search": 1})
    [other] = got.further
    assert (other.model, other.usage.input_tokens) == ("n", 8)
    assert got.flags == ("further_models",)


def test_a_cost_that_one_call_does_not_tell_is_unknown() -> None:
    assert summed([_call("m", 5, 10), _call("m", 5)]).cost_nanousd is None


def test_one_call_is_itself_and_none_is_empty() -> None:
    call = _call("m", 5, 10)
    assert summed([call]) is call
    assert summed([]) == Parsed()


def test_a_part_without_its_total_does_not_exceed_the_others_total() -> None:
    part = Parsed(usage=Usage(cache_read_tokens=9), response_model="m")
    got = summed([_call("m", 5), part])
    assert got.usage == Usage(input_tokens=5, cache_read_tokens=5, requests={"web_search": 1})
    assert got.flags == ("parts_exceed_input",)
