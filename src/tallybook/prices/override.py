"""The user's own prices: `prices.toml`, dated rows that win over the price list. The format is in `docs/prices.md`.

    [[price]]
    provider = "azure"
    model = "team-a-chat"
    since = 2026-10-01
    input = 2.5          # USD per million tokens
    output = 10
    tools = { web_search = 0.01 }

A row without `service_tier` and `batch` is for standard calls. For another tier that neither the file nor the list
knows it is used too, and the cost marked as an estimate.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tallybook.model.errors import SettingError
from tallybook.model.money import nanousd, picousd_per_token
from tallybook.prices import naming
from tallybook.prices.base import Key, Rate
from tallybook.prices.listed import lacking

_PARTS = (
    "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "input_audio", "input_image",
    "output_audio", "output_image", "reasoning",
)  # fmt: skip
_KNOWN = frozenset(
    (
        *_PARTS, "provider", "model", "service_tier", "batch", "since", "until", "above_input_tokens", "request",
        "tools", "free",
    )
)  # fmt: skip
_HINT = "see docs/prices.md for the format of prices.toml"


class Row(NamedTuple):
    """One row of the file: whom it is for, and the rate it sets."""

    provider: str
    """The price list's id of the provider, or `*`."""
    model: str
    """Lower case; a `*` at the end stands for any ending."""
    tier: str | None
    rate: Rate

    def holds_for(self, key: Key) -> bool:
        """Whether the row names this provider and model, whatever the tier."""
        if self.provider not in ("*", naming.provider_id(key.provider)):
            return False
        model = key.model.lower()
        return model.startswith(self.model[:-1]) if self.model.endswith("*") else model == self.model


def read(path: Path) -> list[Row]:
    """The rows of a file of prices. Raises SettingError that names file, row and field."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"{path}: {error}", hint=_HINT) from error
    rows = data.pop("price", [])
    if data or not isinstance(rows, list):
        raise SettingError(
            f"{path}: only [[price]] tables may stand here, not {sorted(data) or 'price = …'}", hint=_HINT
        )
    found = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(_row(row, f"{path.name}: price {number}"))
        except (ValueError, ArithmeticError, TypeError) as error:
            raise SettingError(f"{path}: price {number}: {error}", hint=_HINT) from error
    return found


def _row(row: dict[str, Any], name: str) -> Row:
    unknown = row.keys() - _KNOWN
    if unknown:
        raise ValueError(f"unknown field {sorted(unknown)[0]!r}; known: {', '.join(sorted(_KNOWN))}")
    for field in ("provider", "model"):
        if not isinstance(row.get(field), str) or not row[field]:
            raise ValueError(f"{field} must be given as text")
    tools = row.get("tools", {})
    if not isinstance(tools, dict):
        raise ValueError("tools must be a table of USD per use")
    prices = {part + "_picousd": picousd_per_token(_amount(row[part], part)) for part in _PARTS if part in row}
    if not prices and not row.get("free") and not row.get("request"):
        raise ValueError("a row needs a price, a fee per request, or free = true")
    above = row.get("above_input_tokens", 0)
    if not isinstance(above, int) or isinstance(above, bool) or above < 0:
        raise ValueError(f"above_input_tokens must be a whole number of tokens, not {above!r}")
    since, until = _day(row.get("since"), "since"), _day(row.get("until"), "until")
    if since is not None and until is not None and until <= since:
        raise ValueError("until must be later than since")
    rate = Rate(
        request_nanousd=nanousd(_amount(row.get("request", 0), "request")),
        tools_nanousd={kind: nanousd(_amount(fee, f"tools.{kind}")) for kind, fee in tools.items()},
        above_input_tokens=above,
        since_us=since,
        until_us=until,
        price=name,
        is_free=bool(row.get("free", False)),
        lacking=lacking(row["model"], prices),
    )
    provider = "*" if row["provider"] == "*" else naming.provider_id(row["provider"])
    return Row(
        provider,
        row["model"].lower(),
        naming.tier(row.get("service_tier"), bool(row.get("batch"))),
        msgspec.structs.replace(rate, **prices),
    )


def _amount(value: Any, field: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise ValueError(f"{field} must be a number of USD, not {value!r}")
    amount = Decimal(value)
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{field} must not be negative, infinite or NaN")
    return amount


def _day(value: Any, field: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    else:
        raise ValueError(f"{field} must be a date such as 2026-10-01 (UTC), not {value!r}")
    return int(moment.timestamp()) * 1_000_000


def applied(rows: Sequence[Row], key: Key, listed: tuple[Rate, ...]) -> tuple[Rate, ...]:
    """The rates of a key: the user's where one is in force, the list's at all other times.

    Of several rows for the same time and size the last one in the file holds.
    """
    tier = naming.tier(key.service_tier, key.is_batch)
    named = [row for row in rows if row.holds_for(key)]
    own = [row.rate for row in named if row.tier == tier]
    if not own and tier is not None and (not listed or all(rate.estimated for rate in listed)):
        doubt = f"tier:{tier}_price_unknown"
        own = [msgspec.structs.replace(row.rate, estimated=doubt) for row in named if row.tier is None]
    kept: list[Rate] = []
    for rate in own:
        kept = [*_outside(kept, rate, lambda other, winner: other == winner), rate]
    for rate in own:
        listed = tuple(_outside(listed, rate, lambda other, winner: other >= winner))
    return (*listed, *kept)


def _outside(rates: Sequence[Rate], winner: Rate, yields: Callable[[int, int], bool]) -> list[Rate]:
    """`rates` cut to the times at which `winner` is not in force, where `yields` says so of both input sizes.

    Among the user's own, rows for different sizes stand beside each other: together they are one tiered price.
    """
    left = []
    for rate in rates:
        if not yields(rate.above_input_tokens, winner.above_input_tokens):
            left.append(rate)
            continue
        ends = rate.until_us is not None and winner.since_us is not None and rate.until_us <= winner.since_us
        begins = rate.since_us is not None and winner.until_us is not None and rate.since_us >= winner.until_us
        if ends or begins:
            left.append(rate)
            continue
        if winner.since_us is not None and (rate.since_us is None or rate.since_us < winner.since_us):
            left.append(msgspec.structs.replace(rate, until_us=winner.since_us))
        if winner.until_us is not None and (rate.until_us is None or rate.until_us > winner.until_us):
            left.append(msgspec.structs.replace(rate, since_us=winner.until_us))
    return left
