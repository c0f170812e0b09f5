"""Beside others that patch the same SDKs: each sees every call once, in whatever order they come and go."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")
pytest.importorskip("opentelemetry.sdk")
import anthropic
import openai
from openai import _base_client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import tallybook
from tallybook.testing import ReplayServer, TemporaryLedger, temporary_ledger

ASK: list[Any] = [{"role": "user", "content": "How many moons has Mars?"}]


def ask(server: ReplayServer) -> Any:
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        return client.chat.completions.create(model="gpt-4o", messages=ASK)


@pytest.fixture(scope="module")
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    provider.shutdown()


class Other:
    """Another library that patches the request method of the OpenAI SDK, as such libraries do."""

    def __init__(self) -> None:
        self.seen = 0
        self.original = _base_client.SyncAPIClient.request

    def put(self) -> None:
        original = self.original = _base_client.SyncAPIClient.request
        other = self

        def request(self: Any, *args: Any, **kwargs: Any) -> Any:
            other.seen += 1
            return original(self, *args, **kwargs)

        _base_client.SyncAPIClient.request = request  # type: ignore[assignment,method-assign]

    def take(self) -> None:
        _base_client.SyncAPIClient.request = self.original  # type: ignore[method-assign]


@pytest.fixture
def other() -> Iterator[Other]:
    before = _base_client.SyncAPIClient.request
    yield Other()
    _base_client.SyncAPIClient.request = before  # type: ignore[method-assign]


def test_the_sdks_own_spans_and_our_record_tell_the_same_call(
    spans: InMemorySpanExporter, server: ReplayServer, ledger: TemporaryLedger
) -> None:
    spans.clear()
    with trace.get_tracer("application").start_as_current_span("work"):
        with anthropic.Anthropic(base_url=server.url, api_key="k") as client:
            message = client.messages.create(model="claude-haiku-4-5", max_tokens=300, messages=ASK)
            for _ in client.messages.create(model="claude-haiku-4-5", max_tokens=300, messages=ASK, stream=True):
                pass
        ask(server)
    records = ledger.calls()
    assert len(records) == 3 and records[0].response_id == message.id
    assert {record.status for record in records} == {"ok"}
    assert "work" in {span.name for span in spans.get_finished_spans()}


def test_another_library_that_patched_before_us_still_sees_every_call(
    other: Other, server: ReplayServer, contained: list[str]
) -> None:
    other.put()
    with temporary_ledger() as ledger:
        ask(server)
        assert (other.seen, len(ledger.calls())) == (1, 1)
    ask(server)
    assert other.seen == 2


def test_another_library_that_patches_after_us_sees_every_call_and_survives_our_leaving(
    other: Other, server: ReplayServer, contained: list[str]
) -> None:
    with temporary_ledger() as ledger:
        other.put()
        ask(server)
        assert (other.seen, len(ledger.calls())) == (1, 1)
    ask(server)
    assert other.seen == 2, "our leaving must not take its patch away"
    with temporary_ledger() as again:
        ask(server)
        assert len(again.calls()) == 1, "we are below its patch and must not put ours twice"
    assert other.seen == 3


def test_instrumenting_twice_is_instrumenting_once(server: ReplayServer, ledger: TemporaryLedger) -> None:
    tallybook.instrument(folder=ledger.folder)
    ask(server)
    assert len(ledger.calls()) == 1


def test_after_uninstrument_the_sdk_is_what_it_was(contained: list[str], server: ReplayServer) -> None:
    before = (_base_client.SyncAPIClient.request, _base_client.AsyncAPIClient.request)
    with temporary_ledger() as ledger:
        assert _base_client.SyncAPIClient.request is not before[0]
    assert (_base_client.SyncAPIClient.request, _base_client.AsyncAPIClient.request) == before
    ask(server)
    assert ledger.lines() == []


def test_one_family_can_be_left_out(server: ReplayServer, contained: list[str]) -> None:
    with temporary_ledger(openai=False) as ledger:
        ask(server)
        with anthropic.Anthropic(base_url=server.url, api_key="k") as client:
            client.messages.create(model="claude-haiku-4-5", max_tokens=300, messages=ASK)
        assert [record.provider for record in ledger.calls()] == ["anthropic"]


def test_one_switch_turns_everything_off(server: ReplayServer, contained: list[str], tmp_path: Any) -> None:
    with temporary_ledger(enabled=False) as ledger:
        assert ask(server).choices
        assert list(ledger.folder.iterdir()) == []


def test_nothing_is_logged_and_nothing_printed_in_ordinary_use(
    server: ReplayServer, ledger: TemporaryLedger, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG, logger="tallybook"):
        ask(server)
    assert [record for record in caplog.records if record.name.startswith("tallybook")] == []
    assert capsys.readouterr() == ("", "")
