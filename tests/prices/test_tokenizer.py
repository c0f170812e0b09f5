"""Real tokenizers: known counts, Claude's factors, texts that break naive code."""

from __future__ import annotations

import time

import pytest

from tallybook.prices import tokenizer
from tallybook.prices.estimate import _WEIGHTS

pytest.importorskip("splintr", reason="the extra `tokens` is not installed")


@pytest.mark.parametrize(
    ("text", "o200k", "cl100k"),
    [
        ("Hello, world!", 4, 4),
        ("The quick brown fox jumps over the lazy dog.", 10, 10),
        ("def add(a, b):\n    return a + b\n", 12, 12),
        ("1234567890", 4, 4),
        ("", 0, 0),
    ],
)
def test_counts_are_those_of_the_published_tokenizers(text: str, o200k: int, cl100k: int) -> None:
    assert (tokenizer.count(text, "o200k"), tokenizer.count(text, "cl100k")) == (o200k, cl100k)


def test_every_family_of_the_estimator_has_a_vocabulary_that_loads() -> None:
    assert set(tokenizer.VOCABULARIES) == set(_WEIGHTS)
    for family in tokenizer.VOCABULARIES:
        assert 2 <= tokenizer.count("Hello, world!", family) <= 8


def test_claude_is_counted_by_script() -> None:
    latin, japanese = "The ledger of model calls. " * 40, "今日は天気がいいですね。" * 40
    one, other = tokenizer.count(latin, "o200k"), tokenizer.count(japanese, "o200k")
    assert tokenizer.count(latin, "claude") == round(one * 1.22)
    assert tokenizer.count(japanese, "claude") == round(other * 1.63)
    both = tokenizer.count(latin + japanese, "claude-4.7")
    assert both == pytest.approx(one * 1.535 + other * 1.70, rel=0.01)


def test_marks_of_a_vocabulary_count_as_the_text_they_are() -> None:
    assert tokenizer.count("<|endoftext|>", "o200k") > 1


def test_half_a_surrogate_pair_is_counted_and_not_refused() -> None:
    assert tokenizer.count("a\ud800b", "o200k") >= 2


def test_a_long_text_is_counted_in_pieces_to_nearly_the_same_number() -> None:
    text = "The ledger of model calls, 2026-11-22: every request once.\n" * 8_000
    whole = len(tokenizer._load("o200k_base").encode_ordinary(text))
    assert tokenizer.count(text, "o200k") == pytest.approx(whole, rel=1e-4)


def test_a_word_of_a_million_letters_takes_no_minute() -> None:
    began = time.process_time()
    assert tokenizer.count("a" * 1_000_000, "o200k") == pytest.approx(125_000, rel=0.01)
    assert time.process_time() - began < 30
