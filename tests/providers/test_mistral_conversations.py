from __future__ import annotations

from typing import Any

from providers.framing import body, named, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.mistral_conversations import CONVERSATIONS, parse

USAGE = {"prompt_tokens": 40, "completion_tokens": 10, "total_tokens": 150, "connector_tokens": 100,
         "connectors": {"web_search": 2}}  # fmt: skip
WHOLE = {
    "object": "conversation.response",
    "conversation_id": "conv_1",
    "outputs": [
        {"type": "tool.execution", "id": "x1", "name": "web_search", "arguments": "{}"},
        {"type": "message.output", "model": "mistral-medium", "content": [{"type": "text", "text": "Hi"}]},
        {"type": "function.call", "tool_call_id": "f1", "name": "look", "arguments": '{"at":1}'},
    ],
    "usage": USAGE,
}
EVENTS: list[dict[str, Any]] = [
    {"type": "conversation.response.started", "conversation_id": "conv_1"},
    {"type": "tool.execution.started", "id": "x1", "name": "web_search", "arguments": "{}"},
    {"type": "tool.execution.done", "id": "x1"},
    {"type": "message.output.delta", "id": "m", "model": "mistral-medium", "content": "H"},
    {"type": "message.output.delta", "id": "m", "model": "mistral-medium", "content": {"type": "text", "text": "i"}},
    {"type": "function.call.delta", "tool_call_id": "f1", "name": "look", "arguments": '{"at"'},
    {"type": "function.call.delta", "tool_call_id": "f1", "name": "look", "arguments": ":1}"},
    {"type": "conversation.response.done", "usage": USAGE},
]


def test_what_connectors_brought_in_is_input_where_the_total_has_it() -> None:
    got = parse(body(WHOLE))
    assert got.usage == Usage(input_tokens=140, output_tokens=10, requests={"web_search": 2})
    assert got.response_model == "mistral-medium"
    assert got.tool_calls == (
        ToolCall(name="web_search", id="x1", arguments="{}", server_side=True),
        ToolCall(name="look", id="f1", arguments='{"at":1}'),
    )
    inside = parse(body({**WHOLE, "usage": {**USAGE, "total_tokens": 50}}))
    assert inside.usage == Usage(input_tokens=40, output_tokens=10, requests={"web_search": 2})


def test_a_stream_counts_as_the_whole_answer() -> None:
    assert streamed(CONVERSATIONS, named(EVENTS)) == parse(body(WHOLE))
    assert not streamed(CONVERSATIONS, named(EVENTS[:-1])).is_complete


def test_the_request_is_told() -> None:
    asked = CONVERSATIONS.asked({"agent_id": "ag_1", "inputs": "Hi", "completion_args": {"temperature": 0}}, "")
    assert (asked.model, asked.prompt, asked.parameters) == ("ag_1", "Hi", {"temperature": 0})
