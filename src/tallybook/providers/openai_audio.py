"""OpenAI-shaped audio: speech (text to sound) and transcription or translation (sound to text).

Speech answers with sound and no usage: its characters are known from the request. Only its event stream carries
tokens. A transcription's usage is of type `tokens` or `duration` (seconds); without any, the detailed formats
tell the duration of the sound. Plain text, SRT and VTT answers tell nothing but their text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.failure import failure
from tallybook.providers.lenient import UNREADABLE, repaired
from tallybook.providers.openai_chat import model_in
from tallybook.providers.openai_usage import counted
from tallybook.providers.sse import looks_like_sse
from tallybook.providers.stream import EventStream, named_events
from tallybook.providers.value import mapping, milliseconds, number, scalars, word

SPEECH_PARAMETERS = ("voice", "speed", "response_format", "stream_format")
TRANSCRIPTION_PARAMETERS = ("language", "response_format", "temperature", "chunking_strategy")


class _Whole(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    text: Any = None
    duration: Any = None
    usage: Any = None
    x_groq: Any = None


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    delta: Any = None
    text: Any = None
    usage: Any = None
    error: Any = None


_decode_whole = msgspec.json.Decoder(_Whole).decode


def usage_of(raw: Mapping[str, Any], duration_s: Any = None) -> tuple[Usage, tuple[str, ...], int | None]:
    """Normal form of a transcription's usage, its faults, and a stated cost."""
    usage, flags, cost = counted(raw) if raw else (Usage(), (), None)
    seconds = number(raw.get("seconds"))
    if seconds is None and "audio_ms" not in usage.quantities and usage.input_tokens is None:
        seconds = number(duration_s)
    sound_ms = milliseconds(seconds)
    if sound_ms is not None:
        usage = msgspec.structs.replace(usage, quantities={**usage.quantities, "audio_ms": sound_ms})
    return usage, flags, cost


class AudioStream(EventStream[_Event]):
    """Accumulates the events of speech or transcription; the `.done` event carries the usage."""

    _array = staticmethod(named_events)
    _decode = msgspec.json.Decoder(list[_Event]).decode

    __slots__ = ("_error", "_text", "_usage", "_whole_text")

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._whole_text: str | None = None
        self._usage: Any = None
        self._error: Any = None

    def _event_of(self, event: Mapping[str, Any]) -> _Event:
        get = event.get
        return _Event(get("type"), get("delta"), get("text"), get("usage"), get("error"))

    def _take(self, event: _Event) -> bool:
        kind = event.type if isinstance(event.type, str) else ""
        if event.usage is not None:
            self._usage = event.usage
        if event.error is not None:
            self._error = event.error
        if kind in {"transcript.text.done", "transcription.done", "speech.audio.done"}:
            self._whole_text = word(event.text)
            self._is_done = True
            return False
        delta = word(event.delta) or (word(event.text) if kind == "transcription.text.delta" else None)
        if delta is not None and "text" in kind:
            self._text.append(delta)
        return delta is not None or kind == "speech.audio.delta"

    def _result(self) -> Parsed:
        error_type, error_message = failure({"error": self._error}, None) if self._error else (None, None)
        raw = self._usage
        usage, flags, cost = usage_of(mapping(raw)) if raw else (None, (), None)
        return Parsed(
            usage=usage,
            usage_raw=raw,
            cost_nanousd=cost,
            text=self._whole_text or ("".join(self._text) if self._text else None),
            error_type=error_type,
            error_message=error_message,
            is_complete=self._is_done,
            flags=("usage_missing",) if usage is None and self._is_done else flags,
        )


def _streamed(raw: bytes) -> Parsed:
    stream = AudioStream()
    stream.feed_bytes(raw)
    return stream.result()


def parse_speech(raw: bytes) -> Parsed:
    """A whole answer: sound, of which nothing is kept, an event stream, or an error."""
    if looks_like_sse(raw[:64]):
        return _streamed(raw)
    if raw[:1] == b"{":
        error_type, error_message = failure(raw, None)
        return Parsed(error_type=error_type, error_message=error_message)
    return Parsed()


def parse_transcription(raw: bytes) -> Parsed:
    """A whole answer, as JSON, event stream or plain text."""
    try:
        body = _decode_whole(raw)
    except UNREADABLE:
        if looks_like_sse(raw):
            return _streamed(raw)
        fixed = repaired(raw)
        if fixed is not None:
            return parse_transcription(fixed)
        text = raw.decode("utf-8", "replace").strip()
        return Parsed(text=text or None, flags=("usage_missing",) if text else ())
    if body.text is None and body.usage is None:
        error_type, error_message = failure(raw, None)
        if error_type is not None:
            return Parsed(error_type=error_type, error_message=error_message)
    usage, flags, cost = usage_of(mapping(body.usage), body.duration)
    is_empty = usage == Usage()
    return Parsed(
        usage=None if is_empty else usage,
        usage_raw=body.usage,
        response_id=word(body.id) or word(mapping(body.x_groq).get("id")),
        response_model=word(body.model),
        service_tier=word(mapping(body.usage).get("service_tier")),
        cost_nanousd=cost,
        text=word(body.text),
        flags=("usage_missing",) if is_empty else flags,
    )


def asked_speech(body: Payload, url: str) -> Asked:
    """What a speech request asks for; its characters are what older models bill."""
    text = word(body.get("input"))
    return Asked(
        model=word(body.get("model")) or model_in(url),
        is_stream=body.get("stream_format") == "sse",
        prompt=text,
        parameters=scalars(body, SPEECH_PARAMETERS),
        quantities={"characters": len(text)} if text is not None else {},
    )


def asked_transcription(body: Payload, url: str) -> Asked:
    """What a transcription asks for; the sound itself is not part of it."""
    return Asked(
        model=word(body.get("model")) or model_in(url),
        is_stream=body.get("stream") in (True, "true"),
        prompt=body.get("prompt"),
        parameters=scalars(body, TRANSCRIPTION_PARAMETERS),
    )


SPEECH = Format("openai.speech", "speech", asked_speech, parse_speech, AudioStream)
TRANSCRIPTION = Format("openai.transcription", "transcription", asked_transcription, parse_transcription, AudioStream)
