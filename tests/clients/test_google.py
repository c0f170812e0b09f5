"""The official Google SDK: the caller gets the same with us as without, and the ledger one true record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

pytest.importorskip("google.genai")
from google import genai
from pydantic import BaseModel

from clients.described import async_drained, async_outcome, drained, sync_outcome
from tallybook.testing import ReplayServer, TemporaryLedger, temporary_ledger

pytestmark = pytest.mark.filterwarnings("ignore")

FIGURES = "input-tokens=100;output-tokens=50;cached=40;reasoning=20"
GENERATED = {"operation": "generate_content", "provider": "google", "usage": (100, 50, 40, 20)}
FAILED = {"operation": "generate_content", "status": "error", "usage": (None,) * 4}
CUT = {"status": "incomplete", "is_stream": True}


class Moons(BaseModel):
    planet: str
    count: int


def moons(planet: str) -> str:
    """How many moons a planet has."""
    return f"{planet} has two"


class Case(NamedTuple):
    """One way to call, and what the record must say of it."""

    name: str
    how: str
    given: dict[str, Any]
    expected: dict[str, Any]
    words: str = FIGURES
    records: int = 1


def _ask(**config: Any) -> dict[str, Any]:
    return {"model": "gemini-2.5-flash", "contents": "How many moons has Mars?", "config": config}


EMBED = {"model": "gemini-embedding-001", "contents": ["abcd", "efgh"]}
DECLARED = {"function_declarations": [{"name": "moons", "parameters_json_schema": {"type": "object"}}]}

CASES = (
    Case("whole", "generate_content", _ask(), GENERATED),
    Case("zipped", "generate_content", _ask(), GENERATED, FIGURES + ";gzip"),
    Case("parsed", "generate_content", _ask(response_mime_type="application/json", response_schema=Moons), GENERATED),
    Case("with a tool", "generate_content", _ask(tools=[DECLARED]), {**GENERATED, "tools": ["moons"]}),
    Case("with a tool that the SDK calls", "generate_content", _ask(tools=[moons]), GENERATED, FIGURES, 2),
    Case("with a picture", "generate_content", {**_ask(), "model": "gemini-2.5-flash-image"}, GENERATED),
    Case("blocked", "generate_content", _ask(), {"operation": "generate_content"}, FIGURES + ";refusal"),
    Case("stream", "generate_content_stream", _ask(), {**GENERATED, "is_stream": True}),
    Case("stream by drops", "generate_content_stream", _ask(), GENERATED, FIGURES + ";delay-s=0.002"),
    Case("stream zipped", "generate_content_stream", _ask(), GENERATED, FIGURES + ";gzip"),
    Case("stream with a tool", "generate_content_stream", _ask(tools=[DECLARED]), {**GENERATED, "tools": ["moons"]}),
    Case("chat", "chat", _ask(), GENERATED),
    Case("chat stream", "chat stream", _ask(), {**GENERATED, "is_stream": True}),
    Case("embeddings", "embed_content", EMBED, {"operation": "embeddings", "usage": (2, None, None, None)}, ""),
    Case("bad request", "generate_content", _ask(), {**FAILED, "http_status": 400}, "status=400"),
    Case("no key", "generate_content", _ask(), {**FAILED, "http_status": 401}, "status=401"),
    Case("out of quota", "generate_content", _ask(), {**FAILED, "http_status": 429}, "status=429;retry-after=1"),
    Case("server error", "generate_content", _ask(), {**FAILED, "http_status": 500}, "status=500"),
    Case("out of quota in a stream", "generate_content_stream", _ask(), {**FAILED, "http_status": 429}, "status=429"),
    Case("connection cut", "generate_content", _ask(), FAILED, "cut-after=1"),
    Case("stream cut", "generate_content_stream", _ask(), CUT, "cut-after=3"),
    Case("stream that just stops", "generate_content_stream", _ask(), CUT, "stop-after=3"),
    Case("error in the stream", "generate_content_stream", _ask(), {"is_stream": True}, "error-after=3"),
)


def _options(server: ReplayServer, case: Case) -> Any:
    return {"base_url": server.url, "headers": {"X-Replay": case.words}}


def call(client: genai.Client, case: Case) -> Any:
    match case.how:
        case "chat" | "chat stream":
            chat = client.chats.create(model=case.given["model"])
            if case.how == "chat":
                return chat.send_message(case.given["contents"])
            return drained(chat.send_message_stream(case.given["contents"]))
        case "generate_content_stream":
            return drained(client.models.generate_content_stream(**case.given))
        case _:
            return getattr(client.models, case.how)(**case.given)


async def async_call(client: Any, case: Case) -> Any:
    match case.how:
        case "chat" | "chat stream":
            chat = client.chats.create(model=case.given["model"])
            if case.how == "chat":
                return await chat.send_message(case.given["contents"])
            return await async_drained(await chat.send_message_stream(case.given["contents"]))
        case "generate_content_stream":
            return await async_drained(await client.models.generate_content_stream(**case.given))
        case _:
            return await getattr(client.models, case.how)(**case.given)


def run_sync(case: Case) -> Any:
    with ReplayServer(ids="fixed", now=lambda: 1_767_268_800) as server:
        client = genai.Client(api_key="k", http_options=_options(server, case))
        try:
            return sync_outcome(lambda: call(client, case))
        finally:
            client.close()


def run_async(case: Case) -> Any:
    async def work() -> Any:
        client = genai.Client(api_key="k", http_options=_options(server, case)).aio
        try:
            return await async_outcome(lambda: async_call(client, case))
        finally:
            await client.aclose()

    with ReplayServer(ids="fixed", now=lambda: 1_767_268_800) as server:
        return asyncio.run(work())


def check(case: Case, ledger: TemporaryLedger) -> None:
    calls = ledger.calls()
    assert len(calls) == case.records, calls
    for record in calls:
        use = record.usage
        tools = [tool.name for tool in record.tool_calls]
        usage = (use.input_tokens, use.output_tokens, use.cache_read_tokens, use.reasoning_tokens)
        for name, value in case.expected.items():
            assert {"usage": usage, "tools": tools}.get(name, getattr(record, name, None)) == value, (name, record)
        if "stream" not in case.name:
            assert record.status == case.expected.get("status", "ok")


@pytest.mark.parametrize("run", [run_sync, run_async], ids=["sync", "async"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_caller_gets_the_same_and_the_ledger_true_records(
    case: Case, run: Callable[[Case], Any], contained: list[str]
) -> None:
    bare = run(case)
    with temporary_ledger(project="tests") as ledger:
        watched = run(case)
        check(case, ledger)
    assert watched == bare


def test_a_tool_that_the_sdk_calls_itself_leaves_one_record_for_each_request(
    server: ReplayServer, ledger: TemporaryLedger
) -> None:
    client = genai.Client(api_key="k", http_options={"base_url": server.url})
    config: Any = {"tools": [moons]}
    client.models.generate_content(model="gemini-2.5-flash", contents="Moons of Mars?", config=config)
    client.close()
    asked, answered = ledger.calls()
    assert [tool.name for tool in asked.tool_calls] == ["moons"]
    assert answered.tool_calls == () and len(server.requests) == 2


def test_a_batch_is_recorded_answer_by_answer(server: ReplayServer, ledger: TemporaryLedger) -> None:
    client = genai.Client(api_key="k", http_options={"base_url": server.url})
    request: Any = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    batch = client.batches.create(model="gemini-2.5-flash", src=[request, request])
    assert batch.name is not None and ledger.calls() == []
    for _ in range(2):
        client.batches.get(name=batch.name)
    client.close()
    records = ledger.calls()
    assert len({record.response_id for record in records}) == 2
    assert all(record.is_batch and record.may_repeat and record.usage.output_tokens for record in records)
