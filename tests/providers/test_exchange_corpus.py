"""All recorded traffic through the one reader, file by file: nothing raises, nothing that is a call goes uncounted,
and the providers' own totals hold. Exceptions are named with their number and their reason."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tallybook.model.usage import faults
from tallybook.providers.exchange import Reading, of_record, read
from tallybook.providers.sse import Frames

UNCOUNTED = {
    "anthropic-complete": 1,  # The legacy endpoint tells no usage.
    "anthropic-complete-stream": 2,
    "azure-openai-chat-stream": 2,  # This and the streams below were not asked for it.
    "bedrock-agent": 5,  # Without a trace nothing is told.
    "bedrock-agent-stream": 3,
    "bedrock-converse": 1,  # A fixture that leaves it out.
    "bedrock-converse-stream": 4,  # Fixtures that leave it out.
    "cohere-audio": 1,
    "elevenlabs-audio": 1,
    "gemini-audio": 1,
    "gemini-embeddings": 3,
    "groq-audio": 3,
    "groq-chat-stream": 1,
    "local-openai-compat-chat-stream": 1,
    "local-openai-compat-completions-stream": 2,
    "mistral-audio": 2,
    "ollama-chat-stream": 1,
    "ollama-embeddings": 1,
    "openai-chat": 1,  # An empty body.
    "openai-chat-stream": 46,
    "openai-compat-chat-stream": 1,
    "openai-completions-stream": 10,
    "openai-moderations": 10,  # Free: there is none.
    "openrouter-chat": 2,
    "replicate-other-stream": 1,
    "writer-completions": 1,
    "xai-chat-stream": 3,
}
"""Complete successes without usage, by file."""

TOTALS_DIFFER = {
    "gemini-generate": 4,  # Fixtures edited by hand.
    "vercel-gateway-chat": 3,  # Gemini routes: the total leaves the reasoning out, the charge does not.
    "vercel-gateway-chat-stream": 5,
}


def _files() -> list[str]:
    place = Path(os.environ.get("TALLYBOOK_CORPUS") or Path(__file__).resolve().parents[2].parent / "shared" / "corpus")
    return sorted({path.stem for path in place.glob("*.jsonl") if not path.stem.startswith(("otlp-", "usage-"))})


def _readings(corpus: Path, name: str) -> Iterator[tuple[dict[str, Any], Reading]]:
    path = corpus / f"{name}.jsonl"
    if not path.is_file():
        pytest.skip(f"no recorded traffic of {name}")
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            yield record, read(of_record(record))


@pytest.mark.parametrize("name", _files())
def test_a_file_of_recorded_traffic_is_read_and_counted(corpus: Path, name: str) -> None:
    uncounted: Counter[str] = Counter()
    differing: Counter[str] = Counter()
    count = 0
    for record, got in _readings(corpus, name):
        count += 1
        parsed = got.parsed
        assert got.provider != "unknown", record["id"]
        assert parsed.usage is None or faults(parsed.usage) == (), record["id"]
        if got.operation is None:
            assert parsed.usage is None, record["id"]
            continue
        if got.status == "error":
            assert parsed.error_type, record["id"]
            assert parsed.error_message or not record["response"]["body"], record["id"]
        elif parsed.usage is None and parsed.is_complete:
            uncounted[name] += 1
        if _total(got) not in (None, parsed.usage and parsed.usage.total_tokens):
            differing[name] += 1
    assert count
    assert uncounted[name] == UNCOUNTED.get(name, 0)
    assert differing[name] == TOTALS_DIFFER.get(name, 0)


def _total(got: Reading) -> int | None:
    """The provider's own total, brought to input and output together."""
    raw = got.parsed.usage_raw
    if not isinstance(raw, dict) or got.parsed.usage is None or got.format is None:
        return None
    total = raw.get("total_tokens", raw.get("totalTokenCount", raw.get("totalTokens")))
    if got.format.name == "google.live" and total is not None:
        return int(total + (raw.get("thoughtsTokenCount") or 0))
    return total


