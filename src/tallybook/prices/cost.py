"""What one call cost: the reference arithmetic, in integers from end to end.

The lake renders the same rules in SQL; both must agree to the last nano-USD. The rules, in order:

1. A cost stated by the provider or the caller (`status` reported) is kept as it is. A request that the provider
   answered with an HTTP error, and without usage, was not billed: `free`, 0, `not_billed` (providers bill what they
   process; a 429 or 529 is turned away before that).
2. The rate in force is that with `since_us <= started_at_us < until_us` and the highest `above_input_tokens`
   below the call's input (`input_tokens > above_input_tokens`; 0 always matches, and an unknown input counts as 0).
3. A free rate costs 0: `free`.
4. Input and output both unknown, and no fee per request: `unpriced`, `usage_missing`.
5. No rate in force: `unpriced`, `unknown_model`.
6. A side with tokens but without a base price: `unpriced`, `no_price_for:input` or `no_price_for:output`.
7. Otherwise tokens times prices in pico-USD, summed, and rounded once:

   - cache reads and 5-minute writes at their own price, else at the input's; 1-hour writes at their own price,
     else at that of 5-minute writes, else at the input's;
   - input audio and images at their own price; where they have none they are ordinary input;
   - what is left of the input (total - reads - writes - modalities with an own price, at least 0) at the input's price;
   - reasoning, output audio and output images likewise within the output.

   `total = round(pico sum) + tools + request fee`. The parts are differences of rounded running sums (input, then
   cache reads, writes, output), so that none is negative and together they are the total exactly; the fee of the
   request is counted with the tools.

The status is `partial` where something used has no price of its own (`Rate.lacking`, or a tool without a fee) or one
side's tokens are unknown though the side is charged; else `estimated` where tokens or price are only estimates; else
`priced`. This module has no clock, no prices of its own and no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tallybook.model.call import Call, Cost
from tallybook.model.money import nano_from_pico
from tallybook.model.usage import Usage
from tallybook.prices.base import Key, Rate

USAGE_MISSING = "usage_missing"
UNKNOWN_MODEL = "unknown_model"
NOT_BILLED = "not_billed"
NO_PRICE_FOR = "no_price_for:"
"""Followed by a token part as in the journal's `tokens` (`cache_write_1h`), or by a tool's kind."""
PARTS_EXCEED_INPUT = "parts_exceed_input"
PARTS_EXCEED_OUTPUT = "parts_exceed_output"
INPUT_UNKNOWN = "input_tokens_unknown"
OUTPUT_UNKNOWN = "output_tokens_unknown"
USAGE_ESTIMATED = "usage_estimated"
"""Also the flag on a call whose tokens were estimated."""
CACHE_BY_MODALITY_UNKNOWN = "cache_by_modality_unknown"
"""Cached tokens and separately priced audio or images in one call: which of them were cached is not told."""


class Effective(NamedTuple):
    """A rate with its fall-backs filled in: what a renderer of the rules multiplies with. Pico-USD a token.

    The modalities and reasoning stay `None` where they have no own price and so are part of their side's rest.
    """

    input: int | None
    output: int | None
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    input_audio: int | None
    input_image: int | None
    reasoning: int | None
    output_audio: int | None
    output_image: int | None


def _first(*prices: int | None) -> int:
    return next((price for price in prices if price is not None), 0)


def effective(rate: Rate) -> Effective:
    """The prices of `rate` after its fall-backs (rule 7)."""
    base = rate.input_picousd
    return Effective(
        base,
        rate.output_picousd,
        _first(rate.cache_read_picousd, base),
        _first(rate.cache_write_5m_picousd, base),
        _first(rate.cache_write_1h_picousd, rate.cache_write_5m_picousd, base),
        rate.input_audio_picousd,
        rate.input_image_picousd,
        rate.reasoning_picousd,
        rate.output_audio_picousd,
        rate.output_image_picousd,
    )


def key_of(call: Call) -> Key:
    """What the price of a call depends on: the model that answered where known, else the one asked for."""
    return Key(call.provider, call.response_model or call.model or "", call.service_tier, call.is_batch)


def rate_at(rates: Sequence[Rate], started_at_us: int, input_tokens: int | None) -> Rate | None:
    """The rate in force for a call of that moment and input size (rule 2); `None` when there is none."""
    size = input_tokens or 0
    found: Rate | None = None
    for rate in rates:
        if rate.since_us is not None and started_at_us < rate.since_us:
            continue
        if rate.until_us is not None and started_at_us >= rate.until_us:
            continue
        if rate.above_input_tokens and size <= rate.above_input_tokens:
            continue
        if found is None or rate.above_input_tokens > found.above_input_tokens:
            found = rate
    return found


def cost_of(call: Call, rates: Sequence[Rate]) -> Cost:
    """The cost of `call` under the rates of its key; the rules stand at the top of this file. Never raises."""
    if call.cost is not None and call.cost.status == "reported":
        return call.cost
    use = call.usage
    if is_refused(call):
        return Cost(
            status="free", total_nanousd=0, input_nanousd=0, cache_read_nanousd=0, cache_write_nanousd=0,
            output_nanousd=0, tools_nanousd=0, reasons=(NOT_BILLED,),
        )  # fmt: skip
    rate = rate_at(rates, call.started_at_us, use.input_tokens)
    if rate is not None and rate.is_free:
        return Cost(
            status="free", total_nanousd=0, input_nanousd=0, cache_read_nanousd=0, cache_write_nanousd=0,
            output_nanousd=0, tools_nanousd=0, price=rate.price,
        )  # fmt: skip
    if use.input_tokens is None and use.output_tokens is None and (rate is None or not rate.request_nanousd):
        return Cost(reasons=(USAGE_MISSING,))
    if rate is None:
        return Cost(reasons=(UNKNOWN_MODEL,))
    missing = _missing_sides(use, rate)
    if missing:
        return Cost(price=rate.price, reasons=missing)
    return _priced(call, rate)


def is_refused(call: Call) -> bool:
    """Whether the provider turned the request away with an HTTP error and told no usage."""
    return (
        call.status == "error"
        and (call.http_status or 0) >= 400
        and call.usage.input_tokens is None
        and call.usage.output_tokens is None
    )


def _missing_sides(use: Usage, rate: Rate) -> tuple[str, ...]:
    missing = []
    if rate.input_picousd is None and use.input_tokens:
        missing.append(NO_PRICE_FOR + "input")
    if rate.output_picousd is None and use.output_tokens:
        missing.append(NO_PRICE_FOR + "output")
    return tuple(missing)


def _priced(call: Call, rate: Rate) -> Cost:
    use, price = call.usage, effective(rate)
    doubts: list[str] = []

    read = (use.cache_read_tokens or 0) * price.cache_read
    written_tokens = (use.cache_write_5m_tokens or 0) + (use.cache_write_1h_tokens or 0)
    written = (use.cache_write_5m_tokens or 0) * price.cache_write_5m
    written += (use.cache_write_1h_tokens or 0) * price.cache_write_1h
    apart, fresh = _own(
        (use.input_audio_tokens, price.input_audio),
        (use.input_image_tokens, price.input_image),
    )
    cached_tokens = (use.cache_read_tokens or 0) + written_tokens
    rest = (use.input_tokens or 0) - cached_tokens - apart
    if rest < 0:
        doubts.append(PARTS_EXCEED_INPUT)
    if apart and cached_tokens:
        doubts.append(CACHE_BY_MODALITY_UNKNOWN)
    fresh += max(rest, 0) * (price.input or 0)

    apart, out = _own(
        (use.reasoning_tokens, price.reasoning),
        (use.output_audio_tokens, price.output_audio),
        (use.output_image_tokens, price.output_image),
    )
    rest = (use.output_tokens or 0) - apart
    if rest < 0:
        doubts.append(PARTS_EXCEED_OUTPUT)
    out += max(rest, 0) * (price.output or 0)

    if USAGE_ESTIMATED in call.flags:
        doubts.append(USAGE_ESTIMATED)
    if rate.estimated is not None:
        doubts.append(rate.estimated)
    lacks = _lacks(use, rate)
    tools = rate.request_nanousd + sum(rate.tools_nanousd.get(kind, 0) * count for kind, count in use.requests.items())
    sums = [nano_from_pico(amount) for amount in (fresh, fresh + read, fresh + read + written)]
    total = nano_from_pico(fresh + read + written + out)
    return Cost(
        status="partial" if lacks else "estimated" if doubts else "priced",
        total_nanousd=total + tools,
        input_nanousd=sums[0],
        cache_read_nanousd=sums[1] - sums[0],
        cache_write_nanousd=sums[2] - sums[1],
        output_nanousd=total - sums[2],
        tools_nanousd=tools,
        price=rate.price,
        reasons=(*lacks, *doubts),
    )


def _own(*parts: tuple[int | None, int | None]) -> tuple[int, int]:
    """Tokens and pico-USD of those parts that have a price of their own."""
    tokens = amount = 0
    for count, price in parts:
        if price is not None:
            tokens += count or 0
            amount += (count or 0) * price
    return tokens, amount


def _lacks(use: Usage, rate: Rate) -> tuple[str, ...]:
    """Reasons for which the amount does not cover the whole call."""
    found = [NO_PRICE_FOR + part for part in rate.lacking if getattr(use, part + "_tokens")]
    found += [NO_PRICE_FOR + kind for kind, count in use.requests.items() if count and kind not in rate.tools_nanousd]
    if use.input_tokens is None and rate.input_picousd:
        found.append(INPUT_UNKNOWN)
    if use.output_tokens is None and rate.output_picousd:
        found.append(OUTPUT_UNKNOWN)
    return tuple(found)
