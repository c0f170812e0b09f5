"""The list prices of `genai-prices` as our dated rates, with a guard for each of its traps.

Importing this module costs nothing; the first call of `rates_of` loads the list (about 0.15 s of CPU), so `book`
calls it only for keys that its cache does not hold. What the list leaves in silence is said here (`docs/prices.md`):
an empty table is no price; a unit without a price, a tier or a batch before its first date, a price by the time
of day, and a price borrowed from another provider each leave their reason on the rate.

The list knows no region, data residency, deployment type, or contract; neither does this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tallybook.model.money import nanousd, picousd_per_token
from tallybook.prices import naming
from tallybook.prices.base import Key, Rate
from tallybook.prices.row import unit_attousd

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

_TOKEN_FIELDS = {
    "input_mtok": "input_picousd",
    "output_mtok": "output_picousd",
    "cache_read_mtok": "cache_read_picousd",
    "cache_write_mtok": "cache_write_5m_picousd",
    "cache_write_1h_mtok": "cache_write_1h_picousd",
    "input_audio_mtok": "input_audio_picousd",
    "input_image_mtok": "input_image_picousd",
    "output_audio_mtok": "output_audio_picousd",
    "output_image_mtok": "output_image_picousd",
    "output_reasoning_mtok": "reasoning_picousd",
    "cache_audio_read_mtok": "cache_read_audio_picousd",
    "cache_image_read_mtok": "cache_read_image_picousd",
}
_TOOL_FIELDS = {"web_searches_kcount": "web_search", "storage_searches_kcount": "file_search"}
_UNIT_FIELDS = {
    "input_audio_hours": ("audio_ms", 3_600_000), "audio_hours": ("audio_ms", 3_600_000),
    "input_mchars": ("characters", 1_000_000), "input_document_kpages": ("pages", 1_000),
    "input_annotated_document_kpages": ("annotated_pages", 1_000),
    "output_citation_mtok": ("citation_tokens", 1_000_000),
}  # fmt: skip
"""What is no token: our name of it, and how many of them the list's price is for."""
_ONCE = ("gemini-1", "gemini-2")
"""Models whose search fee is due for a grounded prompt, however many queries it took."""

_FREE_TOOLS = {
    "anthropic": ("web_fetch", "tool_search", "code_execution"),
    "google": ("code_execution", "url_context", "web_fetch"),
    "openai": ("apply_patch", "computer_use", "local_shell", "mcp", "tool_search"),
}
"""Tools that their provider runs without a fee of their own. Anthropic's code execution is free beside its web tools
and for 1,550 hours a month; what an organisation uses beyond that no response tells."""

GUARDED_PARTS = ("cache_read", "cache_write_5m", "cache_write_1h", "input_audio", "output_audio", "output_image")
"""Parts that providers charge differently from the rest of their side: without a price of their own a call that uses
them is partial. Images in the input and reasoning are ordinary tokens wherever the list has no row for them."""

_KNOWN_FAULTS = {("openai", "o3"): (date(2025, 6, 10), "cached_price_before_2025-06-10_unknown")}
"""Rows of the list that are known to be wrong before a day (trap 9: there o3 has the cached price of the day after)."""

_GEOGRAPHY = re.compile(r"(^|/)(us|us-gov|eu|apac|jp|au|ca|sa|global)\.")
"""Prefix of a Bedrock profile's name, also at the end of an ARN."""

_MIDNIGHT = time(0, 0, tzinfo=UTC)


class Found(NamedTuple):
    """A model of the list, where it was found, and why its price is only an estimate there."""

    provider: Provider
    model: ModelInfo
    doubts: tuple[str, ...]

    def doubted(self, reason: str) -> Found:
        """The same with one more reason."""
        return self._replace(doubts=(*self.doubts, reason))


@cache
def _providers() -> Mapping[str, Provider]:
    from genai_prices.data import providers  # here, because it loads pydantic and 1.6 MB of prices

    return {provider.id: provider for provider in providers}


