"""What one call cost: the reference arithmetic, in integers from end to end.

The lake renders the same rules in SQL; both must agree to the last nano-USD. The rules, in order:

1. A cost stated by the provider or the caller (`status` reported) is kept as it is; its status is `estimated` where a
   flag `cost_estimated` says that it is the caller's own reckoning. A request that the provider answered with an HTTP
   error, and without usage, was not billed: `free`, 0, `not_billed` (providers bill what they process; a 429 or 529 is
   turned away before that).
2. The rate in force is that with `since_us <= started_at_us < until_us`, on whose days and in whose hours (UTC) the
   call started, and with the highest `above_input_tokens` below the call's input (`input_tokens >
   above_input_tokens`; 0 always matches, and an unknown input counts as 0).
3. A free rate costs 0: `free`.
4. Input and output both unknown, no fee per request, and no unit with a price: `unpriced`, `usage_missing`, or
   `no_price_for:` the units that were told.
5. No rate in force: `unpriced`, `unknown_model`.
6. A side with tokens but without a base price: `unpriced`, `no_price_for:input` or `no_price_for:output`.
7. Otherwise tokens times prices in pico-USD, summed, and rounded once:

   - cache reads and 5-minute writes at their own price, else at the input's; 1-hour writes at their own price,
     else at that of 5-minute writes, else at the input's;
   - input audio and images at their own price; where they have none they are ordinary input. Where it is told how
     many of them were cached (`quantities`: `cache_read_audio_tokens`, `cache_read_image_tokens`), those are cache
     reads at their own price, else at that of any cache read;
   - what is left of the input (total - reads - writes - modalities with an own price, at least 0) at the input's price;
   - reasoning, output audio and output images likewise within the output.

   `total = round(pico sum) + tools + request fee + round(units)`. Units are what is no token: seconds of audio,
   characters, pages, images, searches. A rate whose units stand in for tokens (`units_instead`) bills them only where
   no tokens were told. Tools in `tools_once` are billed once, however often they were used. The parts are differences
   of rounded running sums (input, then cache reads, writes, output), so that none is negative and together they are
   the total exactly; the fee of the request and the units are counted with the tools.

The status is `partial` where something used has no price of its own (`Rate.lacking`, a tool without a fee, a unit of
`BILLED_UNITS` without a price), where something was used that is not understood (a flag `unknown:…`), or where one
side's tokens are unknown though the side is charged; else `estimated` where tokens or price are only estimates; else
`priced`. This module has no clock, no prices of its own and no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from tallybook.model.call import Call, Cost
from tallybook.model.usage import Usage
from tallybook.prices import facts
from tallybook.prices.base import DAY_MINUTES, Key, Rate

USAGE_MISSING = "usage_missing"
UNKNOWN_MODEL = "unknown_model"
NOT_BILLED = "not_billed"
NO_PRICE_FOR = "no_price_for:"
"""Followed by a token part as in the journal's `tokens` (`cache_write_1h`), or by a tool's kind."""
PARTS_EXCEED_INPUT = "parts_exceed_input"
PARTS_EXCEED_OUTPUT = "parts_exceed_output"
INPUT_UNKNOWN = "input_tokens_unknown"
OUTPUT_UNKNOWN = "output_tokens_unknown"
COST_ESTIMATED = "cost_estimated"
"""Flag on a call whose stated cost is no provider's figure but the sender's own reckoning."""
USAGE_ESTIMATED = "usage_estimated"
"""Also the flag on a call whose tokens were estimated."""
CACHE_BY_MODALITY_UNKNOWN = "cache_by_modality_unknown"
"""Cached tokens and separately priced audio or images in one call: which of them were cached is not told."""
USED_BUT_UNKNOWN = "unknown:"
"""Start of a flag, and of the reason: something was used that we do not know how to price."""

CACHED_AUDIO = "cache_read_audio_tokens"
CACHED_IMAGE = "cache_read_image_tokens"
BILLED_UNITS = ("annotated_pages", "audio_ms", "pages", "search_units")
"""Units that are never just informative: without a price a call that has them is partial. The characters of a speech
request and the images that came with billed tokens are."""

_MINUTE_US = 60_000_000
_DAY_US = 86_400_000_000


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
    cache_read_audio: int
    cache_read_image: int


class _Ready(NamedTuple):
    """What is worked out of a rate once."""

    rate: Rate
    price: Effective
    lacking: tuple[str, ...]
    """Names of the fields of a usage that have no price of their own."""
    told: Callable[[Usage], Any]
    """Their values."""


_READY_MAX = 4_096
_ready: dict[int, _Ready] = {}
"""By the rate's place in memory; the rate is kept with it, so that the place is not used again."""


