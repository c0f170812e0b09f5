"""What must hold of every format's stream, wherever it is cut: nothing raises, pieces change nothing, a part of a
stream never counts more than the whole of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import (
    test_bedrock_agents,
    test_bedrock_converse,
    test_bedrock_invoke,
    test_cohere_chat,
    test_google_interactions,
    test_google_live,
    test_mistral_conversations,
    test_ollama,
    test_openai_realtime,
    test_xai_grpc,
)
from providers.framing import aws, chunks, crlf, lines, named, plain
from tallybook.model.usage import TOKEN_FIELDS, Usage, faults
from tallybook.providers import (
    bedrock_agents,
    bedrock_converse,
    bedrock_invoke,
    cohere_chat,
    google_interactions,
    google_live,
    huggingface_generate,
    mistral_conversations,
    ollama,
    openai_assistants,
    openai_realtime,
    watsonx,
    xai_grpc,
)
from tallybook.providers.anthropic_messages import MESSAGES
from tallybook.providers.base import Format, Parsed
from tallybook.providers.google_generate import GENERATE
from tallybook.providers.openai_chat import CHAT
from tallybook.providers.openai_responses import RESPONSES

_CHAT: list[dict[str, Any]] = [
    {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "Grüße 😀"}}]},
    {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11}},
]
_RESPONSE = {"id": "r", "model": "m", "status": "completed", "output": [],
             "usage": {"input_tokens": 8, "output_tokens": 3, "total_tokens": 11}}  # fmt: skip
_RESPONSES: list[dict[str, Any]] = [
    {"type": "response.created", "response": {"id": "r", "model": "m", "status": "in_progress", "usage": None}},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "Grüße"},
    {"type": "response.completed", "response": _RESPONSE},
]
_GEMINI: list[dict[str, Any]] = [
    {"candidates": [{"content": {"parts": [{"text": "Hi"}]}}],
     "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 1, "totalTokenCount": 9}},
    {"candidates": [{"content": {"parts": [{"text": " there"}]}, "finishReason": "STOP"}],
     "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 3, "thoughtsTokenCount": 5,
                       "totalTokenCount": 16}},
]  # fmt: skip
_TGI: list[dict[str, Any]] = [
    {"token": {"text": "Hi"}},
    {"token": {"text": "!"}, "generated_text": "Hi!", "details": {"generated_tokens": 2, "input_length": 9}},
]
_WATSONX: list[dict[str, Any]] = [
    {"type": "message", "results": [{"generated_text": "A", "generated_token_count": 1, "input_token_count": 7}]},
    {"type": "message", "results": [{"generated_text": "b", "generated_token_count": 2, "stop_reason": "eos_token"}]},
]
_RUN: list[dict[str, Any]] = [
    {"type": "x", "object": "thread.run", "id": "run", "status": "queued", "usage": None},
    {"type": "x", "object": "thread.run", "id": "run", "status": "completed",
     "usage": {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11}},
]  # fmt: skip
_AGENT = [*test_bedrock_agents._trace("orchestrationTrace", "m", 12, 7, "a"), test_bedrock_agents.CHUNK]
_INTERACTION = [{"type": event["event_type"], **event} for event in test_google_interactions.EVENTS]

STREAMS: dict[str, tuple[Format, bytes]] = {
    "openai.chat": (CHAT, plain(_CHAT)),
    "openai.responses": (RESPONSES, named(_RESPONSES)),
    "openai.runs": (openai_assistants.RUN, named(_RUN) + b"data: [DONE]\n\n"),
    "openai.realtime": (
        openai_realtime.REALTIME,
        lines([*test_openai_realtime.FIRST, *test_openai_realtime.SECOND]),
    ),
    "anthropic.messages": (MESSAGES, named(test_bedrock_invoke.STREAMS["claude"])),
    "google.generate": (GENERATE, crlf(_GEMINI)),
    "google.generate array": (GENERATE, b"[" + b"\n,".join(lines([event]).strip() for event in _GEMINI) + b"]"),
    "google.interactions": (google_interactions.INTERACTIONS, named(_INTERACTION)),
    "google.live": (google_live.LIVE, lines(test_google_live.EVENTS)),
    "bedrock.converse": (bedrock_converse.CONVERSE, aws(test_bedrock_converse.EVENTS)),
    "bedrock.converse lines": (bedrock_converse.CONVERSE, lines(test_bedrock_converse.EVENTS)),
    **{
        f"bedrock.invoke {vendor}": (bedrock_invoke.INVOKE, chunks(events))
        for vendor, events in test_bedrock_invoke.STREAMS.items()
    },
    "bedrock.agent": (bedrock_agents.AGENT, aws(_AGENT)),
    "cohere.chat": (cohere_chat.CHAT, named(test_cohere_chat.V2_EVENTS)),
    "ollama.chat": (ollama.CHAT, lines(test_ollama.EVENTS)),
    "mistral.conversations": (mistral_conversations.CONVERSATIONS, named(test_mistral_conversations.EVENTS)),
    "huggingface.generate": (huggingface_generate.GENERATE, plain(_TGI, done=False)),
    "watsonx.generation": (watsonx.GENERATION, named(_WATSONX)),
    "xai.grpc": (xai_grpc.COMPLETION, lines(test_xai_grpc.EVENTS)),
}


def _read(form: Format, pieces: list[bytes]) -> Parsed:
    assert form.stream is not None
    stream = form.stream()
    for piece in pieces:
        stream.feed_bytes(piece)
    return stream.result()


def _counts(usage: Usage | None) -> dict[str, int]:
    usage = usage or Usage()
    tokens = {name: getattr(usage, name) or 0 for name in TOKEN_FIELDS}
    return {**tokens, **usage.requests, **usage.quantities}


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=60)
@given(data=st.data())
def test_pieces_of_a_stream_count_as_the_whole_of_it(name: str, data: st.DataObject) -> None:
    form, raw = STREAMS[name]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    whole = _read(form, [raw])
    assert whole.usage is not None
    assert whole.is_complete
    assert _read(form, pieces) == whole


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=60)
@given(data=st.data())
def test_a_part_of_a_stream_never_counts_more_than_the_whole(name: str, data: st.DataObject) -> None:
    form, raw = STREAMS[name]
    end = data.draw(st.integers(0, len(raw)))
    whole, part = _read(form, [raw]), _read(form, [raw[:end]])
    most = _counts(whole.usage)
    assert all(count <= most.get(key, 0) for key, count in _counts(part.usage).items())
    assert part.usage is None or faults(part.usage) == ()
    assert len(part.text or "") <= len(whole.text or "")
    form.parse(raw[:end])


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=40)
@given(data=st.data())
def test_bytes_that_changed_on_the_way_never_raise(name: str, data: st.DataObject) -> None:
    form, raw = STREAMS[name]
    changed = bytearray(raw)
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        changed[place] = data.draw(st.integers(0, 255))
    got = _read(form, [bytes(changed)])
    assert got.usage is None or faults(got.usage) == ()
    form.parse(bytes(changed))