def names() -> dict[str, tuple[str, ...]]:
    """Names of the models in the list, by provider: to suggest what a misspelt one may have meant."""
    return {name: tuple(model.id for model in provider.models) for name, provider in _providers().items()}


@cache
def source() -> str:
    """Name and version of the price list, as it stands in `Cost.price`."""
    from importlib.metadata import version  # here: 10 ms, needed with the list only

    return f"genai-prices {version('genai-prices')}"


def rates_of(key: Key) -> tuple[Rate, ...]:
    """All dated rates of a key; empty when the list does not know the model or has no price for it."""
    found = _find(key)
    if found is None:
        return ()
    return tuple(_rates(found, naming.tier(key.service_tier, key.is_batch)))


def _find(key: Key) -> Found | None:
    if not key.model:
        return None
    if naming.is_unstated(key.provider):
        return _find_at_maker(key.model)
    if naming.spelled(key.provider) in naming.GATEWAYS:
        found = _find_at_maker(key.model)
        return None if found is None else found.doubted(f"price_of:{found.provider.id}")
    provider = _providers().get(naming.provider_id(key.provider))
    return None if provider is None else _find_at(provider, key.model)


def _find_at(provider: Provider, model: str) -> Found | None:
    if naming.is_copy(provider.id, model):
        return None
    for candidate in naming.candidates(provider.id, model):
        doubts = () if candidate.estimated is None else (candidate.estimated,)
        own = _match(provider, candidate.model)
        if own is not None:
            return Found(provider, own, (*doubts, *_doubts(provider, own, candidate.model)))
        for name in provider.fallback_model_providers or ():
            other = _providers()[name]
            lent = _match(other, candidate.model)
            if lent is not None:
                return Found(other, lent, (*doubts, f"price_of:{name}", *_doubts(other, lent, candidate.model)))
    return None


def _match(provider: Provider, model: str) -> ModelInfo | None:
    """The list's own strict matching, less its hits that are none."""
    info = provider.find_model(model)
    if info is None or not any(_has_price(table) for table in _tables(info)):
        return None  # Trap 4: 179 models stand there with an empty table, which would come out as 0.
    if model.lower().startswith("ft:") and not info.id.startswith("ft:"):
        return None  # A fine-tuned model costs more than its base, which some patterns match.
    return info


def _doubts(provider: Provider, info: ModelInfo, model: str) -> tuple[str, ...]:
    """Why the price of a model found under this name is only an estimate at this provider."""
    found = []
    if model.lower().endswith("-latest") and info.id != model.lower():
        found.append("moving_alias")  # Trap 6: the list may know the alias from the day it meant an older model.
    if provider.id == "azure":
        found.append("deployment_type_unknown")  # Data zones and regional deployments cost 10 % more than global ones.
    if provider.id == "openrouter":
        found.append("route_unknown")  # The host that served it sets the price; OpenRouter states the cost itself.
    if provider.id == "perplexity" and any("requests_kcount" in table for table in _tables(info)):
        found.append("search_context_size_unknown")  # The list has the fee of the largest search context only.
    if any("output_citation_mtok" in table for table in _tables(info)):
        found.append("citation_tokens_unknown")  # Billed apart, and not told in a usage of ours.
    if provider.id == "aws" and info.id.startswith("regional.") and not _GEOGRAPHY.search(model.lower()):
        everywhere = "global." + info.id.removeprefix("regional.")
        if any(other.id == everywhere for other in provider.models):
            found.append("endpoint_region_unknown")  # Answers name the bare model; global profiles cost 10 % less.
    return tuple(found)


