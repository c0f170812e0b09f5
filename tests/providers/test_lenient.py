"""JSON that strict readers refuse is read where it can be, and its usage counted."""

from __future__ import annotations

import msgspec
import pytest

from tallybook.providers import anthropic_messages, google_generate, openai_chat, openai_embeddings, openai_responses
from tallybook.providers.lenient import UNREADABLE, decode, repaired

USAGE = b'"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}'


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (rb'{"a": "\ud83d cut"}', {"a": "\N{REPLACEMENT CHARACTER} cut"}),
        (rb'{"a": "\ud83d\ude00"}', {"a": "\N{GRINNING FACE}"}),
        (rb'{"a": "\\ud83d"}', {"a": "\\ud83d"}),
        (b'{"a": NaN, "b": -Infinity}', {"a": None, "b": None}),
        (b'{"a": "x\ny"}', {"a": "x\ny"}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": "\xff"}', {"a": "\N{REPLACEMENT CHARACTER}"}),
    ],
)
def test_what_strict_json_forbids_is_read(raw: bytes, value: object) -> None:
    assert decode(raw) == value


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a": 1', b"<html>", b'{"a": 1} {"b": 2}', b"[" * 100_000])
def test_what_is_no_json_stays_unreadable(raw: bytes) -> None:
    with pytest.raises(UNREADABLE):
        decode(raw)
    assert repaired(raw) is None


def test_strict_json_needs_no_repair() -> None:
    assert repaired(b'{"a": 1}') is None
    assert msgspec.json.decode(repaired(b'{"a": 1e400}') or b"") == {"a": None}


def test_a_body_with_half_an_emoji_or_nan_has_its_usage() -> None:
    choice = rb'"choices":[{"index":0,"message":{"content":"\ud83d"},"logprobs":{"x":NaN},"finish_reason":"stop"}]'
    whole = openai_chat.parse(b'{"id":"a","model":"gpt-5",' + choice + b"," + USAGE + b"}")
    assert whole.usage is not None
    assert whole.usage.total_tokens == 11
    stream = openai_chat.ChatStream()
    stream.feed_bytes(
        b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"\\ud83d"},"finish_reason":"stop"}]}\n\n'
        b'data: {"id":"a","choices":[],' + USAGE + b"}\n\ndata: [DONE]\n\n"
    )
    streamed = stream.result()
    assert streamed.usage == whole.usage
    assert streamed.finish_reasons == ("stop",)


@pytest.mark.parametrize(
    ("parse", "raw"),
    [
        (anthropic_messages.parse, b'{"type":"message","usage":{"input_tokens":3,"output_tokens":4},"x":NaN}'),
        (google_generate.parse, b'{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4},"avgLogprobs":NaN}'),
        (openai_responses.parse, b'{"status":"completed","usage":{"input_tokens":3,"output_tokens":4},"x":NaN}'),
        (openai_embeddings.parse, b'{"data":[{"embedding":[NaN]}],"usage":{"prompt_tokens":3,"total_tokens":3}}'),
    ],
)  # fmt: skip
def test_other_formats_count_such_bodies_too(parse: object, raw: bytes) -> None:
    found = parse(raw)  # type: ignore[operator]
    assert found.usage.input_tokens == 3


@pytest.mark.parametrize(
    "parse", [anthropic_messages.parse, google_generate.parse, openai_chat.parse, openai_responses.parse]
)
def test_a_body_that_was_cut_is_no_success(parse: object) -> None:
    found = parse(b'{"id": "x", "usage": {"prompt_tok')  # type: ignore[operator]
    assert found.usage is None
    assert not found.is_complete
    assert found.flags == ("body_unreadable",)


def test_nesting_beyond_the_interpreters_limit_is_unreadable_and_not_an_exception() -> None:
    raw = b'{"choices":[{"message":{"content":' + b"[" * 100_000 + b"]" * 100_000 + b"}}]}"
    assert openai_chat.parse(raw).flags == ("body_unreadable",)
