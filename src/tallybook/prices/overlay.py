"""Our own dated prices, between the user's and the price list: what the list lacks, or has wrong.

They stand in `overlay.toml` beside this file, each row with its source and the day it was checked, in the format of
the user's `prices.toml`. In this order rows set a price, amend and fill it; then prices of a tier (batch, flex …) that
the list knows from a later day on are carried back to the day the provider introduced the tier; then rows multiply,
all that match: discounts of a tier where its price is not known otherwise, premiums of a region. A fact about a call
that no row speaks of leaves a doubt on its price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cache
from pathlib import Path

import msgspec

from tallybook.prices import naming
from tallybook.prices.base import Key, Rate
from tallybook.prices.override import amended, changed, doubted, multiplied, settled, split, with_set
from tallybook.prices.row import PARTS, Row, read

PATH = Path(__file__).with_name("overlay.toml")

_TIERS_SINCE = {
    ("anthropic", "batch"): date(2024, 10, 8), ("google", "batch"): date(2025, 7, 7),
    ("groq", "batch"): date(2025, 3, 12), ("mistral", "batch"): date(2024, 11, 7),
    ("openai", "batch"): date(2024, 4, 15), ("openai", "flex"): date(2025, 4, 16),
    ("openai", "priority"): date(2025, 6, 5), ("x-ai", "batch"): date(2026, 1, 13),
}  # fmt: skip
"""When providers introduced their tiers. The list knows their prices from October 2026 on only (trap 3), at ratios to
the standard price that have not changed since; sources are the providers' announcements."""


@cache
def rows() -> tuple[Row, ...]:
    """The rows of the overlay. A mistake in it is a fault of ours, and raised."""
    found = read(PATH.read_text(encoding="utf-8"), PATH.name)
    if found.faults:
        raise found.faults[0]
    return tuple([_named(row) for row in found.rows])


def _named(row: Row) -> Row:
    """With a name that stays when rows are added before it: `overlay: openai/o3`."""
    name = f"overlay: {row.providers[0]}/{row.models[0]}"
    return row._replace(name=name, rate=msgspec.structs.replace(row.rate, price=name))


@cache
def _rows_of(provider: str) -> tuple[Row, ...]:
    """Those rows that may be for a provider: a run over thousands of models asks only these."""
    return tuple([row for row in rows() if "*" in row.providers or provider in row.providers])


_NO_DOUBT = frozenset(("image_quality", "image_size", "surface"))
"""Facts that no price need speak of: pictures are billed by their tokens where no row prices them by their size."""


def overlaid(
    key: Key, facts: Mapping[str, str], standard: tuple[Rate, ...], tiered: tuple[Rate, ...] | None
) -> tuple[Rate, ...]:
    """The rates of a key with the overlay laid over the list's: `standard`, and for a tier those of the tier."""
    tier = naming.tier(key.service_tier, key.is_batch)
    named = [row for row in _rows_of(naming.provider_id(key.provider)) if row.names(key, facts)]
    rates = _adjusted(named, None, standard)
    if tier is not None:
        rates = _of_tier(key, tier, rates, tiered or ())
        rates = _adjusted(named, tier, rates)
    for row in named:
        if row.mode == "multiply" and not row.any_tier and row.tier == tier:
            rates = _discounted(row, tier, rates)
    for row in named:
        if row.mode == "multiply" and row.any_tier:
            rates = changed(rates, row.rate, multiplied(row, row.parts))
    spoken = {name for row in named for name, _ in row.where}
    unmatched = [f"context_unmatched:{name}={facts[name]}" for name in sorted(facts.keys() - spoken - _NO_DOUBT)]
    return tuple([doubted(rate, *unmatched) for rate in rates]) if unmatched else rates


def _adjusted(named: Sequence[Row], tier: str | None, rates: tuple[Rate, ...]) -> tuple[Rate, ...]:
    """With the rows of one tier that set, amend or fill; fees of tools are filled in for all tiers."""
    found = with_set([row for row in named if row.tier == tier], tier, rates)
    for row in named:
        is_fee = row.mode == "fill" and row.any_tier and _fills_no_tokens(row)
        if row.mode in ("amend", "fill") and (row.tier == tier or is_fee):
            found = changed(found, row.rate, amended(row))
    return found


def _fills_no_tokens(row: Row) -> bool:
    return all(getattr(row.rate, part + "_picousd") is None for part in PARTS)


def _unknown(tier: str) -> str:
    return f"tier:{tier}_price_unknown"


def _of_tier(key: Key, tier: str, standard: tuple[Rate, ...], tiered: tuple[Rate, ...]) -> tuple[Rate, ...]:
    """Rates of a tier: the list's where it knows them, else carried back, else the standard ones in doubt."""
    doubt = _unknown(tier)
    known = [rate for rate in tiered if doubt not in rate.doubts]
    found = list(known)
    first = min((rate.since_us for rate in known if rate.since_us is not None), default=None)
    introduced = _introduced(key, tier)
    rest = list(standard)
    for rate in known:
        rest = [piece for other in rest for piece in split(other, rate)[1]]
    for rate in rest:
        ratio = _ratios(rate, standard, known, first) if first is not None and introduced is not None else None
        if ratio is None or introduced is None:
            found.append(doubted(rate, doubt))
            continue
        inside, outside = split(rate, Rate(since_us=introduced, until_us=first))
        found.extend(doubted(piece, doubt) for piece in outside)
        if inside is not None:
            found.append(_scaled(inside, ratio, tier))
    return tuple(found)


def _introduced(key: Key, tier: str) -> int | None:
    day = _TIERS_SINCE.get((naming.provider_id(key.provider), "priority" if tier == "fast" else tier))
    return None if day is None else int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _ratios(
    rate: Rate, standard: Sequence[Rate], known: Sequence[Rate], first_us: int | None
) -> dict[str, Fraction] | None:
    """Price of each part in the tier to that part's standard price, on the first day both are known."""
    pairs = [
        (one, other)
        for one in known
        for other in standard
        if one.since_us == first_us
        and one.above_input_tokens == other.above_input_tokens
        and (other.since_us is None or other.since_us <= (first_us or 0))
        and (other.until_us is None or other.until_us > (first_us or 0))
    ]
    by_size = {one.above_input_tokens: (one, other) for one, other in pairs}
    pair = by_size.get(rate.above_input_tokens) or by_size.get(0)
    if pair is None:
        return None
    found = {}
    for part in PARTS:
        tiered, plain = (getattr(each, part + "_picousd") for each in pair)
        if tiered is not None and plain:
            found[part] = Fraction(tiered, plain)
    return found


def _scaled(rate: Rate, ratio: Mapping[str, Fraction], tier: str) -> Rate:
    new = {
        part + "_picousd": round(amount * ratio.get(part, Fraction(1)))
        for part in PARTS
        if (amount := getattr(rate, part + "_picousd")) is not None
    }
    return msgspec.structs.replace(rate, **new, price=f"{rate.price}, {tier} as of its first listing")


def _discounted(row: Row, tier: str | None, rates: tuple[Rate, ...]) -> tuple[Rate, ...]:
    """A tier's multiplier, where the price of the tier is not known otherwise."""
    if tier is None:
        return rates
    doubt = _unknown(tier)
    change = multiplied(row, row.parts)
    return tuple(
        piece
        for rate in rates
        for piece in (
            changed([rate], row.rate, lambda each: change(settled(each, (doubt,)))) if doubt in rate.doubts else (rate,)
        )
    )
