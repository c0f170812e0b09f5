"""Which provider serves an endpoint or a model: by host where the host tells, else by the model's name.

Names are those of genai-prices where it knows the provider, so that a price look-up needs no translation.
Loopback and unknown hosts (a proxy, a gateway, a company's own domain) say nothing; there the model decides.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

_HOSTS = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "openrouter.ai": "openrouter",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.mistral.ai": "mistral",
    "codestral.mistral.ai": "mistral",
    "api.together.xyz": "together",
    "api.together.ai": "together",
    "api.x.ai": "x-ai",
    "api.perplexity.ai": "perplexity",
    "api.moonshot.ai": "moonshotai",
    "api.moonshot.cn": "moonshotai",
    "generativelanguage.googleapis.com": "google",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.cerebras.ai": "cerebras",
    "api.fireworks.ai": "fireworks",
    "api.avian.io": "avian",
    "api.novita.ai": "novita",
    "api.voyageai.com": "voyageai",
    "api.z.ai": "zai",
    "open.bigmodel.cn": "zhipuai",
    "api.githubcopilot.com": "github-copilot",
    "models.inference.ai.azure.com": "azure",
    "ai-gateway.vercel.sh": "vercel",
    "gateway.ai.vercel.com": "vercel",
    "router.huggingface.co": "huggingface",
    "api-inference.huggingface.co": "huggingface",
    "dashscope.aliyuncs.com": "alibaba",
    "dashscope-intl.aliyuncs.com": "alibaba",
    "inference.crusoecloud.com": "crusoe",
    "api.intelligence.crusoecloud.com": "crusoe",
    "api.deepgram.com": "deepgram",
    "api.elevenlabs.io": "elevenlabs",
    "api.minimax.io": "minimax",
    "api.minimaxi.com": "minimax",
    "api.replicate.com": "replicate",
    "api.writer.com": "writer",
    "api.sambanova.ai": "sambanova",
    "api.hyperbolic.xyz": "hyperbolic",
    "api.studio.nebius.ai": "nebius",
    "integrate.api.nvidia.com": "nvidia",
    "inference.baseten.co": "baseten",
    "gateway.pydantic.dev": "pydantic-gateway",
    "us.inference.heroku.com": "heroku",
    "api.portkey.ai": "portkey",
    "ollama.com": "ollama-cloud",  # Not free, unlike the server of the same name on one's own machine.
    "api.arcee.ai": "arcee",
    "api.meta.ai": "meta",
    "api.jina.ai": "jina",
    "api.ai21.com": "ai21",
    "api.cloudflare.com": "cloudflare",
    "api.cursor.com": "cursor",
    "api.doubleword.ai": "doubleword",
    "api.quicksilverpro.io": "quicksilverpro",
    "api.typesafe.ai": "typesafe",
}

_ENDINGS = (
    (".openai.azure.com", "azure"),
    (".services.ai.azure.com", "azure"),
    (".cognitiveservices.azure.com", "azure"),
    (".azure-api.net", "azure"),
    (".api.openai.com", "openai"),
    (".openai.com", "openai"),
    (".anthropic.com", "anthropic"),
    (".openrouter.ai", "openrouter"),
    (".x.ai", "x-ai"),
    (".mistral.ai", "mistral"),
    (".groq.com", "groq"),
    (".deepseek.com", "deepseek"),
    (".elevenlabs.io", "elevenlabs"),
    (".cloud.databricks.com", "databricks"),
    (".azuredatabricks.net", "databricks"),
    (".snowflakecomputing.com", "snowflake"),
    (".ml.cloud.ibm.com", "watsonx"),
    (".inference.heroku.com", "heroku"),
    (".api.nvidia.com", "nvidia"),
    (".aliyuncs.com", "alibaba"),
    (".modal.run", "modal"),
    (".kepler.ai.cloud.ovh.net", "ovhcloud"),
)

_ROUTER = "router.huggingface.co"
_ROUTES = frozenset((
    "cerebras", "fireworks-ai", "groq", "hyperbolic", "nebius", "novita", "nscale", "ovhcloud", "publicai",
    "sambanova", "together",
))  # fmt: skip
"""Hosts behind Hugging Face's router, each with its own prices: the first part of the path, or the end of a model's
name (`moonshotai/Kimi-K2-Instruct:groq`)."""

_BEDROCK = re.compile(r"(^|\.)bedrock[a-z-]*\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|api\.aws)$")

_VENDORS = {
    "openai": "openai", "anthropic": "anthropic", "google": "google", "gemini": "google", "vertex_ai": "google-vertex",
    "azure": "azure", "openrouter": "openrouter", "groq": "groq", "deepseek": "deepseek", "mistral": "mistral",
    "mistralai": "mistral", "together": "together", "together_ai": "together", "xai": "x-ai", "x-ai": "x-ai",
    "perplexity": "perplexity", "moonshot": "moonshotai", "moonshotai": "moonshotai",
    "bedrock": "aws", "cohere": "cohere",
    "ollama": "ollama", "cerebras": "cerebras", "fireworks_ai": "fireworks", "fireworks": "fireworks", "meta": "meta",
    "meta-llama": "meta", "qwen": "alibaba", "z-ai": "zai", "zai": "zai", "voyage": "voyageai",
}  # fmt: skip
"""Prefixes before a slash in a model's name, as LiteLLM, OpenRouter and others write them."""

