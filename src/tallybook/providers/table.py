"""Which wire format an endpoint speaks: one table of rows by API family, method and path.

A path is an SDK's relative URL or the path of a full URL, with or without query. What creates no model call
(files, model lists, token counting …) has no row. A further provider is a further file and further rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from typing import NamedTuple

from tallybook.providers import (
    anthropic_batch,
    google_batch,
    google_embeddings,
    google_images,
    openai_batch,
    openai_embeddings,
    openai_images,
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
    format: Format | str
    """A text names one that is loaded when it is first met: an application that is instrumented starts faster so."""


ROWS = (
    Row("openai", "post", r"/chat/completions", CHAT),
    Row("openai", "post", r"/responses(/compact)?", RESPONSES),
    Row("openai", "get", r"/responses/[^/]+", RESPONSES),
    Row("openai", "post", r"/embeddings", openai_embeddings.EMBEDDINGS),
    Row("openai", "post", r"/(agents|prompts/[^/]+)/completions", CHAT),
    Row("openai", "post", r"/(?<!chat/)completions", COMPLETIONS),
    Row("openai", "post", r"/images/(generations|edits|variations)", openai_images.IMAGES),
    Row("openai", "post", r"/audio/speech", SPEECH),
    Row("openai", "post", r"/audio/(transcriptions|translations)", TRANSCRIPTION),
    Row("openai", "post", r"/moderations", MODERATION),
    Row("openai", "get", r"/files/[^/]+/content", openai_batch.BATCH),
    Row("openai", "get", r"/realtime", "openai_realtime.REALTIME"),
    Row("openai", "post", r"/threads(/[^/]+)?/runs", "openai_assistants.RUN"),
    Row("openai", "post", r"/runs/[^/]+/submit_tool_outputs", "openai_assistants.RUN"),
    Row("openai", "get", r"/threads/[^/]+/runs/[^/]+", "openai_assistants.RUN"),
    Row("openai", "get", r"/videos/[^/]+", "video.VIDEO"),
    Row("openai", "post", r"/api/v1/images", openai_images.IMAGES),
    Row("openai", "post", r"/rerank", "rerank.RERANK"),
    Row("anthropic", "get", r"/messages/batches/[^/]+/results", anthropic_batch.BATCH),
    Row("google", "get", r"/batches/[^/]+", google_batch.BATCH),
    Row("anthropic", "post", r"/messages", MESSAGES),
    Row("anthropic", "post", r"/complete", COMPLETE),
    Row("anthropic", "post", r"/models/claude[^/:]*:(raw|streamRaw)Predict", MESSAGES),
    Row("anthropic", "post", r"/model/[^/]+/invoke", MESSAGES),
    Row("anthropic", "post", r"/model/[^/]+/invoke-with-response-stream", "bedrock_invoke.INVOKE"),
    Row("google", "post", r"/[^/:]+:(generateContent|streamGenerateContent)", GENERATE),
    Row("google", "post", r"/[^/:]+:(embedContent|batchEmbedContents)", google_embeddings.EMBEDDINGS),
    Row("google", "post", r"/[^/:]*(embedding|textembedding-gecko)[^/:]*:predict", google_embeddings.EMBEDDINGS),
    Row("google", "post", r"/imagen[^/:]*:predict", google_images.IMAGES),
    Row("google", "post", r"/publishers/mistralai/models/[^/]+:(raw|streamRaw)Predict", CHAT),
    Row("google", "post", r"/[^/:]+:(predict|serverStreamingPredict)", "google_predict.PREDICT"),
    Row("google", "post", r"/interactions", "google_interactions.INTERACTIONS"),
    Row("google", "get", r"/interactions/[^/]+", "google_interactions.INTERACTIONS"),
    Row("google", "get", r"/(live|[a-z.0-9]*GenerativeService\.BidiGenerateContent)", "google_live.LIVE"),
    Row("google", "get", r"/models/[^/]+/operations/[^/]+", "video.VEO"),
    Row("bedrock", "post", r"/model/.+/converse(-stream)?", "bedrock_converse.CONVERSE"),
    Row("bedrock", "post", r"/model/[^/]*embed[^/]*/invoke", "bedrock_invoke.EMBEDDINGS"),
    Row("bedrock", "post", r"/model/[^/]*rerank[^/]*/invoke", "bedrock_invoke.RERANK"),
    Row("bedrock", "post", r"/model/[^/]*(stability\.|titan-image|nova-canvas)[^/]*/invoke", "bedrock_invoke.IMAGES"),
    Row("bedrock", "post", r"/model/.+/invoke(-with-response-stream)?", "bedrock_invoke.INVOKE"),
    Row("bedrock", "post", r"/agents/[^/]+/agentAliases/[^/]+/sessions/[^/]+/text", "bedrock_agents.AGENT"),
    Row("bedrock", "post", r"/agents/[^/]+/sessions/[^/]+", "bedrock_agents.AGENT"),
    Row("bedrock", "post", r"/retrieveAndGenerate(Stream)?", "bedrock_agents.AGENT"),
    Row("rerank", "post", r"/rerank", "rerank.RERANK"),
    Row("cohere", "post", r"/v[12]/chat", "cohere_chat.CHAT"),
    Row("cohere", "post", r"/v1/generate", "cohere_chat.GENERATE"),
    Row("cohere", "post", r"/v[12]/embed", "cohere_embed.EMBEDDINGS"),
    Row("cohere", "post", r"/audio/transcriptions", TRANSCRIPTION),
    Row("ollama", "post", r"/api/chat", "ollama.CHAT"),
    Row("ollama", "post", r"/api/generate", "ollama.GENERATE"),
    Row("ollama", "post", r"/api/embed(dings)?", "ollama.EMBEDDINGS"),
    Row("mistral", "post", r"/ocr", "mistral_ocr.OCR"),
    Row("mistral", "post", r"/conversations(/[^/]+(/restart)?)?", "mistral_conversations.CONVERSATIONS"),
    Row("replicate", "post", r"/predictions", "replicate.PREDICTION"),
    Row("replicate", "get", r"/predictions/[^/]+", "replicate.PREDICTION"),
    Row("replicate", "get", r"/streams/[^/]+", "replicate.PREDICTION"),
    Row("huggingface", "post", r"/generate(_stream)?", "huggingface_generate.GENERATE"),
    Row("huggingface", "post", r"/models/[^/]+(/[^/]+)?", "huggingface_generate.GENERATE"),
    Row("watsonx", "post", r"/(text/generation|generation/text)(_stream)?", "watsonx.GENERATION"),
    Row("watsonx", "post", r"/text/embeddings", "watsonx.EMBEDDINGS"),
    Row("watsonx", "post", r"/text/chat(_stream)?", CHAT),
    Row("writer", "post", r"/v1/chat", CHAT),
    Row("cloudflare", "post", r"/ai/run/.+", "workers_ai.RUN"),
    Row("dashscope", "post", r"/aigc/(text|multimodal)-generation/generation", "dashscope.GENERATION"),
    Row("dashscope", "post", r"/embeddings/[a-z-]+/[a-z-]+", "dashscope.EMBEDDINGS"),
    Row("databricks", "post", r"/serving-endpoints/[^/]+/invocations", CHAT),
    Row("snowflake", "post", r"/cortex/inference:complete", CHAT),
    Row("xai", "get", r"/chat/deferred-completion/[^/]+", CHAT),
    Row("xai", "post", r"/xai_api\.Chat/GetCompletion(Chunk)?", "xai_grpc.COMPLETION"),
    Row("xai", "get", r"/batches/[^/]+/results", "xai_batch.BATCH"),
    Row("xai", "get", r"/videos/[^/]+", "video.VIDEO"),
    Row("xai", "post", r"/stt", "sound.TRANSCRIPTION"),
    Row("xai", "post", r"/tts", "sound.SPEECH"),
    Row("deepgram", "post", r"/listen", "sound.LISTEN"),
    Row("deepgram", "post", r"/speak", "sound.SPEECH"),
    Row("elevenlabs", "post", r"/speech-to-text", "sound.TRANSCRIPTION"),
    Row("elevenlabs", "post", r"/text-to-speech/[^/]+(/stream)?", "sound.SPEECH"),
)


@cache
def _rows_of(family: str) -> tuple[tuple[str, Callable[[str], object], Format | str], ...]:
    """A family's rows, compiled when it is first met."""
    return tuple((row.method, re.compile(row.path + r"/?$").search, row.format) for row in ROWS if row.family == family)


@cache
def loaded(format_: Format | str) -> Format:
    """The format itself, of a row that may only name it."""
    if isinstance(format_, Format):
        return format_
    module, _, name = format_.partition(".")
    found = getattr(import_module(f"tallybook.providers.{module}"), name)
    assert isinstance(found, Format)
    return found


@lru_cache(maxsize=1024)
def match(family: str, method: str, path: str) -> Format | None:
    """The format of an endpoint; `None` for one that makes no model call or is not known."""
    method = method.lower()
    path = path.partition("?")[0]
    if not path.startswith("/"):
        path = "/" + path
    for row_method, search, format_ in _rows_of(family):
        if row_method == method and search(path):
            return loaded(format_)
    return None