def _spoilt(value: Any, chance: random.Random) -> Any:
    """The same value with some of its members replaced by values of another kind."""
    if chance.random() < 0.05:
        return chance.choice([None, 3, -1, 2.5, "", "x", [], [None, 3], {}, {"type": 3}, True, "9" * 30])
    if isinstance(value, dict):
        return {key: _spoilt(item, chance) for key, item in value.items()}
    return [_spoilt(item, chance) for item in value] if isinstance(value, list) else value


def _events(record: dict[str, Any]) -> list[Any]:
    exchange = of_record(record)
    if record["response"].get("body_encoding") == "base64":
        bare = of_record({**record, "response": {**record["response"], "body": ""}})
        return list(bare.events)
    frames = Frames()
    return [*frames.feed(exchange.body), *frames.flush()]


OWN = ("bedrock", "cohere", "ollama", "mistral-ocr", "mistral-audio", "realtime", "live", "interactions", "grpc",
       "rerank", "replicate", "watsonx", "deepgram", "elevenlabs", "assistants", "xai", "video")  # fmt: skip


@pytest.mark.parametrize("name", [name for name in _files() if any(part in name for part in OWN)])
def test_values_of_any_kind_anywhere_never_raise_and_never_break_the_accounting(corpus: Path, name: str) -> None:
    chance = random.Random(20261122)
    for record, got in _readings(corpus, name):
        form, events = got.format, _events(record)
        if form is None or not events or len(json.dumps(events)) > 30_000:
            continue
        spoilt = [_spoilt(event, chance) for event in events]
        raw = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in spoilt)
        results = [form.parse(json.dumps(spoilt[0]).encode()), form.parse(raw)]
        if form.batch is not None:
            results += [result.parsed for result in form.batch(raw)]
        if form.stream is not None:
            fed, framed = form.stream(), form.stream()
            for event in spoilt:
                fed.feed(event)
            framed.feed_bytes(raw)
            assert fed.result() == framed.result(), record["id"]
            results.append(fed.result())
        for parsed in results:
            assert parsed.usage is None or faults(parsed.usage) == (), record["id"]
            msgspec.json.encode(parsed)
        body = _spoilt(json.loads(record["request"]["body"] or "{}") if _is_json(record) else {}, chance)
        form.asked(body if isinstance(body, dict) else {}, record["request"]["url"])


def _is_json(record: dict[str, Any]) -> bool:
    body = record["request"].get("body")
    try:
        return isinstance(body, str) and isinstance(json.loads(body), dict)
    except json.JSONDecodeError:
        return False


def test_bedrocks_headers_agree_with_what_is_counted(corpus: Path) -> None:
    told = 0
    for record, got in _readings(corpus, "bedrock-invoke"):
        told += "x-amzn-bedrock-input-token-count" in {key.lower() for key in record["response"]["headers"]}
        assert "headers_differ" not in got.parsed.flags, record["id"]
    assert told > 30


def test_streams_of_bedrock_agree_with_the_metrics_of_their_last_chunk(corpus: Path) -> None:
    compared = 0
    for record, got in _readings(corpus, "bedrock-invoke-stream"):
        for event in record["response"].get("decoded_events") or ():
            metrics = event.get("chunk", {}).get("amazon-bedrock-invocationMetrics")
            if metrics is None or got.parsed.usage is None:
                continue
            compared += 1
            cached = (metrics.get("cacheReadInputTokenCount") or 0) + (metrics.get("cacheWriteInputTokenCount") or 0)
            assert got.parsed.usage.input_tokens in (metrics["inputTokenCount"], metrics["inputTokenCount"] + cached)
            assert got.parsed.usage.output_tokens == metrics["outputTokenCount"]
    assert compared > 15


def test_decoded_events_count_as_the_bytes_they_came_from(corpus: Path) -> None:
    compared = 0
    for name in ("bedrock-converse-stream", "bedrock-invoke-stream"):
        for record, got in _readings(corpus, name):
            if record["response"].get("body_encoding") != "base64":
                continue
            compared += 1
            bare = {**record, "response": {**record["response"], "body": ""}}
            assert read(of_record(bare)).parsed == got.parsed, record["id"]
    assert compared > 30