def _find_at_maker(model: str) -> Found | None:
    stated = naming.stated_maker(model)
    if stated is not None:
        provider = _providers().get(stated[0])
        return None if provider is None else _find_at(provider, stated[1])
    found: dict[str, Found] = {}
    for name in naming.MAKERS:
        provider = _providers()[name]
        bare = naming.candidates(name, model)[-1].model.lower()
        if provider.model_match is not None and provider.model_match.is_match(bare):
            hit = _find_at(provider, model)
            if hit is not None and hit.provider.id == name:
                found[name] = hit
    return next(iter(found.values())) if len(found) == 1 else None


class _Row(NamedTuple):
    """A price table with its condition, as the list has it; `since` and `window` exclude each other."""

    prices: ModelPrice
    since: date | None
    window: tuple[time, time] | None


def _rows(model: ModelInfo) -> list[_Row]:
    from genai_prices.types import ModelPrice, StartDateConstraint, TimeOfDateConstraint

    if isinstance(model.prices, ModelPrice):
        return [_Row(model.prices, None, None)]
    rows = []
    for conditional in model.prices:
        match conditional.constraint:
            case StartDateConstraint(start_date=since):
                rows.append(_Row(conditional.prices, since, None))
            case TimeOfDateConstraint(start_time=start, end_time=end):
                rows.append(_Row(conditional.prices, None, (start, end)))
            case _:
                rows.append(_Row(conditional.prices, None, None))
    return rows


def _fields(prices: ModelPrice) -> dict[str, Any]:
    return {name: value for name, value in vars(prices).items() if value is not None and not name.startswith("_")}


def _tables(model: ModelInfo) -> list[dict[str, Any]]:
    return [_fields(row.prices) for row in _rows(model)]


def _has_price(table: Mapping[str, Any]) -> bool:
    """Whether a table has any price but 0: what is free is told by its name, never by a table of zeros."""
    return any(not isinstance(value, Decimal) or value for value in table.values())


def _hours(window: tuple[time, time]) -> float:
    """Length of a daily window in hours; one that ends before it starts runs over midnight."""
    start, end = (
        (moment.hour * 60 + moment.minute) / 60
        for moment in (datetime.combine(date(1970, 1, 2), edge).astimezone(UTC) for edge in map(_aware, window))
    )
    return (end - start) % 24


