"""Estimated tokens: the right family for a name, and figures near what the tokenizers count."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.prices.estimate import _ORDER, _WEIGHTS, estimate_tokens, family

FAMILIES = {
    "gpt-4o": "o200k",
    "gpt-4.1-mini": "o200k",
    "gpt-5": "o200k",
    "o3-mini": "o200k",
    "": "o200k",
    "somebody/some-model": "o200k",
    "gpt-4": "cl100k",
    "gpt-4-turbo-2024-04-09": "cl100k",
    "gpt-3.5-turbo": "cl100k",
    "text-embedding-3-small": "cl100k",
    "claude-2.1": "claude",
    "claude-3-haiku-20240307": "claude",
    "claude-3-5-haiku-20241022": "claude",
    "claude-3.5-sonnet": "claude",
    "claude-3-7-sonnet-latest": "claude",
    "claude-sonnet-4-20250514": "claude",
    "claude-sonnet-4-5-20250929": "claude",
    "anthropic.claude-opus-4-1-20250805-v1:0": "claude",
    "claude-opus-4-7": "claude-4.7",
    "claude-opus-4.8": "claude-4.7",
    "claude-sonnet-5": "claude-4.7",
    "gemini-2.5-flash": "gemma",
    "models/gemini-3-pro": "gemma",
    "meta-llama/Llama-3.3-70B": "llama",
    "deepseek-chat": "deepseek",
    "Qwen/Qwen3-32B": "qwen",
    "codestral-latest": "mistral",
    "kimi-k2": "kimi",
}

COUNTED = {
    "Hello, world!": (4, 4),
    "The quick brown fox jumps over the lazy dog.": (10, 10),
    "def add(a, b):\n    return a + b\n": (12, 12),
    "1234567890": (4, 4),
}
"""Texts and what the tokenizers o200k and cl100k make of them."""


@pytest.mark.parametrize("model", FAMILIES)
def test_a_models_name_tells_its_tokenizer(model: str) -> None:
    assert family(model) == FAMILIES[model]


@pytest.mark.parametrize("text", COUNTED)
def test_short_texts_are_estimated_near_their_count(text: str) -> None:
    for model, count in zip(("gpt-4o", "gpt-4"), COUNTED[text], strict=True):
        assert abs(estimate_tokens(text, model) - count) <= max(2, 0.35 * count)


def test_no_text_is_no_token_and_any_text_is_one_at_least() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens(" ") == estimate_tokens("a") == 1


@given(st.text(max_size=200), st.sampled_from(sorted(_WEIGHTS)), st.text(max_size=50))
def test_an_estimate_is_a_whole_number_and_more_text_is_never_fewer_tokens(text: str, model: str, more: str) -> None:
    name = {"o200k": "gpt-4o", "cl100k": "gpt-4", "gemma": "gemini", "claude-4.7": "claude-5"}.get(model, model)
    assert family(name) == model
    found = estimate_tokens(text, name)
    assert found >= 0
    assert estimate_tokens(text + "\n" + more, name) >= found - 1


def test_every_family_weighs_every_class() -> None:
    assert all(len(weights) == len(_ORDER) for weights in _WEIGHTS.values())
    assert all(weight >= 0 for weights in _WEIGHTS.values() for weight in weights)


def test_scripts_without_spaces_count_by_character_and_not_by_word() -> None:
    assert 3 <= estimate_tokens("今日は天気がいいですね", "gpt-4o") <= 11
    assert estimate_tokens("안녕하세요", "gpt-4o") >= 2


def test_a_large_text_takes_no_time_that_one_would_notice() -> None:
    text = "The ledger of model calls, 2026-11-22: every request once.\n" * 1_700
    started = time.perf_counter()
    estimate_tokens(text, "gpt-4o")
    assert time.perf_counter() - started < 0.5
