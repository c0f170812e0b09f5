"""The prices in force: where they come from, and those of the models that are used."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tallybook.config import Settings
from tallybook.model.question import Question
from tallybook.prices import listed, overlay, registry
from tallybook.prices.base import Key
from tallybook.prices.book import PRICES_NAME, PriceBook
from tallybook.prices.cost import effective, rate_at
from tallybook.query.totals import Scope
from tallybook.store.base import CallStore

MODELS_MAX = 500
"""Models told, the most used first: names of models come from applications and have no bound of their own."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One place that prices come from; of several that have one, the first in the list wins."""

    source: str
    """`own`, `overlay` or `list`."""
    where: str | None
    """A file, or the list's name and version; `None` where there is none."""
    rows: int | None = None
    faults: list[str] = []
    """Rows that could not be used, and why."""


class Priced(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was used, and its price now in pico-USD a token (standard tier, short context)."""

    provider: str
    model: str | None
    calls: int
    cost_nanousd: int | None
    unpriced_calls: int
    is_free: bool = False
    input_picousd: int | None = None
    output_picousd: int | None = None
    cache_read_picousd: int | None = None
    cache_write_picousd: int | None = None
    price: str | None = None
    """Where it comes from; `None`: there is no price."""
    doubts: tuple[str, ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A model that the registry knows, used or not."""

    provider: str
    model: str


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    """The report."""

    priced_at_us: int
    sources: list[Source]
    models: list[Priced]
    is_cut: bool
    known: list[Known]


def prices(store: CallStore, scope: Scope, settings: Settings, book: PriceBook, now_us: int) -> PriceList:
    """Sources, models used in the scope, models known. Raises SettingError when the user's file cannot be read."""
    question = Question(
        measures=("calls", "cost_nanousd", "unpriced_calls"), dimensions=("provider", "model"), filters=scope.filters,
        since_us=scope.span.since_us, until_us=scope.span.until_us, zone=scope.span.zone, limit=MODELS_MAX + 1,
    )  # fmt: skip
    rows = store.ask(question).rows
    rates = book.rates([Key(provider, model or "") for provider, model, *_ in rows[:MODELS_MAX]])
    models = []
    for provider, model, calls, cost, unpriced in rows[:MODELS_MAX]:
        rate = rate_at(rates[Key(provider, model or "")], now_us, 0)
        used = Priced(provider=provider, model=model, calls=calls, cost_nanousd=cost, unpriced_calls=unpriced)
        if rate is not None:
            price = effective(rate)
            used = msgspec.structs.replace(
                used, is_free=rate.is_free, input_picousd=price.input, output_picousd=price.output,
                cache_read_picousd=rate.cache_read_picousd, cache_write_picousd=rate.cache_write_5m_picousd,
                price=rate.price, doubts=rate.doubts,
            )  # fmt: skip
        models.append(used)
    known = [Known(provider=maker, model=name) for maker in registry.providers() for name in registry.names(maker)]
    return PriceList(
        priced_at_us=now_us, sources=sources(settings, book), models=models, is_cut=len(rows) > MODELS_MAX, known=known
    )


def sources(settings: Settings, book: PriceBook) -> list[Source]:
    """Where prices come from, the first that wins first."""
    own = settings.prices_file or settings.folder / PRICES_NAME
    faults = [str(fault) for fault in book.faults]
    return [
        Source(source="own", where=str(own) if own.exists() else None, rows=_own_rows(own), faults=faults),
        Source(source="overlay", where="tallybook", rows=len(overlay.rows())),
        Source(source="list", where=listed.source()),
    ]


def _own_rows(path: Path) -> int | None:
    from tallybook.prices import override  # here, because most have no file of their own prices

    return len(override.load(path).rows) if path.exists() else None
