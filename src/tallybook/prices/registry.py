"""The registry of models: context window, largest output, capabilities, prices, recommended use, first and last day.

What the price list knows comes from it (`genai-prices`: prices, most context windows); the rest stands in
`models.toml`, with its source and the day it was checked. Nothing is guessed: what nobody publishes is `None`.

A model is found by any spelling that leaves it the same: with its maker before it (`anthropic/claude-opus-5`), its date
behind (`gpt-4o-2024-08-06`), as Bedrock, Vertex and Gemini write it. No network, and no clock of its own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from tallybook.model.codec import time_of
from tallybook.prices import naming
from tallybook.prices.base import Key, Rate
from tallybook.prices.book import PriceBook
from tallybook.prices.cost import rate_at

Status = Literal["active", "retiring", "retired"]

_FILE = Path(__file__).with_name("models.toml")
_PRICES = {
    "input": "input_picousd", "output": "output_picousd", "cache_read": "cache_read_picousd",
    "cache_write": "cache_write_5m_picousd", "cache_write_1h": "cache_write_1h_picousd",
    "input_audio": "input_audio_picousd", "output_audio": "output_audio_picousd",
    "output_image": "output_image_picousd", "reasoning": "reasoning_picousd",
}  # fmt: skip
_DATED = re.compile(r"(?:[-@](?:\d{8}|\d{4}-\d{2}-\d{2}))?(?:-v\d+(?::\d+)?)?(?:-latest|-default)?$")
"""What may follow a name without making it another model: its date, Bedrock's version, an alias for the newest."""
_PLACE = re.compile(
    r"^(?:(?:us|us-gov|eu|apac|jp|au|ca|sa|global)\.)?(?:anthropic|meta|mistral|cohere|deepseek|openai)\."
)
"""What Bedrock writes before a model's name."""


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One model. Sizes in tokens, prices in USD per million tokens (standard tier, shortest context, now)."""

    name: str
    provider: str
    context_window: int | None = None
    max_output: int | None = None
    pricing: dict[str, float] = {}
    """By part: input, output, cache_read, cache_write …; empty where no price is known."""
    capabilities: tuple[str, ...] = ()
    recommended_for: tuple[str, ...] = ()
    status: Status = "active"
    """`retiring` once a last day is announced, `retired` from that day on."""
    released: date | None = None
    retires: date | None = None
    """The last day announced, or the day it went."""
    not_before: date | None = None
    """The earliest day on which its maker reserves to retire it; nothing is announced by that."""
    aliases: tuple[str, ...] = ()
    source: str | None = None
    checked: date | None = None
    """Where our own facts were read, and when; `None` for a model that only the price list knows."""


class _Row(NamedTuple):
    provider: str
    facts: dict[str, Any]


@cache
def _rows() -> dict[str, _Row]:
    """Our own facts by name, in the file's order."""
    families = tomllib.loads(_FILE.read_text(encoding="utf-8"))["family"]
    rows: dict[str, _Row] = {}
    for family in families:
        models = family.pop("models")
        provider = family.pop("provider")
        for name, facts in models.items():
            rows[name] = _Row(provider, {**family, **facts})
    return rows


@cache
def _by_spelling() -> dict[str, str]:
    """Names by themselves and their aliases, in lower case."""
    found: dict[str, str] = {}
    for name, row in _rows().items():
        for spelling in (name, *row.facts.get("aliases", ())):
            found.setdefault(spelling.lower(), name)
    return found


def names(provider: str | None = None) -> list[str]:
    """Names of the models that we have facts of, in order of maker and importance."""
    wanted = None if provider is None else naming.provider_id(provider)
    return [name for name, row in _rows().items() if wanted in (None, row.provider)]


def capabilities() -> list[str]:
    """All capabilities that any model has, sorted."""
    return sorted({word for row in _rows().values() for word in row.facts.get("capabilities", ())})


