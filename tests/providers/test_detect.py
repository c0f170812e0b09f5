from __future__ import annotations

import pytest
from genai_prices import data

from tallybook.providers.detect import detect_provider


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1/", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://my-res.openai.azure.com/openai/deployments/x", "azure"),
        ("https://my-res.services.ai.azure.com/models", "azure"),
        ("https://my-res.cognitiveservices.azure.com/", "azure"),
        ("https://api.anthropic.com", "anthropic"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.deepseek.com", "deepseek"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://api.together.xyz/v1", "together"),
        ("https://api.x.ai/v1", "x-ai"),
        ("https://us-east-1.api.x.ai/v1", "x-ai"),
        ("https://api.perplexity.ai", "perplexity"),
        ("https://api.moonshot.ai/v1", "moonshotai"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "google"),
        ("https://us-central1-aiplatform.googleapis.com/v1", "google-vertex"),
        ("https://aiplatform.googleapis.com", "google-vertex"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "aws"),
        ("https://bedrock-mantle.us-east-1.api.aws/v1", "aws"),
        ("API.OPENAI.COM:443", "openai"),
        ("https://router.huggingface.co/together/v1", "huggingface_together"),
        ("https://router.huggingface.co/v1", "huggingface"),
        ("https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", "ovhcloud"),
    ],
)
def test_a_known_host_tells_the_provider_whatever_the_model(url: str, provider: str) -> None:
    assert detect_provider(None, url) == provider
    assert detect_provider("claude-opus-4", url) == provider


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"), ("o3-mini", "openai"), ("chatgpt-4o-latest", "openai"),
        ("text-embedding-3-small", "openai"), ("whisper-1", "openai"), ("dall-e-3", "openai"),
        ("ft:gpt-4o-mini:acme::x", "openai"), ("claude-sonnet-4-5-20250929", "anthropic"),
        ("gemini-2.5-flash", "google"), ("models/gemini-2.5-flash", "google"), ("text-embedding-004", "google"),
        ("imagen-4.0-generate-001", "google"), ("llama-3.3-70b", "meta"), ("grok-4", "x-ai"),
        ("deepseek-chat", "deepseek"), ("mistral-large-latest", "mistral"), ("codestral-2501", "mistral"),
        ("sonar-pro", "perplexity"), ("kimi-k2", "moonshotai"), ("command-r-plus", "cohere"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "aws"), ("amazon.nova-pro-v1:0", "aws"),
        ("anthropic/claude-sonnet-4", "anthropic"), ("bedrock/anthropic.claude-3", "aws"), ("xai/grok-4", "x-ai"),
        ("someone/gpt-tuned", "openai"), ("accounts/fireworks/models/llama-v3p1", "meta"),
        ("my-own-model", "unknown"), ("", "unknown"), ("/", "unknown"),
    ],
)  # fmt: skip
def test_without_a_host_the_models_name_tells(model: str, provider: str) -> None:
    assert detect_provider(model) == provider


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://localhost:11434", "https://llm.corp.example/v1",
                                 "http://[::1]:80", "http://[bad", "", "::"])  # fmt: skip
def test_a_host_that_says_nothing_leaves_it_to_the_model(url: str) -> None:
    assert detect_provider("gpt-4o", url) == "openai"
    assert detect_provider("my-own-model", url) == "unknown"
    assert detect_provider(None, url) == "unknown"


def test_a_host_that_only_looks_like_a_providers_is_not_taken_for_it() -> None:
    assert detect_provider(None, "https://api.openai.com.evil.example") == "unknown"
    assert detect_provider(None, "https://notx.ai") == "unknown"


def test_names_are_those_of_the_price_list_where_it_knows_the_host() -> None:
    known = {provider.id for provider in data.providers}
    ours = {
        detect_provider(None, f"https://{host}")
        for host in ("api.openai.com", "api.anthropic.com", "x.openai.azure.com", "openrouter.ai", "api.groq.com",
                     "api.deepseek.com", "api.mistral.ai", "api.together.xyz", "api.x.ai", "api.perplexity.ai",
                     "api.moonshot.ai", "generativelanguage.googleapis.com", "api.cohere.com", "api.fireworks.ai",
                     "bedrock-runtime.eu-west-1.amazonaws.com", "api.voyageai.com", "api.z.ai", "api.cerebras.ai")
    }  # fmt: skip
    assert ours <= known


def test_the_router_of_hugging_face_is_told_by_the_end_of_a_models_name_too() -> None:
    url = "https://router.huggingface.co/v1/chat/completions"
    assert detect_provider("moonshotai/Kimi-K2-Instruct:groq", url) == "huggingface_groq"
    assert detect_provider("moonshotai/Kimi-K2-Instruct:fastest", url) == "huggingface"
    assert detect_provider("moonshotai/Kimi-K2-Instruct", url) == "huggingface"