_BEDROCK_MODEL = re.compile(
    r"^(arn:aws|((us|eu|apac|jp|au|ca|sa|us-gov|global)\.)?"
    r"(anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen|stability|writer|luma|twelvelabs)\.)"
)

_NAMES = (
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"gemini|gemma|^imagen|^veo-|^text-bison|^chat-bison|^learnlm|^nano-banana|^aqa$"), "google"),
    (re.compile(r"grok"), "x-ai"),
    (re.compile(r"deepseek"), "deepseek"),
    (re.compile(r"mistral|mixtral|codestral|ministral|pixtral|magistral|devstral|voxtral"), "mistral"),
    (re.compile(r"^sonar|pplx"), "perplexity"),
    (re.compile(r"kimi|moonshot"), "moonshotai"),
    (re.compile(r"llama"), "meta"),
    (re.compile(r"^command|^embed-(english|multilingual|v)|^rerank-|^c4ai|^aya-"), "cohere"),
    (re.compile(r"^voyage-|^rerank-2"), "voyageai"),
    (re.compile(r"^qwen|^qwq|^qvq"), "alibaba"),
    (re.compile(r"^glm-"), "zai"),
    (
        re.compile(
            r"gpt|^o[1-9](-|$)|^chatgpt|^text-embedding-(ada|3)|^text-(davinci|curie|babbage|ada|moderation)|^davinci|"
            r"^babbage|^code-davinci|^dall-e|^whisper|^tts-|^omni-moderation|^codex|^computer-use|^sora|^ft:"
        ),
        "openai",
    ),
    (
        re.compile(r"^text-embedding-\d{3}$|^text-multilingual-embedding|^textembedding-gecko|^multimodalembedding"),
        "google",
    ),
)


@lru_cache(maxsize=4096)
def detect_provider(model: str | None = None, base_url: str | None = None) -> str:
    """The provider's name; `unknown` when neither host nor model tells. Never raises."""
    found = _by_url(base_url) if base_url else None
    if found is None and model:
        found = _by_model(model)
    elif found == "huggingface" and model:
        found = _routed(model.rpartition(":")[2])
    return found or "unknown"


def is_usual(host: str) -> bool:
    """Whether a host is the one address of its provider: it tells nothing beyond the provider's name."""
    return host in _HOSTS


def _routed(route: str) -> str:
    return f"huggingface_{route}" if route in _ROUTES else "huggingface"


def _by_url(url: str) -> str | None:
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return None
    if not host:
        return None
    found = _HOSTS.get(host)
    if host == _ROUTER:
        return _routed(parts.path.removeprefix("/").partition("/")[0])
    if found is not None:
        return found
    if host == "aiplatform.googleapis.com" or host.endswith(("-aiplatform.googleapis.com", ".rep.googleapis.com")):
        return "google-vertex"
    if _BEDROCK.search(host):
        return "aws"
    for ending, name in _ENDINGS:
        if host.endswith(ending):
            return name
    return "google" if host.endswith(".googleapis.com") else None


def _by_model(model: str) -> str | None:
    name = model.strip().lower()
    vendor, slash, rest = name.partition("/")
    if slash and vendor not in {"models", "publishers", "projects", "accounts"}:
        return _VENDORS.get(vendor) or _by_model(rest)
    name = name.rpartition("/")[2]
    if _BEDROCK_MODEL.match(model.strip().lower()):
        return "aws"
    for pattern, provider in _NAMES:
        if pattern.search(name):
            return provider
    return None
