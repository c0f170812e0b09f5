"""What a price look-up gives: dated rows of integer prices, so that a million calls need a handful of look-ups.

A look-up has no network. The sealer resolves each distinct `Key` once and multiplies integers, in SQL or
here in `cost_of`; both must agree to the last nano-USD (`tests/contract`).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

DAY_MINUTES = 1440


class Key(NamedTuple):
    """What a price depends on, besides the moment and the size of the call."""

    provider: str
    model: str
    """The model that answered where known, else the one asked for."""
    service_tier: str | None = None
    is_batch: bool = False
    facts: tuple[str, ...] = ()
    """What else was told that bears on the price, as `name:value` (`prices.facts`): `inference_geo:us`."""
    base_url: str | None = None
    """The endpoint, where it is not the provider's usual one."""
    deployment: str | None = None
    """The model asked for, where another name answered: an Azure deployment, a router's alias."""
    project: str | None = None


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
    cache_read_audio_picousd: int | None = None
    """Cached audio, where the provider tells how much of the cached input was audio; else as any cache read."""
    cache_read_image_picousd: int | None = None
    request_nanousd: int = 0
    """Fee of every call."""
    tools_nanousd: dict[str, int] = {}
    """Fee of one server-side tool use, by kind as in `Usage.requests`."""
    tools_once: tuple[str, ...] = ()
    """Tools whose fee is due once for a call, however often they were used (Gemini 2.5 bills grounded prompts)."""
    units_attousd: dict[str, int] = {}
    """Price of one of what is no token, in atto-USD (1e-18), by name as in `Usage.quantities`: `audio_ms` …"""
    units_instead: bool = False
    """The units stand in for tokens: they are billed only where neither input nor output tokens were told."""
    above_input_tokens: int = 0
    since_us: int | None = None
    until_us: int | None = None
    from_minute: int = 0
    """Minute of the UTC day from which the rate holds; rates by the time of day stand beside each other."""
    to_minute: int = DAY_MINUTES
    days: str = ""
    """`work`: Monday to Friday but for `holidays`; `rest`: all others; empty: every day (UTC)."""
    holidays: tuple[int, ...] = ()
    """Days since 1970 that are no working days."""
    price: str = ""
    """Where it came from, for `Cost.price`: `genai-prices 0.2.3: openai/gpt-4o`."""
    is_free: bool = False
    estimated: str | None = None
    """Reasons why the price is only an estimate, joined by `; ` (tier not known to the source, moving alias)."""
    lacking: tuple[str, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """The reasons in `estimated`, one by one."""
        return tuple(self.estimated.split("; ")) if self.estimated else ()
