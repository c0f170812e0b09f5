"""Tokens of a text, by the seed's names: `estimate_tokens` and `truncate_to_tokens`.

    from tallybook import estimate_tokens, truncate_to_tokens
    estimate_tokens("Hello, world!", "gpt-5.1")

No network. With the extra `tokens` a real tokenizer counts, else character classes do (docs/tokens.md: how far they are
off). Both are corrected by what the ledger has learnt of a model (`prices.ratio`), where it has learnt something.
"""

from __future__ import annotations

import os
from pathlib import Path

from tallybook import config
from tallybook.model.errors import TallybookError
from tallybook.prices import ratio, tokens

_learnt: dict[Path, tuple[int, ratio.Ratios]] = {}
"""By folder: the file's time of change, and what it held then."""


def estimate_tokens(text: str, model: str | None = None) -> int:
    """Tokens of `text` for a model by any spelling of its name; GPT-4o's counting for none. 0 for no text."""
    return tokens.estimate_tokens(text, model, ratios=_ratios())


def truncate_to_tokens(text: str, max_tokens: int, model: str | None = None) -> str:
    """The text's beginning that is at most `max_tokens` long; the text itself where that suffices.

    Raises InputError for a limit that is not a whole number of tokens.
    """
    return tokens.truncate_to_tokens(text, max_tokens, model, ratios=_ratios())


def _ratios() -> ratio.Ratios | None:
    """The ratios of the ledger's folder; looked at again only when the file changed. None is no reason to fail."""
    try:
        folder = config.load().folder
        changed_ns = os.stat(folder / ratio.FILE_NAME).st_mtime_ns  # noqa: PTH116  (half the time of pathlib's)
    except (OSError, TallybookError):
        return None
    known = _learnt.get(folder)
    if known is None or known[0] != changed_ns:
        known = _learnt[folder] = changed_ns, ratio.read(folder)
    return known[1]
