"""The registry: every row sound, names found in any safe spelling, prices those of the price book."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tallybook.prices import registry
from tallybook.prices.book import PriceBook
from tallybook.prices.naming import provider_id

NOW_US = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 1_000_000
BOOK = PriceBook()

SPELLINGS = {
    "claude-sonnet-4": "claude-sonnet-4-0",
    "claude-sonnet-4-20250514": "claude-sonnet-4-0",
    "anthropic/claude-3.5-haiku": "claude-3-5-haiku",
    "claude-3-5-haiku-latest": "claude-3-5-haiku",
    "claude-sonnet-4-5@20250929": "claude-sonnet-4-5",
    "us.anthropic.claude-opus-4-5-20251101-v1:0": "claude-opus-4-5",
    "claude-opus-5[1m]": "claude-opus-5",
    "CLAUDE-OPUS-5": "claude-opus-5",
    "gpt-4o-2024-08-06": "gpt-4o",
    "openai/gpt-5.1": "gpt-5.1",
    "models/gemini-2.5-flash": "gemini-2.5-flash",
    "llama-3.1-70b": "meta-llama/llama-3.1-70b-instruct",
    "meta-llama/llama-3.1-8b-instruct:free": "meta-llama/llama-3.1-8b-instruct",
    "glm-5.3": "GLM-5.3",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_model_is_found_in_any_safe_spelling(spelling: str) -> None:
    assert registry.find(spelling) == SPELLINGS[spelling]


@pytest.mark.parametrize("name", ["gpt-4o-mini-tuned", "ft:gpt-4o-2024-08-06:acme::x", "claude-opus-99", "", "gpt"])
def test_another_model_is_not_taken_for_one_with_a_like_name(name: str) -> None:
    assert registry.find(name) is None


def test_with_a_maker_only_its_own_model_is_found() -> None:
    assert registry.find("gpt-4o", "openai") == registry.find("gpt-4o", "azure") == "gpt-4o"
    assert registry.find("gpt-4o", "anthropic") is None


@pytest.mark.parametrize("name", registry.names())
def test_every_row_is_sound(name: str) -> None:
    model = registry.info(name, BOOK, NOW_US)
    assert model is not None and model.name == name
    assert model.provider == provider_id(model.provider)
    assert set(model.recommended_for) and model.source is not None and model.source.startswith("https://")
    assert model.checked is not None and model.checked >= date(2026, 11, 1)
    assert model.context_window is None or 1_000 < model.context_window < 20_000_000
    assert model.max_output is None or 0 <= model.max_output <= (model.context_window or 10**9)
    if model.released is not None:
        assert date(2022, 1, 1) < model.released <= model.checked
        assert model.retires is None or model.retires > model.released
        assert model.not_before is None or model.not_before > model.released
    assert model.retires is None or model.not_before is None


def test_no_name_or_alias_stands_twice() -> None:
    rows = registry._rows()
    spellings = [spelling.lower() for name, row in rows.items() for spelling in (name, *row.facts.get("aliases", ()))]
    assert len(spellings) == len(set(spellings)) > 160


def test_the_major_models_of_the_seed_have_its_figures() -> None:
    haiku, sonnet = (registry.info(name, BOOK, NOW_US) for name in ("claude-3-5-haiku", "claude-sonnet-4"))
    assert haiku is not None and sonnet is not None
    assert (haiku.context_window, haiku.max_output) == (200_000, 8_192)
    assert (sonnet.provider, sonnet.pricing["input"], sonnet.pricing["output"]) == ("anthropic", 3.0, 15.0)
    assert {"vision", "function_calling", "reasoning"} <= set(sonnet.capabilities)


def test_the_status_follows_from_the_day() -> None:
    def status(name: str, day: date) -> str:
        found = registry.info(name, BOOK, int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 10**6)
        assert found is not None
        return found.status

    assert status("claude-sonnet-4-5", date(2026, 11, 22)) == "retiring"
    assert status("claude-sonnet-4-5", date(2026, 11, 30)) == "retired"
    assert status("claude-opus-4-5", date(2027, 1, 1)) == "active"


def test_own_prices_are_those_shown(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nprovider = "openai"\nmodel = "gpt-6.2-sol"\ninput = 2\noutput = 10\n')
    bare, own = (registry.info("gpt-6.2-sol", book, NOW_US) for book in (BOOK, PriceBook(prices_file=prices)))
    assert own is not None and own.pricing["input"] == 2.0 and own.pricing["output"] == 10.0
    assert bare is not None


def test_a_model_that_only_the_price_list_knows_is_told_without_guesses() -> None:
    model = registry.info("voyage-3-large", BOOK, NOW_US)
    assert model is not None and model.provider == "voyageai"
    assert (model.max_output, model.capabilities, model.source) == (None, (), None)
    assert model.pricing["input"] > 0
    assert registry.info("no-such-model-anywhere", BOOK, NOW_US) is None


def test_models_are_listed_by_maker_and_capabilities() -> None:
    found = registry.every(BOOK, NOW_US, provider="claude", capability=["vision", "structured_output"])
    assert found and all(model.provider == "anthropic" for model in found)
    assert all({"vision", "structured_output"} <= set(model.capabilities) for model in found)
    assert not any(model.status == "retired" for model in found)
    assert "claude-3-opus" in {m.name for m in registry.every(BOOK, NOW_US, provider="anthropic", retired=True)}