def effective(rate: Rate) -> Effective:
    """The prices of `rate` after its fall-backs (rule 7)."""
    base, read, write = rate.input_picousd, rate.cache_read_picousd, rate.cache_write_5m_picousd
    long, audio, image = rate.cache_write_1h_picousd, rate.cache_read_audio_picousd, rate.cache_read_image_picousd
    ordinary = base or 0
    read = ordinary if read is None else read
    write = ordinary if write is None else write
    return Effective(
        base, rate.output_picousd, read, write, write if long is None else long, rate.input_audio_picousd,
        rate.input_image_picousd, rate.reasoning_picousd, rate.output_audio_picousd, rate.output_image_picousd,
        read if audio is None else audio, read if image is None else image,
    )  # fmt: skip


def _readied(rate: Rate) -> _Ready:
    found = _ready.get(id(rate))
    if found is not None and found.rate is rate:
        return found
    lacking = tuple([part + "_tokens" for part in rate.lacking])
    found = _Ready(rate, effective(rate), lacking, attrgetter(*lacking) if lacking else _nothing)
    if len(_ready) >= _READY_MAX:
        _ready.clear()
    _ready[id(rate)] = found
    return found


def _nothing(_: Usage) -> None:
    return None


def key_of(call: Call) -> Key:
    """What the price of a call depends on: the model that answered where known, else the one asked for."""
    model = call.response_model or call.model or ""
    return Key(
        call.provider, model, call.service_tier, call.is_batch, facts.flagged(call.flags) if call.flags else (),
        call.base_url, call.model if call.model != model else None, call.project,
    )  # fmt: skip


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
        if (rate.days or rate.from_minute or rate.to_minute != DAY_MINUTES) and not _in_hours(rate, started_at_us):
            continue
        if found is None or rate.above_input_tokens > found.above_input_tokens:
            found = rate
    return found


