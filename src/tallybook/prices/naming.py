"""Under which names a provider and a model may stand in a price list: safe rewritings, never a likeness.

Providers are known by many spellings (SDKs, OpenTelemetry, LiteLLM, OpenRouter); `provider_id` maps the spellings we
know and nothing else, because "contains openai" would price Azure as OpenAI. Models are tried as they are first,
then with prefixes and suffixes removed that are known to leave the price as it is, or to make it an estimate.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_SPELLINGS = {
    "anthropic": ("claude",),
    "aws": (
        "amazon", "amazon-bedrock", "aws-bedrock", "aws.bedrock", "bedrock", "bedrock-converse", "bedrock-mantle",
    ),
    "azure": (
        "az.ai.inference", "az.ai.openai", "azure-ai", "azure-ai-foundry", "azure-foundry", "azure-openai",
        "azure.ai.inference", "azure.ai.openai",
    ),
    "cohere": ("cohere-chat",),
    "fireworks": ("fireworks-ai",),
    "github-copilot": ("copilot",),
    "google": (
        "gcp.gemini", "gcp.gen-ai", "gcp.vertex-ai", "gemini", "google-ai-studio", "google-genai", "google-gla",
        "google-vertex", "google-vertexai", "google.gemini", "google.vertex", "vertex", "vertex-ai", "vertexai",
    ),
    "meta": ("meta-llama-api",),
    "mistral": ("mistral-ai", "mistralai"),
    "moonshotai": ("kimi", "moonshot", "moonshot-ai"),
    "openai": ("openai-responses", "openai.chat", "openai.responses"),
    "ovhcloud": ("ovh",),
    "perplexity": ("perplexity-ai",),
    "together": ("together-ai", "togetherai"),
    "voyageai": ("voyage", "voyage-ai"),
    "x-ai": ("grok", "xai"),
    "zai": ("z-ai", "z.ai"),
    "zhipuai": ("zhipu", "zhipu-ai"),
}  # fmt: skip
_ID_BY_SPELLING = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}

_LOCAL = frozenset(
    (
        "gpt4all", "jan", "koboldcpp", "llama-cpp", "llama-cpp-python", "llama.cpp", "llamacpp", "llamafile",
        "lm-studio", "lmstudio", "localai", "mlx", "mlx-lm", "ollama", "vllm",
    )
)  # fmt: skip

MAKERS = (
    "anthropic", "arcee", "cohere", "deepseek", "google", "meta", "minimax", "mistral", "moonshotai", "openai",
    "perplexity", "voyageai", "x-ai", "zhipuai",
)  # fmt: skip
"""Providers that sell models of their own making: whom a model without a provider is looked up at."""

GATEWAYS = frozenset(
    ("cloudflare-ai-gateway", "helicone", "litellm-proxy", "portkey", "pydantic-gateway", "vercel", "vercel-ai-gateway")
)
"""Services that pass a request on to the model's maker at its list price, with or without a fee of their own."""

ONLINE = "online_search_fee_unknown"
VARIANT = "router_variant_price_unknown"

_ROUTER_VARIANTS = (":nitro", ":floor", ":exacto", ":extended", ":thinking", ":beta")
_COPY = re.compile(r":(\d+x)?[\d.]+[bm]\b|distill|gguf|-q\d_|^(openai/)?gpt-oss")
"""Names under which people run open weights themselves (`deepseek-r1:8b`), never a maker's own service."""

_PATH = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/")


class Candidate(NamedTuple):
    """A name to look a model up by, and why a price found under it is only an estimate (`None`: it is not)."""

    model: str
    estimated: str | None = None


def spelled(provider: str) -> str:
    """The provider's name in lower case with hyphens, as our tables and `prices.toml` compare it."""
    return provider.strip().lower().replace("_", "-").replace(" ", "-")


@lru_cache(maxsize=1024)
def provider_id(provider: str) -> str:
    """The price list's id of a provider, where we know the spelling; else the spelling itself."""
    name = spelled(provider)
    return _ID_BY_SPELLING.get(name, name)


def is_unstated(provider: str) -> bool:
    """Whether a record does not tell its provider."""
    return spelled(provider) in ("", "unknown", "none", "litellm")


def is_free(provider: str, model: str) -> bool:
    """Whether a model is free by its name: OpenRouter's `:free`, or a server on the user's own machine.

    Models that Ollama forwards to its own service (`…-cloud`) are not.
    """
    name = spelled(provider)
    if name in _LOCAL:
        return not model.lower().endswith(("-cloud", ":cloud"))
    return name == "openrouter" and model.lower().endswith(":free")


def is_copy(provider: str, model: str) -> bool:
    """Whether a model that is said to be its maker's is by its name a copy of open weights, run by somebody else."""
    return provider in MAKERS and _COPY.search(model.lower()) is not None


def candidates(provider: str, model: str) -> list[Candidate]:
    """Names to try for `model` of the price list's provider `provider`, strict first, in order, without repeats."""
    found = [Candidate(model)]
    name = model.strip()
    name = _PATH.sub("", name).removeprefix("models/")
    found.append(Candidate(name))
    if name.endswith("[1m]"):  # Claude Code's mark for the long context window, not a model of its own.
        name = name.removesuffix("[1m]")
        found.append(Candidate(name))
    maker, slash, bare = name.partition("/")
    if slash and provider_id(maker) == provider:
        found.append(Candidate(bare))
        name = bare
    if provider == "google" and "@" in name:  # Claude on Vertex: claude-sonnet-4-5@20250929
        found.append(Candidate(name.replace("@", "-").removesuffix("-default")))
    if provider == "openrouter":
        if name.endswith(":online"):
            found.append(Candidate(name.removesuffix(":online"), ONLINE))
        for suffix in _ROUTER_VARIANTS:
            if name.endswith(suffix):
                found.append(Candidate(name.removesuffix(suffix), VARIANT))
    unique: dict[str, Candidate] = {}
    for candidate in found:
        if candidate.model:
            unique.setdefault(candidate.model, candidate)
    return list(unique.values())


def stated_maker(model: str) -> tuple[str, str] | None:
    """(provider id, bare model) of a name that states its maker, as LiteLLM writes it: `openai/gpt-4o`."""
    maker, slash, bare = model.partition("/")
    return (provider_id(maker), bare) if slash and bare else None


def tier(service_tier: str | None, is_batch: bool) -> str | None:
    """The tier that bears on the price, or `None` for the standard one. A batch is a batch whatever its tier says."""
    if is_batch:
        return "batch"
    name = spelled(service_tier or "").removeprefix("on-demand-")
    if name in (
        "",
        "auto",
        "default",
        "standard",
        "standard-only",
        "on-demand",
        "traffic-type-unspecified",
        "none",
        "null",
    ):
        return None
    return name
