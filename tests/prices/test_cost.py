"""The reference arithmetic: every rule of `prices/cost.py` with numbers worked out by hand."""

from __future__ import annotations

import random
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec
import pytest

from tallybook.model.call import Call, Cost
from tallybook.model.usage import Usage
from tallybook.prices.base import Key, Rate
from tallybook.prices.cost import cost_of, effective, key_of, rate_at
from tallybook.prices.cost import is_working as is_working_day

RATE = Rate(
    input_picousd=3_000_000,
    output_picousd=15_000_000,
    cache_read_picousd=300_000,
    cache_write_5m_picousd=3_750_000,
    cache_write_1h_picousd=6_000_000,
    tools_nanousd={"web_search": 10_000_000},
    price="test: row",
)


def call(flags: tuple[str, ...] = (), cost: Cost | None = None, at: int = 1_000, **usage: Any) -> Call:
    return Call(call_id="c", started_at_us=at, usage=Usage(**usage), flags=flags, cost=cost)


def parts(cost: Cost) -> tuple[int | None, ...]:
    return (
        cost.input_nanousd,
        cost.cache_read_nanousd,
        cost.cache_write_nanousd,
        cost.output_nanousd,
        cost.tools_nanousd,
    )


def test_a_plain_call_costs_its_tokens_times_the_prices() -> None:
    cost = cost_of(call(input_tokens=1_200, output_tokens=400), [RATE])
    assert cost == Cost(
        status="priced",
        total_nanousd=9_600_000,
        input_nanousd=3_600_000,
        cache_read_nanousd=0,
        cache_write_nanousd=0,
        output_nanousd=6_000_000,
        tools_nanousd=0,
        price="test: row",
    )


def test_cached_and_written_tokens_are_taken_out_of_the_input_and_billed_at_their_own_price() -> None:
    cost = cost_of(
        call(
            input_tokens=26_000,
            cache_read_tokens=20_000,
            cache_write_5m_tokens=4_000,
            cache_write_1h_tokens=1_000,
            output_tokens=800,
        ),
        [RATE],
    )
    assert parts(cost) == (3_000_000, 6_000_000, 15_000_000 + 6_000_000, 12_000_000, 0)
    assert cost.total_nanousd == 42_000_000
    assert cost.status == "priced"


def test_reasoning_and_images_without_a_price_of_their_own_are_ordinary_tokens() -> None:
    cost = cost_of(
        call(input_tokens=100, input_image_tokens=80, cache_read_tokens=50, output_tokens=50, reasoning_tokens=40),
        [RATE],
    )
    assert parts(cost) == (150_000, 15_000, 0, 750_000, 0)
    assert (cost.status, cost.reasons) == ("priced", ())


def test_modalities_with_a_price_of_their_own_are_billed_at_it() -> None:
    rate = msgspec.structs.replace(
        RATE,
        input_audio_picousd=32_000_000,
        output_audio_picousd=64_000_000,
        output_image_picousd=30_000_000,
        reasoning_picousd=1_000_000,
    )
    cost = cost_of(
        call(
            input_tokens=2_000,
            input_audio_tokens=1_800,
            output_tokens=900,
            output_audio_tokens=500,
            output_image_tokens=100,
            reasoning_tokens=200,
        ),
        [rate],
    )
    assert cost.input_nanousd == 200 * 3_000 + 1_800 * 32_000
    assert cost.output_nanousd == 100 * 15_000 + 500 * 64_000 + 100 * 30_000 + 200 * 1_000
    assert cost.status == "priced"


def test_cached_tokens_beside_audio_are_an_estimate_because_it_is_not_told_which_were_cached() -> None:
    rate = msgspec.structs.replace(RATE, input_audio_picousd=32_000_000)
    cost = cost_of(call(input_tokens=1_000, input_audio_tokens=100, cache_read_tokens=500, output_tokens=0), [rate])
    assert (cost.status, cost.reasons) == ("estimated", ("cache_by_modality_unknown",))


