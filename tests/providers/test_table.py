from __future__ import annotations

import timeit

import pytest

from tallybook.providers.table import ROWS, loaded, match


@pytest.mark.parametrize(
    ("family", "method", "path", "name"),
    [
        ("openai", "post", "/chat/completions", "openai.chat"),
        ("openai", "POST", "https://api.openai.com/v1/chat/completions", "openai.chat"),
        ("openai", "post", "chat/completions", "openai.chat"),
        ("openai", "post", "/deployments/x/chat/completions?api-version=2024-10-21", "openai.chat"),
        ("openai", "post", "/v1/completions", "openai.completions"),
        ("openai", "post", "/responses", "openai.responses"),
        ("openai", "post", "/responses/compact", "openai.responses"),
        ("openai", "get", "/responses/resp_123", "openai.responses"),
        ("openai", "get", "/responses/resp_123?stream=true", "openai.responses"),
        ("openai", "post", "/embeddings", "openai.embeddings"),
        ("openai", "post", "/images/generations", "openai.images"),
        ("openai", "post", "/images/edits", "openai.images"),
        ("openai", "post", "/audio/speech", "openai.speech"),
        ("openai", "post", "/audio/transcriptions", "openai.transcription"),
        ("openai", "post", "/moderations", "openai.moderation"),
        ("anthropic", "post", "/v1/messages", "anthropic.messages"),
        ("anthropic", "post", "/v1/messages?beta=true", "anthropic.messages"),
        ("anthropic", "post", "/v1/complete", "anthropic.complete"),
        ("anthropic", "post", "/projects/p/locations/l/publishers/anthropic/models/claude-x@1:rawPredict",
         "anthropic.messages"),
        ("anthropic", "post", "/model/us.anthropic.claude-3-5-sonnet-20241022-v2:0/invoke", "anthropic.messages"),
        ("google", "post", "models/gemini-2.5-flash:generateContent", "google.generate"),
        ("google", "post", "models/gemini-2.5-flash:streamGenerateContent?alt=sse", "google.generate"),
        ("google", "post", "publishers/google/models/gemini-2.5-pro:generateContent", "google.generate"),
        ("google", "post", "tunedModels/mine:generateContent", "google.generate"),
        ("google", "post", "models/gemini-embedding-001:embedContent", "google.embeddings"),
        ("google", "post", "models/text-embedding-004:batchEmbedContents", "google.embeddings"),
        ("google", "post", "publishers/google/models/text-embedding-005:predict", "google.embeddings"),
        ("google", "post", "models/imagen-4.0-generate-001:predict", "google.images"),
        ("openai", "get", "/chat/completions", None),
        ("openai", "get", "/chat/completions/chatcmpl_1", None),
        ("openai", "get", "/responses/resp_1/input_items", None),
        ("openai", "post", "/responses/resp_1/cancel", None),
        ("openai", "post", "/responses/input_tokens", None),
        ("openai", "delete", "/responses/resp_1", None),
        ("openai", "get", "/models", None),
        ("openai", "post", "/files", None),
        ("openai", "post", "/batches", None),
        ("openai", "post", "/v1/messages", None),
        ("anthropic", "post", "/v1/messages/count_tokens", None),
        ("anthropic", "post", "/v1/messages/batches", None),
        ("anthropic", "get", "/v1/models", None),
        ("anthropic", "post", "/projects/p/publishers/anthropic/models/count-tokens:rawPredict", None),
        ("google", "post", "models/gemini-2.5-flash:countTokens", None),
        ("google", "get", "models", None),
        ("google", "post", "models/veo-3:predictLongRunning", None),
        ("other", "post", "/chat/completions", None),
        ("openai", "post", "", None),
    ],
)  # fmt: skip
def test_endpoints_are_told_by_family_method_and_path(family: str, method: str, path: str, name: str | None) -> None:
    found = match(family, method, path)
    assert (None if found is None else found.name) == name


def test_no_two_formats_share_a_name() -> None:
    formats = {id(loaded(row.format)): loaded(row.format) for row in ROWS}.values()
    assert len({form.name for form in formats}) == len(formats)


def test_a_path_seen_before_is_looked_up_and_not_searched() -> None:
    match("openai", "post", "/chat/completions")
    hits = match.cache_info().hits
    seconds = min(timeit.repeat(lambda: match("openai", "post", "/chat/completions"), number=1000, repeat=5))
    assert match.cache_info().hits == hits + 5000
    assert seconds / 1000 < 5e-6
