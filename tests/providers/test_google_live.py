from __future__ import annotations

from typing import Any

from providers.framing import fed, lines, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.google_live import LIVE, parse, results, usage_of

FIRST = {"promptTokenCount": 24, "candidatesTokenCount": 5, "totalTokenCount": 29,
         "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 24}]}  # fmt: skip
SECOND = {"promptTokenCount": 541, "responseTokenCount": 61, "totalTokenCount": 602, "thoughtsTokenCount": 46,
          "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 61}]}  # fmt: skip
EVENTS: list[dict[str, Any]] = [
    {"setupComplete": {}},
    {"toolCall": {"functionCalls": [{"name": "look", "args": {"at": 1}, "id": "f1"}]}},
    {"serverContent": {"turnComplete": True}, "usageMetadata": FIRST},
    {"serverContent": {"modelTurn": {"parts": [{"text": "Hmm", "thought": True}]}}},
    {"serverContent": {"outputTranscription": {"text": "It is"}}},
    {"serverContent": {"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm", "data": "AAAA"}}]}}},
    {"serverContent": {"outputTranscription": {"text": " foggy."}}},
    {"serverContent": {"generationComplete": True}},
    {"serverContent": {"turnComplete": True}, "usageMetadata": SECOND},
]
SETUP = {"direction": "sent", "data": {"setup": {"model": "publishers/google/models/gemini-live-2.5-flash"}}}


def test_thoughts_are_output_though_the_total_leaves_them_out() -> None:
    usage, flags = usage_of(SECOND)
    assert usage == Usage(input_tokens=541, output_tokens=107, reasoning_tokens=46, output_audio_tokens=61)
    assert flags == ()


def test_without_an_output_count_the_total_tells_it() -> None:
    usage, _ = usage_of({"promptTokenCount": 187, "totalTokenCount": 187})
    assert (usage.input_tokens, usage.output_tokens) == (187, 0)


def test_each_turn_is_a_call_of_its_own_and_the_session_their_sum() -> None:
    raw = lines([SETUP, *({"direction": "received", "data": event} for event in EVENTS)])
    one, two = (result.parsed for result in results(raw))
    assert one.usage == Usage(input_tokens=24, output_tokens=5)
    assert one.tool_calls == (ToolCall(name="look", id="f1", arguments='{"at":1}'),)
    assert (two.text, two.reasoning_chars, two.response_model) == ("It is foggy.", 3, "gemini-live-2.5-flash")
    got = parse(raw)
    assert got.usage is not None
    assert (got.usage.input_tokens, got.usage.output_tokens, got.usage.reasoning_tokens) == (565, 112, 46)
    assert got.is_complete
    assert streamed(LIVE, raw) == got


def test_usage_that_comes_after_its_turn_belongs_to_it() -> None:
    late = [*EVENTS[1:2], {"serverContent": {"turnComplete": True}}, {"usageMetadata": FIRST}]
    got = fed(LIVE, late)
    assert got.usage == Usage(input_tokens=24, output_tokens=5)
    assert got.flags == ()


def test_the_last_usage_of_a_turn_wins() -> None:
    got = fed(LIVE, [{"usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}}, *EVENTS[1:3]])
    assert got.usage == Usage(input_tokens=24, output_tokens=5)


def test_a_turn_that_breaks_off_is_incomplete() -> None:
    got = fed(LIVE, EVENTS[:5])
    assert got.usage == Usage(input_tokens=24, output_tokens=5)
    assert not got.is_complete
    assert not fed(LIVE, EVENTS[:1]).is_complete
