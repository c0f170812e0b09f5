"""Claude on Bedrock through the Anthropic SDK: its URLs are rewritten inside the SDK, and its streams are binary."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("anthropic")
pytest.importorskip("botocore", reason="the SDK's Bedrock client needs botocore")
import anthropic

from providers.framing import chunks
from providers.test_bedrock_invoke import CLAUDE, STREAMS
from tallybook.testing import TemporaryLedger

web: Any = importlib.import_module("httpx2" if importlib.util.find_spec("httpx2") else "httpx")

MODEL = "us.anthropic.claude-3-5-sonnet-20241022-v2:0"
GIVEN: dict[str, Any] = {"model": MODEL, "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}


class Pieces(web.SyncByteStream):  # type: ignore[misc]
    """The answer, message by message."""

    def __iter__(self) -> Iterator[bytes]:
        for event in STREAMS["claude"]:
            yield chunks([event])


def _answer(request: Any) -> Any:
    if str(request.url).endswith("/invoke-with-response-stream"):
        headers = {"content-type": "application/vnd.amazon.eventstream"}
        return web.Response(200, headers=headers, stream=Pieces())
    assert str(request.url).endswith("/invoke")
    return web.Response(200, json=CLAUDE)


def _client() -> anthropic.AnthropicBedrock:
    return anthropic.AnthropicBedrock(
        aws_access_key="a",
        aws_secret_key="b",
        aws_region="us-east-1",
        http_client=web.Client(transport=web.MockTransport(_answer)),
    )


def test_a_whole_answer_is_recorded_as_bedrocks(ledger: TemporaryLedger) -> None:
    with _client() as client:
        client.messages.create(**GIVEN)
    [record] = ledger.calls()
    assert (record.provider, record.model, record.status) == ("aws", MODEL, "ok")
    assert record.response_model == "claude-3-5-sonnet-20241022"
    assert (record.usage.input_tokens, record.usage.output_tokens) == (110, 2)


def test_a_binary_stream_is_recorded_with_its_usage(ledger: TemporaryLedger) -> None:
    with _client() as client, client.messages.stream(**GIVEN) as stream:
        assert "".join(stream.text_stream) == "Hi"
    [record] = ledger.calls()
    assert (record.provider, record.model, record.status, record.is_stream) == ("aws", MODEL, "ok", True)
    assert (record.usage.input_tokens, record.usage.output_tokens) == (14, 10)
    assert record.finish_reasons == ("max_tokens",)
    assert record.flags == ()


def test_a_stream_that_the_caller_leaves_is_incomplete(ledger: TemporaryLedger) -> None:
    with _client() as client:
        stream = client.messages.create(**GIVEN, stream=True)
        next(iter(stream))
        stream.close()
    [record] = ledger.calls()
    assert (record.status, record.usage.input_tokens) == ("incomplete", 14)
    assert (record.usage.output_tokens or 0) < 10
