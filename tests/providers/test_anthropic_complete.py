from __future__ import annotations

from providers.framing import body, fed, named, streamed
from tallybook.providers.anthropic_complete import COMPLETE, parse

END = {"type": "completion", "id": "compl_1", "completion": "lo", "stop_reason": "stop_sequence", "model": "claude-2.1"}


def test_a_completion_tells_text_and_reason_and_lacks_usage() -> None:
    got = parse(body({**END, "completion": " Hello"}))
    assert (got.text, got.finish_reasons, got.response_model) == (" Hello", ("stop_sequence",), "claude-2.1")
    assert (got.usage, got.flags) == (None, ("usage_missing",))


def test_a_stream_joins_its_pieces() -> None:
    events = [{"type": "completion", "completion": "Hel", "stop_reason": None}, {"type": "ping"}, END]
    got = streamed(COMPLETE, named(events))
    assert got == fed(COMPLETE, events) == parse(named(events))
    assert (got.text, got.is_complete) == ("Hello", True)
    assert not streamed(COMPLETE, named(events[:1])).is_complete


def test_an_error_is_told() -> None:
    got = parse(body({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}))
    assert (got.error_type, got.error_message, got.flags) == ("overloaded_error", "m", ())


def test_a_request_tells_its_prompt() -> None:
    got = COMPLETE.asked({"model": "claude-2.1", "prompt": "Hi", "max_tokens_to_sample": 9}, "/v1/complete")
    assert (got.model, got.prompt, got.parameters) == ("claude-2.1", "Hi", {"max_tokens_to_sample": 9})
