"""Settles a usage: names what breaks the accounting rules and cuts parts down to their total.

Some providers report parts that exceed their total (Grok on Azure: 161 cached of 7 prompt tokens; OpenRouter's
Gemini route: the same tokens as read and as written). The faults are named in flags, the provider's own object
stays in `usage_raw`, and the record keeps the promise that no part exceeds its total.
"""

from __future__ import annotations

import msgspec

from tallybook.model.usage import INPUT_MODALITIES, INPUT_PARTS, OUTPUT_PARTS, TOKEN_FIELDS, Usage, faults


def settled(usage: Usage) -> tuple[Usage, tuple[str, ...]]:
    """The usage with parts cut to what their total leaves, in field order, and the names of the faults it had.

    A negative count becomes unknown.
    """
    if is_sound(usage):
        return usage, ()
    found = faults(usage)
    if not found:
        return usage, ()
    values: dict[str, int | None] = {name: getattr(usage, name) for name in TOKEN_FIELDS}
    for name, value in values.items():
        if value is not None and value < 0:
            values[name] = None
    for total_name, parts in (
        ("input_tokens", INPUT_PARTS),
        ("input_tokens", INPUT_MODALITIES),
        ("output_tokens", OUTPUT_PARTS),
    ):
        left = values[total_name]
        if left is None:
            continue
        for part in parts:
            value = values[part]
            if value is not None:
                values[part] = min(value, left)
                left -= min(value, left)
    return msgspec.structs.replace(usage, **values), found


def is_sound(usage: Usage) -> bool:
    """Quick look that spares `faults` for nearly all calls: it may say no of a sound usage, never yes of another."""
    input_tokens, output_tokens = usage.input_tokens, usage.output_tokens
    if input_tokens is None or output_tokens is None:
        return False
    read = usage.cache_read_tokens or 0
    written_5m = usage.cache_write_5m_tokens or 0
    written_1h = usage.cache_write_1h_tokens or 0
    audio_in = usage.input_audio_tokens or 0
    image_in = usage.input_image_tokens or 0
    reasoning = usage.reasoning_tokens or 0
    audio_out = usage.output_audio_tokens or 0
    image_out = usage.output_image_tokens or 0
    return (
        read + written_5m + written_1h <= input_tokens
        and audio_in + image_in <= input_tokens
        and reasoning + audio_out + image_out <= output_tokens
        # The sign bit survives `or`: negative if any of them is.
        and read | written_5m | written_1h | audio_in | image_in | reasoning | audio_out | image_out >= 0
    )
