"""What calls would have cost on another model: the tokens of each model at the price that the other has now.

Only amounts are compared. Whether another model would have done the work is not asked, nor how many tokens it would
have made of the same text: every maker counts them in its own way. Fees of tools, and audio and images at prices of
their own, are left out: sums of tokens do not tell them. What was read from a cache is taken to be read from one
there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tallybook.model.call import Call, Cost
from tallybook.model.errors import NotFound
from tallybook.model.question import Filter, Question
from tallybook.model.usage import Usage
from tallybook.prices import registry
from tallybook.prices.base import DAY_MINUTES, Key, Rate
from tallybook.prices.book import PriceBook
from tallybook.prices.cost import cost_of, effective, rate_at
from tallybook.query.totals import Head, Scope, head, total
from tallybook.store.base import CallStore

LEFT_OUT = ("embeddings", "image_generation", "speech", "transcription", "moderation", "rerank", "realtime")
"""Not compared where no operation is asked for: an embedding on a chat model would be a figure without a meaning."""
_FIGURES = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over calls that told their tokens; `None` is unknown."""

    calls: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """The price that is taken, in pico-USD a token."""

    provider: str
    model: str
    price: str
    """Where it comes from, as in `Cost.price`."""
    priced_at_us: int
    """The moment whose price it is."""
    is_free: bool
    input_picousd: int | None
    output_picousd: int | None
    cache_read_picousd: int | None
    cache_write_picousd: int | None
    """That of writes kept for five minutes: sums do not tell them from longer ones."""
    reasoning_picousd: int | None
    """`None`: that of output."""
    request_nanousd: int
    above_input_tokens: int | None
    """From so much input on a call would be dearer; not taken into account."""
    doubts: tuple[str, ...] = ()


class Other(msgspec.Struct, frozen=True, kw_only=True):
    """One model that was used: what it cost, and what its tokens cost on the other."""

    provider: str
    model: str | None
    tokens: Tokens
    silent_calls: int
    """Calls that told no tokens; on neither side of the comparison."""
    cost_nanousd: int | None
    unpriced_calls: int
    other_cost_nanousd: int | None
    reasons: tuple[str, ...] = ()
    is_comparable: bool
    """Both amounts are known and of the same calls."""


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts of the comparable models alone."""

    calls: int
    cost_nanousd: int | None
    other_cost_nanousd: int | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The report. `difference_nanousd` is negative where the other model is cheaper."""

    head: Head
    left_out: tuple[str, ...]
    """Operations that were not compared; none where the question named operations of its own."""
    basis: Basis
    compared: Sum
    difference_nanousd: int | None
    models: list[Other]


def repriced(tokens: Tokens, rate: Rate) -> Cost:
    """What so many tokens cost by a rate, whatever its days, hours and size: exact, rounded once, by `prices.cost`."""
    usage = Usage(
        input_tokens=tokens.input_tokens, output_tokens=tokens.output_tokens,
        cache_read_tokens=tokens.cache_read_tokens, cache_write_5m_tokens=tokens.cache_write_tokens,
        reasoning_tokens=tokens.reasoning_tokens,
    )  # fmt: skip
    always = msgspec.structs.replace(
        rate, above_input_tokens=0, since_us=None, until_us=None, from_minute=0, to_minute=DAY_MINUTES, days="",
        request_nanousd=0,
    )  # fmt: skip
    cost = cost_of(Call(call_id="", started_at_us=0, provider="", usage=usage), (always,))
    fees = rate.request_nanousd * tokens.calls
    if cost.total_nanousd is None or cost.status == "free" or not fees:
        return cost
    return msgspec.structs.replace(
        cost, total_nanousd=cost.total_nanousd + fees, tools_nanousd=(cost.tools_nanousd or 0) + fees
    )


