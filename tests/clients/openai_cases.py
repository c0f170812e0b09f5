"""The ways to call the OpenAI SDK, and what the record of each must say."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from clients.ways import Case

ASK: list[Any] = [{"role": "user", "content": "How many moons has Mars?"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "moons",
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": {"planet": {"type": "string"}},
                "required": ["planet"],
                "additionalProperties": False,
            },
        },
    }
]
FIGURES = "input-tokens=100;output-tokens=50;cached=40;reasoning=20"
USAGE = (100, 50, 40, 20)


class Moons(BaseModel):
    planet: str
    count: int


def _chat(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": ASK, **more}


CHAT = {"operation": "chat", "model": "gpt-4o", "response_model": "gpt-4o-2024-08-06", "usage": USAGE}
STREAM = {**CHAT, "is_stream": True}
RESPONSE = {"operation": "chat", "model": "gpt-5", "response_model": "gpt-5-2025-08-07", "usage": USAGE}
FAILED = {"operation": "chat", "status": "error", "usage": (None,) * 4}
STREAM_OPTIONS = {"stream_options": {"include_usage": True}}

CASES = (
    Case("chat", "chat.completions.create", "plain", _chat(), CHAT),
    Case("chat with tools", "chat.completions.create", "plain", _chat(tools=TOOLS), {**CHAT, "tools": ["moons"]}),
    Case("several choices", "chat.completions.create", "plain", _chat(n=3), CHAT),
    Case("chat raw", "chat.completions.create", "raw", _chat(), CHAT),
    Case("chat streaming response", "chat.completions.create", "streaming", _chat(), CHAT),
    Case("chat streaming response by lines", "chat.completions.create", "lines", _chat(), CHAT),
    Case("chat parsed", "chat.completions.parse", "plain", _chat(response_format=Moons), CHAT),
    Case("chat refused", "chat.completions.create", "plain", _chat(), CHAT, FIGURES + ";refusal"),
    Case("chat zipped", "chat.completions.create", "plain", _chat(), CHAT, FIGURES + ";gzip"),
    Case("stream that asked", "chat.completions.create", "stream", _chat(stream=True, **STREAM_OPTIONS), STREAM),
    Case("stream that did not ask", "chat.completions.create", "stream", _chat(stream=True), STREAM),
    Case("stream zipped", "chat.completions.create", "stream", _chat(stream=True), STREAM, FIGURES + ";gzip"),
    Case(
        "stream by drops", "chat.completions.create", "stream", _chat(stream=True), STREAM, FIGURES + ";delay-s=0.001"
    ),
    Case(
        "stream with tools",
        "chat.completions.create",
        "stream",
        _chat(stream=True, tools=TOOLS),
        {**STREAM, "tools": ["moons", "moons"]},
        FIGURES + ";calls=2",
    ),
    Case("stream raw", "chat.completions.create", "raw stream", _chat(stream=True), STREAM),
    Case(
        "stream raw that asked", "chat.completions.create", "raw stream", _chat(stream=True, **STREAM_OPTIONS), STREAM
    ),
    Case("stream by streaming response", "chat.completions.create", "streaming", _chat(stream=True), STREAM),
    Case("stream by lines", "chat.completions.create", "lines", _chat(stream=True), STREAM),
    Case("stream by bytes", "chat.completions.create", "bytes", _chat(stream=True), STREAM),
    Case("stream helper", "chat.completions.stream", "helper", _chat(), STREAM),
    Case("stream helper parsed", "chat.completions.stream", "helper", _chat(response_format=Moons), STREAM),
    Case(
        "stream that tells always",
        "chat.completions.create",
        "stream",
        _chat(stream=True),
        STREAM,
        FIGURES + ";usage=always",
    ),
    Case("responses", "responses.create", "plain", {"model": "gpt-5", "input": "hi"}, RESPONSE),
    Case("responses raw", "responses.create", "raw", {"model": "gpt-5", "input": "hi"}, RESPONSE),
    Case(
        "responses parsed",
        "responses.parse",
        "plain",
        {"model": "gpt-5", "input": "hi", "text_format": Moons},
        RESPONSE,
    ),
    Case(
        "responses stream",
        "responses.create",
        "stream",
        {"model": "gpt-5", "input": "hi", "stream": True},
        {**RESPONSE, "is_stream": True},
    ),
    Case(
        "responses helper",
        "responses.stream",
        "helper",
        {"model": "gpt-5", "input": "hi"},
        {**RESPONSE, "is_stream": True},
    ),
    Case(
        "completions",
        "completions.create",
        "plain",
        {"model": "davinci-002", "prompt": "a"},
        {"operation": "text_completion", "usage": (100, 50, None, None)},
    ),
    Case(
        "completions stream",
        "completions.create",
        "stream",
        {"model": "davinci-002", "prompt": "a", "stream": True},
        {"operation": "text_completion", "usage": (100, 50, None, None)},
    ),
    Case(
        "embeddings",
        "embeddings.create",
        "plain",
        {"model": "text-embedding-3-small", "input": ["abcd", "efgh"]},
        {"operation": "embeddings", "usage": (2, None, None, None)},
        "",
    ),
    Case(
        "embeddings raw",
        "embeddings.create",
        "raw",
        {"model": "text-embedding-3-small", "input": "abcd"},
        {"operation": "embeddings", "usage": (1, None, None, None)},
        "",
    ),
    Case(
        "images",
        "images.generate",
        "plain",
        {"model": "gpt-image-1", "prompt": "moon"},
        {"operation": "image_generation", "usage": (1, 272, None, None)},
        "",
    ),
    Case(
        "images stream",
        "images.generate",
        "stream",
        {"model": "gpt-image-1", "prompt": "moon", "stream": True},
        {"operation": "image_generation", "usage": (1, 272, None, None)},
        "",
    ),
    Case(
        "image edit",
        "images.edit",
        "plain",
        {"model": "gpt-image-1", "prompt": "moon", "image": ("a.png", b"png")},
        {"operation": "image_generation", "usage": (195, 272, None, None)},
        "",
    ),
    Case(
        "speech",
        "audio.speech.create",
        "binary",
        {"model": "tts-1", "voice": "alloy", "input": "hello"},
        {"operation": "speech"},
        "",
    ),
    Case(
        "speech streaming response",
        "audio.speech.create",
        "streaming",
        {"model": "tts-1", "voice": "alloy", "input": "hello"},
        {"operation": "speech"},
        "",
    ),
    Case(
        "transcription",
        "audio.transcriptions.create",
        "plain",
        {"model": "gpt-4o-transcribe", "file": ("a.wav", b"1234" * 9)},
        {"operation": "transcription", "usage": (9, 7, None, None)},
        "",
    ),
    Case(
        "transcription by the second",
        "audio.transcriptions.create",
        "plain",
        {"model": "whisper-1", "file": ("a.wav", b"1234")},
        {"operation": "transcription"},
        "",
    ),
    Case(
        "transcription stream",
        "audio.transcriptions.create",
        "stream",
        {"model": "gpt-4o-transcribe", "file": ("a.wav", b"1234" * 9), "stream": True},
        {"operation": "transcription", "usage": (9, 7, None, None)},
        "",
    ),
    Case("moderation", "moderations.create", "plain", {"input": "hello"}, {"operation": "moderation"}, ""),
    Case("bad request", "chat.completions.create", "plain", _chat(), {**FAILED, "http_status": 400}, "status=400"),
    Case("no key", "chat.completions.create", "plain", _chat(), {**FAILED, "http_status": 401}, "status=401"),
    Case("rate limit", "chat.completions.create", "plain", _chat(), {**FAILED, "http_status": 429}, "status=429"),
    Case(
        "rate limit of a stream",
        "chat.completions.create",
        "stream",
        _chat(stream=True),
        {**FAILED, "http_status": 429},
        "status=429",
    ),
    Case("rate limit raw", "chat.completions.create", "raw", _chat(), {**FAILED, "http_status": 429}, "status=429"),
    Case("server error", "chat.completions.create", "plain", _chat(), {**FAILED, "http_status": 500}, "status=500"),
    Case(
        "server error of responses",
        "responses.create",
        "plain",
        {"model": "gpt-5", "input": "hi"},
        {**FAILED, "http_status": 500},
        "status=500",
    ),
    Case("connection cut", "chat.completions.create", "plain", _chat(), FAILED, "cut-after=1"),
    Case(
        "error in the stream",
        "chat.completions.create",
        "stream",
        _chat(stream=True),
        {"status": "error", "is_stream": True},
        "error-after=4",
    ),
    Case(
        "error in the responses stream",
        "responses.create",
        "stream",
        {"model": "gpt-5", "input": "hi", "stream": True},
        {"status": "error"},
        "error-after=5",
    ),
    Case(
        "stream cut",
        "chat.completions.create",
        "stream",
        _chat(stream=True),
        {"status": "incomplete", "flag": "usage_estimated"},
        "cut-after=6",
    ),
    Case(
        "stream that just stops",
        "chat.completions.create",
        "stream",
        _chat(stream=True),
        {"status": "incomplete", "flag": "usage_estimated"},
        "stop-after=6",
    ),
    Case(
        "responses stream cut",
        "responses.create",
        "stream",
        {"model": "gpt-5", "input": "hi", "stream": True},
        {"status": "incomplete", "flag": "usage_estimated"},
        "cut-after=8",
    ),
)