def test_missing_cache_prices_fall_back_to_the_nearest_and_the_call_is_partial() -> None:
    rate = Rate(
        input_picousd=1_000_000,
        output_picousd=2_000_000,
        cache_write_5m_picousd=1_250_000,
        lacking=("cache_read", "cache_write_1h"),
    )
    assert effective(rate)[2:5] == (1_000_000, 1_250_000, 1_250_000)
    cost = cost_of(call(input_tokens=100, cache_write_1h_tokens=100, output_tokens=0), [rate])
    assert (cost.total_nanousd, cost.status, cost.reasons) == (125_000, "partial", ("no_price_for:cache_write_1h",))


def test_a_part_that_is_lacking_but_not_used_does_not_make_the_call_partial() -> None:
    rate = msgspec.structs.replace(RATE, lacking=("input_audio",))
    assert cost_of(call(input_tokens=1, output_tokens=1, input_audio_tokens=0), [rate]).status == "priced"


def test_an_unknown_model_is_unpriced_and_never_zero() -> None:
    assert cost_of(call(input_tokens=10, output_tokens=10), []) == Cost(status="unpriced", reasons=("unknown_model",))


def test_unknown_usage_is_unpriced_and_never_zero() -> None:
    assert cost_of(call(), [RATE]) == Cost(status="unpriced", reasons=("usage_missing",))
    assert cost_of(call(), []).reasons == ("usage_missing",)


def test_a_side_with_tokens_but_no_base_price_is_unpriced() -> None:
    rate = Rate(input_picousd=20_000)
    assert cost_of(call(input_tokens=1_000), [rate]).total_nanousd == 20_000
    cost = cost_of(call(input_tokens=1_000, output_tokens=5), [rate])
    assert (cost.status, cost.total_nanousd, cost.reasons) == ("unpriced", None, ("no_price_for:output",))


def test_one_unknown_side_makes_the_call_partial() -> None:
    cost = cost_of(call(input_tokens=1_000), [RATE])
    assert (cost.status, cost.total_nanousd, cost.reasons) == ("partial", 3_000_000, ("output_tokens_unknown",))
    assert cost_of(call(output_tokens=1_000), [RATE]).reasons == ("input_tokens_unknown",)


def test_a_cost_stated_by_the_provider_is_kept_as_it_is() -> None:
    stated = Cost(status="reported", total_nanousd=123)
    assert cost_of(call(cost=stated, input_tokens=1_000, output_tokens=1), [RATE]) is stated


def test_a_cost_that_was_computed_earlier_is_computed_anew() -> None:
    earlier = Cost(status="priced", total_nanousd=1)
    assert cost_of(call(cost=earlier, input_tokens=1_000, output_tokens=0), [RATE]).total_nanousd == 3_000_000


def test_a_free_model_costs_zero_and_says_so() -> None:
    cost = cost_of(call(), [Rate(is_free=True, price="free: x")])
    assert (cost.status, cost.total_nanousd, cost.price) == ("free", 0, "free: x")


def test_server_side_tools_and_the_fee_per_request_are_added_to_the_tools() -> None:
    rate = msgspec.structs.replace(RATE, request_nanousd=5_000_000)
    cost = cost_of(call(input_tokens=1_000, output_tokens=0, requests={"web_search": 3}), [rate])
    assert (cost.tools_nanousd, cost.total_nanousd, cost.status) == (35_000_000, 38_000_000, "priced")


def test_a_fee_per_request_is_charged_though_the_tokens_are_unknown() -> None:
    rate = Rate(request_nanousd=5_000_000)
    cost = cost_of(call(), [rate])
    assert (cost.status, cost.total_nanousd) == ("priced", 5_000_000)


def test_a_tool_without_a_fee_makes_the_call_partial_unless_it_is_known_to_be_free() -> None:
    cost = cost_of(call(input_tokens=1_000, output_tokens=0, requests={"file_search": 1}), [RATE])
    assert (cost.status, cost.reasons) == ("partial", ("no_price_for:file_search",))
    free = msgspec.structs.replace(RATE, tools_nanousd={"file_search": 0})
    assert cost_of(call(input_tokens=1_000, output_tokens=0, requests={"file_search": 1}), [free]).status == "priced"
    assert cost_of(call(input_tokens=1_000, output_tokens=0, requests={"file_search": 0}), [RATE]).status == "priced"


