"""The registry by its public names, in the seed's shape."""

from __future__ import annotations

from pathlib import Path

import pytest

import tallybook
from tallybook.model.errors import NotFound


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_DIR", str(tmp_path))


def test_the_registry_is_a_dictionary_of_the_seeds_shape() -> None:
    registry = tallybook.MODEL_REGISTRY
    assert len(registry) == len(list(registry)) > 150
    sonnet = registry["claude-sonnet-4"]
    assert set(sonnet) == {"provider", "context_window", "max_output", "pricing", "capabilities", "recommended_for"}
    assert (sonnet["provider"], sonnet["context_window"]) == ("anthropic", 200_000)
    assert sonnet["pricing"]["output"] == 15.0
    assert "reasoning" in sonnet["capabilities"]
    assert "llama-3.1-70b" in registry and "no-such-model" not in registry
    with pytest.raises(KeyError):
        registry["no-such-model"]


def test_one_model_is_told_by_any_spelling() -> None:
    assert tallybook.get_model_info("openai/gpt-4o-2024-08-06").max_output == 16_384


def test_an_unknown_name_is_answered_with_the_nearest_ones() -> None:
    with pytest.raises(NotFound, match="gpt-4oo") as caught:
        tallybook.get_model_info("gpt-4oo")
    assert "gpt-4o" in str(caught.value.hint)


def test_models_are_listed_by_capability() -> None:
    found = tallybook.list_models(capabilities=["embeddings"])
    assert {"text-embedding-3-small", "mistral-embed"} <= {model.name for model in found}


def test_own_prices_of_the_ledger_hold(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text('[[price]]\nprovider = "openai"\nmodel = "gpt-4o"\ninput = 1\noutput = 2\n')
    assert tallybook.MODEL_REGISTRY["gpt-4o"]["pricing"]["input"] == 1.0
