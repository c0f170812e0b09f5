"""Whose endpoint a request went to, and in which format: by address, by a given name, or by the answer's shape.

For everything that meets requests from outside: `explain`, importers, the gateway. An SDK that is patched knows its
family and asks `table.match` directly.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from tallybook.providers.base import Format
from tallybook.providers.detect import detect_provider
from tallybook.providers.table import match

_OWN = {
    "alibaba": ("dashscope", "openai", "anthropic"),
    "anthropic": ("anthropic",),
    "aws": ("bedrock", "openai", "anthropic"),
    "azure": ("openai", "anthropic", "rerank"),
    "cloudflare": ("openai", "cloudflare"),
    "cohere": ("cohere", "rerank", "openai"),
    "databricks": ("databricks", "openai", "anthropic"),
    "deepgram": ("deepgram",),
    "elevenlabs": ("elevenlabs",),
    "google": ("google", "openai"),
    "google-vertex": ("anthropic", "google", "openai"),
    "huggingface": ("openai", "huggingface"),
    "mistral": ("mistral", "openai"),
    "ollama": ("ollama", "openai", "anthropic"),
    "ollama-cloud": ("ollama", "openai", "anthropic"),
    "openai": ("openai",),
    "replicate": ("replicate", "openai"),
    "snowflake": ("snowflake", "openai", "anthropic"),
    "watsonx": ("watsonx", "openai"),
    "writer": ("writer", "openai"),
    "x-ai": ("xai", "openai", "anthropic"),
}
"""API families that a provider speaks, first things first. All others: `_ANY`."""

_ANY = ("ollama", "openai", "anthropic", "google", "bedrock", "rerank", "huggingface")

_OTHER = re.compile(
    r"/(files|models|uploads?|batches|vector_stores|assistants|threads|conversations|cachedContents|fileSearchStores"
    r"|voices|sessions|instances|foundation_model_specs|fine_tuning|containers|guardrail|count_tokens|count-tokens"
    r"|input_tokens|client_secrets|calls|versions|operations|tokenize|detokenize)(/|:|$)|:(countTokens|uploadTo\w+)$"
)

NAMES = {
    "azure-openai": "azure", "xai": "x-ai", "gemini": "google", "vertex": "google-vertex", "bedrock": "aws",
    "bedrock-mantle": "aws", "voyage": "voyageai", "vercel-gateway": "vercel", "moonshot": "moonshotai",
    "llamacpp-local": "llamacpp", "lmstudio-local": "lmstudio", "litellm-proxy": "litellm",
    "local-openai-compat": "local", "openai-compat": "openai-compatible",
}  # fmt: skip
"""Names that others give to providers, where ours differ."""

_KINDS = {
    "chat": ("openai", "/chat/completions"),
    "completions": ("openai", "/completions"),
    "responses": ("openai", "/responses"),
    "embeddings": ("openai", "/embeddings"),
    "moderations": ("openai", "/moderations"),
    "images": ("openai", "/images/generations"),
    "audio": ("openai", "/audio/transcriptions"),
    "realtime-ws": ("openai", "/realtime"),
    "rerank": ("rerank", "/rerank"),
    "messages": ("anthropic", "/messages"),
    "anthropic": ("anthropic", "/messages"),
    "complete": ("anthropic", "/complete"),
    "gemini": ("google", "/models/x:generateContent"),
    "converse": ("bedrock", "/model/x/converse"),
    "invoke": ("bedrock", "/model/x/invoke"),
    "agent": ("bedrock", "/agents/x/agentAliases/x/sessions/x/text"),
    "grpc": ("xai", "/xai_api.Chat/GetCompletion"),
    "ocr": ("mistral", "/ocr"),
    "openai": ("openai", "/responses"),
}
"""Endpoint by the kind of interface in a given name, where the provider has none of its own below."""

_OWN_KINDS = {
    ("google", "generate"): ("google", "/models/x:generateContent"),
    ("google", "stream"): ("google", "/models/x:streamGenerateContent"),
    ("google", "cli-sdk"): ("google", "/models/x:streamGenerateContent"),
    ("google", "audio"): ("google", "/models/x:generateContent"),
    ("google", "images"): ("google", "/models/x:generateContent"),
    ("google", "embeddings"): ("google", "/models/x:embedContent"),
    ("google", "interactions"): ("google", "/interactions"),
    ("google", "live"): ("google", "/live"),
    ("google-vertex", "embeddings"): ("google", "/models/x:embedContent"),
    ("google-vertex", "predict"): ("google", "/models/text-embedding:predict"),
    ("cohere", "v1-chat"): ("cohere", "/v1/chat"),
    ("cohere", "v2-chat"): ("cohere", "/v2/chat"),
    ("cohere", "chat"): ("cohere", "/v2/chat"),
    ("cohere", "generate"): ("cohere", "/v1/generate"),
    ("cohere", "embeddings"): ("cohere", "/v2/embed"),
    ("cohere", "audio"): ("cohere", "/v2/audio/transcriptions"),
    ("ollama", "chat"): ("ollama", "/api/chat"),
    ("ollama", "generate"): ("ollama", "/api/generate"),
    ("ollama", "embed"): ("ollama", "/api/embed"),
    ("ollama", "embeddings"): ("ollama", "/api/embeddings"),
    ("mistral", "batches"): ("mistral", "/batch/x"),
    ("deepgram", "audio"): ("deepgram", "/v1/listen"),
    ("elevenlabs", "audio"): ("elevenlabs", "/v1/speech-to-text"),
    ("x-ai", "audio"): ("xai", "/v1/stt"),
}


_OTHER_KINDS = frozenset(("files", "count-tokens", "batches", "guardrail", "realtime", "video", "other"))
"""Kinds of interface of which most requests make no model call: nothing is guessed from an answer's shape."""


