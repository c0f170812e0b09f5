"""The official Anthropic SDK: the caller gets the same with us as without, and the ledger one true record."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("anthropic")
import anthropic

from clients.anthropic_cases import ASK, CASES, PARSED
from clients.described import async_outcome, sync_outcome
from clients.ways import Case, async_call, call, check
from tallybook.capture.bodies import prompt_hash
from tallybook.testing import ReplayServer, TemporaryLedger, temporary_ledger

ALL = (*CASES, PARSED) if hasattr(anthropic.resources.Messages, "parse") else CASES


def run_sync(case: Case) -> Any:
    with (
        ReplayServer(ids="fixed", now=lambda: 1_767_268_800) as server,
        anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0) as client,
    ):
        return sync_outcome(lambda: call(client, case))


async def run_async(case: Case) -> Any:
    with ReplayServer(ids="fixed", now=lambda: 1_767_268_800) as server:
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key="k", max_retries=0) as client:
            return await async_outcome(lambda: async_call(client, case))


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_caller_gets_the_same_and_the_ledger_one_true_record(case: Case, contained: list[str]) -> None:
    bare = run_sync(case)
    with temporary_ledger(project="tests") as ledger:
        watched = run_sync(case)
        check(case, ledger)
    assert watched == bare


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_same_holds_for_the_asynchronous_client(case: Case, contained: list[str]) -> None:
    bare = asyncio.run(run_async(case))
    with temporary_ledger(project="tests") as ledger:
        watched = asyncio.run(run_async(case))
        check(case, ledger)
    assert watched == bare


def test_cache_writes_and_searches_are_counted_apart(server: ReplayServer, ledger: TemporaryLedger) -> None:
    words = "input-tokens=100;cached=40;cache-write=10;cache-write-1h=5;web-search=2"
    with anthropic.Anthropic(base_url=server.url, api_key="k") as client:
        given: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 300, "messages": ASK}
        client.messages.create(**given, extra_headers={"X-Replay": words})
        for _ in client.messages.create(**given, stream=True, extra_headers={"X-Replay": words}):
            pass
    for record in ledger.calls():
        use = record.usage
        assert (use.input_tokens, use.cache_read_tokens) == (100, 40)
        assert (use.cache_write_5m_tokens, use.cache_write_1h_tokens) == (10, 5)
        assert use.requests["web_search"] == 2


def test_the_first_content_of_a_stream_is_timed_and_the_whole_is_not_taken_for_it(
    server: ReplayServer, ledger: TemporaryLedger
) -> None:
    with anthropic.Anthropic(base_url=server.url, api_key="k") as client:
        given: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 300, "messages": ASK}
        client.messages.create(**given)
        for _ in client.messages.create(**given, stream=True, extra_headers={"X-Replay": "wait-s=0.05;delay-s=0.01"}):
            pass
    whole, stream = ledger.calls()
    assert whole.ttft_us is None
    assert stream.ttft_us is not None and stream.duration_us is not None
    assert 70_000 <= stream.ttft_us <= stream.duration_us - 100_000


def test_a_batch_is_recorded_answer_by_answer_and_its_repeated_reading_is_told(
    server: ReplayServer, ledger: TemporaryLedger
) -> None:
    given: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 300, "messages": ASK}
    with anthropic.Anthropic(base_url=server.url, api_key="k") as client:
        batch = client.messages.batches.create(requests=[{"custom_id": str(n), "params": given} for n in range(3)])
        client.messages.batches.retrieve(batch.id)
        for _ in range(2):
            assert len(list(client.messages.batches.results(batch.id))) == 3
    records = ledger.calls()
    assert len(records) == 6 and len({record.response_id for record in records}) == 3
    assert all(record.is_batch and record.may_repeat and record.usage.output_tokens for record in records)


def test_the_prompt_is_what_was_said_and_not_what_the_sdk_holds_in_its_place(
    server: ReplayServer, ledger: TemporaryLedger
) -> None:
    given: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 300, "messages": ASK}
    with anthropic.Anthropic(base_url=server.url, api_key="k") as client:
        client.messages.create(**given)
        client.messages.create(**given, system="Be brief.")
    bare, told = sorted(ledger.calls(), key=lambda record: record.started_at_us)
    assert (bare.prompt_hash, bare.prompt_chars) == prompt_hash(ASK)
    assert (told.prompt_hash, told.prompt_chars) == prompt_hash({"system": "Be brief.", "messages": ASK})
    assert bare.parameters == {"max_tokens": 300}


def test_counting_tokens_is_no_call(server: ReplayServer, ledger: TemporaryLedger) -> None:
    with anthropic.Anthropic(base_url=server.url, api_key="k") as client:
        assert client.messages.count_tokens(model="claude-haiku-4-5", messages=ASK).input_tokens > 0
    assert ledger.calls() == []
