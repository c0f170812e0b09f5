"""OTLP requests for the benchmarks: batches of LLM spans of some 6 kB, each sent with ids of its own.

Written by hand as protobuf, so that the load costs the client next to nothing: a batch is encoded once, and before each
sending the bytes of its trace, span and response ids are overwritten.
"""

from __future__ import annotations

import json
import random
import time
from struct import pack
from typing import Any


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, raw: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"\x10" + bytes((value,))
    if isinstance(value, int):
        return b"\x18" + _varint(value)
    if isinstance(value, float):
        return b"\x21" + pack("<d", value)
    if isinstance(value, list):
        return _field(5, b"".join(_field(1, _value(one)) for one in value))
    return _field(1, value.encode())


def _attributes(field: int, told: dict[str, Any]) -> bytes:
    return b"".join(_field(field, _field(1, key.encode()) + _field(2, _value(value))) for key, value in told.items())


def attributes(rng: random.Random, place: int) -> dict[str, Any]:
    """What the official instrumentation says of a chat, its conversation included."""
    words = " ".join(rng.choice(("alpha", "beta", "gamma", "delta", "omega")) for _ in range(390))
    return {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.request.max_tokens": 4000, "gen_ai.request.temperature": 0.2, "gen_ai.request.stream": True,
        "gen_ai.response.id": f"chatcmpl-{place:032d}", "gen_ai.response.model": "gpt-5-mini-2025-08-07",
        "gen_ai.response.finish_reasons": ["stop"], "gen_ai.response.time_to_first_chunk": 0.412,
        "gen_ai.usage.input_tokens": rng.randrange(1, 2000), "gen_ai.usage.output_tokens": 64 + rng.randrange(400),
        "gen_ai.usage.cache_read.input_tokens": 0, "gen_ai.usage.reasoning.output_tokens": 64,
        "openai.response.service_tier": "default", "openai.response.system_fingerprint": "fp_1f8bc34141",
        "server.address": "api.openai.com", "server.port": 443, "gen_ai.conversation.id": f"conv-{place // 8}",
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": words[:1000]}]),
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": words}]}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "finish_reason": "stop",
                                               "parts": [{"type": "text", "content": words[:1100]}]}]),
        "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "get_weather"}]),
    }  # fmt: skip


class Batch:
    """One request of `size` spans, and the same again with other ids as often as wanted."""

    def __init__(self, size: int = 512, seed: int = 1) -> None:
        rng = random.Random(seed)
        at_ns = time.time_ns()
        spans = []
        for place in range(size):
            start = at_ns + place * 1_000_000
            spans.append(
                _field(1, b"TRACE-ID" + rng.randbytes(8)) + _field(2, rng.randbytes(8)) + _field(5, b"chat gpt-5-mini")
                + b"\x30\x03\x39" + pack("<Q", start) + b"\x41" + pack("<Q", start + 812_345_678)
                + _attributes(9, attributes(rng, place))
            )  # fmt: skip
        scope = _field(1, b"opentelemetry.instrumentation.genai.openai") + _field(2, b"1.3b0")
        resource = _attributes(1, {"service.name": "bench", "telemetry.sdk.name": "opentelemetry"})
        inner = _field(1, scope) + b"".join(_field(2, span) for span in spans)
        self._body = bytearray(_field(1, _field(1, resource) + _field(2, inner)))
        self._traces = _places(self._body, b"TRACE-ID")
        self._spans = [place + 18 for place in self._traces]  # Behind the trace id and the field's head.
        self._responses = [place + 9 for place in _places(self._body, b"chatcmpl-")]
        self._sent = 0
        self.size = size

    def next(self) -> bytes:
        """The request's body, with trace, span and response ids that were not used before."""
        self._sent += 1
        fresh = self._sent.to_bytes(8, "big")
        for place in self._traces:
            self._body[place : place + 8] = fresh
        for place in self._spans:
            self._body[place : place + 4] = fresh[4:]
        digits = b"%012d" % self._sent
        for place in self._responses:
            self._body[place : place + 12] = digits
        return bytes(self._body)


def _places(body: bytearray, text: bytes) -> list[int]:
    found, at = [], body.find(text)
    while at >= 0:
        found.append(at)
        at = body.find(text, at + 1)
    return found
