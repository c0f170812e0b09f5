"""Streams that do not end as they should: recorded with what was seen, once, and marked so."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")
pytest.importorskip("google.genai")
import anthropic
import openai
from google import genai

from tallybook.model.call import Call
from tallybook.testing import ReplayServer, TemporaryLedger

pytestmark = pytest.mark.filterwarnings("ignore")

ASK: list[Any] = [{"role": "user", "content": "Tell me of the moons of Mars, please, at some length."}]
SEEN = 6
"""Events taken before a stream is left."""


class Sync:
    """A stream of each SDK, opened anew."""

    def __init__(self, server: ReplayServer) -> None:
        self.server = server
        self.openai = openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0)
        self.anthropic = anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0)
        self.google = genai.Client(api_key="k", http_options={"base_url": server.url})

    def open(self, name: str, words: str = "") -> Any:
        headers = {"X-Replay": words}
        if name == "openai":
            return self.openai.chat.completions.create(model="gpt-4o", messages=ASK, stream=True, extra_headers=headers)
        if name == "responses":
            return self.openai.responses.create(model="gpt-5", input="Mars?", stream=True, extra_headers=headers)
        if name == "anthropic":
            return self.anthropic.messages.create(
                model="claude-haiku-4-5", max_tokens=300, messages=ASK, stream=True, extra_headers=headers
            )
        config: Any = {"http_options": {"headers": headers}}
        return self.google.models.generate_content_stream(model="gemini-2.5-flash", contents="Mars?", config=config)

    def close(self) -> None:
        self.openai.close()
        self.anthropic.close()
        self.google.close()


@pytest.fixture
def sdk(server: ReplayServer) -> Any:
    made = Sync(server)
    yield made
    made.close()


def only(ledger: TemporaryLedger) -> Call:
    (record,) = ledger.calls()
    return record


def is_left_half_way(record: Call, *, status: str = "incomplete") -> None:
    assert record.status == status
    assert record.is_stream and record.duration_us
    assert "usage_estimated" in record.flags
    assert record.usage.input_tokens and record.usage.output_tokens
    assert record.response_chars and record.response_hash


NAMES = ("openai", "responses", "anthropic", "google")
EVENTS = {"openai": SEEN, "responses": SEEN + 3, "anthropic": SEEN + 3, "google": 2}


def take(stream: Any, name: str) -> None:
    for _ in range(EVENTS[name]):
        next(stream)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("words", ["delay-s=0.005", ""])
def test_a_stream_closed_early_is_incomplete_and_estimated(
    name: str, words: str, sdk: Sync, ledger: TemporaryLedger
) -> None:
    stream = sdk.open(name, words)
    take(stream, name)
    stream.close()
    if words:  # Without pauses all may be there before the first event is looked at, and is then known.
        is_left_half_way(only(ledger))
    else:
        assert only(ledger).usage.output_tokens


@pytest.mark.parametrize("name", NAMES)
def test_an_exception_in_the_consumer_passes_and_the_stream_is_recorded(
    name: str, sdk: Sync, ledger: TemporaryLedger
) -> None:
    def consume() -> None:
        stream = sdk.open(name, "delay-s=0.005")
        take(stream, name)
        raise ZeroDivisionError("the application's own")

    with pytest.raises(ZeroDivisionError, match="own"):
        consume()
    gc.collect()
    is_left_half_way(only(ledger))


@pytest.mark.parametrize("name", NAMES)
def test_a_dropped_stream_is_recorded_when_it_is_collected(name: str, sdk: Sync, ledger: TemporaryLedger) -> None:
    stream = sdk.open(name, "delay-s=0.005")
    take(stream, name)
    del stream
    gc.collect()
    is_left_half_way(only(ledger))


@pytest.mark.parametrize("name", ["openai", "responses", "anthropic"])
def test_a_stream_that_was_never_read_is_recorded(name: str, sdk: Sync, ledger: TemporaryLedger) -> None:
    stream = sdk.open(name, "delay-s=0.005")
    stream.close()
    record = only(ledger)
    assert record.status == "incomplete" and record.usage.input_tokens


def test_a_context_manager_left_by_an_exception_records_the_stream(sdk: Sync, ledger: TemporaryLedger) -> None:
    with pytest.raises(ZeroDivisionError), sdk.open("openai", "delay-s=0.005") as stream:
        take(iter(stream), "openai")
        raise ZeroDivisionError
    is_left_half_way(only(ledger))


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_read_to_its_end_and_then_closed_is_complete_and_one_record(
    name: str, sdk: Sync, ledger: TemporaryLedger
) -> None:
    stream = sdk.open(name)
    for _ in stream:
        pass
    stream.close()
    del stream
    gc.collect()
    record = only(ledger)
    assert record.status == "ok" and "usage_estimated" not in record.flags


def test_a_connection_cut_raises_the_sdks_own_error_and_is_recorded(sdk: Sync, ledger: TemporaryLedger) -> None:
    stream = sdk.open("openai", "cut-after=6;delay-s=0.005")
    with pytest.raises(Exception) as caught:
        for _ in stream:
            pass
    assert type(caught.value).__module__.partition(".")[0] in {"openai", "httpx", "httpx2"}
    record = only(ledger)
    is_left_half_way(record)
    assert record.error_type


class Async:
    """The asynchronous streams; opened inside a running loop."""

    def __init__(self, server: ReplayServer) -> None:
        self.openai = openai.AsyncOpenAI(base_url=server.openai_url, api_key="k", max_retries=0)
        self.anthropic = anthropic.AsyncAnthropic(base_url=server.url, api_key="k", max_retries=0)
        self.google = genai.Client(api_key="k", http_options={"base_url": server.url}).aio

    async def open(self, name: str, words: str) -> Any:
        headers = {"X-Replay": words}
        if name == "openai":
            made = self.openai.chat.completions.create(model="gpt-4o", messages=ASK, stream=True, extra_headers=headers)
            return await made
        if name == "anthropic":
            return await self.anthropic.messages.create(
                model="claude-haiku-4-5", max_tokens=300, messages=ASK, stream=True, extra_headers=headers
            )
        config: Any = {"http_options": {"headers": headers}}
        return await self.google.models.generate_content_stream(
            model="gemini-2.5-flash", contents="Mars?", config=config
        )

    async def close(self) -> None:
        await self.openai.close()
        await self.anthropic.close()
        await self.google.aclose()


def loop(server: ReplayServer, work: Callable[[Async], Any]) -> None:
    async def whole() -> None:
        made = Async(server)
        try:
            await work(made)
        finally:
            await made.close()

    asyncio.run(whole())


ASYNC_NAMES = ("openai", "anthropic", "google")


@pytest.mark.parametrize("name", ASYNC_NAMES)
def test_an_asynchronous_stream_left_early_is_recorded(
    name: str, server: ReplayServer, ledger: TemporaryLedger
) -> None:
    async def work(sdk: Async) -> None:
        stream = await sdk.open(name, "delay-s=0.005")
        count = 0
        async for _ in stream:
            count += 1
            if count == EVENTS[name]:
                break
        await (stream.close() if hasattr(stream, "close") else stream.aclose())

    loop(server, work)
    is_left_half_way(only(ledger))


@pytest.mark.parametrize("name", ASYNC_NAMES)
def test_a_cancelled_task_is_recorded_as_cancelled_with_what_was_seen(
    name: str, server: ReplayServer, ledger: TemporaryLedger
) -> None:
    async def work(sdk: Async) -> None:
        begun = asyncio.Event()

        async def consume() -> None:
            count = 0
            async for _ in await sdk.open(name, "delay-s=0.03"):
                count += 1
                if count == EVENTS[name]:
                    begun.set()

        task = asyncio.create_task(consume())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    loop(server, work)
    gc.collect()
    is_left_half_way(only(ledger), status="cancelled")


@pytest.mark.parametrize("name", ASYNC_NAMES)
def test_a_call_cancelled_before_its_answer_is_recorded_as_cancelled(
    name: str, server: ReplayServer, ledger: TemporaryLedger
) -> None:
    async def work(sdk: Async) -> None:
        async def first() -> None:
            async for _ in await sdk.open(name, "wait-s=30"):
                break

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(first(), 0.3)

    loop(server, work)
    assert only(ledger).status == "cancelled"


def test_many_tasks_at_once_leave_one_record_each(server: ReplayServer, ledger: TemporaryLedger) -> None:
    async def work(sdk: Async) -> None:
        async def one(name: str) -> None:
            async for _ in await sdk.open(name, ""):
                pass

        await asyncio.gather(*(one(name) for name in ASYNC_NAMES * 8))

    loop(server, work)
    records = ledger.calls()
    assert len(records) == 24 and {record.status for record in records} == {"ok"}
    assert len({record.response_id for record in records}) == 24
