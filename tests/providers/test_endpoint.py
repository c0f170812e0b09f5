from __future__ import annotations

import pytest

from tallybook.providers import endpoint


@pytest.mark.parametrize(
    ("method", "url", "hint", "name", "provider"),
    [
        ("POST", "https://api.openai.com/v1/chat/completions", None, "openai.chat", "openai"),
        ("POST", "https://openrouter.ai/api/v1/rerank", None, "rerank", "openrouter"),
        ("POST", "https://api.cohere.com/v2/chat", None, "cohere.chat", "cohere"),
        ("POST", "https://api.writer.com/v1/chat", None, "openai.chat", "writer"),
        ("POST", "https://api.mistral.ai/v1/agents/completions", None, "openai.chat", "mistral"),
        ("POST", "https://api.mistral.ai/v1/fim/completions", None, "openai.completions", "mistral"),
        ("POST", "https://x.cloud.databricks.com/serving-endpoints/llama/invocations", None, "openai.chat",
         "databricks"),
        ("POST", "https://o-a.snowflakecomputing.com/api/v2/cortex/inference:complete", None, "openai.chat",
         "snowflake"),
        ("GET", "https://api.x.ai/v1/chat/deferred-completion/abc", None, "openai.chat", "x-ai"),
        ("POST", "https://bedrock-runtime.us-east-1.amazonaws.com/model/a.b%3A0/converse-stream", None,
         "bedrock.converse", "aws"),
        ("POST", "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v2/invoke", None,
         "bedrock.invoke", "aws"),
        ("POST", "https://bedrock-runtime.us-east-1.amazonaws.com/model/cohere.embed-v4/invoke", None,
         "bedrock.embeddings", "aws"),
        ("POST", "https://bedrock-mantle.us-east-1.api.aws/openai/v1/responses", None, "openai.responses", "aws"),
        ("POST", "https://us-east5-aiplatform.googleapis.com/v1/x/publishers/anthropic/models/claude-x@1:rawPredict",
         None, "anthropic.messages", "google-vertex"),
        ("POST", "https://aiplatform.googleapis.com/v1/x/publishers/google/models/text-embedding-004:predict", None,
         "google.embeddings", "google-vertex"),
        ("POST", "https://aiplatform.googleapis.com/v1/x/endpoints/openapi/chat/completions", None, "openai.chat",
         "google-vertex"),
        ("POST", "http://localhost:11434/api/chat", None, "ollama.chat", "ollama"),
        ("POST", "http://localhost:11434/v1/chat/completions", None, "openai.chat", "ollama"),
        ("POST", "http://localhost:8080/v1/chat/completions", "llamacpp-local", "openai.chat", "llamacpp"),
        ("POST", "http://localhost:8787/anthropic/v1/messages", None, "anthropic.messages", "unknown"),
        ("GRPC", "grpc://api.x.ai/xai_api.Chat/GetCompletion", None, "xai.grpc", "x-ai"),
        ("POST", "https://api.x.ai/v1/chat/completions", None, "openai.chat", "x-ai"),
        ("GET", "https://api.replicate.com/v1/predictions/abc", None, "replicate.prediction", "replicate"),
        ("WS", "wss://api.openai.com/v1/realtime?model=gpt-realtime", None, "openai.realtime", "openai"),
        ("POST", "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", None, "openai.chat",
         "google"),
    ],
)  # fmt: skip
def test_an_address_tells_format_and_provider(
    method: str, url: str, hint: str | None, name: str, provider: str
) -> None:
    found = endpoint.by_url(method, url, hint)
    assert found.format is not None
    assert (found.format.name, found.provider) == (name, provider)


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("POST", "https://api.anthropic.com/v1/messages/count_tokens?beta=true"),
        ("POST", "https://api.openai.com/v1/responses/input_tokens"),
        ("POST", "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:countTokens"),
        ("POST", "https://bedrock-runtime.us-east-1.amazonaws.com/model/x/count-tokens"),
        ("POST", "https://bedrock-runtime.us-east-1.amazonaws.com/guardrail/g/version/1/apply"),
        ("GET", "https://api.openai.com/v1/models"),
        ("POST", "https://api.openai.com/v1/files"),
        ("POST", "https://api.openai.com/v1/threads/thread_1/messages"),
        ("POST", "https://api.openai.com/v1/batches"),
        ("DELETE", "https://api.openai.com/v1/vector_stores/vs_1"),
    ],
)
def test_what_makes_no_model_call_is_known_to_be_none(method: str, url: str) -> None:
    found = endpoint.by_url(method, url)
    assert found.format is None
    assert found.is_other


def test_an_address_that_nothing_is_known_of_is_not_taken_for_another() -> None:
    found = endpoint.by_url("POST", "https://example.com/anything")
    assert (found.format, found.provider, found.is_other) == (None, "unknown", False)
    assert endpoint.by_url("POST", "http://[bad").format is None


@pytest.mark.parametrize(
    ("provider", "api", "name"),
    [
        ("xai", "xai-chat-stream", "openai.chat"),
        ("groq", "groq-audio", "openai.transcription"),
        ("vertex", "vertex-gemini", "google.generate"),
        ("gemini", "gemini-stream", "google.generate"),
        ("gemini", "gemini-interactions-stream", "google.interactions"),
        ("openai", "openai-realtime-ws", "openai.realtime"),
        ("cohere", "cohere-v1-chat-stream", "cohere.chat"),
        ("bedrock", "bedrock-agent-stream", "bedrock.agent"),
        ("ollama", "ollama-generate-stream", "ollama.generate"),
        ("openai", "openai-files", None),
        ("openai", "openai-count-tokens", None),
    ],
)
def test_a_given_name_tells_the_format(provider: str, api: str, name: str | None) -> None:
    found = endpoint.by_name(provider, api)
    assert (None if found is None else found.name) == name