def test_parts_greater_than_their_total_are_clamped_and_named() -> None:
    cost = cost_of(call(input_tokens=100, cache_read_tokens=150, output_tokens=0), [RATE])
    assert (cost.input_nanousd, cost.cache_read_nanousd) == (0, 45_000)
    assert (cost.status, cost.reasons) == ("estimated", ("parts_exceed_input",))
    rate = msgspec.structs.replace(RATE, reasoning_picousd=15_000_000)
    cost = cost_of(call(input_tokens=0, output_tokens=10, reasoning_tokens=20), [rate])
    assert (cost.output_nanousd, cost.reasons) == (300_000, ("parts_exceed_output",))


def test_estimated_tokens_and_estimated_prices_make_the_cost_an_estimate() -> None:
    cost = cost_of(call(flags=("usage_estimated",), input_tokens=1, output_tokens=1), [RATE])
    assert (cost.status, cost.reasons) == ("estimated", ("usage_estimated",))
    rate = msgspec.structs.replace(RATE, estimated="time_of_day_price")
    cost = cost_of(call(input_tokens=1, output_tokens=1), [rate])
    assert (cost.status, cost.reasons) == ("estimated", ("time_of_day_price",))


def test_partial_outweighs_estimated_and_all_reasons_are_told() -> None:
    rate = msgspec.structs.replace(RATE, estimated="tier:flex_price_unknown", lacking=("cache_read",))
    cost = cost_of(call(input_tokens=10, cache_read_tokens=5, output_tokens=1), [rate])
    assert (cost.status, cost.reasons) == ("partial", ("no_price_for:cache_read", "tier:flex_price_unknown"))


@pytest.mark.parametrize(("tokens", "price"), [(200_000, 1), (200_001, 2), (272_000, 2), (272_001, 3), (None, 1)])
def test_the_highest_threshold_below_the_input_holds_for_the_whole_call(tokens: int | None, price: int) -> None:
    rates = [
        Rate(input_picousd=3, above_input_tokens=272_000),
        Rate(input_picousd=1),
        Rate(input_picousd=2, above_input_tokens=200_000),
    ]
    found = rate_at(rates, 0, tokens)
    assert found is not None
    assert found.input_picousd == price


@pytest.mark.parametrize(("at", "price"), [(0, 1), (99, 1), (100, 2), (199, 2), (200, None)])
def test_a_rate_holds_from_its_first_moment_until_before_its_last(at: int, price: int | None) -> None:
    rates = [Rate(input_picousd=1, until_us=100), Rate(input_picousd=2, since_us=100, until_us=200)]
    found = rate_at(rates, at, 5)
    assert (found.input_picousd if found else None) == price


def test_the_price_goes_by_the_model_that_answered() -> None:
    asked = Call(call_id="c", started_at_us=0, provider="openai", model="gpt-4o", response_model="gpt-4o-2024-08-06")
    assert key_of(asked) == Key("openai", "gpt-4o-2024-08-06", None, False, deployment="gpt-4o")
    assert key_of(msgspec.structs.replace(asked, response_model=None)) == Key("openai", "gpt-4o")


def test_the_parts_are_never_negative_and_add_up_to_the_total_for_any_usage() -> None:
    rng = random.Random(11)
    for _ in range(5_000):
        rate = Rate(
            input_picousd=rng.randrange(1_000),
            output_picousd=rng.randrange(1_000),
            cache_read_picousd=rng.choice([None, rng.randrange(1_000)]),
            cache_write_5m_picousd=rng.choice([None, rng.randrange(1_000)]),
            input_audio_picousd=rng.choice([None, rng.randrange(1_000)]),
            reasoning_picousd=rng.choice([None, rng.randrange(1_000)]),
            request_nanousd=rng.randrange(3),
        )
        names = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "input_audio", "reasoning")
        usage = {name + "_tokens": rng.choice([None, 0, rng.randrange(50)]) for name in names}
        cost = cost_of(call(**usage), [rate])
        if cost.total_nanousd is None:
            assert cost.status == "unpriced"
            assert parts(cost) == (None,) * 5
            continue
        assert all(part is not None and part >= 0 for part in parts(cost)), (rate, usage, cost)
        assert sum(part or 0 for part in parts(cost)) == cost.total_nanousd


