"""`track`: exactly the caller's values, exceptions and streams; one call one record, whatever library made it."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import tallybook
from tallybook.capture import recorder
from tallybook.capture.observe import Observation
from tallybook.capture.scope import EMPTY, current
from tallybook.model.call import Call, Cost, ToolCall
from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Parsed
from tallybook.providers.openai_chat import CHAT
from tallybook.testing import TemporaryLedger


def instrumented_call() -> str:
    """As a patched SDK records one."""
    asked = Asked(model="gpt-4o")
    Observation(recorder.get(), CHAT, asked, "openai", None).finish(Parsed(usage=Usage(input_tokens=5)), 5)
    return "answer"


def only(ledger: TemporaryLedger) -> Call:
    (call,) = ledger.calls()
    return call


RESPONSES: dict[str, tuple[Any, dict[str, Any]]] = {
    "vercel": (
        {
            "text": "Ideas",
            "finishReason": "stop",
            "usage": {"promptTokens": 120, "completionTokens": 30, "totalTokens": 150},
            "toolCalls": [{"toolName": "search", "toolCallId": "t1", "args": {"q": "x"}, "durationMs": 150}],
        },
        {"input": 120, "output": 30, "tools": ("search",), "finish": ("stop",)},
    ),
    "vercel experimental": (
        {"usage": {"inputTokens": 12, "outputTokens": 3}, "experimental_toolCalls": [{"name": "calculate"}]},
        {"input": 12, "output": 3, "tools": ("calculate",)},
    ),
    "older": (
        {"model": "claude-3-opus", "usage": {"input_tokens": 7, "output_tokens": 2}, "toolCalls": [{"tool": "find"}]},
        {"input": 7, "output": 2, "tools": ("find",), "model": "claude-3-opus", "provider": "anthropic"},
    ),
    "object with attributes": (
        SimpleNamespace(model="gpt-4o", usage=SimpleNamespace(prompt_tokens=3, completion_tokens=4), id="r-1"),
        {"input": 3, "output": 4, "model": "gpt-4o", "provider": "openai"},
    ),
    "openai": (
        {"model": "gpt-4o", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
         "usage": {"prompt_tokens": 9, "completion_tokens": 1}},
        {"input": 9, "output": 1, "model": "gpt-4o", "finish": ("stop",)},
    ),
    "anthropic": (
        {"type": "message", "model": "claude-sonnet-4-5", "content": [{"type": "text", "text": "Hi"}],
         "stop_reason": "end_turn", "usage": {"input_tokens": 9, "cache_read_input_tokens": 90, "output_tokens": 1}},
        {"input": 99, "output": 1, "provider": "anthropic", "finish": ("end_turn",)},
    ),
    "google": (
        {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}],
         "modelVersion": "gemini-2.5-flash", "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2}},
        {"input": 4, "output": 2, "provider": "google"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", RESPONSES)
def test_a_response_is_read_by_its_shape_and_returned_as_it_is(ledger: TemporaryLedger, shape: str) -> None:
    response, expected = RESPONSES[shape]
    assert tallybook.track("generate_ideas", "web", lambda: response) is response
    call = only(ledger)
    assert (call.name, call.project, call.source, call.status) == ("generate_ideas", "web", "track", "ok")
    assert (call.usage.input_tokens, call.usage.output_tokens) == (expected["input"], expected["output"])
    assert tuple(tool.name for tool in call.tool_calls) == expected.get("tools", ())
    assert call.finish_reasons == expected.get("finish", call.finish_reasons)
    assert call.model == expected.get("model", call.model)
    assert call.provider == expected.get("provider", call.provider)
    assert current.get() is EMPTY


def test_the_time_of_a_tool_is_kept_and_its_arguments_only_where_responses_are(ledger: TemporaryLedger) -> None:
    response = RESPONSES["vercel"][0]
    for kept in ("none", "preview", "full"):
        recorder.configure(responses=kept)
        tallybook.track("ask", None, lambda: response)
    tools = [call.tool_calls[0] for call in ledger.calls()]
    bare = ToolCall(name="search", id="t1", duration_us=150_000)
    assert tools == [bare, bare, ToolCall(name="search", id="t1", duration_us=150_000, arguments='{"q":"x"}')]


@pytest.mark.parametrize("value", [None, 0, "text", b"bytes", [1], {"a": 1}, (1,), {1}, object(), len, range(3)])
def test_whatever_a_function_returns_is_returned_itself(ledger: TemporaryLedger, value: Any) -> None:
    assert tallybook.track("ask", None, lambda: value) is value
    assert tallybook.track("ask")(lambda: value)() is value
    with tallybook.track("ask") as call:
        call.result(value)
    assert len(ledger.calls()) == 3


def test_what_a_function_raises_is_raised_itself_and_recorded(ledger: TemporaryLedger) -> None:
    error = ValueError("no such model, jane@example.com")

    @tallybook.track("ask", model="gpt-4o")
    def ask() -> None:
        raise error

    with pytest.raises(ValueError, match="no such model") as caught:
        ask()
    assert caught.value is error
    call = only(ledger)
    assert (call.status, call.error_type, call.model) == ("error", "ValueError", "gpt-4o")
    assert call.error_message == "no such model, [redacted:email]"
    assert current.get() is EMPTY


def test_figures_can_be_stated(ledger: TemporaryLedger) -> None:
    with tallybook.track("ask", project="docs", user="u-1", team="search") as call:
        call.usage(
            model="gpt-4o", input_tokens=812, output_tokens=96, cache_read=512, cost_usd="0.0021", operation="rerank"
        )
        call.usage(reasoning=64, tool_calls=[ToolCall(name="search")])
    found = only(ledger)
    assert found.usage == Usage(input_tokens=812, output_tokens=96, cache_read_tokens=512, reasoning_tokens=64)
    assert found.cost == Cost(status="reported", total_nanousd=2_100_000)
    assert (found.operation, found.provider, found.model, found.user_id) == ("rerank", "openai", "gpt-4o", "u-1")
    assert found.metadata == {"team": "search"} and found.tool_calls == (ToolCall(name="search"),)
    assert found.flags == ()


def test_stated_parts_beyond_their_total_are_flagged(ledger: TemporaryLedger) -> None:
    with tallybook.track("ask") as call:
        call.usage(input_tokens=5, cache_read=9)
    assert only(ledger).flags == ("parts_exceed_input",)


@pytest.mark.parametrize(
    "figures",
    [{"tokens": 5}, {"input_tokens": 1.5}, {"input_tokens": True}, {"output_tokens": "many"}, {"cost_usd": "x"}],
)
def test_figures_that_cannot_be_understood_are_told_and_not_raised(
    ledger: TemporaryLedger, failures: Counter[str], figures: dict[str, Any]
) -> None:
    with tallybook.track("ask", model="gpt-4o") as call:
        call.usage(**figures)
    assert sum(failures.values()) == 1
    found = only(ledger)
    assert (found.status, found.usage, found.flags) == ("ok", Usage(), ("usage_missing",))


def test_what_was_stated_before_a_failure_is_kept(ledger: TemporaryLedger) -> None:
    with pytest.raises(RuntimeError), tallybook.track("ask", model="gpt-4o") as call:
        call.usage(input_tokens=100, output_tokens=10)
        raise RuntimeError("after the answer")
    found = only(ledger)
    assert (found.status, found.usage.input_tokens, found.error_type) == ("error", 100, "RuntimeError")


def test_one_tracked_operation_used_twice_makes_two_independent_records(ledger: TemporaryLedger) -> None:
    tracked = tallybook.track("ask")
    with tracked as call:
        call.usage(model="gpt-4o", input_tokens=5)
    with tracked:
        pass
    first, second = ledger.calls()
    assert (first.model, first.usage.input_tokens) == ("gpt-4o", 5)
    assert (second.model, second.usage.input_tokens, second.flags) == (None, None, ("usage_missing",))


def test_around_an_instrumented_call_there_is_one_record_and_it_has_the_name(ledger: TemporaryLedger) -> None:
    assert tallybook.track("ask", "web", instrumented_call) == "answer"
    with tallybook.track("outer"), tallybook.track("inner"):
        instrumented_call()

    @tallybook.track("coroutine")
    async def ask() -> str:
        await asyncio.sleep(0)
        return instrumented_call()

    assert asyncio.run(ask()) == "answer"
    found = ledger.calls()
    assert [(call.name, call.source, call.usage.input_tokens) for call in found] == [
        ("ask", "sdk", 5),
        ("inner", "sdk", 5),
        ("coroutine", "sdk", 5),
    ]
    assert found[0].project == "web"


def test_around_a_stream_that_calls_a_model_when_it_is_read_there_is_one_record_too(ledger: TemporaryLedger) -> None:
    @tallybook.track("stream")
    def stream() -> Iterator[str]:
        yield "a"
        yield instrumented_call()

    def make() -> Iterator[str]:
        return (instrumented_call() for _ in range(1))

    assert list(stream()) == ["a", "answer"]
    assert list(tallybook.track("made", None, make)) == ["answer"]
    assert [(call.name, call.source) for call in ledger.calls()] == [("stream", "sdk"), ("made", "sdk")]
    assert current.get() is EMPTY


def test_a_nested_track_that_records_itself_leaves_the_outer_none(ledger: TemporaryLedger) -> None:
    with tallybook.track("outer"), tallybook.track("inner", model="gpt-4o"):
        pass
    assert only(ledger).name == "inner"


def test_coroutines_are_tracked_while_they_run(ledger: TemporaryLedger) -> None:
    async def ask(value: int) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"usage": {"input_tokens": value, "output_tokens": 1}}

    decorated = tallybook.track("decorated")(ask)
    assert inspect.iscoroutinefunction(decorated) and decorated.__name__ == "ask"

    async def main() -> None:
        await decorated(1)
        await tallybook.track("handed", None, lambda: ask(2))
        await tallybook.track("direct").call(ask, 3)
        async with tallybook.track("with") as call:
            call.usage(input_tokens=4)

    asyncio.run(main())
    assert [(call.name, call.usage.input_tokens) for call in ledger.calls()] == [
        ("decorated", 1), ("handed", 2), ("direct", 3), ("with", 4),
    ]  # fmt: skip


def test_a_cancelled_coroutine_is_recorded_as_cancelled(ledger: TemporaryLedger) -> None:
    @tallybook.track("ask")
    async def ask() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(ask())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert only(ledger).status == "cancelled"


def chunks(*texts: str, usage: bool = True) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"model": "gpt-4o", "choices": [{"index": 0, "delta": {"role": "assistant"}}]}]
    found += [{"model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    found.append({"model": "gpt-4o", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage:
        found.append({"model": "gpt-4o", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}})
    return found


def test_a_stream_is_watched_until_its_end(ledger: TemporaryLedger) -> None:
    items = chunks("a", "b")

    @tallybook.track("stream")
    def stream() -> Iterator[dict[str, Any]]:
        yield from items

    assert inspect.isgeneratorfunction(stream)
    reading = stream()
    assert ledger.calls() == []
    assert all(found is item for found, item in zip(reading, items, strict=True))
    call = only(ledger)
    assert (call.status, call.usage.output_tokens, call.provider, call.is_stream) == ("ok", 2, "openai", True)
    assert call.ttft_us is not None


def test_a_stream_of_texts_is_estimated_and_nothing_is_guessed_of_its_prompt(ledger: TemporaryLedger) -> None:
    def words() -> Iterator[str]:
        yield from ("I am ", "fine.")

    assert "".join(tallybook.track("ask", None, words, model="gpt-4o")) == "I am fine."
    call = only(ledger)
    assert (call.status, call.flags, call.usage.input_tokens) == ("ok", ("usage_estimated",), None)
    assert call.usage.output_tokens in range(2, 7)
    assert call.response_chars == 10 and call.ttft_us is not None


def test_a_stream_that_breaks_is_recorded_with_what_was_seen(ledger: TemporaryLedger) -> None:
    error = ConnectionError("reset")

    def stream() -> Iterator[dict[str, Any]]:
        yield from chunks("I am ", "fine", usage=False)[:3]
        raise error

    with pytest.raises(ConnectionError) as caught:
        list(tallybook.track("ask", None, stream))
    assert caught.value is error
    call = only(ledger)
    assert (call.status, call.error_type, call.flags) == ("incomplete", "ConnectionError", ("usage_estimated",))
    assert call.usage.output_tokens


def test_a_stream_that_is_left_or_dropped_is_incomplete(ledger: TemporaryLedger) -> None:
    for way in ("close", "drop"):
        reading = tallybook.track(way, None, lambda: iter(chunks("a", "b")))
        next(reading), next(reading)
        if way == "close":
            reading = (item for item in reading)
            reading.close()
        del reading
    assert [(call.name, call.status) for call in ledger.calls()] == [("close", "incomplete"), ("drop", "incomplete")]


def test_asynchronous_streams_alike(ledger: TemporaryLedger) -> None:
    @tallybook.track("stream")
    async def stream() -> AsyncIterator[dict[str, Any]]:
        for item in chunks("a", "b"):
            await asyncio.sleep(0)
            yield item

    assert inspect.isasyncgenfunction(stream)

    async def main() -> None:
        assert [item async for item in stream()] == chunks("a", "b")
        reading = stream()
        await anext(reading)
        await reading.aclose()

    asyncio.run(main())
    whole, left = ledger.calls()
    assert (whole.status, whole.usage.output_tokens) == ("ok", 2)
    assert left.status == "incomplete"


class Stream:
    """A library's own stream object."""

    def __init__(self, items: list[Any]) -> None:
        self._items = iter(items)
        self.label = "mine"
        self.is_closed = False

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Any:
        return next(self._items)

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._items)
        except StopIteration:
            raise StopAsyncIteration from None

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *details: object) -> None:
        self.is_closed = True

    def close(self) -> str:
        self.is_closed = True
        return "closed"

    async def aclose(self) -> str:
        self.is_closed = True
        return "closed later"


