"""Workers AI at its own address: text or a chat completion inside `result`, whole and streamed."""

from __future__ import annotations

from typing import Any

from providers.framing import body, fed, plain, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers import endpoint
from tallybook.providers.workers_ai import RUN, asked, parse

USAGE = {"prompt_tokens": 26, "completion_tokens": 9, "total_tokens": 35}
URL = "https://api.cloudflare.com/client/v4/accounts/a1/ai/run/@cf/meta/llama-3.1-8b-instruct"
CHAT: dict[str, Any] = {
    "id": "c", "model": "@cf/openai/gpt-oss-120b", "usage": USAGE,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
}  # fmt: skip


def wrapped(result: Any) -> dict[str, Any]:
    return {"result": result, "success": True, "errors": [], "messages": []}


def test_a_text_with_its_usage_is_counted() -> None:
    tools = [{"name": "look", "arguments": {"at": 1}}]
    got = parse(body(wrapped({"response": "Hi", "tool_calls": tools, "usage": USAGE})))
    assert (got.text, got.usage, got.is_complete) == ("Hi", Usage(input_tokens=26, output_tokens=9), True)
    assert got.tool_calls == (ToolCall(name="look", arguments='{"at":1}'),)


def test_a_chat_completion_inside_is_read_as_one() -> None:
    got = parse(body(wrapped(CHAT)))
    assert (got.text, got.usage, got.finish_reasons) == ("Hi", Usage(input_tokens=26, output_tokens=9), ("stop",))


def test_streams_of_both_kinds_count_as_the_whole_answer() -> None:
    events: list[dict[str, Any]] = [{"response": "H", "p": "ab"}, {"response": "i"}, {"response": "", "usage": USAGE}]
    got = streamed(RUN, plain(events))
    assert (got.text, got.usage, got.is_complete) == ("Hi", Usage(input_tokens=26, output_tokens=9), True)
    assert fed(RUN, events).usage == got.usage
    chunk = {**CHAT, "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    found = streamed(RUN, plain([chunk]))
    assert (found.text, found.usage) == ("Hi", Usage(input_tokens=26, output_tokens=9))


def test_models_that_tell_no_usage_and_failures_say_so() -> None:
    assert parse(body(wrapped({"response": "Hi"}))).flags == ("usage_missing",)
    failed = {"result": None, "success": False, "errors": [{"code": 7009, "message": "Upstream"}], "messages": []}
    got = parse(body(failed))
    assert (got.error_type, got.error_message, got.usage) == ("7009", "Upstream", None)


def test_the_model_is_the_end_of_the_path() -> None:
    place = endpoint.by_url("POST", URL)
    assert (place.format, place.provider) == (RUN, "cloudflare")
    assert asked({"messages": []}, URL).model == "@cf/meta/llama-3.1-8b-instruct"