def rate_of(book: PriceBook, model: str, provider: str | None, now_us: int) -> tuple[Key, Rate, Basis]:
    """The price of a model now, for the standard tier and short contexts. Raises NotFound."""
    known = registry.info(model, book, now_us, provider=provider)
    maker = provider or (known.provider if known is not None else None)
    if maker is None:
        raise NotFound(f"no model is known by the name {model[:100]!r}",
                       hint="give its provider too, or its price in prices.toml (docs/prices.md)")  # fmt: skip
    keys = [Key(maker, name) for name in dict.fromkeys((model, known.name if known is not None else model))]
    rates = book.rates(keys)
    for key in keys:
        rate = rate_at(rates[key], now_us, 0)
        if rate is not None and (rate.is_free or rate.input_picousd is not None or rate.output_picousd is not None):
            return key, rate, _basis(key, rate, rates[key], now_us)
    raise NotFound(f"no price is known of {model[:100]!r} by {maker[:100]!r}",
                   hint="give it in prices.toml (docs/prices.md)")  # fmt: skip


def _basis(key: Key, rate: Rate, rates: Sequence[Rate], now_us: int) -> Basis:
    price = effective(rate)
    larger = [
        one.above_input_tokens for one in rates
        if one.above_input_tokens and rate_at([one], now_us, one.above_input_tokens + 1) is not None
    ]  # fmt: skip
    has_input = price.input is not None
    return Basis(
        provider=key.provider, model=key.model, price=rate.price, priced_at_us=now_us, is_free=rate.is_free,
        input_picousd=price.input, output_picousd=price.output,
        cache_read_picousd=price.cache_read if has_input else None,
        cache_write_picousd=price.cache_write_5m if has_input else None, reasoning_picousd=price.reasoning,
        request_nanousd=rate.request_nanousd, above_input_tokens=min(larger, default=None), doubts=rate.doubts,
    )  # fmt: skip


def compared(
    store: CallStore, scope: Scope, book: PriceBook, model: str, provider: str | None, now_us: int, *, most: int = 1_000
) -> Comparison:
    """What the scope's calls would have cost on a model. Raises NotFound where it has no price, InputError."""
    _, rate, basis = rate_of(book, model, provider, now_us)
    has_own = any(one.field in ("operation", "operation_or_name", "task") for one in scope.filters)
    left_out = () if has_own else LEFT_OUT
    within = scope.within(*(() if has_own else (Filter("operation", "not_in", LEFT_OUT),)))
    silent = {
        row[:2]: row[2]
        for row in _ask(
            store, within, ("calls",), Filter("input_tokens", "missing"), Filter("output_tokens", "missing")
        )
    }
    found = []
    for row in _ask(store, within, ("calls", "cost_nanousd", "unpriced_calls", *_FIGURES), limit=most):
        used, name, calls, cost, unpriced, *figures = row
        without = silent.get((used, name), 0)
        tokens = Tokens(calls=calls - without, **dict(zip(_FIGURES, figures, strict=True)))
        other = repriced(tokens, rate)
        is_comparable = cost is not None and other.total_nanousd is not None and unpriced <= without
        found.append(
            Other(provider=used, model=name, tokens=tokens, silent_calls=without, cost_nanousd=cost,
                  unpriced_calls=unpriced, other_cost_nanousd=other.total_nanousd, reasons=other.reasons,
                  is_comparable=is_comparable)
        )  # fmt: skip
    both = [one for one in found if one.is_comparable]
    before, after = (sum(getattr(one, name) for one in both) for name in ("cost_nanousd", "other_cost_nanousd"))
    return Comparison(
        head=head(store, within, total(store, within).totals), left_out=left_out, basis=basis,
        compared=Sum(calls=sum(one.tokens.calls for one in both), cost_nanousd=before if both else None,
                     other_cost_nanousd=after if both else None),
        difference_nanousd=after - before if both else None, models=found,
    )  # fmt: skip


def _ask(
    store: CallStore, scope: Scope, measures: tuple[str, ...], *filters: Filter, limit: int | None = None
) -> list[tuple[Any, ...]]:
    """Rows by provider and model, the dearest first."""
    question = Question(
        measures=measures, dimensions=("provider", "model"), filters=(*scope.filters, *filters),
        since_us=scope.span.since_us, until_us=scope.span.until_us, zone=scope.span.zone,
        order=(("cost_nanousd", "desc"), ("calls", "desc")) if "cost_nanousd" in measures else (), limit=limit,
    )  # fmt: skip
    answer = store.ask(question)
    scope.hear(answer.warnings)
    return answer.rows
