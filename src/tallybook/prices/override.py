"""The user's own prices: `prices.toml`, dated rows that win over our overlay and the price list.

    [[price]]
    provider = "azure"
    model = "team-a-chat"
    since = 2026-10-01
    input = 2.5          # USD per million tokens
    output = 10
    tools = { web_search = 0.01 }

A row without `service_tier` and `batch` is for standard calls. For another tier that neither the file nor the list
knows it is used too, and the cost marked as an estimate. A row that multiplies (a negotiated discount) holds for all
tiers unless it names one; of several for the same time the last in the file holds, for the parts it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import msgspec

from tallybook.model.errors import SettingError
from tallybook.prices import naming
from tallybook.prices.base import DAY_MINUTES, Key, Rate
from tallybook.prices.row import PARTS, File, Row
from tallybook.prices.row import read as read_text

_HINT = "see docs/prices.md for the format of prices.toml"

Change = Callable[[Rate], Rate]


def load(path: Path) -> File:
    """The rows of a file of prices, and an error for each row that cannot be used.

    Raises SettingError when the file cannot be read at all.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: {error}", hint=_HINT) from error
    return read_text(text, path.name)


def read(path: Path) -> list[Row]:
    """The rows of a file of prices. Raises SettingError for the first mistake: file, line, row and field."""
    found = load(path)
    if found.faults:
        raise found.faults[0]
    return list(found.rows)


def applied(
    rows: Sequence[Row], key: Key, listed: tuple[Rate, ...], facts: Mapping[str, str] | None = None
) -> tuple[Rate, ...]:
    """The rates of a key: the user's where one is in force, those in `listed` at all other times.

    Of several rows for the same time and size the last one in the file holds.
    """
    tier = naming.tier(key.service_tier, key.is_batch)
    named = [row for row in rows if row.names(key, facts or {})]
    rates = with_set(named, tier, listed)
    for row in named:
        if row.mode in ("amend", "fill") and (row.tier == tier or row.any_tier):
            rates = changed(rates, row.rate, amended(row))
    done: frozenset[str] = frozenset()
    for row in reversed(named):
        if row.mode == "multiply" and (row.tier == tier or row.any_tier) and not row.parts <= done:
            rates = changed(rates, row.rate, multiplied(row, row.parts - done))
            if row.rate.since_us is None and row.rate.until_us is None:
                done |= row.parts
    return rates


def with_set(named: Sequence[Row], tier: str | None, listed: tuple[Rate, ...]) -> tuple[Rate, ...]:
    """`listed` with the rates of rows that set a price in their place, where these are in force."""
    sets = [row for row in named if row.mode == "set"]
    own = [row.rate for row in sets if row.tier == tier]
    if not own and tier is not None and (not listed or all(rate.estimated for rate in listed)):
        doubt = f"tier:{tier}_price_unknown"
        own = [doubted(row.rate, doubt) for row in sets if row.tier is None]
    kept: list[Rate] = []
    for rate in own:
        kept = [*_outside(kept, rate, lambda other, winner: other == winner), rate]
    for rate in own:
        listed = tuple(_outside(listed, rate, lambda other, winner: other >= winner))
    return (*listed, *kept)


def changed(rates: Sequence[Rate], window: Rate, change: Change) -> tuple[Rate, ...]:
    """`rates` with `change` done to the pieces of them that lie in the window's times, days, hours and sizes."""
    found: list[Rate] = []
    for rate in rates:
        if rate.above_input_tokens < window.above_input_tokens:
            found.append(rate)
            continue
        inside, outside = split(rate, window)
        found.extend(outside)
        if inside is not None:
            found.append(change(inside))
    return tuple(found)


def doubted(rate: Rate, *doubts: str) -> Rate:
    """The rate with further reasons why it is an estimate."""
    return msgspec.structs.replace(rate, estimated="; ".join(dict.fromkeys((*rate.doubts, *doubts))) or None)


def settled(rate: Rate, doubts: Sequence[str]) -> Rate:
    """The rate without some of its doubts."""
    return msgspec.structs.replace(
        rate, estimated="; ".join([doubt for doubt in rate.doubts if doubt not in doubts]) or None
    )


