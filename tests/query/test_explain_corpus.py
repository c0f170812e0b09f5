"""Recorded traffic through explain: nothing fails however it is damaged, and cutting never adds tokens.

Mutations are drawn from a fixed seed and bounded in number, so that a failure comes back with its case.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tallybook.model.usage import faults
from tallybook.providers.base import Parsed
from tallybook.providers.exchange import Reading, read
from tallybook.query import explain
from tallybook.query.explain import line_of
from tallybook.query.interaction import of_record, read_record

NOW_US = 1_790_000_000_000_000
SEED = 20261122
CASES = 6_000
LONGEST = 20_000
"""Records of more bytes are left out here: they would take most of the time and show nothing new."""

ODD: list[Any] = [
    None, "", -1, 0, True, False, 1e30, 10**25, -5, [], {}, [[]], [None], {"a": None}, "12", "x" * 50, 1.5, [{}],
    {"type": 5}, float("nan"), "\ud83d",
]  # fmt: skip


@pytest.fixture(scope="module")
def records(corpus: Path) -> list[bytes]:
    """Every recorded exchange of moderate size."""
    found = [
        line
        for path in sorted(corpus.glob("*.jsonl"))
        if not path.stem.startswith(("otlp", "usage-genai-prices"))
        for line in path.read_bytes().splitlines()
        if len(line) < LONGEST
    ]
    assert len(found) > 2_500
    return found


def checked(line: bytes) -> None:
    """A record goes through without an exception of ours, to a sound usage and a line that JSON can carry."""
    one = explain._counted(read_record(line), NOW_US, None)  # Not `counted`, which would hide the exception.
    msgspec.json.encode(line_of(one))
    for call in one.calls:
        assert faults(call.usage) == (), line[:300]
    assert one.usage is None or faults(one.usage) == (), line[:300]


def changed(value: Any, chance: random.Random, share: float) -> Any:
    """A JSON value with some of its members replaced, dropped, renamed or shuffled."""
    if chance.random() < share:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {
            key if chance.random() > share / 8 else chance.choice(["type", "usage", "id", "model", "x"]): changed(
                inner, chance, share
            )
            for key, inner in value.items()
            if chance.random() > share / 2
        }
    if isinstance(value, list):
        found = [changed(inner, chance, share) for inner in value if chance.random() > share / 2]
        if chance.random() < share:
            chance.shuffle(found)
        return found
    return value


def changed_body(body: str, chance: random.Random) -> str:
    """A body with changed JSON in it, whole or event by event."""
    share = chance.choice([0.003, 0.01, 0.05, 0.2])
    try:
        return json.dumps(changed(json.loads(body), chance, share))
    except ValueError:
        pass
    lines = []
    for line in body.split("\n"):
        mark, text = ("data: ", line[5:].strip()) if line.startswith("data:") else ("", line)
        try:
            lines.append(mark + json.dumps(changed(json.loads(text), chance, share)))
        except ValueError:
            lines.append(line)
    return "\n".join(lines)


def damaged(line: bytes, chance: random.Random) -> bytes:
    """A record damaged in one of the ways that transport, recorders and people have."""
    record = json.loads(line)
    response = record["response"]
    body = response.get("body") or ""
    match chance.randrange(6):
        case 0:
            response["body"] = changed_body(body, chance)
        case 1:
            response["body"] = body[: chance.randrange(len(body) + 1)]
        case 2:
            return json.dumps(changed(record, chance, 0.03)).encode()
        case 3:
            raw = bytearray(line)
            for _ in range(chance.randrange(1, 6)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            return bytes(raw)
        case 4:
            record["api"] = chance.choice([None, "x-y", "openai-chat", "bedrock-converse-stream", "gemini-live", ""])
            record["provider"] = chance.choice([None, "nobody", "openai", "bedrock", 5])
            record["request"] = {"url": chance.choice(["", "http://[", "https://x/v1/chat/completions", None])}
        case _:
            record = {"response": {"body": changed_body(body, chance)}}
    return json.dumps(record).encode()


def test_damaged_recordings_never_raise_and_never_give_an_unsound_usage(records: list[bytes]) -> None:
    chance = random.Random(SEED)
    for _ in range(CASES):
        checked(damaged(chance.choice(records), chance))


def test_random_bytes_never_raise() -> None:
    chance = random.Random(SEED)
    for _ in range(500):
        size = chance.randrange(200)
        body = bytes(chance.randrange(256) for _ in range(size))
        for form in (body, b"data: " + body + b"\n\n", b"{" + body, b"\x00\x00\x00\x20" + body):
            checked(json.dumps({"response": {"body": form.decode("latin-1")}}).encode())


STREAMS = (
    "openai-chat-stream", "openai-responses-stream", "anthropic-messages-stream", "gemini-stream",
    "vertex-gemini-stream",
    "mistral-chat-stream", "groq-chat-stream", "deepseek-chat-stream", "openrouter-chat-stream", "xai-chat-stream",
    "perplexity-chat-stream", "vercel-gateway-chat-stream", "cohere-v2-chat-stream", "ollama-chat-stream",
    "bedrock-converse-stream", "bedrock-invoke-stream", "gemini-interactions-stream", "azure-openai-chat-stream",
)  # fmt: skip


def streams(corpus: Path) -> Iterator[tuple[str, Reading, Any]]:
    for name in STREAMS:
        path = corpus / f"{name}.jsonl"
        for line in path.read_bytes().splitlines() if path.is_file() else ():
            seen = of_record(json.loads(line))
            whole = read(seen.exchange)
            if whole.format is not None and whole.format.stream is not None and len(seen.exchange.body) < LONGEST:
                yield name, whole, seen.exchange


def told(parsed: Parsed) -> tuple[int, int]:
    """Input and output that a result claims, unknown as 0."""
    usage = parsed.usage
    return (0, 0) if usage is None else (usage.input_tokens or 0, usage.output_tokens or 0)


def test_a_stream_cut_anywhere_never_raises_and_never_claims_more_than_was_told_until_then(corpus: Path) -> None:
    """Cumulative counts of some providers fall again later; so the measure is the greatest told in any event."""
    chance = random.Random(SEED)
    count = cut_short = 0
    for name, whole, exchange in streams(corpus):
        body = exchange.body
        greatest = most_told(whole, body)
        for _ in range(6):
            cut = chance.randrange(len(body) + 1)
            got = read(msgspec.structs.replace(exchange, body=body[:cut], events=())).parsed
            count += 1
            cut_short += not got.is_complete
            for ours, most in zip(told(got), greatest, strict=True):
                assert ours <= most, (name, cut, got.usage, whole.parsed.usage)
            if got.usage is not None:
                assert faults(got.usage) == ()
    assert count > 1_500
    assert cut_short > count / 2


def most_told(whole: Reading, body: bytes) -> tuple[int, int]:
    """The greatest input and output after any event of the stream."""
    assert whole.format is not None
    assert whole.format.stream is not None
    stream = whole.format.stream()
    best = told(whole.parsed)
    mark = b"\r\n\r\n" if b"\r\n\r\n" in body else b"\n\n" if b"\n\n" in body else b"\n"
    if body[:1] == b"\0":
        return best
    for event in body.split(mark):
        stream.feed_bytes(event + mark)
        now = told(stream.result())
        best = max(best[0], now[0]), max(best[1], now[1])
    return best


def test_a_whole_recording_is_counted_the_same_whatever_pieces_it_came_in(corpus: Path) -> None:
    chance = random.Random(SEED)
    count = 0
    for name, whole, exchange in streams(corpus):
        assert whole.format is not None
        assert whole.format.stream is not None
        body = exchange.body
        cuts = sorted(chance.randrange(len(body) + 1) for _ in range(4))
        stream = whole.format.stream()
        for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
            stream.feed_bytes(body[start:end])
        count += 1
        if looks_streamed(body):
            assert stream.result().usage == whole.format.parse(body).usage, (name, cuts)
    assert count > 300


def looks_streamed(body: bytes) -> bool:
    return body[:1] != b"{" or body.count(b"\n{") > 0
