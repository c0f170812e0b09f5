"""Amounts in another currency, by dated rates that the user keeps in a file.

The file is CSV with the header `date,currency,per_usd`: so many units of the currency were one US dollar on that
day. A rate holds until the next one of its currency, as weekends have none. History is converted at the rate of
its own day, never at today's. There is no network here: who wants rates writes them down.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path

from tallybook.model.errors import InputError, SettingError

HEADER = ("date", "currency", "per_usd")
STALE_DAYS = 7
"""A rate older than this on the day it is used for is still used, and the report says so."""


class Rates:
    """Rates of one currency by day."""

    def __init__(self, currency: str, rates: Iterable[tuple[date, Decimal]], where: str) -> None:
        """`rates` in any order; `where` names their origin in messages."""
        ordered = sorted(rates)
        self.currency = currency
        self.where = where
        self._days = [day for day, _ in ordered]
        self._rates = [rate for _, rate in ordered]
        self.last_day = self._days[-1] if self._days else None

    def on(self, day: date) -> Decimal:
        """Units of the currency for one US dollar on a day. Raises InputError when the first rate is later."""
        index = bisect_right(self._days, day) - 1
        if index < 0:
            have = f"the first is of {self._days[0]}" if self._days else "it has none"
            raise InputError(
                f"no {self.currency} rate for {day} in {self.where}: {have}",
                field="--currency",
                hint=f"add a line such as {day},{self.currency},0.92 or ask for a later span",
            )
        return self._rates[index]

    def convert(self, nanousd: int, day: date) -> int:
        """The amount in billionths of the currency, rounded half to even."""
        return int((Decimal(nanousd) * self.on(day)).to_integral_value(ROUND_HALF_EVEN))

    def stale_on(self, day: date) -> date | None:
        """The day of the rate used for `day` where it is more than `STALE_DAYS` older, else `None`."""
        index = bisect_right(self._days, day) - 1
        if index < 0 or (day - self._days[index]).days <= STALE_DAYS:
            return None
        return self._days[index]


def load(currency: str, path: Path | None) -> Rates | None:
    """Rates of a currency from the rates file; `None` for USD. Raises SettingError when they cannot be had."""
    code = currency.strip().upper()
    if code == "USD":
        return None
    if path is None:
        raise SettingError(
            f"amounts in {code} need a file of rates, and none is set",
            hint=f"write a CSV with the header {','.join(HEADER)} and set TALLYBOOK_RATES (or rates_file) to its path",
        )
    try:
        import csv  # here, because most reports are in USD

        with path.open(encoding="utf-8-sig", newline="") as file:
            found, others = _read(csv.reader(file), code, path)
    except OSError as error:
        raise SettingError(
            f"{path}: {error.strerror or error}", hint="TALLYBOOK_RATES names the file of rates"
        ) from error
    if not found:
        have = f"it has {', '.join(sorted(others))}" if others else "it is empty"
        raise SettingError(f"{path} has no rate of {code}: {have}", hint=f"add a line such as 2026-11-20,{code},0.92")
    return Rates(code, found, str(path))


def _read(rows: Iterable[list[str]], code: str, path: Path) -> tuple[list[tuple[date, Decimal]], set[str]]:
    found: list[tuple[date, Decimal]] = []
    others: set[str] = set()
    for number, row in enumerate(rows, start=1):
        if not row or row[0].lstrip().startswith("#"):
            continue
        if tuple(cell.strip().lower() for cell in row) == HEADER:
            continue
        try:
            day_text, row_code, rate_text = (cell.strip() for cell in row)
            day, rate = date.fromisoformat(day_text), Decimal(rate_text)
            if not rate.is_finite() or rate <= 0:
                raise ValueError(f"{rate_text} is not a rate")
        except (ValueError, InvalidOperation) as error:
            raise SettingError(
                f"{path}, line {number}: {','.join(row)!r} is not {','.join(HEADER)}",
                hint="for example 2026-11-20,EUR,0.92",
            ) from error
        if row_code.upper() == code:
            found.append((day, rate))
        else:
            others.add(row_code.upper())
    return found, others