def providers() -> list[str]:
    """Makers of the models that we have facts of."""
    return list(dict.fromkeys(row.provider for row in _rows().values()))


def find(name: str, provider: str | None = None) -> str | None:
    """The registry's name of a model given in any safe spelling; `None` when we have no facts of it.

    With a provider, a model of another maker is not found; services that resell them have the maker in the name.
    """
    wanted = None if provider is None else naming.provider_id(provider)
    for spelling in _spellings(name):
        found = _by_spelling().get(spelling)
        if found is not None and (wanted in (None, _rows()[found].provider) or wanted not in naming.MAKERS):
            return found
    return None


def _spellings(name: str) -> Iterable[str]:
    text = name.strip().lower()
    seen = [text]
    while seen:
        text = seen.pop()
        yield text
        for shorter in (
            _DATED.sub("", text),
            _PLACE.sub("", text),
            text.rpartition("/")[2],
            text.removesuffix("[1m]"),
            text.replace(".", "-") if "claude" in text else text,
            text.partition(":")[0]
            if text.partition(":")[2] in ("free", "online", "nitro", "floor", "thinking")
            else text,
        ):
            if shorter and shorter != text:
                seen.insert(0, shorter)


def info(name: str, book: PriceBook, now_us: int, *, provider: str | None = None) -> ModelInfo | None:
    """What is known of a model now, by our facts and the price list; `None` when neither knows it."""
    known = find(name, provider)
    row = None if known is None else _rows()[known]
    maker = row.provider if row is not None else provider
    listed_id, listed_maker, window = _listed(maker, known or name)
    if row is None and listed_id is None:
        return None
    facts = dict(row.facts) if row is not None else {}
    facts.setdefault("context_window", window)
    shown = known or listed_id or name
    maker = maker or listed_maker or "unknown"
    today = time_of(now_us).date()
    facts = {key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()}
    retires = facts.get("retires")
    status: Status = "active" if retires is None else "retired" if retires <= today else "retiring"
    keys = [Key(maker, spelling) for spelling in (shown, *facts.get("aliases", ()))]
    rates = book.rates(keys[:1])
    if not rates[keys[0]] and len(keys) > 1:  # The list may know it by another of its names.
        rates = book.rates(keys)
    rate = next((rate_at(rates[key], now_us, 0) for key in keys if rates.get(key)), None)
    return ModelInfo(name=shown, provider=maker, pricing=_pricing(rate), status=status, **facts)


def _pricing(rate: Rate | None) -> dict[str, float]:
    if rate is None:
        return {}
    if rate.is_free:
        return {"input": 0.0, "output": 0.0}
    prices = {part: getattr(rate, field) for part, field in _PRICES.items()}
    return {part: price / 1e6 for part, price in prices.items() if price is not None}


def _listed(provider: str | None, model: str) -> tuple[str | None, str | None, int | None]:
    """(name, provider, context window) of the price list's entry; all `None` when it has none."""
    from genai_prices.data import providers as listed  # here: it loads pydantic and 1.6 MB of prices

    wanted = None if provider is None else naming.provider_id(provider)
    for entry in listed:
        if entry.id == wanted or (wanted is None and entry.id in naming.MAKERS):
            for candidate in naming.candidates(entry.id, model):
                found = entry.find_model(candidate.model)
                if found is not None:
                    return found.id, entry.id, found.context_window
    return None, None, None


def every(
    book: PriceBook, now_us: int, *, provider: str | None = None, capability: Iterable[str] = (), retired: bool = False
) -> list[ModelInfo]:
    """The models we have facts of: of one maker, with all these capabilities; those that are gone only on request."""
    wanted = set(capability)
    found = []
    for name in names(provider):
        model = info(name, book, now_us, provider=_rows()[name].provider)
        if model is not None and wanted.issubset(model.capabilities) and (retired or model.status != "retired"):
            found.append(model)
    return found
