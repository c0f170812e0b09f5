"""Money is integers; what comes in as text, float or decimal is rounded once, half to even, and never by accident."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal, Inexact, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.model.money import nano_from_pico, nanousd, picousd_per_token, usd


@given(st.integers(-(10**24), 10**24))
def test_an_amount_in_nano_usd_comes_back_from_usd_exactly(amount: int) -> None:
    assert nanousd(usd(amount)) == amount
    assert Fraction(usd(amount)) == Fraction(amount, 10**9)


@given(st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, allow_infinity=False))
def test_rounding_errs_by_half_a_nano_usd_at_most_and_to_the_even_one(amount: Decimal) -> None:
    exact = Fraction(amount) * 10**9
    found = nanousd(amount)
    assert abs(found - exact) <= Fraction(1, 2)
    if abs(found - exact) == Fraction(1, 2):
        assert found % 2 == 0


@given(st.floats(min_value=-1e9, max_value=1e9))
def test_a_float_is_read_by_its_shortest_decimal_form(amount: float) -> None:
    assert nanousd(amount) == nanousd(repr(amount))


def test_the_usual_floats_are_what_they_say() -> None:
    assert [nanousd(amount) for amount in (0.1, 0.0025, "0.0025", 3, 1e-9, "1e-9")] == [
        100_000_000,
        2_500_000,
        2_500_000,
        3_000_000_000,
        1,
        1,
    ]
    assert [nanousd(f"{n}.5e-9") for n in range(4)] == [0, 2, 2, 4]


def test_the_applications_own_precision_rounding_and_traps_change_nothing() -> None:
    with localcontext() as context:
        context.prec = 3
        context.rounding = ROUND_UP
        context.traps[Inexact] = True
        assert nanousd("1.23456789") == 1_234_567_890
        assert nanousd("0.0000000004") == 0
        assert usd(1_234_567_890) == Decimal("1.23456789")
        assert picousd_per_token("0.0375") == 37_500


@pytest.mark.parametrize(
    "wrong", ["", "a dollar", "1,5", float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")]
)
def test_what_is_no_amount_is_said_to_be_none(wrong: object) -> None:
    with pytest.raises(ValueError, match="is not an amount of money in USD"):
        nanousd(wrong)  # type: ignore[arg-type]


def test_the_price_of_a_token_is_exact_down_to_a_millionth_of_a_usual_price() -> None:
    assert picousd_per_token(3) == 3_000_000
    assert picousd_per_token("0.0375") == 37_500
    assert picousd_per_token(0.000001) == 1


@given(st.integers(0, 10**30))
def test_pico_to_nano_rounds_half_up(amount: int) -> None:
    found = nano_from_pico(amount)
    assert 2 * (found * 1_000 - amount) <= 1_000 < 2 * ((found + 1) * 1_000 - amount) + 1
    assert (nano_from_pico(500), nano_from_pico(499)) == (1, 0)
