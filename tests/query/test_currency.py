"""Amounts in another currency: by the rate of each day, exactly, or not at all."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tallybook.model.errors import InputError, SettingError
from tallybook.query import currency
from tallybook.query.span import between, last_days
from tallybook.query.totals import Scope, groups, total
from tallybook.store.memory import MemoryStore

from .company import NOW_US, call

RATES = """date,currency,per_usd
# a remark
2026-11-20,EUR,0.90
2026-11-10,EUR,0.80
2026-11-10,JPY,150
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rates.csv"
    path.write_text(RATES, encoding="utf-8-sig")
    return path


def rates(file: Path, code: str = "EUR") -> currency.Rates:
    found = currency.load(code, file)
    assert found is not None
    return found


def test_a_rate_holds_until_the_next_one(file: Path) -> None:
    found = rates(file, "eur")
    assert found.convert(1_000_000_000, date(2026, 11, 10)) == 800_000_000
    assert found.convert(1_000_000_000, date(2026, 11, 19)) == 800_000_000
    assert found.convert(1_000_000_000, date(2026, 11, 20)) == 900_000_000
    assert found.convert(1_000_000_000, date(2027, 1, 1)) == 900_000_000


def test_a_day_before_the_first_rate_is_an_error_that_says_what_to_add(file: Path) -> None:
    with pytest.raises(InputError, match="2026-11-09") as caught:
        rates(file).on(date(2026, 11, 9))
    assert "2026-11-09,EUR" in str(caught.value.hint)


def test_an_old_rate_is_used_and_told(file: Path) -> None:
    assert rates(file).stale_on(date(2026, 11, 27)) is None
    assert rates(file).stale_on(date(2026, 11, 28)) == date(2026, 11, 20)


def test_dollars_need_no_rates() -> None:
    assert currency.load("usd", None) is None


def test_another_currency_without_a_file_says_how_to_make_one() -> None:
    with pytest.raises(SettingError) as caught:
        currency.load("EUR", None)
    assert "TALLYBOOK_RATES" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-11-10,EUR\n", "line 1"),
        ("date,currency,per_usd\n2026-11-10,EUR,zero\n", "line 2"),
        ("2026-11-10,EUR,-1\n", "line 1"),
        ("2026-11-10,EUR,NaN\n", "line 1"),
        ("10.11.2026,EUR,0.9\n", "line 1"),
        ("", "empty"),
        ("2026-11-10,JPY,150\n", "it has JPY"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(SettingError, match=message):
        currency.load("EUR", path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"rates\.csv"):
        currency.load("EUR", tmp_path / "rates.csv")


def test_a_total_adds_each_day_at_its_own_rate(file: Path) -> None:
    store = MemoryStore()
    store.append(
        [
            call("2026-11-19T12:00", "a", 10**9),
            call("2026-11-20T12:00", "a", 10**9),
            call("2026-11-21T12:00", "b", None),
        ]
    )
    scope = Scope(span=last_days(30, NOW_US, "UTC"), rates=rates(file))
    whole = total(store, scope)
    assert (whole.totals.cost_nanousd, whole.totals.cost_nano) == (2 * 10**9, 1_700_000_000)
    by_model = {group.by["model"]: group.totals.cost_nano for group in groups(store, scope, ("model",))}
    assert by_model == {"a": 1_700_000_000, "b": None}
    limited = groups(store, scope, ("model",), limit=1, order=(("cost_nanousd", "desc"),))
    assert [group.totals.cost_nano for group in limited] == [1_700_000_000]


@pytest.mark.parametrize(
    ("grain", "expected"), [("week", {"2026-11-16": 1_700_000_000}), ("month", {"2026-11-01": 1_700_000_000})]
)
def test_periods_add_their_days_rates(file: Path, grain: str, expected: dict[str, int]) -> None:
    store = MemoryStore()
    store.append([call("2026-11-19T12:00", "a", 10**9), call("2026-11-20T12:00", "a", 10**9)])
    scope = Scope(span=between("2026-11-01", None, NOW_US, "UTC"), rates=rates(file))
    found = groups(store, scope, (), grain=grain)  # type: ignore[arg-type]
    assert {group.by["time"]: group.totals.cost_nano for group in found} == expected


def test_the_day_of_a_rate_is_the_reporting_zones(file: Path) -> None:
    store = MemoryStore()
    store.append([call("2026-11-19T23:30", "a", 10**9)])
    in_berlin = Scope(span=between("2026-11-01", None, NOW_US, "Europe/Berlin"), rates=rates(file))
    assert total(store, in_berlin).totals.cost_nano == 900_000_000
