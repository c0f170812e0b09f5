"""Names of providers as the conventions spell them, and the ledger's for each (`providers.detect`, the prices)."""

from __future__ import annotations

import re
from functools import lru_cache

from tallybook.providers.detect import detect_provider

NAMES: dict[str, str] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "aws.bedrock": "aws",
    "aws_bedrock": "aws",
    "amazon_bedrock": "aws",
    "bedrock": "aws",
    "aws": "aws",
    "amazon": "aws",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "azure_openai": "azure",
    "azure": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google-vertex",
    "gcp.vertex.agent": "google",
    "gemini": "google",
    "google": "google",
    "google_genai": "google",
    "google_gla": "google",
    "google_generative_ai": "google",
    "google.generative_ai": "google",
    "google_vertex": "google-vertex",
    "google.vertex": "google-vertex",
    "vertex_ai": "google-vertex",
    "vertexai": "google-vertex",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "groq": "groq",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "mistral": "mistral",
    "moonshot_ai": "moonshotai",
    "moonshot": "moonshotai",
    "moonshotai": "moonshotai",
    "perplexity": "perplexity",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "ibm.watsonx.ai": "watsonx",
    "watsonx": "watsonx",
    "together_ai": "together",
    "togetherai": "together",
    "together": "together",
    "fireworks_ai": "fireworks",
    "fireworks": "fireworks",
    "openrouter": "openrouter",
    "ollama": "ollama",
    "cerebras": "cerebras",
    "huggingface": "huggingface",
    "hugging_face": "huggingface",
    "replicate": "replicate",
    "alibaba": "alibaba",
    "dashscope": "alibaba",
    "voyageai": "voyageai",
    "voyage": "voyageai",
    "zai": "zai",
    "zhipuai": "zhipuai",
    "github_models": "github",
    "github_copilot": "github-copilot",
    "gateway": "vercel",
    "vercel": "vercel",
    "heroku": "heroku",
    "databricks": "databricks",
    "elevenlabs": "elevenlabs",
    "deepgram": "deepgram",
    "cloudflare": "cloudflare",
    "lmstudio": "lmstudio",
    "vllm": "vllm",
    "litellm": "litellm",
}
"""Spelling in lower case with underscores, to the ledger's name."""

_LOCAL = re.compile(r"^(\[?::1\]?|localhost|127\.|0\.0\.0\.0|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)")


@lru_cache(maxsize=4096)
def provider_of(told: str | None, address: str | None = None, model: str | None = None) -> str:
    """The ledger's name: by the endpoint's host where it is known, else by what is told, else by the model.

    The host goes first, because one SDK serves many hosts and says its own name for all of them.
    """
    if address and not _LOCAL.match(address):
        found = detect_provider(None, address)
        if found != "unknown":
            return found
    if told:
        name = told.strip().lower().replace("-", "_").replace(" ", "_")
        while name:
            known = NAMES.get(name)
            if known is not None:
                return known
            name = name.rpartition(".")[0]  # `openai.responses`, `anthropic.messages` (Vercel)
    found = detect_provider(model, None)
    if found != "unknown":
        return found
    return told.strip().lower() if told else "unknown"