def _in_hours(rate: Rate, started_at_us: int) -> bool:
    if not rate.from_minute <= started_at_us // _MINUTE_US % DAY_MINUTES < rate.to_minute:
        return False
    return not rate.days or (rate.days == "work") == is_working(started_at_us // _DAY_US, rate.holidays)


def is_working(day: int, holidays: Sequence[int]) -> bool:
    """Whether a day since 1970 is Monday to Friday and no holiday. Day 0 was a Thursday."""
    return (day + 3) % 7 < 5 and day not in holidays


def cost_of(call: Call, rates: Sequence[Rate]) -> Cost:
    """The cost of `call` under the rates of its key; the rules stand at the top of this file. Never raises."""
    found = _decided(call, rates)
    return found if isinstance(found, Cost) else _priced(call, found)


def is_known(call: Call, rates: Sequence[Rate]) -> bool:
    """Whether `cost_of` gives an amount, without working it out."""
    found = _decided(call, rates)
    return not isinstance(found, Cost) or found.total_nanousd is not None


def _decided(call: Call, rates: Sequence[Rate]) -> Cost | Rate:
    """The cost where no tokens have to be multiplied, else the rate to do so with (rule 7)."""
    if call.cost is not None and call.cost.status == "reported":
        return msgspec.structs.replace(call.cost, status="estimated") if COST_ESTIMATED in call.flags else call.cost
    use = call.usage
    if call.status == "error" and is_refused(call):
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
    if use.input_tokens is None and use.output_tokens is None:
        units = [name for name, count in use.quantities.items() if count] if use.quantities else []
        if not units and (rate is None or not rate.request_nanousd):
            return Cost(reasons=(USAGE_MISSING,))
        if rate is not None and not rate.request_nanousd and not any(name in rate.units_attousd for name in units):
            return Cost(price=rate.price, reasons=tuple([NO_PRICE_FOR + name for name in units]))
    if rate is None:
        return Cost(reasons=(UNKNOWN_MODEL,))
    if (rate.input_picousd is None or rate.output_picousd is None) and (missing := _missing_sides(use, rate)):
        return Cost(price=rate.price, reasons=missing)
    return rate


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
    use, flags, ready = call.usage, call.flags, _readied(rate)
    price = ready.price
    doubts: list[str] = []
    fresh, read, written = _input_amounts(use, price, doubts)
    out = _output_amount(use, price, doubts)
    if flags and USAGE_ESTIMATED in flags:
        doubts.append(USAGE_ESTIMATED)
    if rate.estimated:
        doubts.extend(rate.doubts)
    lacks = _lacks(use, rate, ready)
    fees = rate.request_nanousd
    if flags:
        lacks += [flag for flag in flags if flag.startswith(USED_BUT_UNKNOWN)]
    if use.quantities:
        fees += _units(use, rate)
    if use.requests:
        for kind, count in use.requests.items():
            fees += rate.tools_nanousd.get(kind, 0) * (min(count, 1) if kind in rate.tools_once else count)
    sum_in, sum_read = (fresh + 500) // 1000, (fresh + read + 500) // 1000
    sum_write, total = (fresh + read + written + 500) // 1000, (fresh + read + written + out + 500) // 1000
    return Cost(
        status="partial" if lacks else "estimated" if doubts else "priced",
        total_nanousd=total + fees,
        input_nanousd=sum_in,
        cache_read_nanousd=sum_read - sum_in,
        cache_write_nanousd=sum_write - sum_read,
        output_nanousd=total - sum_write,
        tools_nanousd=fees,
        price=rate.price,
        reasons=(*lacks, *doubts) if lacks or doubts else (),
    )


def _output_amount(use: Usage, price: Effective, doubts: list[str]) -> int:
    """Pico-USD of the output."""
    rest = use.output_tokens or 0
    out = 0
    if use.reasoning_tokens and price.reasoning is not None:
        rest -= use.reasoning_tokens
        out += use.reasoning_tokens * price.reasoning
    if use.output_audio_tokens and price.output_audio is not None:
        rest -= use.output_audio_tokens
        out += use.output_audio_tokens * price.output_audio
    if use.output_image_tokens and price.output_image is not None:
        rest -= use.output_image_tokens
        out += use.output_image_tokens * price.output_image
    if rest < 0:
        doubts.append(PARTS_EXCEED_OUTPUT)
        return out
    return out + rest * (price.output or 0)


def _input_amounts(use: Usage, price: Effective, doubts: list[str]) -> tuple[int, int, int]:
    """Pico-USD of what was neither cached nor written, of cache reads, and of cache writes."""
    reads, writes, long = use.cache_read_tokens or 0, use.cache_write_5m_tokens or 0, use.cache_write_1h_tokens or 0
    cached_audio = cached_image = apart = fresh = 0
    if use.quantities:
        cached_audio, cached_image = use.quantities.get(CACHED_AUDIO, 0), use.quantities.get(CACHED_IMAGE, 0)
    read = (reads - cached_audio - cached_image) * price.cache_read
    if cached_audio or cached_image:
        read += cached_audio * price.cache_read_audio + cached_image * price.cache_read_image
    if use.input_audio_tokens and price.input_audio is not None:
        apart = max(use.input_audio_tokens - cached_audio, 0)
        fresh = apart * price.input_audio
    if use.input_image_tokens and price.input_image is not None:
        images = max(use.input_image_tokens - cached_image, 0)
        apart += images
        fresh += images * price.input_image
    cached = reads + writes + long
    rest = (use.input_tokens or 0) - cached - apart
    if rest < 0 or reads < cached_audio + cached_image:
        doubts.append(PARTS_EXCEED_INPUT)
    if apart and cached and not (cached_audio or cached_image):
        doubts.append(CACHE_BY_MODALITY_UNKNOWN)
    if rest > 0:
        fresh += rest * (price.input or 0)
    return fresh, max(read, 0), writes * price.cache_write_5m + long * price.cache_write_1h


def _units(use: Usage, rate: Rate) -> int:
    """Nano-USD of what is no token."""
    if not use.quantities or not rate.units_attousd or not _bills_units(use, rate):
        return 0
    amount = sum([rate.units_attousd.get(name, 0) * count for name, count in use.quantities.items()])
    return (amount + 500_000_000) // 1_000_000_000


def _bills_units(use: Usage, rate: Rate) -> bool:
    return not rate.units_instead or (use.input_tokens is None and use.output_tokens is None)


def _lacks(use: Usage, rate: Rate, ready: _Ready) -> list[str]:
    """Reasons for which the amount does not cover the whole call."""
    found: list[str] = []
    told = ready.told(use)
    if told is not None and told != 0 and (type(told) is int or any(told)):
        found += [NO_PRICE_FOR + field.removesuffix("_tokens") for field in ready.lacking if getattr(use, field)]
    if use.requests:
        found += [NO_PRICE_FOR + kind for kind, uses in use.requests.items() if uses and kind not in rate.tools_nanousd]
    if use.quantities and not rate.units_instead:
        found += [
            NO_PRICE_FOR + unit for unit in BILLED_UNITS if use.quantities.get(unit) and unit not in rate.units_attousd
        ]
    if use.input_tokens is None or use.output_tokens is None:
        if rate.units_instead and use.input_tokens is use.output_tokens:
            return found
        if use.input_tokens is None and rate.input_picousd:
            found.append(INPUT_UNKNOWN)
        if use.output_tokens is None and rate.output_picousd:
            found.append(OUTPUT_UNKNOWN)
    return found
