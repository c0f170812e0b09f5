"""What the short ways of reading a usual answer have in common: types whose decoding is their checking."""

from __future__ import annotations

from typing import Annotated

import msgspec

Text = Annotated[str, msgspec.Meta(min_length=1)]
"""A text that is not empty."""
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
"""A count of tokens that is not absurd; what is, the long way judges."""


def one_line(raw: msgspec.Raw) -> str:
    """JSON text without white space between its parts. For objects whose texts hold none."""
    text = str(raw, "utf-8")
    return "".join(text.split()) if "\n" in text or " " in text else text
