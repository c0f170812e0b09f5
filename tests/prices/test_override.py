"""The user's own prices: what wins when, and how a wrong file is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tallybook.model.call import Call, Cost
from tallybook.model.codec import unix_us_of
from tallybook.model.errors import SettingError
from tallybook.model.usage import Usage
from tallybook.prices.base import Key, Rate
from tallybook.prices.cost import cost_of
from tallybook.prices.override import applied, read

LISTED = (
    Rate(input_picousd=100, output_picousd=100, price="list"),
    Rate(input_picousd=200, output_picousd=200, above_input_tokens=1_000, price="list, large"),
)


def us(year: int, month: int, day: int) -> int:
    return unix_us_of(datetime(year, month, day, tzinfo=UTC))


def rows(tmp_path: Path, text: str) -> list[Any]:
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return read(path)


def priced(found: tuple[Rate, ...], at: int = 0, tokens: int = 10) -> Cost:
    usage = Usage(input_tokens=tokens, output_tokens=0)
    return cost_of(Call(call_id="c", started_at_us=at, usage=usage), found)


def test_a_row_gives_an_unknown_deployment_its_price(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        """
        [[price]]
        provider = "azure"
        model = "team-a-chat"
        input = 2.5
        output = 10
        cache_read = 1.25
        request = 0.005
        tools = { web_search = 0.01 }
        """,
    )
    (rate,) = applied(found, Key("azure-openai", "Team-A-Chat"), ())
    assert (rate.input_picousd, rate.output_picousd, rate.cache_read_picousd) == (2_500_000, 10_000_000, 1_250_000)
    assert (rate.request_nanousd, rate.tools_nanousd) == (5_000_000, {"web_search": 10_000_000})
    assert rate.price == "prices.toml: price 1"
    assert applied(found, Key("azure", "team-b-chat"), ()) == ()
    assert applied(found, Key("openai", "team-a-chat"), ()) == ()


def test_prices_are_read_without_going_through_binary_fractions(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, '[[price]]\nprovider = "*"\nmodel = "m"\ninput = 0.0375\n')
    assert row.rate.input_picousd == 37_500


def test_a_dated_row_wins_in_its_time_and_the_list_at_all_others(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        '[[price]]\nprovider = "openai"\nmodel = "m"\nsince = 2026-03-01\nuntil = 2026-04-01\ninput = 1\noutput = 1\n',
    )
    merged = applied(found, Key("openai", "m"), LISTED)
    assert [priced(merged, us(2026, month, 15), 10).price for month in (2, 3, 4)] == [
        "list",
        "prices.toml: price 1",
        "list",
    ]
    assert [priced(merged, us(2026, month, 15), 2_000).price for month in (2, 3, 4)] == [
        "list, large",
        "prices.toml: price 1",
        "list, large",
    ]
    assert priced(merged, us(2026, 4, 1)).price == "list"
    assert priced(merged, us(2026, 3, 1)).price == "prices.toml: price 1"


def test_of_two_rows_for_the_same_time_the_later_in_the_file_holds(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        '[[price]]\nprovider = "*"\nmodel = "m"\ninput = 1\n'
        '[[price]]\nprovider = "*"\nmodel = "m"\ninput = 2\nsince = 2026-03-01\n',
    )
    merged = applied(found, Key("openai", "m"), LISTED)
    assert priced(merged, us(2026, 2, 1)).price == "prices.toml: price 1"
    assert priced(merged, us(2026, 3, 1)).price == "prices.toml: price 2"


def test_rows_for_different_input_sizes_are_one_tiered_price(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        '[[price]]\nprovider = "*"\nmodel = "m"\ninput = 1\n'
        '[[price]]\nprovider = "*"\nmodel = "m"\ninput = 2\nabove_input_tokens = 5000\n',
    )
    merged = applied(found, Key("openai", "m"), LISTED)
    assert priced(merged, tokens=5_000).price == "prices.toml: price 1"
    assert priced(merged, tokens=5_001).price == "prices.toml: price 2"


def test_a_row_for_large_inputs_leaves_the_lists_price_for_small_ones(tmp_path: Path) -> None:
    found = rows(tmp_path, '[[price]]\nprovider = "*"\nmodel = "m"\ninput = 2\nabove_input_tokens = 500\n')
    merged = applied(found, Key("openai", "m"), LISTED)
    assert [priced(merged, tokens=n).price for n in (500, 501, 2_000)] == ["list", *["prices.toml: price 1"] * 2]


def test_a_star_at_the_end_stands_for_any_ending(tmp_path: Path) -> None:
    found = rows(tmp_path, '[[price]]\nprovider = "self-hosted"\nmodel = "my-org/*"\nfree = true\n')
    (rate,) = applied(found, Key("self_hosted", "my-org/llama-3"), ())
    assert rate.is_free
    assert applied(found, Key("self-hosted", "other/llama-3"), ()) == ()


def test_a_row_for_a_tier_is_for_that_tier_alone(tmp_path: Path) -> None:
    found = rows(
        tmp_path, '[[price]]\nprovider = "*"\nmodel = "m"\nbatch = true\ninput = 0.5\noutput = 1\nsince = 2026-01-01\n'
    )
    at = us(2026, 1, 1)
    assert priced(applied(found, Key("openai", "m"), LISTED), at).price == "list"
    assert priced(applied(found, Key("openai", "m", None, True), LISTED), at).price == "prices.toml: price 1"


def test_a_standard_row_is_an_estimate_for_a_tier_that_nobody_knows(tmp_path: Path) -> None:
    found = rows(tmp_path, '[[price]]\nprovider = "*"\nmodel = "m"\ninput = 1\n')
    got = priced(applied(found, Key("openai", "m", "flex"), ()))
    assert (got.status, got.reasons) == ("estimated", ("tier:flex_price_unknown",))
    assert priced(applied(found, Key("openai", "m", "flex"), LISTED)).price == "list"


def test_a_part_without_a_price_in_the_row_makes_the_call_partial(tmp_path: Path) -> None:
    found = rows(tmp_path, '[[price]]\nprovider = "*"\nmodel = "m"\ninput = 1\noutput = 1\n')
    usage = Usage(input_tokens=10, cache_read_tokens=5, output_tokens=0)
    got = cost_of(Call(call_id="c", started_at_us=0, usage=usage), applied(found, Key("openai", "m"), ()))
    assert (got.status, got.reasons) == ("partial", ("no_price_for:cache_read",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[price]", "line 1"),
        ("a = 1", "only [[price]] rows"),
        ("price = 3", "only [[price]] rows"),
        ('[[price]]\nprovider = "p"\ninput = 1', "price 1: model must be given"),
        ('[[price]]\nprovider = "p"\nmodel = "m"', "price 1: a row needs a price"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = "1"', "price 1: input must be a number"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = -1', "price 1: input must not be negative"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = nan', "price 1: input must not be negative"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninptu = 1', "price 1: unknown field 'inptu'"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nsince = "May"', "price 1: since must be a date"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\ntools = 1', "price 1: tools must be a table"),
        ('[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nabove_input_tokens = 1.5', "price 1: above_input_tokens"),
        (
            '[[price]]\nprovider = "p"\nmodel = "m"\ninput = 1\nsince = 2026-02-01\nuntil = 2026-02-01',
            "price 1: until must be later",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_row_and_field(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingError) as caught:
        rows(tmp_path, text)
    assert "prices.toml" in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.hint


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"none\.toml"):
        read(tmp_path / "none.toml")
