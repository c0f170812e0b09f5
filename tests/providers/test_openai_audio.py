from __future__ import annotations

from typing import Any

import pytest

from providers.framing import body, fed, named, streamed
from tallybook.model.usage import Usage
from tallybook.providers.openai_audio import SPEECH, TRANSCRIPTION, parse_speech, parse_transcription

TOKENS = {
    "type": "tokens",
    "input_tokens": 14,
    "input_token_details": {"audio_tokens": 14, "text_tokens": 0},
    "output_tokens": 5,
    "total_tokens": 19,
}


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        ({"usage": TOKENS}, Usage(input_tokens=14, output_tokens=5, input_audio_tokens=14)),
        ({"usage": {"type": "duration", "seconds": 12}}, Usage(quantities={"audio_ms": 12_000})),
        ({"duration": 36.71, "segments": []}, Usage(quantities={"audio_ms": 36_710})),
        ({"duration": 36.71, "usage": {"type": "duration", "seconds": 37}}, Usage(quantities={"audio_ms": 37_000})),
        ({"usage": {"prompt_audio_seconds": 7, "prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}},
         Usage(input_tokens=4, output_tokens=6, quantities={"audio_ms": 7000})),
        ({"duration": 5, "usage": TOKENS}, Usage(input_tokens=14, output_tokens=5, input_audio_tokens=14)),
    ],
)  # fmt: skip
def test_a_transcription_is_counted_in_tokens_or_time(answer: dict[str, Any], usage: Usage) -> None:
    got = parse_transcription(body({"text": "Hello", **answer}))
    assert (got.text, got.usage, got.flags) == ("Hello", usage, ())


def test_a_transcription_that_counts_nothing_is_flagged() -> None:
    assert parse_transcription(b'{"text": "Hello"}').flags == ("usage_missing",)
    plain = parse_transcription(b"Hello\n")
    assert (plain.text, plain.flags) == ("Hello", ("usage_missing",))
    assert parse_transcription(b"").flags == ()


def test_a_streamed_transcription_ends_with_text_and_usage() -> None:
    events = [
        {"type": "transcript.text.delta", "delta": "Hel"},
        {"type": "transcript.text.delta", "delta": "lo"},
        {"type": "transcript.text.done", "text": "Hello", "usage": TOKENS},
    ]
    got = streamed(TRANSCRIPTION, named(events))
    assert got == fed(TRANSCRIPTION, events) == parse_transcription(named(events))
    assert (got.text, got.is_complete) == ("Hello", True)
    assert got.usage == Usage(input_tokens=14, output_tokens=5, input_audio_tokens=14)
    cut = streamed(TRANSCRIPTION, named(events[:1]))
    assert (cut.text, cut.is_complete, cut.usage) == ("Hel", False, None)


def test_speech_is_sound_of_which_nothing_is_kept() -> None:
    got = parse_speech(b"\xff\xf3\x84\xc4" * 1000)
    assert (got.usage, got.text, got.flags, got.error_type) == (None, None, (), None)
    assert parse_speech(body({"error": {"message": "m", "type": "t"}})).error_type == "t"


def test_streamed_speech_ends_with_usage() -> None:
    events = [
        {"type": "speech.audio.delta", "audio": "QUJD"},
        {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}},
    ]
    got = streamed(SPEECH, named(events))
    assert got == fed(SPEECH, events) == parse_speech(named(events))
    assert (got.usage, got.is_complete) == (Usage(input_tokens=14, output_tokens=101), True)


def test_a_speech_request_tells_its_characters() -> None:
    got = SPEECH.asked({"model": "tts-1", "input": "Grüße", "voice": "alloy"}, "/audio/speech")
    assert (got.model, got.prompt, got.quantities, got.parameters) == (
        "tts-1", "Grüße", {"characters": 5}, {"voice": "alloy"},
    )  # fmt: skip


def test_a_transcription_request_tells_its_model() -> None:
    got = TRANSCRIPTION.asked({"model": "whisper-1", "language": "de", "stream": "true"}, "/audio/transcriptions")
    assert (got.model, got.is_stream, got.parameters) == ("whisper-1", True, {"language": "de"})
