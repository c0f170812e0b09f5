"""DashScope's own interface: whole and streamed, repeated and incremental, errors and embeddings."""

from __future__ import annotations

import json
from typing import Any

from providers.framing import body, fed, plain, streamed
from tallybook.model.call import ToolCall
from tallybook.model.usage import Usage
from tallybook.providers import endpoint
from tallybook.providers.dashscope import EMBEDDINGS, GENERATION, parse, parse_embeddings

USAGE = {
    "input_tokens": 22, "output_tokens": 17, "total_tokens": 39, "prompt_tokens_details": {"cached_tokens": 8},
    "output_tokens_details": {"reasoning_tokens": 5},
}  # fmt: skip


def event(text: str, finish: str = "null", usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **more}
    return {"output": {"choices": [{"message": message, "finish_reason": finish}]}, "usage": usage, "request_id": "r-1"}


def test_a_whole_answer_is_counted_with_its_parts() -> None:
    tools = [{"index": 0, "id": "t", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}]
    got = parse(body(event("Hi", "tool_calls", tool_calls=tools, reasoning_content="Hmm")))
    assert got.usage == Usage(input_tokens=22, output_tokens=17, cache_read_tokens=8, reasoning_tokens=5)
    assert got.tool_calls == (ToolCall(name="look", id="t", arguments='{"at":1}'),)
    assert (got.text, got.reasoning_chars, got.finish_reasons, got.response_id) == ("Hi", 3, ("tool_calls",), "r-1")


def test_the_older_form_has_its_text_in_the_output_itself() -> None:
    got = parse(body({"output": {"text": "Hi", "finish_reason": "stop"}, "usage": USAGE, "request_id": "r-1"}))
    assert (got.text, got.finish_reasons) == ("Hi", ("stop",))


def test_a_stream_that_repeats_and_one_that_brings_pieces_count_the_same() -> None:
    first = {**USAGE, "output_tokens": 6}
    repeated = [event("Hi ", usage=first), event("Hi there", "stop")]
    pieces = [event("Hi ", usage=first), event("there", usage=first), event("", "stop")]
    for events in (repeated, pieces):
        got = streamed(GENERATION, plain(events))
        assert got == fed(GENERATION, events)
        assert got.usage is not None
        assert (got.text, got.usage.output_tokens, got.is_complete) == ("Hi there", 17, True)
    assert not streamed(GENERATION, plain(repeated[:1]).replace(b"data: [DONE]\n\n", b"")).is_complete


def test_ids_names_and_comments_around_the_data_are_passed_over() -> None:
    frame = "id:1\nevent:result\n:HTTP_STATUS/200\ndata:" + json.dumps(event("Hi", "stop")) + "\n\n"
    got = parse(frame.encode())
    assert (got.text, got.is_complete) == ("Hi", True)


def test_pictures_and_sound_are_parts_of_the_input() -> None:
    got = parse(body(event("", "stop", usage={"input_tokens": 900, "output_tokens": 4, "image_tokens": 880})))
    assert got.usage == Usage(input_tokens=900, output_tokens=4, input_image_tokens=880)


def test_an_error_is_told_by_code_and_message() -> None:
    got = parse(body({"code": "InvalidApiKey", "message": "no", "request_id": "r-1"}))
    assert (got.error_type, got.error_message, got.usage, got.flags) == ("InvalidApiKey", "no", None, ())


def test_embeddings_have_an_input_only() -> None:
    got = parse_embeddings(body({"output": {"embeddings": []}, "usage": {"total_tokens": 6}, "request_id": "r-1"}))
    assert got.usage == Usage(input_tokens=6)


def test_its_addresses_are_known_beside_the_compatible_ones() -> None:
    host = "https://dashscope-intl.aliyuncs.com"
    own = endpoint.by_url("POST", f"{host}/api/v1/services/aigc/text-generation/generation")
    assert (own.format, own.provider) == (GENERATION, "alibaba")
    found = endpoint.by_url("POST", f"{host}/api/v1/services/embeddings/text-embedding/text-embedding")
    assert found.format is EMBEDDINGS
    compatible = endpoint.by_url("POST", f"{host}/compatible-mode/v1/chat/completions").format
    assert compatible is not None
    assert compatible.name == "openai.chat"
