"""Providers by the ledger's names."""

from __future__ import annotations

import pytest

from tallybook.ingest.dialects.vendor import NAMES, provider_of


@pytest.mark.parametrize(
    ("told", "expected"),
    [("openai", "openai"), ("openai.responses", "openai"), ("anthropic.messages", "anthropic"), ("aws.bedrock", "aws"),
     ("amazon-bedrock", "aws"), ("azure.ai.openai", "azure"), ("azure-openai.responses", "azure"),
     ("gcp.gemini", "google"), ("gemini", "google"), ("google.generative-ai", "google"),
     ("google.vertex.chat", "google-vertex"), ("gcp.vertex_ai", "google-vertex"), ("mistral_ai", "mistral"),
     ("xai.chat", "x-ai"), ("x_ai", "x-ai"), ("moonshot_ai", "moonshotai"), ("OpenAI", "openai"),
     ("ibm.watsonx.ai", "watsonx"), ("our-own-thing", "our-own-thing")],
)  # fmt: skip
def test_a_spelling_has_the_ledgers_name(told, expected):
    assert provider_of(told) == expected


def test_without_a_name_the_model_tells():
    assert provider_of(None, None, "claude-sonnet-4-5") == "anthropic"
    assert provider_of(None) == "unknown"


def test_an_unknown_name_gives_way_to_a_known_host():
    assert provider_of("custom", "api.groq.com") == "groq"


def test_names_are_in_the_form_they_are_looked_up_by():
    assert all(name == name.lower() and "-" not in name for name in NAMES)
