"""OpenAI's other endpoints: embeddings, images, speech, transcription, moderation, models."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any

from tallybook.replay.answer import CHARS_PER_TOKEN, compose, pieces, tokens
from tallybook.replay.answer import Question as Asked
from tallybook.replay.exchange import Exchange, sse, stream_reply
from tallybook.replay.http import Reply, json_reply
from tallybook.replay.openai_error import stream_error

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f00"
        "05000201a5f645400000000049454e44ae426082"
    )
).decode()
"""A picture of one pixel, as PNG."""

SOUND = b"ID3\x04\x00\x00\x00\x00\x00\x00" + bytes(range(256)) * 8
"""Bytes that stand for sound."""

_IMAGE_OUTPUT_TOKENS = 272
_AUDIO_SECONDS = 3


def vector(text: str, size: int) -> list[float]:
    """A unit-sized vector made of the text's hash."""
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[index % len(digest)] - 127.5) / 127.5 for index in range(size)]


def embeddings(exchange: Exchange) -> Reply:
    """POST /v1/embeddings; vectors as base64 when asked for, which the official SDK does."""
    body = exchange.request.json
    given = body.get("input")
    texts = given if isinstance(given, list) and not (given and isinstance(given[0], int)) else [given]
    size = body.get("dimensions") or 16
    data: list[dict[str, Any]] = []
    count = 0
    for index, text in enumerate(texts):
        count += tokens(text) if isinstance(text, str) else len(text)
        floats = vector(str(text), size)
        packed = base64.b64encode(struct.pack(f"<{size}f", *floats)).decode()
        value: Any = packed if body.get("encoding_format") == "base64" else floats
        data.append({"object": "embedding", "index": index, "embedding": value})
    used = {"prompt_tokens": count, "total_tokens": count}
    return json_reply({"object": "list", "data": data, "model": exchange.answering_model, "usage": used})


def _form_text(exchange: Exchange, name: str) -> str:
    value = exchange.request.json.get(name)
    return value if isinstance(value, str) else exchange.request.form.get(name, b"").decode()


def _image_usage(prompt: str, count: int, images: int) -> dict[str, Any]:
    text = tokens(prompt)
    return {
        "input_tokens": text + images,
        "input_tokens_details": {"text_tokens": text, "image_tokens": images},
        "output_tokens": _IMAGE_OUTPUT_TOKENS * count,
        "total_tokens": text + images + _IMAGE_OUTPUT_TOKENS * count,
    }


def images(exchange: Exchange) -> Reply:
    """POST /v1/images/generations and /v1/images/edits; dall-e tells no usage."""
    prompt = _form_text(exchange, "prompt")
    count = int(exchange.request.json.get("n") or exchange.request.form.get("n") or 1)
    if exchange.model.startswith("dall-e"):
        links = [{"url": "http://127.0.0.1/replay.png", "revised_prompt": prompt} for _ in range(count)]
        return json_reply({"created": exchange.now, "data": links})
    given = 194 if exchange.request.path.endswith("/edits") else 0
    used = _image_usage(prompt, count, given)
    about = {"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"}
    if exchange.request.json.get("stream") or _form_text(exchange, "stream") == "true":
        word = "image_edit" if given else "image_generation"
        base = {"b64_json": PIXEL, "created_at": exchange.now, **about}
        events: list[dict[str, Any]] = [
            {"type": f"{word}.partial_image", "partial_image_index": 0, **base},
            {"type": f"{word}.completed", **base, "usage": used},
        ]
        return stream_reply(exchange, [sse(event, event["type"]) for event in events], stream_error(exchange))
    data = [{"b64_json": PIXEL} for _ in range(count)]
    return json_reply({"created": exchange.now, **about, "data": data, "usage": used})


def speech(exchange: Exchange) -> Reply:
    """POST /v1/audio/speech: bytes of sound, which tell no usage, or events, which do."""
    text = str(exchange.request.json.get("input") or "")
    if exchange.request.json.get("stream_format") != "sse":
        half = len(SOUND) // 2
        return stream_reply(exchange, [SOUND[:half], SOUND[half:]], b"", "audio/mpeg")
    count, made = tokens(text), tokens(text) * 2
    used = {"input_tokens": count, "output_tokens": made, "total_tokens": count + made}
    sound = base64.b64encode(SOUND[:64]).decode()
    events = [
        sse({"type": "speech.audio.delta", "audio": sound}),
        sse({"type": "speech.audio.done", "usage": used}),
    ]
    return stream_reply(exchange, events, stream_error(exchange))


def transcription(exchange: Exchange) -> Reply:
    """POST /v1/audio/transcriptions and /translations; whisper tells seconds, the newer models tokens."""
    text = exchange.scenario.text or "A sentence that was spoken."
    kind = _form_text(exchange, "response_format") or "json"
    if kind in ("text", "srt", "vtt"):
        return Reply(headers={"content-type": "text/plain; charset=utf-8"}, body=f"{text}\n".encode())
    audio = max(1, len(exchange.request.form.get("file", b"")) // CHARS_PER_TOKEN)
    used: dict[str, Any] = {
        "type": "tokens",
        "input_tokens": audio,
        "input_token_details": {"text_tokens": 0, "audio_tokens": audio},
        "output_tokens": tokens(text),
        "total_tokens": audio + tokens(text),
    }
    if exchange.model.startswith("whisper"):
        used = {"type": "duration", "seconds": _AUDIO_SECONDS}
    if _form_text(exchange, "stream") == "true":
        events = [sse({"type": "transcript.text.delta", "delta": piece}) for piece in pieces(text)]
        events.append(sse({"type": "transcript.text.done", "text": text, "usage": used}))
        return stream_reply(exchange, [*events, sse("[DONE]")], stream_error(exchange))
    if kind == "verbose_json":
        about = {"task": "transcribe", "language": "english", "duration": _AUDIO_SECONDS, "segments": []}
        return json_reply({**about, "text": text, "usage": used})
    return json_reply({"text": text, "usage": used})


def moderations(exchange: Exchange) -> Reply:
    """POST /v1/moderations: nothing is ever flagged, and nothing is billed."""
    given = exchange.request.json.get("input")
    count = len(given) if isinstance(given, list) else 1
    words = ("harassment", "hate", "sexual", "violence")
    result = {
        "flagged": False,
        "categories": dict.fromkeys(words, False),
        "category_scores": dict.fromkeys(words, 0.0001),
        "category_applied_input_types": {word: ["text"] for word in words},
    }
    body = {"id": exchange.new_id("modr-"), "model": exchange.answering_model, "results": [result] * count}
    return json_reply(body)


def count_input(exchange: Exchange) -> Reply:
    """POST /v1/responses/input_tokens."""
    answer = compose(Asked(model=exchange.model, prompt=exchange.request.json.get("input")), exchange.scenario)
    return json_reply({"object": "response.input_tokens", "input_tokens": answer.input_tokens})


def models(exchange: Exchange) -> Reply:
    """GET /v1/models."""
    known = [
        {"id": name, "object": "model", "created": exchange.now, "owned_by": "replay"} for name in ("gpt-4o", "gpt-5")
    ]
    return json_reply({"object": "list", "data": known})
