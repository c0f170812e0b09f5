"""The ways to call the Anthropic SDK, and what the record of each must say."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from clients.ways import Case

ASK: list[Any] = [{"role": "user", "content": "How many moons has Mars?"}]
TOOLS = [{"name": "moons", "input_schema": {"type": "object", "properties": {"planet": {"type": "string"}}}}]


class Moons(BaseModel):
    planet: str
    count: int


def _ask(**more: Any) -> dict[str, Any]:
    return {"model": "claude-haiku-4-5", "max_tokens": 300, "messages": ASK, **more}


USAGE = (100, 50, 40, None)
MESSAGE = {
    "operation": "chat",
    "provider": "anthropic",
    "model": "claude-haiku-4-5",
    "response_model": "claude-haiku-4-5-20251001",
    "usage": USAGE,
}
STREAM = {**MESSAGE, "is_stream": True}
FAILED = {"operation": "chat", "status": "error", "usage": (None,) * 4}
CUT = {"status": "incomplete", "flag": "usage_estimated", "is_stream": True}
CREATE = "messages.create"
FIGURES = "input-tokens=100;output-tokens=50;cached=40;cache-write=10;cache-write-1h=5;reasoning=9"

CASES = (
    Case("message", CREATE, "plain", _ask(), MESSAGE, FIGURES),
    Case("with tools", CREATE, "plain", _ask(tools=TOOLS), {**MESSAGE, "tools": ["moons"]}, FIGURES),
    Case("with a search", CREATE, "plain", _ask(), MESSAGE, FIGURES + ";web-search=2"),
    Case("refused", CREATE, "plain", _ask(), MESSAGE, FIGURES + ";refusal"),
    Case("zipped", CREATE, "plain", _ask(), MESSAGE, FIGURES + ";gzip"),
    Case("raw", CREATE, "raw", _ask(), MESSAGE, FIGURES),
    Case("streaming response", CREATE, "streaming", _ask(), MESSAGE, FIGURES),
    Case("streaming response by lines", CREATE, "lines", _ask(), MESSAGE, FIGURES),
    Case("stream", CREATE, "stream", _ask(stream=True), STREAM, FIGURES),
    Case("stream by drops", CREATE, "stream", _ask(stream=True), STREAM, FIGURES + ";delay-s=0.001"),
    Case("stream zipped", CREATE, "stream", _ask(stream=True), STREAM, FIGURES + ";gzip"),
    Case("stream raw", CREATE, "raw stream", _ask(stream=True), STREAM, FIGURES),
    Case("stream by streaming response", CREATE, "streaming", _ask(stream=True), STREAM, FIGURES),
    Case("stream by lines", CREATE, "lines", _ask(stream=True), STREAM, FIGURES),
    Case("stream by bytes", CREATE, "bytes", _ask(stream=True), STREAM, FIGURES),
    Case("stream helper", "messages.stream", "helper", _ask(), STREAM, FIGURES),
    Case("stream helper with tools", "messages.stream", "helper", _ask(tools=TOOLS), STREAM, FIGURES + ";calls=2"),
    Case("beta", "beta.messages.create", "plain", _ask(), MESSAGE, FIGURES),
    Case("beta stream helper", "beta.messages.stream", "helper", _ask(), STREAM, FIGURES),
    Case("bad request", CREATE, "plain", _ask(), {**FAILED, "http_status": 400}, "status=400"),
    Case("no key", CREATE, "plain", _ask(), {**FAILED, "http_status": 401}, "status=401"),
    Case("rate limit", CREATE, "plain", _ask(), {**FAILED, "http_status": 429}, "status=429"),
    Case("overloaded", CREATE, "plain", _ask(), {**FAILED, "http_status": 529}, "status=529"),
    Case("overloaded stream", CREATE, "stream", _ask(stream=True), {**FAILED, "http_status": 529}, "status=529"),
    Case("connection cut", CREATE, "plain", _ask(), FAILED, "cut-after=1"),
    Case("error in the stream", CREATE, "stream", _ask(stream=True), {"status": "error"}, "error-after=6"),
    Case("stream cut", CREATE, "stream", _ask(stream=True), CUT, "cut-after=8"),
    Case("stream that just stops", CREATE, "stream", _ask(stream=True), CUT, "stop-after=8"),
    Case("helper cut", "messages.stream", "helper", _ask(), CUT, "cut-after=8"),
)
PARSED = Case("parsed", "messages.parse", "plain", _ask(output_format=Moons), MESSAGE, FIGURES)
"""Only where the SDK has it."""
