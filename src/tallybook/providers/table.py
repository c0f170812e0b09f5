"""Which wire format an endpoint speaks: one table of rows by API family, method and path.

A path is an SDK's relative URL or the path of a full URL, with or without query. What creates no model call
(files, model lists, token counting …) has no row. A further provider is a further file and further rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from tallybook.providers import (
    anthropic_batch,
    bedrock_agents,
    bedrock_converse,
    bedrock_invoke,
    cohere_chat,
    cohere_embed,
    google_batch,
    google_embeddings,
    google_images,
    openai_batch,
    openai_embeddings,
    openai_images,
    rerank,
)
from tallybook.providers.anthropic_complete import COMPLETE
from tallybook.providers.anthropic_messages import MESSAGES
from tallybook.providers.base import Format
from tallybook.providers.google_generate import GENERATE
from tallybook.providers.openai_audio import SPEECH, TRANSCRIPTION
from tallybook.providers.openai_chat import CHAT
from tallybook.providers.openai_completions import COMPLETIONS
from tallybook.providers.openai_moderation import MODERATION
from tallybook.providers.openai_responses import RESPONSES


class Row(NamedTuple):
    """One endpoint: its path's end as a regular expression, matched against the path without query."""

    family: str
    method: str
    path: str
    format: Format


ROWS = (
    Row("openai", "post", r"/chat/completions", CHAT),
    Row("openai", "post", r"/responses(/compact)?", RESPONSES),
    Row("openai", "get", r"/responses/[^/]+", RESPONSES),
    Row("openai", "post", r"/embeddings", openai_embeddings.EMBEDDINGS),
    Row("openai", "post", r"/(?<!chat/)completions", COMPLETIONS),
    Row("openai", "post", r"/images/(generations|edits|variations)", openai_images.IMAGES),
    Row("openai", "post", r"/audio/speech", SPEECH),
    Row("openai", "post", r"/audio/(transcriptions|translations)", TRANSCRIPTION),
    Row("openai", "post", r"/moderations", MODERATION),
    Row("openai", "get", r"/files/[^/]+/content", openai_batch.BATCH),
    Row("anthropic", "get", r"/messages/batches/[^/]+/results", anthropic_batch.BATCH),
    Row("google", "get", r"/batches/[^/]+", google_batch.BATCH),
    Row("anthropic", "post", r"/messages", MESSAGES),
    Row("anthropic", "post", r"/complete", COMPLETE),
    Row("anthropic", "post", r"/models/claude[^/:]*:(raw|streamRaw)Predict", MESSAGES),
    Row("anthropic", "post", r"/model/[^/]+/invoke", MESSAGES),
    Row("anthropic", "post", r"/model/[^/]+/invoke-with-response-stream", bedrock_invoke.INVOKE),
    Row("google", "post", r"/[^/:]+:(generateContent|streamGenerateContent)", GENERATE),
    Row("google", "post", r"/[^/:]+:(embedContent|batchEmbedContents)", google_embeddings.EMBEDDINGS),
    Row("google", "post", r"/[^/:]*(embedding|textembedding-gecko)[^/:]*:predict", google_embeddings.EMBEDDINGS),
    Row("google", "post", r"/imagen[^/:]*:predict", google_images.IMAGES),
    Row("bedrock", "post", r"/model/.+/converse(-stream)?", bedrock_converse.CONVERSE),
    Row("bedrock", "post", r"/model/[^/]*embed[^/]*/invoke", bedrock_invoke.EMBEDDINGS),
    Row("bedrock", "post", r"/model/[^/]*rerank[^/]*/invoke", bedrock_invoke.RERANK),
    Row("bedrock", "post", r"/model/[^/]*(stability\.|titan-image|nova-canvas)[^/]*/invoke", bedrock_invoke.IMAGES),
    Row("bedrock", "post", r"/model/.+/invoke(-with-response-stream)?", bedrock_invoke.INVOKE),
    Row("bedrock", "post", r"/agents/[^/]+/agentAliases/[^/]+/sessions/[^/]+/text", bedrock_agents.AGENT),
    Row("bedrock", "post", r"/agents/[^/]+/sessions/[^/]+", bedrock_agents.AGENT),
    Row("bedrock", "post", r"/retrieveAndGenerate(Stream)?", bedrock_agents.AGENT),
    Row("rerank", "post", r"/rerank", rerank.RERANK),
    Row("cohere", "post", r"/v[12]/chat", cohere_chat.CHAT),
    Row("cohere", "post", r"/v1/generate", cohere_chat.GENERATE),
    Row("cohere", "post", r"/v[12]/embed", cohere_embed.EMBEDDINGS),
    Row("cohere", "post", r"/audio/transcriptions", TRANSCRIPTION),
)

FAMILIES = tuple(dict.fromkeys(row.family for row in ROWS))
"""Names of the API families that have rows."""

_COMPILED: tuple[tuple[str, str, Callable[[str], object], Format], ...] = tuple(
    (row.family, row.method, re.compile(row.path + r"/?$").search, row.format) for row in ROWS
)


@lru_cache(maxsize=1024)
def match(family: str, method: str, path: str) -> Format | None:
    """The format of an endpoint; `None` for one that makes no model call or is not known."""
    method = method.lower()
    path = path.partition("?")[0]
    if not path.startswith("/"):
        path = "/" + path
    for row_family, row_method, search, format_ in _COMPILED:
        if row_family == family and row_method == method and search(path):
            return format_
    return None