def test_a_stream_object_keeps_its_type_attributes_and_context_management(ledger: TemporaryLedger) -> None:
    inner = Stream(chunks("a"))
    stream = tallybook.track("ask", None, lambda: inner)
    assert isinstance(stream, Stream)
    assert stream.label == "mine"
    stream.label = "yours"
    assert inner.label == "yours"
    del stream.label
    assert not hasattr(inner, "label") and not hasattr(stream, "label")
    with stream as entered:
        assert entered is stream
        assert list(stream) == chunks("a")
    assert inner.is_closed
    assert only(ledger).usage.output_tokens == 2


@pytest.mark.parametrize("way", ["close", "aclose"])
def test_closing_a_stream_object_ends_the_record_and_gives_what_it_gives(ledger: TemporaryLedger, way: str) -> None:
    inner = Stream(chunks("a"))
    stream = tallybook.track("ask", None, lambda: inner)
    next(stream), next(stream)
    assert (stream.close() if way == "close" else asyncio.run(stream.aclose())).startswith("closed")
    assert inner.is_closed
    assert only(ledger).status == "incomplete"


def test_a_stream_object_without_a_close_has_none(ledger: TemporaryLedger) -> None:
    stream = tallybook.track("ask", None, lambda: iter(["a"]))
    assert not hasattr(stream, "close") and not hasattr(stream, "aclose")
    assert list(stream) == ["a"]


def test_a_stream_object_is_read_asynchronously_too(ledger: TemporaryLedger) -> None:
    async def main() -> list[Any]:
        stream = tallybook.track("ask", None, lambda: Stream(chunks("a")))
        return [item async for item in stream]

    assert asyncio.run(main()) == chunks("a")
    assert only(ledger).status == "ok"


def test_switched_off_streams_and_results_are_handed_through_untouched(ledger: TemporaryLedger) -> None:
    recorder.configure(enabled=False)
    inner = Stream(chunks("a"))
    assert tallybook.track("ask", None, lambda: inner) is inner
    assert list(tallybook.track("ask")(lambda: iter([1]))()) == [1]
    assert ledger.calls() == []