class Endpoint(NamedTuple):
    """What is known of an address."""

    format: Format | None
    """`None`: no model call, or none that is known."""
    provider: str
    is_other: bool
    """Known to make no model call: files, models, counting of tokens …"""


@lru_cache(maxsize=4096)
def by_url(method: str, url: str, provider: str | None = None) -> Endpoint:
    """The endpoint of a method and URL. `provider` is who is meant where the host does not tell (a proxy)."""
    found = detect_provider(None, url)
    if found == "unknown" and provider is not None:
        found = NAMES.get(provider, provider)
    try:
        path = urlsplit(url).path
    except ValueError:
        path = url
    method = {"WS": "get", "GRPC": "post"}.get(method, method)
    if found == "unknown" and _is_ollama(url):
        found = "ollama"
    for family in _OWN.get(found, _ANY):
        format_ = match(family, method, path)
        if format_ is not None:
            return Endpoint(format_, found, False)
    return Endpoint(None, found, _OTHER.search(path.rstrip("/")) is not None)


def _is_ollama(url: str) -> bool:
    return ":11434/" in url


@lru_cache(maxsize=1024)
def by_name(provider: str, api: str) -> Format | None:
    """The format of an interface named like `xai-chat-stream` or `vertex-gemini`; `None` for no model call."""
    name = NAMES.get(provider, provider)
    kind = api.removeprefix(f"{provider}-").removesuffix("-stream") or "stream"
    if kind == provider:
        kind = "stream" if api.endswith("-stream") else "chat"
    family, path = _OWN_KINDS.get((name, kind)) or _KINDS.get(kind, ("", ""))
    return match(family, "get" if kind in ("realtime-ws", "live", "batches") else "post", path) if family else None


def is_other_name(provider: str, api: str) -> bool:
    """Whether an interface's name says that nothing is to be guessed of its answers."""
    return api.removeprefix(f"{provider}-").removesuffix("-stream") in _OTHER_KINDS
