"""Token accounting of one call, in one normal form for all providers.

`input_tokens` and `output_tokens` are totals as billed; every other token field is a
part of one of them. `None` is unknown and never equals 0. The names follow
OpenTelemetry's GenAI conventions; the rules by provider stand in `providers/`.
"""

from __future__ import annotations

import msgspec

INPUT_PARTS = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
"""Parts of the input that exclude each other: cached, written to the cache, or neither."""

INPUT_MODALITIES = ("input_audio_tokens", "input_image_tokens")
"""Parts of the input by modality; they overlap the cache parts and exclude each other."""

OUTPUT_PARTS = ("reasoning_tokens", "output_audio_tokens", "output_image_tokens")
"""Parts of the output; what is left of the total is visible text."""

TOKENS_MAX = 2**53
"""A count beyond is not believed: no request has as many, and stores and JSON readers hold no more exactly."""

TOKEN_FIELDS = ("input_tokens", "output_tokens", *INPUT_PARTS, *INPUT_MODALITIES, *OUTPUT_PARTS)


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one call consumed. All token fields count tokens; `None` means not told."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    input_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    reasoning_tokens: int | None = None
    output_audio_tokens: int | None = None
    output_image_tokens: int | None = None
    requests: dict[str, int] = {}
    """Uses of server-side tools, by kind: `web_search`, `web_fetch`, `code_execution`, `file_search` …"""
    quantities: dict[str, int] = {}
    """Billed things that are not tokens: `audio_ms`, `characters`, `images`, `search_units`, `pages`,
    `annotated_pages`, `videos`, `video_ms`, `compute_ms`. Also how much of the cached input was no text:
    `cache_read_audio_tokens`, `cache_read_image_tokens`.
    """

    @property
    def total_tokens(self) -> int | None:
        """Input and output together; `None` only when both are unknown."""
        if self.input_tokens is None and self.output_tokens is None:
            return None
        return (self.input_tokens or 0) + (self.output_tokens or 0)


def faults(usage: Usage) -> tuple[str, ...]:
    """Names of the accounting rules that `usage` breaks; empty for a sound one.

    Checked on every record: no negative or senseless count, and no part greater than its total.
    What a provider sent against that is kept raw and flagged, never silently mended.
    """
    if is_sound(usage):
        return ()
    found: list[str] = []
    counts = [getattr(usage, name) or 0 for name in TOKEN_FIELDS]
    if min(counts) < 0:
        found.append("negative_tokens")
    if max(counts) > TOKENS_MAX:
        found.append("tokens_out_of_range")
    for flag, total, parts in (
        ("parts_exceed_input", usage.input_tokens, INPUT_PARTS),
        ("parts_exceed_input", usage.input_tokens, INPUT_MODALITIES),
        ("parts_exceed_output", usage.output_tokens, OUTPUT_PARTS),
    ):
        if total is not None and sum(getattr(usage, part) or 0 for part in parts) > total and flag not in found:
            found.append(flag)
    return tuple(found)


def is_sound(usage: Usage) -> bool:
    """Quick look that spares `faults` for nearly all calls: it may say no of a sound usage, never yes of another."""
    total_in = usage.input_tokens or 0
    total_out = usage.output_tokens or 0
    read = usage.cache_read_tokens or 0
    write_5m = usage.cache_write_5m_tokens or 0
    write_1h = usage.cache_write_1h_tokens or 0
    audio_in = usage.input_audio_tokens or 0
    image_in = usage.input_image_tokens or 0
    reasoning = usage.reasoning_tokens or 0
    audio_out = usage.output_audio_tokens or 0
    image_out = usage.output_image_tokens or 0
    return (
        total_in <= TOKENS_MAX
        and total_out <= TOKENS_MAX
        and read + write_5m + write_1h <= total_in
        and audio_in + image_in <= total_in
        and reasoning + audio_out + image_out <= total_out
        and not (
            read < 0 or write_5m < 0 or write_1h < 0 or audio_in < 0 or image_in < 0
            or reasoning < 0 or audio_out < 0 or image_out < 0 or total_in < 0 or total_out < 0
        )
    )  # fmt: skip
