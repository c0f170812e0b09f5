"""Spellings of providers and models: what is the same, and what must never be taken for the same."""

from __future__ import annotations

import pytest

from tallybook.prices import naming


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("azure", "azure"),
        ("azure_openai", "azure"),
        ("azure.ai.openai", "azure"),
        ("gcp.vertex_ai", "google"),
        ("google-vertex", "google"),
        ("gemini", "google"),
        ("aws.bedrock", "aws"),
        ("xai", "x-ai"),
        ("self-hosted", "self-hosted"),
        ("my openai proxy", "my-openai-proxy"),
    ],
)
def test_a_provider_is_known_by_its_spellings_and_by_nothing_else(given: str, expected: str) -> None:
    assert naming.provider_id(given) == expected


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("google", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("google", "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("google", "publishers/anthropic/models/claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("anthropic", "claude-opus-5[1m]", "claude-opus-5"),
        ("openai", "openai/gpt-4o", "gpt-4o"),
        ("aws", "bedrock/anthropic.claude-3-haiku", "anthropic.claude-3-haiku"),
    ],
)
def test_prefixes_and_marks_that_leave_the_price_as_it_is_are_removed(provider: str, model: str, expected: str) -> None:
    found = naming.candidates(provider, model)
    assert found[0] == naming.Candidate(model)
    assert found[-1] == naming.Candidate(expected)


def test_another_makers_prefix_is_part_of_the_models_name() -> None:
    assert [c.model for c in naming.candidates("openai", "anthropic/claude-opus-5")] == ["anthropic/claude-opus-5"]
    assert [c.model for c in naming.candidates("openrouter", "openai/gpt-4o")] == ["openai/gpt-4o"]


def test_a_routers_variant_is_found_under_its_plain_name_as_an_estimate() -> None:
    assert naming.candidates("openrouter", "openai/gpt-4o:online")[-1] == ("openai/gpt-4o", naming.ONLINE)
    assert naming.candidates("openrouter", "openai/gpt-4o:nitro")[-1] == ("openai/gpt-4o", naming.VARIANT)
    assert len(naming.candidates("openai", "gpt-4o:online")) == 1


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openrouter", "deepseek/deepseek-r1:free", True),
        ("openrouter", "deepseek/deepseek-r1", False),
        ("openai", "gpt-4o:free", False),
        ("ollama", "llama3.2", True),
        ("ollama", "gpt-oss:120b-cloud", False),
        ("llama.cpp", "anything", True),
        ("lm_studio", "anything", True),
        ("self-hosted", "my-org/llama", False),
    ],
)
def test_only_what_is_free_by_its_name_is_free(provider: str, model: str, expected: bool) -> None:
    assert naming.is_free(provider, model) is expected


@pytest.mark.parametrize(
    ("tier", "is_batch", "expected"),
    [
        (None, False, None),
        ("default", False, None),
        ("auto", False, None),
        ("standard", False, None),
        ("on_demand", False, None),
        ("ON_DEMAND", False, None),
        ("ON_DEMAND_FLEX", False, "flex"),
        ("flex", False, "flex"),
        ("priority", False, "priority"),
        ("PROVISIONED_THROUGHPUT", False, "provisioned-throughput"),
        ("default", True, "batch"),
        ("batch", False, "batch"),
    ],
)
def test_a_tier_is_named_only_where_it_bears_on_the_price(
    tier: str | None, is_batch: bool, expected: str | None
) -> None:
    assert naming.tier(tier, is_batch) == expected