def amended(row: Row) -> Change:
    """What a row does to a rate that it amends, or fills where the rate lacks something."""

    def change(rate: Rate) -> Rate:
        new: dict[str, object] = {}
        for part in PARTS:
            field = part + "_picousd"
            amount = getattr(row.rate, field)
            if amount is not None and (row.mode == "amend" or getattr(rate, field) is None):
                new[field] = amount
        tools, units = dict(row.rate.tools_nanousd), dict(row.rate.units_attousd)
        if row.mode == "amend":
            tools, units = {**rate.tools_nanousd, **tools}, {**rate.units_attousd, **units}
        else:
            tools, units = {**tools, **rate.tools_nanousd}, {**units, **rate.units_attousd}
        now = msgspec.structs.replace(
            rate, **new, tools_nanousd=tools, units_attousd=units,
            tools_once=tuple(dict.fromkeys((*rate.tools_once, *row.rate.tools_once))),
            units_instead=rate.units_instead or row.rate.units_instead,
            request_nanousd=row.rate.request_nanousd or rate.request_nanousd,
            lacking=tuple([part for part in rate.lacking if part + "_picousd" not in new]),
            price=f"{rate.price}, {row.name}" if new or units != rate.units_attousd else rate.price,
        )  # fmt: skip
        now = settled(now, row.confirms)
        has_filled = bool(new) or units != rate.units_attousd or tools != rate.tools_nanousd
        is_doubtful = row.rate.estimated and (row.mode == "amend" or has_filled)
        return doubted(now, row.rate.estimated or "") if is_doubtful else now

    return change


def multiplied(row: Row, parts: frozenset[str]) -> Change:
    """What a row that multiplies does to a rate."""

    def change(rate: Rate) -> Rate:
        new: dict[str, object] = {}
        for part in PARTS:
            amount = getattr(rate, part + "_picousd")
            if part in parts and amount is not None:
                new[part + "_picousd"] = times(amount, row.factor)
        if "tools" in parts:
            new["tools_nanousd"] = {kind: times(fee, row.factor) for kind, fee in rate.tools_nanousd.items()}
        if "units" in parts:
            new["units_attousd"] = {name: times(price, row.factor) for name, price in rate.units_attousd.items()}
        if "request" in parts:
            new["request_nanousd"] = times(rate.request_nanousd, row.factor)
        if row.factor != 1:
            new["price"] = f"{rate.price} x {_number(row.factor)} ({row.name})"
        now = settled(msgspec.structs.replace(rate, **new), row.confirms)
        return doubted(now, row.rate.estimated) if row.rate.estimated else now

    return change


def times(amount: int, factor: Fraction) -> int:
    """An amount times a factor, rounded half to even."""
    return round(amount * factor)


def _number(factor: Fraction) -> str:
    return f"{float(factor):.4g}"


def split(rate: Rate, window: Rate) -> tuple[Rate | None, list[Rate]]:
    """The piece of a rate inside the window's times, hours and days, and the pieces outside. Sizes do not matter."""
    outside: list[Rate] = []
    since, until = window.since_us, window.until_us
    if (until is not None and rate.since_us is not None and rate.since_us >= until) or (
        since is not None and rate.until_us is not None and rate.until_us <= since
    ):
        return None, [rate]
    if rate.to_minute <= window.from_minute or rate.from_minute >= window.to_minute:
        return None, [rate]
    if window.days and rate.days and window.days != rate.days:
        return None, [rate]
    inside = rate
    if since is not None and (rate.since_us is None or rate.since_us < since):
        outside.append(msgspec.structs.replace(inside, until_us=since))
        inside = msgspec.structs.replace(inside, since_us=since)
    if until is not None and (rate.until_us is None or rate.until_us > until):
        outside.append(msgspec.structs.replace(inside, since_us=until))
        inside = msgspec.structs.replace(inside, until_us=until)
    if (window.from_minute, window.to_minute) != (0, DAY_MINUTES):
        if inside.from_minute < window.from_minute:
            outside.append(msgspec.structs.replace(inside, to_minute=window.from_minute))
            inside = msgspec.structs.replace(inside, from_minute=window.from_minute)
        if inside.to_minute > window.to_minute:
            outside.append(msgspec.structs.replace(inside, from_minute=window.to_minute))
            inside = msgspec.structs.replace(inside, to_minute=window.to_minute)
    if window.days and not inside.days:
        other = "rest" if window.days == "work" else "work"
        outside.append(msgspec.structs.replace(inside, days=other, holidays=window.holidays))
        inside = msgspec.structs.replace(inside, days=window.days, holidays=window.holidays)
    return inside, outside


def _outside(rates: Sequence[Rate], winner: Rate, yields: Callable[[int, int], bool]) -> list[Rate]:
    """`rates` cut to the times at which `winner` is not in force, where `yields` says so of both input sizes.

    Among the user's own, rows for different sizes stand beside each other: together they are one tiered price.
    """
    left: list[Rate] = []
    for rate in rates:
        if yields(rate.above_input_tokens, winner.above_input_tokens):
            left.extend(split(rate, winner)[1])
        else:
            left.append(rate)
    return left