def test_a_request_that_was_turned_away_costs_nothing_and_says_so() -> None:
    refused = Call(call_id="c", started_at_us=0, provider="openai", model="gpt-4o", status="error", http_status=429)
    cost = cost_of(refused, [RATE])
    assert (cost.status, cost.total_nanousd, cost.reasons) == ("free", 0, ("not_billed",))


def test_a_failure_with_usage_or_without_an_answer_is_not_taken_for_free() -> None:
    cut = Call(call_id="c", started_at_us=0, model="gpt-4o", status="error", http_status=200)
    assert cost_of(cut, [RATE]).status == "unpriced"
    used = Call(
        call_id="c", started_at_us=0, model="gpt-4o", status="error", http_status=500,
        usage=Usage(input_tokens=10, output_tokens=1),
    )  # fmt: skip
    assert cost_of(used, [RATE]).status == "priced"


def test_costs_equal_exact_decimals_for_any_usage_and_rate() -> None:
    rng = random.Random(5)

    def amount() -> int:
        return rng.choice([0, 1, 3_625, 37_500, 499, 500, 501, rng.randrange(10**9)])

    for _ in range(3_000):
        rate = Rate(
            input_picousd=amount(), output_picousd=amount(), cache_read_picousd=amount(),
            cache_write_5m_picousd=amount(), cache_write_1h_picousd=amount(), input_audio_picousd=amount(),
            cache_read_audio_picousd=amount(), output_image_picousd=amount(), request_nanousd=rng.randrange(10**7),
            tools_nanousd={"web_search": amount(), "maps": amount()}, tools_once=("maps",),
            units_attousd={"audio_ms": amount() * 10**6, "pages": amount() * 10**9},
        )  # fmt: skip
        read, cached, audio, image = (rng.randrange(10**5) for _ in range(4))
        written, long, uses, units = (rng.randrange(10**4) for _ in range(4))
        text, plain = rng.randrange(10**6), rng.randrange(10**5)
        got = cost_of(
            call(
                input_tokens=read + cached + written + long + audio + text, cache_read_tokens=read + cached,
                cache_write_5m_tokens=written, cache_write_1h_tokens=long, input_audio_tokens=audio + cached,
                output_tokens=plain + image, output_image_tokens=image, requests={"web_search": uses, "maps": uses + 1},
                quantities={"cache_read_audio_tokens": cached, "audio_ms": units, "pages": units + 1},
            ),
            [rate],
        )  # fmt: skip

        def usd(tokens: int, part: str, rate: Rate = rate) -> Decimal:
            return Decimal(tokens) * Decimal(getattr(rate, part + "_picousd")) / 10**12

        tokens = (
            usd(text, "input") + usd(audio, "input_audio") + usd(read, "cache_read") + usd(cached, "cache_read_audio")
            + usd(written, "cache_write_5m") + usd(long, "cache_write_1h") + usd(plain, "output")
            + usd(image, "output_image")
        )  # fmt: skip
        fees = (
            Decimal(rate.request_nanousd + uses * rate.tools_nanousd["web_search"] + rate.tools_nanousd["maps"]) / 10**9
        )
        others = Decimal(units * rate.units_attousd["audio_ms"] + (units + 1) * rate.units_attousd["pages"]) / 10**18
        nano = Decimal("1e-9")
        true = tokens.quantize(nano, ROUND_HALF_UP) + fees + others.quantize(nano, ROUND_HALF_UP)
        assert got.total_nanousd == true * 10**9
        assert sum(part or 0 for part in parts(got)) == got.total_nanousd


@pytest.mark.parametrize(
    ("day", "is_working"),
    [(date(1970, 1, 1), True), (date(1970, 1, 3), False), (date(1970, 1, 4), False), (date(2026, 11, 20), True),
     (date(2026, 11, 22), False), (date(2026, 10, 2), False)],
)  # fmt: skip
def test_working_days_are_monday_to_friday_but_for_holidays(day: date, is_working: bool) -> None:
    holiday = (date(2026, 10, 2) - date(1970, 1, 1)).days
    assert is_working_day((day - date(1970, 1, 1)).days, [holiday]) is is_working
