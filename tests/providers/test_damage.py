"""Every format of the table takes any JSON, bytes and events without an exception, and never gives an unsound usage.

The values are drawn from the providers' own vocabulary with a fixed seed, so that they get deep into the parsers; they
need no recordings.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tallybook.model.usage import faults
from tallybook.providers.base import Format, Parsed
from tallybook.providers.table import ROWS, loaded

FORMATS = sorted({loaded(row.format) for row in ROWS}, key=lambda form: form.name)
SEED = 20261122
CASES = 30

WORDS = """
id type object model choices message delta content text usage prompt_tokens completion_tokens total_tokens
prompt_tokens_details completion_tokens_details cached_tokens reasoning_tokens audio_tokens input_tokens
output_tokens input_tokens_details output_tokens_details cache_read_input_tokens cache_creation_input_tokens
cache_creation iterations server_tool_use web_search_requests service_tier finish_reason stop_reason tool_calls
function name arguments index error code status output item response output_index tool_usage image_gen web_search
num_requests tools action content_block partial_json input thinking candidates usageMetadata promptTokenCount
candidatesTokenCount thoughtsTokenCount totalTokenCount cachedContentTokenCount promptTokensDetails modality
tokenCount parts functionCall args finishReason groundingMetadata webSearchQueries inputTokens outputTokens
totalTokens cacheReadInputTokens cacheWriteInputTokens metadata messageStop contentBlockDelta stopReason metrics
billed_units tokens meta search_units prompt_eval_count eval_count done duration seconds cost cost_in_usd_ticks
is_byok cost_details upstream_inference_cost predictions embeddings statistics token_count data b64_json results
custom_id result body session serverContent responseTokenCount setup outputs reasoning_content x_groq timings
cache_n created_at trace pages usage_info pages_processed direction total_input_tokens total_output_tokens
total_thought_tokens steps
"""
NAMES = WORDS.split()
KINDS = (
    "message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta",
    "response.completed", "response.created", "response.done", "response.output_item.added",
    "response.output_text.delta", "message", "text", "tool_use", "server_tool_use", "web_search_call",
    "function_call", "compaction", "advisor_message", "fallback_message", "message-start", "message-end",
    "stream-end", "tokens", "duration", "session.created", "error", "interaction.completed",
)  # fmt: skip
PLAIN: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    7,
    -3,
    2.5,
    10**30,
    1e300,
    "",
    "x",
    "12",
    "stop",
    "{",
    "gpt-5",
    "in_progress",
)


def value(chance: random.Random, depth: int) -> Any:
    """A JSON value with members that the parsers know, of types that they do not expect."""
    kind = chance.random()
    if depth == 0 or kind < 0.3:
        return chance.choice(PLAIN) if chance.random() < 0.7 else chance.randrange(1000)
    if kind < 0.45:
        return [value(chance, depth - 1) for _ in range(chance.randrange(4))]
    found = {chance.choice(NAMES): value(chance, depth - 1) for _ in range(chance.randrange(1, 9))}
    if chance.random() < 0.5:
        found["type"] = chance.choice(KINDS)
    return found


def sound(parsed: Parsed, seen: Any) -> None:
    for usage in (parsed.usage, *(part.usage for part in parsed.further)):
        if usage is not None:
            assert faults(usage) == (), seen


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_any_json_is_taken(form: Format) -> None:
    chance = random.Random(f"{SEED} {form.name}")
    for _ in range(CASES):
        body = value(chance, 5)
        raw = json.dumps(body).encode()
        sound(form.parse(raw), body)
        lines = b"\n".join(json.dumps(value(chance, 4)).encode() for _ in range(3))
        sound(form.parse(lines), lines)
        if form.batch is not None:
            for result in form.batch(raw + b"\n" + lines):
                sound(result.parsed, lines)
        if isinstance(body, dict):
            form.asked(body, "https://host/v1/models/x:generateContent")
        if form.headed is not None:
            form.headed(form.parse(raw), {"x-amzn-bedrock-input-token-count": str(chance.choice(PLAIN))})


@pytest.mark.parametrize("form", [form for form in FORMATS if form.stream is not None], ids=lambda form: form.name)
def test_any_event_is_taken(form: Format) -> None:
    chance = random.Random(f"{SEED} {form.name}")
    assert form.stream is not None
    for _ in range(CASES):
        stream = form.stream()
        events = [value(chance, 5) for _ in range(chance.randrange(1, 6))]
        for event in events:
            if chance.random() < 0.5:
                stream.feed(event)
            else:
                stream.feed_bytes(
                    b"data: " + json.dumps(event).encode() + chance.choice([b"\n\n", b"\r\n\r\n", b"", b"\n"])
                )
        sound(stream.result(), events)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_any_bytes_are_taken(form: Format) -> None:
    chance = random.Random(f"{SEED} {form.name}")
    starts = (
        b"",
        b"{",
        b"[",
        b"data: ",
        b"event: x\ndata: ",
        b"\0\0\0\x20",
        b'{"usage": ',
        b"\xef\xbb\xbf{",
        b"[" * 5000,
    )
    for _ in range(CASES):
        raw = chance.choice(starts) + chance.randbytes(chance.randrange(120))
        sound(form.parse(raw), raw)
        if form.stream is not None:
            stream = form.stream()
            stream.feed_bytes(raw)
            sound(stream.result(), raw)
