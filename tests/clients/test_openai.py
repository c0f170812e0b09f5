"""The official OpenAI SDK: every way to call it gives the caller the same with us as without, and one true record."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest

pytest.importorskip("openai")
import openai

from clients.described import async_outcome, sync_outcome
from clients.openai_cases import ASK, CASES
from clients.ways import Case, async_call, call, check
from tallybook.capture.bodies import prompt_hash
from tallybook.testing import ReplayServer, TemporaryLedger, temporary_ledger


def run_sync(case: Case) -> Any:
    with (
        ReplayServer(ids="fixed", now=lambda: 1_767_268_800) as server,
        openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client,
    ):
        return sync_outcome(lambda: call(client, case))


async def run_async(case: Case) -> Any:
    with ReplayServer(ids="fixed", now=lambda: 1_767_268_800) as server:
        async with openai.AsyncOpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
            return await async_outcome(lambda: async_call(client, case))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_caller_gets_the_same_and_the_ledger_one_true_record(case: Case, contained: list[str]) -> None:
    bare = run_sync(case)
    with temporary_ledger(project="tests") as ledger:
        watched = run_sync(case)
        check(case, ledger)
    assert watched == bare


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_holds_for_the_asynchronous_client(case: Case, contained: list[str]) -> None:
    bare = asyncio.run(run_async(case))
    with temporary_ledger(project="tests") as ledger:
        watched = asyncio.run(run_async(case))
        check(case, ledger)
    assert watched == bare


def test_a_retry_that_succeeds_is_one_call_that_knows_its_retries(
    server: ReplayServer, ledger: TemporaryLedger
) -> None:
    from tallybook.testing import Scenario

    server.next(Scenario(status=500, retry_after=0.001), Scenario(status=429, retry_after=0.001))
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=3) as client:
        client.chat.completions.create(model="gpt-4o", messages=ASK)
    (record,) = ledger.calls()
    assert (record.status, record.retries) == ("ok", 2)


def test_a_batch_is_recorded_answer_by_answer_at_batch_prices(server: ReplayServer, ledger: TemporaryLedger) -> None:
    body = {"model": "gpt-4o", "messages": ASK}
    lines = [{"custom_id": str(n), "method": "POST", "url": "/v1/chat/completions", "body": body} for n in range(3)]
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
        upload = ("batch.jsonl", "\n".join(map(json.dumps, lines)).encode())
        made = client.files.create(file=upload, purpose="batch")
        batch = client.batches.create(input_file_id=made.id, endpoint="/v1/chat/completions", completion_window="24h")
        batch = client.batches.retrieve(batch.id)
        answers = client.files.content(batch.output_file_id or "").text
    assert len(answers.splitlines()) == 3
    records = ledger.calls()
    assert [record.is_batch for record in records] == [True] * 3
    assert len({record.response_id for record in records}) == 3
    assert all(record.usage.output_tokens for record in records)


def test_a_host_that_refuses_stream_options_is_asked_again_without_and_not_again(
    server: ReplayServer, ledger: TemporaryLedger
) -> None:
    headers = {"X-Replay": "stream-options=no"}
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        for _ in range(2):
            stream = client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True, extra_headers=headers)
            assert sum(1 for _ in stream) > 5
    assert ["stream_options" in request.json for request in server.requests] == [True, False, False]
    records = ledger.calls()
    assert [(record.status, record.flags) for record in records] == [("ok", ("usage_missing", "usage_estimated"))] * 2
    assert all(record.usage.input_tokens and record.usage.output_tokens for record in records)


def test_a_caller_who_sent_stream_options_himself_sees_the_hosts_refusal(
    server: ReplayServer, ledger: TemporaryLedger
) -> None:
    with (
        openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client,
        pytest.raises(openai.BadRequestError),
    ):
        client.chat.completions.create(
            model="gpt-4o", messages=ASK, stream=True, stream_options={"include_usage": True},
            extra_headers={"X-Replay": "stream-options=no"},
        )  # fmt: skip
    assert [record.status for record in ledger.calls()] == ["error"]


def test_a_background_response_read_again_and_again_can_be_told_to_be_one_call(
    server: ReplayServer, ledger: TemporaryLedger
) -> None:
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
        made = client.responses.create(model="gpt-5", input="hi", background=True)
        for _ in range(2):
            assert client.responses.retrieve(made.id).status == "completed"
    records = ledger.calls()
    assert {record.response_id for record in records} == {made.id}
    final = [record for record in records if record.usage.output_tokens]
    assert final and all(record.may_repeat for record in final)


def test_requests_that_are_no_model_call_leave_no_record(server: ReplayServer, ledger: TemporaryLedger) -> None:
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
        client.models.list()
        client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    assert ledger.calls() == []


@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize("is_stream", [False, True])
def test_the_prompts_hash_is_that_of_the_messages_whatever_their_size(
    server: ReplayServer, ledger: TemporaryLedger, size: int, is_stream: bool
) -> None:
    messages: Any = [{"role": "user", "content": 'a "quoted" \u00e4\n' * (size // 10)}]
    expected = hashlib.sha256(json.dumps(messages, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
        for _ in range(3):
            got: Any = client.chat.completions.create(model="gpt-4o", messages=messages, stream=is_stream, user="u")
            if is_stream:
                list(got)
    assert {record.prompt_hash for record in ledger.calls()} == {f"sha256:{expected}"}


def test_messages_that_change_while_a_call_is_under_way_are_recorded_as_sent(
    server: ReplayServer, ledger: TemporaryLedger
) -> None:
    sent: Any = [{"role": "user", "content": "first"}]
    told = prompt_hash([{"role": "user", "content": "first"}])[0]

    async def talk() -> None:
        async with openai.AsyncOpenAI(base_url=server.openai_url, api_key="k") as client:
            call = asyncio.create_task(client.chat.completions.create(model="gpt-4o", messages=sent))
            await asyncio.sleep(0.001)
            sent.append({"role": "user", "content": "second"})
            sent[0]["content"] = "other"
            await call

    asyncio.run(talk())
    sent[:] = [{"role": "user", "content": "first"}]
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
        for _ in client.chat.completions.create(model="gpt-4o", messages=sent, stream=True):
            sent.append({"role": "user", "content": "more"})
    assert [record.prompt_hash for record in ledger.calls()] == [told, told]
