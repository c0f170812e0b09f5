"""What a price look-up gives: dated rows of integer prices, so that a million calls need a handful of look-ups.

A look-up has no network. The sealer resolves each distinct `Key` once and multiplies integers, in SQL or
here in `cost_of`; both must agree to the last nano-USD (`tests/contract`).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Key(NamedTuple):
    """What a price depends on, besides the moment and the size of the call."""

    provider: str
    model: str
    """The model that answered where known, else the one asked for."""
    service_tier: str | None = None
    is_batch: bool = False


class Rate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Prices of one token in pico-USD (1e-12 USD), in force in [`since_us`, `until_us`) for calls whose
    input is above `above_input_tokens` (the highest matching threshold wins and holds for the whole call).

    A part without a price is billed as the total it is a part of (`None` = no own price); a call that uses a
    part listed in `lacking` is only `partial`.
    """

    input_picousd: int | None = None
    output_picousd: int | None = None
    cache_read_picousd: int | None = None
    cache_write_5m_picousd: int | None = None
    cache_write_1h_picousd: int | None = None
    input_audio_picousd: int | None = None
    input_image_picousd: int | None = None
    output_audio_picousd: int | None = None
    output_image_picousd: int | None = None
    reasoning_picousd: int | None = None
    request_nanousd: int = 0
    """Fee of every call."""
    tools_nanousd: dict[str, int] = {}
    """Fee of one server-side tool use, by kind as in `Usage.requests`."""
    above_input_tokens: int = 0
    since_us: int | None = None
    until_us: int | None = None
    price: str = ""
    """Where it came from, for `Cost.price`: `genai-prices 0.2.3: openai/gpt-4o`."""
    is_free: bool = False
    estimated: str | None = None
    """A reason why the price is only an estimate (time-of-day prices, tier not known to the source)."""
    lacking: tuple[str, ...] = ()
