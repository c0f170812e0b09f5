"""Settles a usage: names what breaks the accounting rules and cuts parts down to their total. Adds usages.

Some providers report parts that exceed their total (Grok on Azure: 161 cached of 7 prompt tokens; OpenRouter's
Gemini route: the same tokens as read and as written). The faults are named in flags, the provider's own object
stays in `usage_raw`, and the record keeps the promise that no part exceeds its total.
"""

from __future__ import annotations

import msgspec

from tallybook.model.usage import (
    INPUT_MODALITIES,
    INPUT_PARTS,
    OUTPUT_PARTS,
    TOKEN_FIELDS,
    TOKENS_MAX,
    Usage,
    faults,
    is_sound,
)


def settled(usage: Usage) -> tuple[Usage, tuple[str, ...]]:
    """The usage with parts cut to what their total leaves, in field order, and the names of the faults it had.

    A negative or senseless count becomes unknown.
    """
    if is_sound(usage):
        return usage, ()
    found = faults(usage)
    if not found:
        return usage, ()
    values: dict[str, int | None] = {name: getattr(usage, name) for name in TOKEN_FIELDS}
    for name, value in values.items():
        if value is not None and not 0 <= value <= TOKENS_MAX:
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


def added(first: Usage, second: Usage) -> Usage:
    """Two usages together; a count stays unknown only where both are."""
    values: dict[str, int | None] = {}
    for name in TOKEN_FIELDS:
        one, two = getattr(first, name), getattr(second, name)
        values[name] = one if two is None else two if one is None else one + two
    return msgspec.structs.replace(
        first,
        **values,
        requests=_summed(first.requests, second.requests),
        quantities=_summed(first.quantities, second.quantities),
    )


def _summed(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in (*first, *second)}
