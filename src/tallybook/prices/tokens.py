"""Tokens of a text for a model, without network: by a real tokenizer where the extra `tokens` is installed, else by
character classes (`estimate`); corrected by the model's running ratio (`ratio`) where one is given.

For budgets before a call and figures while it runs. After the call its provider's count is the truth. What a request
adds around its texts (messages, tools, images) is not in it.
"""

from __future__ import annotations

import unicodedata

from tallybook.model.errors import InputError
from tallybook.prices import estimate, tokenizer
from tallybook.prices.ratio import Basis, Ratios

_STEPS_MAX = 40
"""Prefixes tried when truncating. More than bisecting the longest text takes; then the shorter bound is the answer."""

_JOINERS = "\u200d\ufe0e\ufe0f"


def basis() -> Basis:
    """What estimates are made with here."""
    return "tokenizer" if tokenizer.is_installed() else "characters"


def raw(text: str, model: str | None = None, by: Basis | None = None) -> int:
    """The estimate before correction, by what is installed or by a given basis."""
    if not text:
        return 0
    name = model or ""
    if (by or basis()) == "tokenizer":
        return tokenizer.count(text, estimate.family(name))
    return estimate.estimate_tokens(text, name)


def estimate_tokens(text: str, model: str | None = None, *, ratios: Ratios | None = None) -> int:
    """Tokens of `text` for a model by any spelling of its name; GPT-4o's counting for none. 0 for no text."""
    found = basis()
    return _corrected(raw(text, model, found), _factor(ratios, model, found))


def truncate_to_tokens(text: str, max_tokens: int, model: str | None = None, *, ratios: Ratios | None = None) -> str:
    """The text's beginning, as long as its estimate is at most `max_tokens`; the text itself where that suffices.

    Ends never inside a character that is written with several (accents, joined emoji). Raises InputError for a limit
    that is not a whole number of tokens.
    """
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 0:
        raise InputError(f"max_tokens must be a whole number, 0 or more, not {max_tokens!r}", field="max_tokens")
    found = basis()
    factor = _factor(ratios, model, found)

    def size(length: int) -> int:
        return _corrected(raw(text[:length], model, found), factor)

    if not max_tokens or not text:
        return ""
    # A token rarely spans so many characters: of a far longer text only a beginning is looked at.
    high, at_high = min(len(text), 64 * max_tokens + 64), 0
    while True:
        at_high = size(high)
        if at_high > max_tokens:
            break
        if high == len(text):
            return text
        high = min(len(text), 4 * high)
    low, at_low = 0, 0
    for step in range(_STEPS_MAX):
        if high - low <= 1:
            break
        # Texts are even enough that a guess by proportion is near; every third step halves, for those that are not.
        share = (max_tokens - at_low + 0.5) / max(1, at_high - at_low)
        middle = low + round((high - low) * (0.5 if step % 3 == 2 else share))
        middle = min(max(middle, low + 1), high - 1)
        at_middle = size(middle)
        if at_middle > max_tokens:
            high, at_high = middle, at_middle
        else:
            low, at_low = middle, at_middle
    end = _whole(text, low)
    while end and size(end) > max_tokens:  # A shorter text has rarely more tokens, but a tokenizer may see it so.
        end = _whole(text, end - 1)
    return text[:end]


def _factor(ratios: Ratios | None, model: str | None, by: Basis) -> float:
    return 1.0 if ratios is None else ratios.factor(model, by)


def _corrected(tokens: int, factor: float) -> int:
    return tokens if factor == 1.0 or not tokens else max(1, round(tokens * factor))


def _whole(text: str, end: int) -> int:
    """The end moved back so that no combined character is cut."""
    while 0 < end < len(text) and (
        unicodedata.combining(text[end]) or text[end] in _JOINERS or text[end - 1] == "\u200d"
    ):
        end -= 1
    return end
