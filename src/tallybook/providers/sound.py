"""Speech services with interfaces of their own: Deepgram, ElevenLabs, xAI's `stt` and `tts`.

Transcription is billed by the length of the sound, which Deepgram and xAI tell; ElevenLabs tells only where words
stand. Speech is billed by character: known from the request, and from ElevenLabs' header `character-cost`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.loose import read_whole
from tallybook.providers.value import mapping, mappings, milliseconds, number, scalars, whole, word

PARAMETERS = ("language", "language_code", "voice", "voice_id", "output_format", "encoding", "diarize", "smart_format")


def _deepgram(body: Payload) -> Parsed:
    metadata = mapping(body.get("metadata"))
    channels = mappings(mapping(body.get("results")).get("channels"))
    texts = [
        text
        for channel in channels
        for part in mappings(channel.get("alternatives"))[:1]
        if (text := word(part.get("transcript"))) is not None
    ]
    models = [mapping(info) for info in mapping(metadata.get("model_info")).values()]
    return _transcribed(
        number(metadata.get("duration")),
        "\n".join(texts) or None,
        word(metadata.get("request_id")),
        next((name for info in models if (name := word(info.get("name"))) is not None), None),
    )


def _transcribed(seconds: int | float | None, text: str | None, id_: str | None, model: str | None) -> Parsed:
    sound_ms = milliseconds(seconds)
    usage = None if sound_ms is None else Usage(quantities={"audio_ms": sound_ms})
    return Parsed(
        usage=usage,
        usage_raw=None if not seconds else {"duration": seconds},
        response_id=id_,
        response_model=model,
        text=text,
        flags=() if usage is not None else ("usage_missing",),
    )


def _plain(body: Payload) -> Parsed:
    seconds = number(body.get("duration")) or number(body.get("audio_duration_secs"))
    return _transcribed(seconds, word(body.get("text")), word(body.get("transcription_id")), word(body.get("model")))


def parse_deepgram(raw: bytes) -> Parsed:
    """Deepgram's transcription."""
    return read_whole(raw, _deepgram)


def parse_transcription(raw: bytes) -> Parsed:
    """A transcription with `text` and perhaps `duration` in seconds (xAI, ElevenLabs)."""
    return read_whole(raw, _plain)


def parse_speech(raw: bytes) -> Parsed:
    """A whole answer: sound, of which nothing is kept, or an error."""
    if raw[:1] != b"{":
        return Parsed()
    error_type, message = failure(raw, None)
    return Parsed(error_type=error_type, error_message=message)


def headed(parsed: Parsed, headers: Mapping[str, str]) -> Parsed:
    """With the characters that ElevenLabs charged and the ids of either service."""
    id_ = parsed.response_id or headers.get("request-id") or headers.get("dg-request-id")
    characters = whole(headers.get("character-cost"))
    usage = parsed.usage
    if characters is not None:
        usage = Usage(quantities={**(usage or Usage()).quantities, "characters": characters})
    model = parsed.response_model or headers.get("dg-model-name")
    return msgspec.structs.replace(parsed, response_id=id_, usage=usage, response_model=model)


def asked(body: Payload, url: str) -> Asked:
    """What a request asks for; Deepgram has its settings in the URL's query."""
    query: dict[str, Any] = {}
    try:
        query = {key: values[-1] for key, values in parse_qs(urlsplit(url).query).items()}
    except ValueError:
        pass  # No URL that can be read: the body tells what it can.
    text = word(body.get("text"))
    return Asked(
        model=word(body.get("model")) or word(body.get("model_id")) or word(query.get("model")),
        prompt=text,
        parameters={**scalars(query, PARAMETERS), **scalars(body, PARAMETERS)},
        quantities={"characters": len(text)} if text is not None else {},
    )


LISTEN = Format("deepgram.listen", "transcription", asked, parse_deepgram, headed=headed)
TRANSCRIPTION = Format("sound.transcription", "transcription", asked, parse_transcription, headed=headed)
SPEECH = Format("sound.speech", "speech", asked, parse_speech, headed=headed)
