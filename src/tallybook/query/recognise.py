"""Which provider and which wire format an interaction is in: by its URL, else by the names it came with, or its shape.

The formats are those of `providers/table.py`: a further row there is found here without a change. A URL that was made
up around a kept response is trusted last. What the table does not know is looked at by shape, so that a host nobody
has heard of is counted like those it copies; `None` means that nothing here is a model call we can read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tallybook.providers import shape
from tallybook.providers.base import Format
from tallybook.providers.detect import detect_provider
from tallybook.providers.sse import Frames, looks_like_sse
from tallybook.providers.table import ROWS, match
from tallybook.query.interaction import Interaction

_PROVIDERS = {
    "azure-openai": "azure", "bedrock": "aws", "gemini": "google", "vertex": "google-vertex", "xai": "x-ai",
    "moonshot": "moonshotai", "voyage": "voyageai", "vercel-gateway": "vercel", "llamacpp-local": "llamacpp",
    "lmstudio-local": "lmstudio", "huggingface_api": "huggingface", "together-ai": "together",
}  # fmt: skip
"""Names under which recordings file a provider, and ours. All other names are taken as they are."""

_UNTOLD = frozenset(("openai-compat", "unknown", "local-openai-compat", ""))
"""Names that say how a host speaks and not who it is."""

_FAMILIES = {
    "google": ("google", "openai"),
    "google-vertex": ("google", "anthropic", "openai"),
    "anthropic": ("anthropic", "openai"),
    "aws": ("aws", "bedrock", "amazon", "anthropic", "openai"),
    "azure": ("azure", "openai", "anthropic"),
    "openai": ("openai",),
}
"""Families of rows that a provider's endpoints are looked up in, in order; others: their own, then OpenAI's."""

_ALL_FAMILIES = tuple(dict.fromkeys(row.family for row in ROWS))

_PATHS = {
    "chat": "/v1/chat/completions", "completions": "/v1/completions", "responses": "/v1/responses",
    "embeddings": "/v1/embeddings", "images": "/v1/images/generations", "moderations": "/v1/moderations",
    "audio": "/v1/audio/transcriptions", "messages": "/v1/messages", "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions", "complete": "/v1/complete", "rerank": "/v1/rerank", "ocr": "/v1/ocr",
    "generate": "/v1beta/models/unknown:generateContent", "gemini": "/v1beta/models/unknown:generateContent",
    "stream": "/v1beta/models/unknown:streamGenerateContent",
    "cli-sdk": "/v1beta/models/unknown:streamGenerateContent",
    "interactions": "/v1beta/interactions", "predict": "/v1/models/unknown:predict",
    "converse": "/model/unknown/converse", "invoke": "/model/unknown/invoke",
    "v1-chat": "/v1/chat", "v2-chat": "/v2/chat", "generation": "/api/generate", "embed": "/api/embed",
    "realtime": "/v1/realtime", "realtime-ws": "/v1/realtime", "live": "/v1beta/live",
    "grpc": "/xai_api.Chat/GetCompletion",
}  # fmt: skip
"""Endings of an API's name in a recording (after the provider, before `-stream`), and a path that stands for each."""

_OWN_PATHS = {
    ("ollama", "chat"): "/api/chat", ("ollama", "generate"): "/api/generate",
    ("ollama", "embeddings"): "/api/embeddings",
    ("google", "embeddings"): "/v1beta/models/unknown:embedContent",
    ("google-vertex", "embeddings"): "/v1/models/text-embedding:predict",
    ("google", "images"): "/v1beta/models/imagen:predict",
    ("cohere", "chat"): "/v2/chat", ("cohere", "embeddings"): "/v2/embed", ("cohere", "rerank"): "/v2/rerank",
    ("cohere", "generate"): "/v1/generate",
}  # fmt: skip

_NO_CALL = frozenset(("count-tokens", "files", "other", "guardrail"))
"""Endings of APIs' names that create no model call whatever their body looks like."""

_decode = msgspec.json.Decoder().decode
_SNIFFED_BYTES = 65_536
"""Of a stream, looked at to tell its format. An event that is longer is recognised by nothing."""


def provider_of(seen: Interaction, model: str | None) -> str:
    """Our name of the provider: as the record names it, else by the host, else by the model; `unknown` else."""
    named = None if seen.provider is None else seen.provider.strip().lower()
    host = None if seen.is_guess or not seen.url else _by_host(seen.url)
    if host is not None:
        return host
    if named is not None and named not in _UNTOLD:
        return _PROVIDERS.get(named, named)
    if seen.url and (guessed := _by_host(seen.url)) is not None:
        return guessed
    if named == "local-openai-compat":
        return "unknown"
    return detect_provider(model)


def _by_host(url: str) -> str | None:
    found = detect_provider(None, url)
    return None if found == "unknown" else found


def format_of(seen: Interaction, provider: str) -> Format | None:
    """The wire format; `None` when the endpoint makes no model call, or nothing tells."""
    kind = _ending(seen, provider)
    if kind in _NO_CALL:
        return None
    path = _path(seen.url)
    by_name = _OWN_PATHS.get((provider, kind)) or _PATHS.get(kind)
    if path and not seen.is_guess:
        found = _by_path(provider, seen.method, path)
        if found is not None:
            return found
        if _is_no_call(path):
            return None
    if by_name is not None:
        found = _by_path(provider, seen.method if seen.method in ("WS", "GRPC") else "POST", by_name)
        if found is not None:
            return found
    if path and seen.is_guess:
        found = _by_path(provider, "POST", path)
        if found is not None:
            return found
    return by_shape(seen.body)


def _ending(seen: Interaction, provider: str) -> str:
    """What kind of endpoint the record's API names: `chat` of `openai-chat-stream`."""
    name = (seen.api or "").lower()
    for owner in (seen.provider, provider):
        if owner and name.startswith(f"{owner.lower()}-"):
            name = name[len(owner) + 1 :]
            break
    return name.removesuffix("-stream") or name


def _path(url: str) -> str:
    try:
        return urlsplit(url).path or ""
    except ValueError:
        return ""


def _is_no_call(path: str) -> bool:
    """Paths known to hold files, settings and lists, whose bodies could be mistaken for answers."""
    return any(part in path for part in ("/threads", "/files", "/assistants", "/vector_stores", "/conversations",
                                         "/count", "/input_tokens", "/cachedContents", "/guardrail"))  # fmt: skip


@lru_cache(maxsize=4096)
def _by_path(provider: str, method: str, path: str) -> Format | None:
    families = _FAMILIES.get(provider) or (provider, "openai", "anthropic", "google")
    for family in families:
        found = match(family, method, path)
        if found is not None:
            return found
    if provider == "openai":
        return None
    for family in _ALL_FAMILIES:
        if family not in families and (found := match(family, method, path)) is not None:
            return found
    return None


def by_shape(body: bytes) -> Format | None:
    """The format of a response by what it looks like: one object, an array, or a stream of events."""
    start = body[:64].lstrip()[:1]
    if start == b"{":
        try:
            return shape.format_of(_decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    if start in (b"{", b"[") or looks_like_sse(body[:_SNIFFED_BYTES]):
        for event in _first_events(body):
            found = shape.stream_format_of(event)
            if found is not None:
                return found
    return None


def _first_events(body: bytes) -> list[Any]:
    frames = Frames()
    return [*frames.feed(body[:_SNIFFED_BYTES]), *frames.flush()]
