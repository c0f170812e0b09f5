from __future__ import annotations

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.sound import LISTEN, SPEECH, headed, parse_deepgram, parse_speech, parse_transcription


def test_deepgram_tells_the_length_of_the_sound() -> None:
    metadata = {"request_id": "r", "duration": 3.6999376, "model_info": {"x": {"name": "general-nova-3"}}}
    got = parse_deepgram(body({"metadata": metadata,
                               "results": {"channels": [{"alternatives": [{"transcript": "Hi"}]}]}}))  # fmt: skip
    assert got.usage == Usage(quantities={"audio_ms": 3700})
    assert (got.text, got.response_id, got.response_model) == ("Hi", "r", "general-nova-3")


def test_a_transcription_without_a_length_is_flagged() -> None:
    assert parse_transcription(body({"text": "Hi", "duration": 3.7})).usage == Usage(quantities={"audio_ms": 3700})
    got = parse_transcription(body({"text": "Hi", "words": [], "transcription_id": "t"}))
    assert (got.usage, got.flags, got.response_id) == (None, ("usage_missing",), "t")


def test_sound_itself_is_not_looked_at_but_an_error_is() -> None:
    assert parse_speech(b"ID3\x04\x00").usage is None
    assert parse_speech(body({"detail": "bad voice"})).error_message == "bad voice"


def test_characters_are_known_from_the_request_and_charged_ones_from_the_header() -> None:
    asked = SPEECH.asked({"text": "Hello"}, "https://api.deepgram.com/v1/speak?encoding=mp3&model=aura-2")
    assert (asked.model, asked.quantities, asked.parameters) == ("aura-2", {"characters": 5}, {"encoding": "mp3"})
    got = headed(parse_speech(b"ID3"), {"character-cost": "3", "request-id": "r"})
    assert (got.usage, got.response_id) == (Usage(quantities={"characters": 3}), "r")


def test_settings_in_the_query_are_told() -> None:
    asked = LISTEN.asked({}, "/v1/listen?model=nova-3&language=en")
    assert (asked.model, asked.parameters, asked.quantities) == ("nova-3", {"language": "en"}, {})
