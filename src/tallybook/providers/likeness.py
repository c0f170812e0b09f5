"""The wire format of a response by nothing but its bytes: for files without a request, and for hosts nobody knows.

Each format has members that no other has together; the rows are tried in order, the particular before the general.
What is like no format gives `None`, and is not guessed at. `shape` does the same for what an SDK or library hands over,
with less: there the object's own class has told most of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tallybook.providers import shape
from tallybook.providers.base import Format
from tallybook.providers.lenient import UNREADABLE, decode
from tallybook.providers.sse import Frames
from tallybook.providers.table import match
from tallybook.providers.value import mapping, mappings

_SNIFFED_BYTES = 65_536
"""As much of a stream is looked at to tell its format."""

Row = tuple[Callable[[Mapping[str, Any]], bool], tuple[str, str, str]]


def by_body(body: bytes) -> Format | None:
    """The format that a body is in: one JSON value, a stream of events, JSON lines, or AWS's binary events."""
    if body[:2] == b"\0\0":
        return _binary(body)
    try:
        value = decode(body)
    except UNREADABLE:
        frames = Frames()
        events = [*frames.feed(body[:_SNIFFED_BYTES]), *frames.flush()]
        return next((found for event in events if (found := _of_event(event)) is not None), None)
    if isinstance(value, list):
        return next((found for event in value[:8] if (found := _of_event(event)) is not None), None)
    return of_value(value) if isinstance(value, Mapping) else None


def of_value(value: Mapping[str, Any]) -> Format | None:
    """The format of one decoded JSON object: a whole answer, or the only event of a stream."""
    return _found(_WHOLE, value) or shape.format_of(value) or _of_event(value)


def _of_event(event: Any) -> Format | None:
    if not isinstance(event, Mapping):
        return None
    sent = event.get("data")
    if "direction" in event and isinstance(sent, Mapping):
        event = sent
    return _found(_EVENTS, event) or shape.stream_format_of(event) or _found(_WHOLE, event)


def _found(rows: tuple[Row, ...], value: Mapping[str, Any]) -> Format | None:
    for is_like, (family, method, path) in rows:
        if is_like(value):
            return match(family, method, path)
    return None


def _binary(body: bytes) -> Format | None:
    """AWS's event stream: the first events' type tells whose it is."""
    from tallybook.providers.eventstream import Messages  # here, because only binary bodies need it

    for message in Messages().feed(body[:_SNIFFED_BYTES]):
        kind = message.headers.get(":event-type")
        if kind == "chunk":
            return match("bedrock", "post", "/model/x/invoke")
        if kind in ("messageStart", "contentBlockDelta", "contentBlockStart", "messageStop", "metadata"):
            return match("bedrock", "post", "/model/x/converse")
        if kind in ("trace", "returnControl", "files", "flowOutputEvent"):
            return match("bedrock", "post", "/agents/x/agentAliases/x/sessions/x/text")
    return None


