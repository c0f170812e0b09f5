"""Counting and truncating, with a tokenizer and without; how far the estimates are off is stated and held."""

from __future__ import annotations

import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallybook.model.errors import InputError
from tallybook.prices import estimate, tokenizer, tokens
from tallybook.prices.ratio import Ratios

ROOT = Path(__file__).resolve().parents[2]
BASES = ["characters", *(["tokenizer"] if tokenizer.is_installed() else [])]


@pytest.fixture(params=BASES)
def basis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each basis in turn, whatever is installed."""
    monkeypatch.setattr(tokenizer, "is_installed", lambda: request.param == "tokenizer")
    return str(request.param)


def test_without_the_extra_the_character_classes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splintr", None)
    monkeypatch.setattr(tokenizer, "is_installed", lambda: False)
    text = "Antidisestablishmentarianism, 42 times over."
    assert tokens.basis() == "characters"
    assert tokens.estimate_tokens(text, "gpt-4o") == estimate.estimate_tokens(text, "gpt-4o")


@pytest.mark.skipif("tokenizer" not in BASES, reason="the extra `tokens` is not installed")
def test_with_the_extra_a_tokenizer_counts() -> None:
    text = "Antidisestablishmentarianism, 42 times over."
    assert tokens.basis() == "tokenizer"
    assert tokens.estimate_tokens(text, "gpt-4o") == tokens.estimate_tokens(text) == tokenizer.count(text, "o200k")
    assert tokens.estimate_tokens(text, "claude-opus-4-7") == tokenizer.count(text, "claude-4.7")


def test_a_ratio_corrects_the_estimate_and_the_cut(basis: str) -> None:
    ratios = Ratios()
    text = "The ledger of model calls. " * 400
    plain = tokens.estimate_tokens(text, "new-model")
    for _ in range(5):
        ratios.add("new-model", basis, plain, plain * 3 // 2)  # type: ignore[arg-type]
    assert tokens.estimate_tokens(text, "new-model", ratios=ratios) == pytest.approx(plain * 1.5, abs=1)
    assert tokens.estimate_tokens(text, "another", ratios=ratios) == plain
    cut = tokens.truncate_to_tokens(text, 300, "new-model", ratios=ratios)
    assert tokens.estimate_tokens(cut, "new-model") == pytest.approx(200, abs=4)


@given(text=st.text(max_size=300), limit=st.integers(0, 60), model=st.sampled_from(["", "gpt-4", "claude-sonnet-5"]))
@settings(max_examples=150, deadline=None)
def test_a_truncated_text_is_a_beginning_within_the_limit(text: str, limit: int, model: str) -> None:
    cut = tokens.truncate_to_tokens(text, limit, model)
    assert text.startswith(cut)
    assert tokens.estimate_tokens(cut, model) <= limit
    if tokens.estimate_tokens(text, model) <= limit:
        assert cut == text or not limit


def test_a_cut_is_as_long_as_the_limit_allows(basis: str) -> None:
    for text in ("The ledger of model calls, 2026-11-22.\n" * 300, "今日は天気がいいですね。" * 300, "a b " * 3_000):
        for limit in (1, 10, 1_000):
            cut = tokens.truncate_to_tokens(text, limit, "gpt-4o")
            assert limit - max(4, limit // 20) <= tokens.estimate_tokens(cut, "gpt-4o") <= limit, (text[:9], limit)


def test_a_text_that_fits_is_returned_as_it_is(basis: str) -> None:
    assert tokens.truncate_to_tokens("Hello, world!", 4, "gpt-4o") == "Hello, world!"
    assert tokens.truncate_to_tokens("", 5) == tokens.truncate_to_tokens("Hello", 0) == ""


def test_a_character_of_several_is_not_cut(basis: str) -> None:
    family = "👩\u200d👩\u200d👧"
    for limit in range(1, 40):
        cut = tokens.truncate_to_tokens(family * 5, limit, "gpt-4o")
        assert cut == family * (len(cut) // len(family))
    accents = unicodedata.normalize("NFD", "é" * 50)
    assert len(tokens.truncate_to_tokens(accents, 10, "gpt-4o")) % 2 == 0


@pytest.mark.parametrize("limit", [-1, 1.5, True, "10", None])
def test_a_limit_that_is_no_number_of_tokens_is_refused(limit: object) -> None:
    with pytest.raises(InputError, match="max_tokens"):
        tokens.truncate_to_tokens("Hello", limit)  # type: ignore[arg-type]


def test_a_long_text_is_cut_without_being_counted_whole(basis: str) -> None:
    text = "The ledger of model calls, 2026-11-22: every request once.\n" * 200_000
    began = time.process_time()
    cut = tokens.truncate_to_tokens(text, 100, "gpt-4o")
    assert time.process_time() - began < 1
    assert 200 < len(cut) < 1_000


@pytest.mark.skipif("tokenizer" not in BASES, reason="the extra `tokens` is not installed")
def test_character_classes_are_near_the_tokenizers_on_our_own_pages() -> None:
    """English prose, Markdown and Python by the paragraph; the mean error that docs/tokens.md states holds."""
    pages = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "src/tallybook/prices").glob("*.py"))]
    texts = [part for path in pages for part in path.read_text(encoding="utf-8").split("\n\n") if len(part) > 200]
    assert len(texts) > 50
    for family, most in (("o200k", 0.12), ("cl100k", 0.12), ("gemma", 0.12), ("deepseek", 0.15)):
        errors = [abs(estimate.of_family(text, family) / tokenizer.count(text, family) - 1) for text in texts]
        assert sum(errors) / len(errors) <= most, family
