"""A response tells by its bytes alone what format it is in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from providers.framing import named, plain
from tallybook.providers.exchange import Exchange, of_record, read
from tallybook.providers.likeness import by_body

WHOLE: list[tuple[Any, str]] = [
    ({"id": "c", "choices": [], "usage": {"prompt_tokens": 1}}, "openai.chat"),
    ({"object": "response", "output": [], "usage": {"input_tokens": 1}}, "openai.responses"),
    ({"data": [{"embedding": [0.1]}], "usage": {"total_tokens": 3}}, "openai.embeddings"),
    ({"created": 1, "data": [{"b64_json": "x"}], "usage": {"input_tokens": 1}}, "openai.images"),
    ({"text": "hi", "usage": {"type": "duration", "seconds": 3}}, "openai.transcription"),
    ({"custom_id": "a", "response": {"status_code": 200, "body": {}}}, "openai.batch"),
    ({"id": "run_1", "object": "thread.run", "usage": None}, "openai.runs"),
    ({"type": "message", "content": [], "usage": {"input_tokens": 1}}, "anthropic.messages"),
    ({"custom_id": "a", "result": {"type": "succeeded"}}, "anthropic.batch"),
    ({"candidates": [], "usageMetadata": {"promptTokenCount": 1}}, "google.generate"),
    ([{"candidates": []}, {"usageMetadata": {"promptTokenCount": 1}}], "google.generate"),
    ({"embedding": {"values": [0.1]}, "usageMetadata": {"promptTokenCount": 1}}, "google.embeddings"),
    ({"id": "v1", "status": "completed", "usage": {"total_input_tokens": 1}}, "google.interactions"),
    ({"output": {}, "stopReason": "end_turn", "usage": {"inputTokens": 1}}, "bedrock.converse"),
    ({"inputTextTokenCount": 1, "results": []}, "bedrock.invoke"),
    ({"generation": "x", "prompt_token_count": 1}, "bedrock.invoke"),
    ({"id": "x", "message": {}, "usage": {"billed_units": {"input_tokens": 1}}}, "cohere.chat"),
    ({"text": "x", "meta": {"billed_units": {}}}, "cohere.chat"),
    ({"results": [{"index": 0, "relevance_score": 0.5}]}, "rerank"),
    ({"model": "m", "created_at": "2025", "message": {}, "done": True}, "ollama.chat"),
    ({"model": "m", "created_at": "2025", "response": "x", "done": True, "eval_count": 4}, "ollama.generate"),
    ({"model": "m", "embeddings": [[1]], "prompt_eval_count": 4}, "ollama.embeddings"),
    ({"pages": [], "usage_info": {"pages_processed": 2}}, "mistral.ocr"),
    ({"id": "x", "outputs": [], "usage": {"prompt_tokens": 4}}, "xai.grpc"),
]


@pytest.mark.parametrize(("value", "name"), WHOLE, ids=[f"{name}-{n}" for n, (_, name) in enumerate(WHOLE)])
def test_a_whole_answer_tells_its_format(value: Any, name: str) -> None:
    found = by_body(json.dumps(value).encode())
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (plain([{"choices": [{"delta": {"content": "a"}}]}]), "openai.chat"),
        (named([{"type": "response.created", "response": {}}]), "openai.responses"),
        (named([{"type": "message_start", "message": {}}]), "anthropic.messages"),
        (b'event: ping\ndata: {"type":"ping"}\n\n' + named([{"type": "message_start"}]), "anthropic.messages"),
        (plain([{"candidates": []}], done=False), "google.generate"),
        (plain([{"type": "message-start", "id": "x"}]), "cohere.chat"),
        (b'{"is_finished":false,"event_type":"stream-start"}\n{"event_type":"text-generation"}\n', "cohere.chat"),
        (b'{"model":"m","created_at":"x","message":{},"done":false}\n{"model":"m","done":true}\n', "ollama.chat"),
        (b'{"direction":"sent","data":{"type":"session.update"}}\n', "openai.realtime"),
        (b'{"direction":"sent","data":{"setup":{"model":"x"}}}\n{"direction":"received","data":{}}\n', "google.live"),
    ],
)
def test_a_stream_tells_its_format_by_its_first_events(body: bytes, name: str) -> None:
    found = by_body(body)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"{}", b"[]", b"7", b'{"a": 1}', b"<html>", b"\0\0\0\x10junkjunkjunk", b"data: 1\n\n"]
)
def test_what_is_like_nothing_is_not_guessed_at(body: bytes) -> None:
    assert by_body(body) is None


def test_recordings_without_request_and_names_are_counted_the_same(corpus: Path) -> None:
    """All but those of which only the request or the headers tell: speech, and what vendors leave out on Bedrock."""
    differing: dict[str, int] = {}
    count = 0
    for path in sorted(corpus.glob("*.jsonl")):
        for line in path.read_bytes().splitlines() if not path.stem.startswith(("otlp", "usage-genai")) else ():
            exchange = of_record(json.loads(line))
            whole = read(exchange)
            if whole.format is None or whole.parsed.usage is None:
                continue
            count += 1
            if read(Exchange(body=exchange.body)).parsed.usage != whole.parsed.usage:
                differing[path.stem] = differing.get(path.stem, 0) + 1
    assert count > 3_000
    assert sum(differing.values()) <= 25, differing
