from __future__ import annotations

from typing import Any

from providers.framing import body, fed, lines, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.ollama import CHAT, parse, parse_embeddings

LAST = {
    "model": "llama3", "created_at": "2026-01-01T00:00:02Z", "message": {"role": "assistant", "content": ""},
    "done": True, "done_reason": "stop", "total_duration": 5, "prompt_eval_count": 33, "eval_count": 57,
}  # fmt: skip
EVENTS: list[dict[str, Any]] = [
    {"model": "llama3", "message": {"role": "assistant", "content": "", "thinking": "Hmm"}, "done": False},
    {"model": "llama3", "message": {"role": "assistant", "content": "Hi "}, "done": False},
    {"model": "llama3", "message": {"role": "assistant", "content": "there"}, "done": False},
    {"model": "llama3", "message": {"role": "assistant", "content": "", "tool_calls": [
        {"function": {"name": "look", "arguments": {"at": 1}}}]}, "done": False},
    LAST,
]  # fmt: skip


def test_a_stream_of_json_lines_counts_as_the_whole_answer() -> None:
    message = {"role": "assistant", "content": "Hi there", "thinking": "Hmm",
               "tool_calls": [{"function": {"name": "look", "arguments": {"at": 1}}}]}  # fmt: skip
    whole = parse(body({**LAST, "message": message}))
    assert whole.usage == Usage(input_tokens=33, output_tokens=57)
    assert whole.usage_raw == {"prompt_eval_count": 33, "eval_count": 57, "total_duration": 5}
    assert whole.tool_calls == (ToolCall(name="look", arguments='{"at":1}'),)
    assert (whole.text, whole.finish_reasons, whole.reasoning_chars) == ("Hi there", ("stop",), 3)
    assert streamed(CHAT, lines(EVENTS)) == whole
    assert fed(CHAT, EVENTS) == whole
    assert parse(lines(EVENTS)) == whole


def test_a_cached_prompt_is_unknown_and_not_nothing() -> None:
    left_out = {key: value for key, value in LAST.items() if key != "prompt_eval_count"}
    for answer in (left_out, {**LAST, "prompt_eval_count": 0}):
        got = parse(body(answer))
        assert got.usage == Usage(output_tokens=57)
        assert got.flags == ("input_missing",)


def test_generate_answers_in_its_own_member() -> None:
    got = parse(body({"model": "m", "response": "Hello", "done": True, "prompt_eval_count": 15, "eval_count": 65}))
    assert (got.text, got.usage) == ("Hello", Usage(input_tokens=15, output_tokens=65))


def test_a_stream_that_breaks_off_counts_nothing() -> None:
    got = streamed(CHAT, lines(EVENTS[:-1]))
    assert (got.usage, got.is_complete, got.flags) == (None, False, ())


def test_an_error_is_told_whole_and_in_a_stream() -> None:
    assert parse(body({"error": "model not found"})).error_message == "model not found"
    assert streamed(CHAT, lines([*EVENTS[:2], {"error": "out of memory"}])).error_message == "out of memory"


def test_embeddings_count_the_prompt_and_the_older_ones_nothing() -> None:
    got = parse_embeddings(body({"model": "nomic", "embeddings": [[0.1]], "prompt_eval_count": 4}))
    assert (got.usage, got.response_model) == (Usage(input_tokens=4), "nomic")
    assert parse_embeddings(body({"embedding": [0.1]})).flags == ("usage_missing",)
    assert parse_embeddings(body({"error": "no such model"})).error_message == "no such model"


def test_a_request_streams_unless_told_not_to() -> None:
    assert CHAT.asked({"model": "m", "messages": []}, "/api/chat").is_stream
    assert not CHAT.asked({"model": "m", "stream": False}, "/api/chat").is_stream
    assert not CHAT.asked({"model": "m", "input": "x"}, "/api/embed").is_stream
    got = CHAT.asked({"model": "m", "prompt": "p", "system": "s", "options": {"temperature": 0}}, "/api/generate")
    assert (got.prompt, got.parameters) == ({"system": "s", "prompt": "p"}, {"temperature": 0})
