from __future__ import annotations

from typing import Any

from providers.framing import body, fed, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.google_interactions import INTERACTIONS, parse, usage_of

USAGE = {
    "total_tokens": 129, "total_input_tokens": 53, "total_cached_tokens": 20, "total_output_tokens": 15,
    "total_tool_use_tokens": 20, "total_thought_tokens": 41,
    "input_tokens_by_modality": [{"modality": "text", "tokens": 43}, {"modality": "audio", "tokens": 10}],
    "cached_tokens_by_modality": [{"modality": "text", "tokens": 15}, {"modality": "audio", "tokens": 5}],
    "tool_use_tokens_by_modality": [{"modality": "image", "tokens": 3}],
}  # fmt: skip
WHOLE = {
    "id": "v1_x", "object": "interaction", "status": "requires_action", "model": "gemini-2.5-flash",
    "service_tier": "standard", "usage": USAGE,
    "steps": [
        {"type": "thought", "signature": "s"},
        {"type": "google_search_call", "id": "g1", "arguments": {"queries": ["q"]}},
        {"type": "model_output", "content": [{"type": "text", "text": "Hi there"}]},
        {"type": "function_call", "id": "f1", "name": "look", "arguments": {"at": 1}},
    ],
}  # fmt: skip
HEAD = {"id": "v1_x", "status": "in_progress", "object": "interaction", "model": "gemini-2.5-flash"}
LAST = {key: value for key, value in WHOLE.items() if key != "steps"}
EVENTS: list[dict[str, Any]] = [
    {"event_type": "interaction.created", "interaction": HEAD},
    {"event_type": "interaction.status_update", "interaction_id": "v1_x", "status": "in_progress"},
    {"event_type": "step.start", "index": 0, "step": {"type": "thought"}},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "thought_signature", "signature": "s"}},
    {"event_type": "step.stop", "index": 0},
    {"event_type": "step.start", "index": 1, "step": {"type": "google_search_call", "id": "g1",
                                                       "arguments": {"queries": ["q"]}}},
    {"event_type": "step.start", "index": 2, "step": {"type": "model_output"}},
    {"event_type": "step.delta", "index": 2, "delta": {"type": "text", "text": "Hi "}},
    {"event_type": "step.delta", "index": 2, "delta": {"type": "text", "text": "there"}},
    {"event_type": "step.start", "index": 3, "step": {"type": "function_call", "id": "f1", "name": "look",
                                                       "arguments": {}}},
    {"event_type": "step.delta", "index": 3, "delta": {"type": "arguments_delta", "arguments": '{"at":1}'}},
    {"event_type": "interaction.completed", "interaction": LAST},
]  # fmt: skip


def test_tool_use_is_input_and_thoughts_are_output() -> None:
    got = parse(body(WHOLE))
    assert got.usage == Usage(
        input_tokens=73, output_tokens=56, cache_read_tokens=20, input_audio_tokens=10, input_image_tokens=3,
        reasoning_tokens=41, requests={"web_search": 1}, quantities={"cache_read_audio_tokens": 5},
    )  # fmt: skip
    assert got.usage.total_tokens == USAGE["total_tokens"]
    assert got.flags == ()


def test_a_stream_counts_as_the_whole_interaction() -> None:
    whole = parse(body(WHOLE))
    assert whole.text == "Hi there"
    assert whole.tool_calls == (
        ToolCall(name="web_search", id="g1", arguments='{"queries":["q"]}', server_side=True),
        ToolCall(name="look", id="f1", arguments='{"at":1}'),
    )
    raw = b"".join(f"event: {event['event_type']}\ndata: ".encode() + body(event) + b"\n\n" for event in EVENTS)
    assert streamed(INTERACTIONS, raw + b"event: done\ndata: [DONE]\n\n") == whole
    assert fed(INTERACTIONS, EVENTS) == whole


def test_a_stream_that_breaks_off_counts_nothing() -> None:
    got = fed(INTERACTIONS, EVENTS[:-1])
    assert (got.usage, got.is_complete, got.response_id) == (None, False, "v1_x")


def test_an_interaction_in_the_background_is_not_complete() -> None:
    got = parse(body({"id": "v1_y", "status": "in_progress", "agent": "deep-research"}))
    assert (got.is_complete, got.flags, got.response_model) == (False, (), "deep-research")


def test_a_total_that_does_not_add_up_is_flagged() -> None:
    assert usage_of({**USAGE, "total_tokens": 500})[1] == ("total_differs",)


def test_the_request_is_told() -> None:
    asked = INTERACTIONS.asked({"model": "m", "input": "Hi", "generation_config": {"temperature": 0.7}}, "")
    assert (asked.model, asked.prompt, asked.parameters) == ("m", "Hi", {"temperature": 0.7})