def _aware(moment: time) -> time:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _standard(rows: Sequence[_Row], moment: date) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The standard prices in force on a day.

    Rows by the time of day know no weekday, holiday, or first date (trap 5), so such a price is an estimate: of those
    of that day, the one that holds for most hours.
    """
    dated = [row for row in rows if row.window is None and (row.since is None or row.since <= moment)]
    base = dated[-1] if dated else rows[0]
    windows = [row for row in rows if row.window is not None]
    if not windows:
        return _fields(base.prices), ()
    hours: dict[str, float] = {}
    table: dict[str, dict[str, Any]] = {}
    for row in windows:
        fields = _fields(row.prices)
        name = repr(sorted(fields.items(), key=str))
        table[name] = fields
        hours[name] = hours.get(name, 0.0) + _hours(row.window or (_MIDNIGHT, _MIDNIGHT))
    longest = max(hours, key=lambda name: hours[name])
    chosen = table[longest] if hours[longest] > 24 - sum(hours.values()) else _fields(base.prices)
    return chosen, ("time_of_day_price",)


def _tiered(model: ModelInfo, tier: str, moment: date) -> dict[str, Any] | None:
    """What a service tier changes on a day; `None` when the list does not know the tier then (trap 3)."""
    from genai_prices.types import StartDateConstraint

    contexts = ({"processing": "batch"},) if tier == "batch" else ({"service_tier": tier}, {"speed": tier})
    known = False
    changes: dict[str, Any] = {}
    for variant in model.price_variants or ():
        if variant.when not in contexts:
            continue
        if isinstance(variant.constraint, StartDateConstraint) and variant.constraint.start_date > moment:
            continue
        known = True
        for name, value in _fields(variant.prices).items():
            changes.setdefault(name, value)
    return changes if known else None


def _boundaries(model: ModelInfo, rows: Iterable[_Row], tier: str | None) -> list[date]:
    from genai_prices.types import StartDateConstraint

    days = {row.since for row in rows if row.since is not None}
    if tier is not None:
        days |= {
            variant.constraint.start_date
            for variant in model.price_variants or ()
            if isinstance(variant.constraint, StartDateConstraint)
        }
    return sorted(days)


def _us(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _rates(found: Found, tier: str | None) -> Iterable[Rate]:
    rows = _rows(found.model)
    edges: list[date | None] = [None, *_boundaries(found.model, rows, tier), None]
    for since, until in pairwise(edges):
        moment = since or date.min
        prices, doubts = _standard(rows, moment)
        if not prices:
            continue
        fault = _KNOWN_FAULTS.get((found.provider.id, found.model.id))
        if fault is not None and moment < fault[0]:
            doubts = (*doubts, fault[1])
        if tier is not None:
            changes = _tiered(found.model, tier, moment)
            if changes is None:
                doubts = (*doubts, f"tier:{tier}_price_unknown")
            else:
                prices = {**prices, **changes}
        yield from _by_size(found, prices, (*found.doubts, *doubts), since, until)


def _by_size(
    found: Found, prices: Mapping[str, Any], doubts: tuple[str, ...], since: date | None, until: date | None
) -> Iterable[Rate]:
    """One rate for each input size from which a price changes."""
    from genai_prices.types import TieredPrices

    starts = {0}
    for value in prices.values():
        if isinstance(value, TieredPrices):
            starts |= {step.start for step in value.tiers}
    name = f"{source()}: {found.provider.id}/{found.model.id}" + (f" since {since.isoformat()}" if since else "")
    for start in sorted(starts):
        flat: dict[str, Decimal] = {}
        for field, value in prices.items():
            if isinstance(value, TieredPrices):
                reached = [step.price for step in value.tiers if step.start <= start]
                flat[field] = reached[-1] if reached and start else value.base
            else:
                flat[field] = value
        scope = (None if since is None else _us(since), None if until is None else _us(until), start)
        yield _rate(found, flat, doubts, name, scope)


def _rate(
    found: Found,
    flat: Mapping[str, Decimal],
    doubts: tuple[str, ...],
    name: str,
    scope: tuple[int | None, int | None, int],
) -> Rate:
    tokens = {ours: picousd_per_token(flat[theirs]) for theirs, ours in _TOKEN_FIELDS.items() if theirs in flat}
    if "embed" in found.model.id.lower():
        tokens.pop("output_picousd", None)  # Nothing is put out, though some rows price it: no output is missing.
    tools = dict.fromkeys(_FREE_TOOLS.get(found.provider.id, ()), 0)
    tools |= {kind: nanousd(flat[theirs] / 1000) for theirs, kind in _TOOL_FIELDS.items() if theirs in flat}
    rate = Rate(
        request_nanousd=nanousd(flat["requests_kcount"] / 1000) if "requests_kcount" in flat else 0,
        tools_nanousd=tools,
        tools_once=("web_search",) if found.model.id.startswith(_ONCE) else (),
        units_attousd={
            name: unit_attousd(flat[theirs], count) for theirs, (name, count) in _UNIT_FIELDS.items() if theirs in flat
        },
        since_us=scope[0],
        until_us=scope[1],
        above_input_tokens=scope[2],
        price=name,
        estimated="; ".join(dict.fromkeys(doubts)) or None,
        lacking=lacking(found.model.id, tokens),
    )
    return msgspec.structs.replace(rate, **tokens)


def lacking(model: str, tokens: Mapping[str, int]) -> tuple[str, ...]:
    """Guarded parts without a price of their own (traps 1 and 2), given the rate's `…_picousd` fields that are set."""
    missing = [part for part in GUARDED_PARTS if part + "_picousd" not in tokens]
    if model.startswith("gpt-image") and "output_image" in missing:
        missing.remove("output_image")  # These models put out nothing but images: the side's price is the images'.
    return tuple(missing)