def _has(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda value: all(name in value for name in names)


def _first_has(holder: str, *names: str) -> Callable[[Mapping[str, Any]], bool]:
    """Whether the first object of a list has any of the names."""
    return lambda value: any(name in item for item in mappings(value.get(holder))[:1] for name in names)


def _kind(*starts: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda value: isinstance(value.get("type"), str) and value["type"].startswith(starts)


def _is_google_embedding(value: Mapping[str, Any]) -> bool:
    return "values" in mapping(value.get("embedding")) or any(
        "values" in item for item in mappings(value.get("embeddings"))
    )


def _is_transcription(value: Mapping[str, Any]) -> bool:
    if not isinstance(value.get("text"), str) or "meta" in value:
        return False
    usage = mapping(value.get("usage"))
    return usage.get("type") in ("tokens", "duration") or "prompt_audio_seconds" in usage or (
        "duration" in value and ("language" in value or "segments" in value)
    )  # fmt: skip


def _is_ollama(value: Mapping[str, Any]) -> bool:
    return "model" in value and ("eval_count" in value or "prompt_eval_count" in value or (
        isinstance(value.get("done"), bool) and "created_at" in value))  # fmt: skip


def _is_ollama_chat(value: Mapping[str, Any]) -> bool:
    return _is_ollama(value) and "message" in value


def _is_ollama_embedding(value: Mapping[str, Any]) -> bool:
    return _is_ollama(value) and "embeddings" in value


def _is_agent_answer(value: Mapping[str, Any]) -> bool:
    return "citations" in value and "sessionId" in value


def _is_picture(value: Mapping[str, Any]) -> bool:
    return _first_has("data", "b64_json", "url")(value) and "choices" not in value


def _is_interaction(value: Mapping[str, Any]) -> bool:
    return "total_input_tokens" in mapping(value.get("usage")) or value.get("object") == "interaction"


_CONVERSE = ("bedrock", "post", "/model/x/converse")
_INVOKE = ("bedrock", "post", "/model/x/invoke")
_RERANK = ("rerank", "post", "/rerank")
_GRPC = ("xai", "post", "/xai_api.Chat/GetCompletion")
_IMAGES = ("openai", "post", "/images/generations")
_OLLAMA_CHAT = ("ollama", "post", "/api/chat")
_OLLAMA_GENERATE = ("ollama", "post", "/api/generate")
_COHERE = ("cohere", "post", "/v1/chat")
_RUNS = ("openai", "post", "/threads/x/runs")
_INTERACTION = ("google", "post", "/interactions")

_WHOLE: tuple[Row, ...] = (
    (_has("custom_id", "result"), ("anthropic", "get", "/messages/batches/x/results")),
    (_has("custom_id", "response"), ("openai", "get", "/files/x/content")),
    (lambda value: "inlinedResponses" in mapping(mapping(value.get("metadata")).get("output")),
     ("google", "get", "/batches/x")),
    (lambda value: value.get("object") == "thread.run", _RUNS),
    (_first_has("results", "relevance_score"), _RERANK),
    (_first_has("data", "relevance_score"), _RERANK),
    (_is_picture, _IMAGES),
    (_first_has("data", "embedding"), ("openai", "post", "/embeddings")),
    (_is_ollama_embedding, ("ollama", "post", "/api/embed")),
    (_is_ollama_chat, _OLLAMA_CHAT),
    (_is_ollama, _OLLAMA_GENERATE),
    (_is_google_embedding, ("google", "post", "/models/x:embedContent")),
    (_first_has("predictions", "embeddings"), ("google", "post", "/text-embedding:predict")),
    (_is_interaction, _INTERACTION),
    (lambda value: "outputs" in value and "prompt_tokens" in mapping(value.get("usage")), _GRPC),
    (_is_transcription, ("openai", "post", "/audio/transcriptions")),
    (_has("pages", "usage_info"), ("mistral", "post", "/ocr")),
    (lambda value: "duration" in mapping(value.get("metadata")) and "results" in value,
     ("deepgram", "post", "/listen")),
    (_first_has("results", "generated_text"), ("watsonx", "post", "/text/generation")),
    (_has("generations", "meta"), ("cohere", "post", "/v1/generate")),
    (_has("embeddings", "meta"), ("cohere", "post", "/v2/embed")),
    (_has("text", "meta"), _COHERE),
    (_has("inputTextTokenCount"), _INVOKE),
    (_has("generation", "prompt_token_count"), _INVOKE),
    (_is_agent_answer, ("bedrock", "post", "/retrieveAndGenerate")),
    (_has("version", "urls", "input", "status"), ("replicate", "get", "/predictions/x")),
)  # fmt: skip
"""What a whole answer looks like, and an endpoint whose format that is."""

_EVENTS: tuple[Row, ...] = (
    (_has("event_type", "is_finished"), _COHERE),
    (lambda value: str(value.get("event_type", "")).startswith(("interaction.", "content.", "step.")), _INTERACTION),
    (lambda value: str(value.get("object", "")).startswith("thread."), _RUNS),
    (_kind("session.", "conversation.item.", "input_audio_buffer.", "response.done"), ("openai", "get", "/realtime")),
    (_has("setup"), ("google", "get", "/live")),
    (_has("setupComplete"), ("google", "get", "/live")),
    (_has("serverContent"), ("google", "get", "/live")),
    (lambda value: "outputs" in value and "delta" in (mappings(value.get("outputs")) or [{}])[0], _GRPC),
    (_kind("transcript.text."), ("openai", "post", "/audio/transcriptions")),
    (_kind("image_generation.", "image_edit."), _IMAGES),
    (_has("messageStart"), _CONVERSE),
)  # fmt: skip
"""What one event of a stream looks like."""
