from __future__ import annotations

from typing import Any

from providers.framing import fed, lines, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.openai_realtime import REALTIME, parse, results

USAGE = {
    "total_tokens": 176, "input_tokens": 149, "output_tokens": 27,
    "input_token_details": {"cached_tokens": 128, "text_tokens": 100, "audio_tokens": 49, "image_tokens": 0,
                            "cached_tokens_details": {"text_tokens": 90, "audio_tokens": 38}},
    "output_token_details": {"text_tokens": 9, "audio_tokens": 18},
}  # fmt: skip
SESSION = {"model": "gpt-realtime", "audio": {"input": {"transcription": {"model": "gpt-realtime-whisper"}}}}
FIRST: list[dict[str, Any]] = [
    {"type": "session.created", "session": {"model": "gpt-realtime"}},
    {"type": "session.updated", "session": SESSION},
    {"type": "response.created", "response": {"id": "r1", "status": "in_progress", "usage": None}},
    {"type": "response.output_audio_transcript.delta", "delta": "Hel"},
    {"type": "response.output_audio_transcript.delta", "delta": "lo"},
    {"type": "response.done", "response": {"id": "r1", "status": "completed", "usage": USAGE, "output": []}},
]
SECOND: list[dict[str, Any]] = [
    {"type": "conversation.item.input_audio_transcription.completed", "item_id": "i1", "transcript": "Weather?",
     "usage": {"type": "duration", "seconds": 3}},
    {"type": "response.created", "response": {"id": "r2"}},
    {"type": "response.done", "response": {
        "id": "r2", "status": "completed",
        "usage": {"total_tokens": 12, "input_tokens": 10, "output_tokens": 2},
        "output": [{"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}],
    }},
]  # fmt: skip


def test_each_answer_and_each_transcription_is_a_call_of_its_own() -> None:
    first, heard, second = results(lines([*FIRST, *SECOND]))
    assert first.parsed.usage == Usage(
        input_tokens=149, output_tokens=27, cache_read_tokens=128, input_audio_tokens=49, input_image_tokens=0,
        output_audio_tokens=18, quantities={"cache_read_audio_tokens": 38},
    )  # fmt: skip
    assert (first.custom_id, first.operation, first.parsed.text) == ("r1", "realtime", "Hello")
    assert (heard.operation, heard.parsed.response_model) == ("transcription", "gpt-realtime-whisper")
    assert heard.parsed.usage == Usage(quantities={"audio_ms": 3000})
    assert second.parsed.tool_calls == (ToolCall(name="look", id="c1", arguments="{}"),)
    assert second.parsed.response_model == "gpt-realtime"


def test_a_session_is_the_sum_of_its_answers_with_the_other_model_apart() -> None:
    got = parse(lines([*FIRST, *SECOND]))
    assert got.usage is not None
    assert (got.usage.input_tokens, got.usage.output_tokens) == (159, 29)
    assert (got.response_model, got.text, got.is_complete) == ("gpt-realtime", "HelloWeather?", True)
    [heard] = got.further
    assert (heard.model, heard.usage) == ("gpt-realtime-whisper", Usage(quantities={"audio_ms": 3000}))


def test_a_transcript_with_directions_counts_what_was_received_only() -> None:
    sent = {"direction": "sent", "data": {"type": "response.done", "response": {"usage": USAGE}}}
    received = [{"direction": "received", "data": event} for event in FIRST]
    assert parse(lines([sent, *received])) == parse(lines(FIRST))
    assert streamed(REALTIME, lines(received)) == fed(REALTIME, FIRST)


def test_a_session_that_breaks_off_in_an_answer_is_incomplete() -> None:
    got = fed(REALTIME, FIRST[:-1])
    assert (got.usage, got.is_complete, got.text, got.response_model) == (None, False, "Hello", "gpt-realtime")


def test_usage_beside_the_response_and_billed_seconds_are_read() -> None:
    usage = {"input_tokens": 8, "output_tokens": 249, "total_tokens": 257, "billable_audio_seconds": 2,
             "output_token_details": {"audio_tokens": 231, "grok_tokens": 0}}  # fmt: skip
    got = fed(REALTIME, [{"type": "response.done", "response": {"id": "r"}, "usage": usage}])
    assert got.usage == Usage(input_tokens=8, output_tokens=249, output_audio_tokens=231, quantities={"audio_ms": 2000})


def test_a_failed_answer_tells_why() -> None:
    details = {"type": "failed", "error": {"type": "invalid_request_error", "message": "No."}}
    got = fed(REALTIME, [{"type": "response.done", "response": {"status": "failed", "status_details": details}}])
    assert (got.error_type, got.error_message, got.usage) == ("invalid_request_error", "No.", None)


def test_the_model_may_stand_in_the_url() -> None:
    assert REALTIME.asked({}, "wss://api.openai.com/v1/realtime?model=gpt-realtime&x=1").model == "gpt-realtime"
    asked = REALTIME.asked({"type": "session.update", "session": {"model": "m", "instructions": "Be short."}}, "")
    assert (asked.model, asked.prompt) == ("m", "Be short.")
