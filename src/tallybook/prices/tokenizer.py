"""Tokens of a text by a real tokenizer, where the extra `tokens` is installed. No network: the vocabularies lie inside
the package `splintr`.

A family of models (`estimate.family`) has its own vocabulary, or, for Claude, whose tokenizer is not published, that of
GPT-4o times a measured factor, which differs between Latin and other scripts. Knows nothing of the tokens around a
text: messages cost 3 to 11 more each, tools and images their own.
"""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # An optional dependency, loaded at the first count.
    from splintr import AnyTokenizer


class Vocabulary(NamedTuple):
    """Which vocabulary counts a family, and what its count is multiplied by."""

    name: str
    """As splintr calls it."""
    latin: float = 1.0
    other: float = 1.0
    """For text in other scripts than Latin."""


VOCABULARIES: dict[str, Vocabulary] = {
    "o200k": Vocabulary("o200k_base"),
    "cl100k": Vocabulary("cl100k_base"),
    "gemma": Vocabulary("gemma4"),
    "claude": Vocabulary("o200k_base", 1.22, 1.63),
    "claude-4.7": Vocabulary("o200k_base", 1.535, 1.70),
    "llama": Vocabulary("llama3"),
    "deepseek": Vocabulary("deepseek_v3"),
    "qwen": Vocabulary("qwen3"),
    "mistral": Vocabulary("mistral_v3"),
    "kimi": Vocabulary("kimi_k2"),
    "glm": Vocabulary("glm4"),
}
"""By family. The two Claude factors err by 9 % on average; the other vocabularies are the models' own."""

_OTHER_SCRIPTS = re.compile(r"[\u0370-\u1fff\u2c00-\u2dff\u2e80-\ua6ff\ua800-\ufaff\U00020000-\U0003ffff]+")
_PIECE_CHARS = 200_000
"""A text is counted in pieces of this length, cut at a space where there is one: a token's cost grows with its word."""


def is_installed() -> bool:
    """Whether a tokenizer is there; does not load it."""
    return importlib.util.find_spec("splintr") is not None


@lru_cache(maxsize=16)
def _load(name: str) -> AnyTokenizer:
    from splintr import Tokenizer  # here, because it is optional and takes 30 MB

    return Tokenizer.from_pretrained(name)


def count(text: str, family: str) -> int:
    """Tokens of `text` in a family of `VOCABULARIES`. Raises KeyError for another, ImportError without the extra.

    Marks such as `<|endoftext|>` count as the text they are.
    """
    vocabulary = VOCABULARIES[family]
    tokenizer = _load(vocabulary.name)
    total = _count(tokenizer, text)
    if vocabulary.latin == vocabulary.other == 1.0:
        return total
    other = 0
    if not text.isascii():
        other = sum(_count(tokenizer, run) for run in _OTHER_SCRIPTS.findall(text))
    other = min(other, total)
    return max(1, round((total - other) * vocabulary.latin + other * vocabulary.other))


def _count(tokenizer: AnyTokenizer, text: str) -> int:
    if len(text) <= _PIECE_CHARS:
        return _count_piece(tokenizer, text)
    total = start = 0
    while start < len(text):
        end = min(start + _PIECE_CHARS, len(text))
        if end < len(text):
            space = text.rfind(" ", start + _PIECE_CHARS // 2, end)
            end = end if space < 0 else space
        total += _count_piece(tokenizer, text[start:end])
        start = end
    return total


def _count_piece(tokenizer: AnyTokenizer, text: str) -> int:
    try:
        return len(tokenizer.encode_ordinary(text))
    except UnicodeEncodeError:  # Half of a surrogate pair, as broken JSON leaves it; no tokenizer takes it.
        return len(tokenizer.encode_ordinary(text.encode("utf-8", "replace").decode()))
