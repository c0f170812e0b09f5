"""Recording usage logs: the seed's fields, its checks and its answers."""

from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import Running, Start

from tallybook.config import Settings
from tallybook.model.call import Call
from tallybook.store.open import open_store

LOG: dict[str, Any] = {
    "operation": "generate_project_ideas", "model": "gpt-4o-2024-08-06", "provider": "openai",
    "input_tokens": 1200, "output_tokens": 300, "total_tokens": 1500, "estimated_cost": 0.5, "duration_ms": 812,
    "tool_calls_count": 1,
    "tool_calls_json": '[{"name": "search", "arguments": {"query": "x"}, "durationMs": 150}]',
    "response_metadata": '{"finishReason": "stop", "id": "chatcmpl-1"}',
}  # fmt: skip


def calls(running: Running) -> list[Call]:
    store = open_store(running.context.settings)
    try:
        return store.calls(limit=1000)
    finally:
        store.close()


@pytest.mark.parametrize("path", ["/api/ai-usage", "/api/ai/usage"])
def test_a_log_is_recorded_priced_by_our_price_and_its_id_is_answered(server: Running, path: str) -> None:
    reply = server.post(path, LOG)
    assert reply.status == 201
    (call,) = calls(server)
    assert reply.json() == {"id": call.call_id} and reply.headers["location"] == f"/api/v1/calls/{call.call_id}"
    assert (call.operation, call.model, call.provider) == ("generate_project_ideas", "gpt-4o-2024-08-06", "openai")
    assert (call.usage.input_tokens, call.usage.output_tokens, call.duration_us) == (1200, 300, 812_000)
    assert call.tool_calls[0].name == "search" and call.tool_calls[0].duration_us == 150_000
    assert call.finish_reasons == ("stop",) and call.source == "rest" and call.status == "ok"
    assert call.cost is not None and call.cost.status == "priced" and call.cost.total_nanousd == 6_000_000
    assert call.metadata["estimated_cost_usd"] == 0.5


def test_camel_case_says_the_same_as_snake_case(server: Running) -> None:
    camel = {
        "operation": "chat", "model": "gpt-4o", "provider": "openai", "inputTokens": 5, "outputTokens": 2,
        "totalTokens": 7, "estimatedCost": 0.0, "durationMs": 10, "toolCallsCount": 0, "error": "boom",
        "sessionId": "s", "userId": "u", "responseMetadata": {"finishReason": "length"},
    }  # fmt: skip
    assert server.post("/api/ai-usage", camel).status == 201
    (call,) = calls(server)
    assert (call.usage.input_tokens, call.session_id, call.user_id) == (5, "s", "u")
    assert call.status == "error" and call.error_message == "boom" and call.finish_reasons == ("length",)


def test_the_senders_estimate_counts_only_where_the_price_is_unknown_and_says_so(server: Running) -> None:
    assert server.post("/api/ai-usage", {**LOG, "model": "house-model-7", "provider": "acme"}).status == 201
    (call,) = calls(server)
    assert call.cost is not None and (call.cost.status, call.cost.total_nanousd) == ("estimated", 500_000_000)


def test_a_price_of_one_project_alone_leaves_the_estimates_of_the_others(tmp_path: Path, start: Start) -> None:
    own = '[[price]]\nprovider = "acme"\nmodel = "house-7"\nproject = "{}"\ninput = 1\noutput = 1\n'
    (tmp_path / "prices.toml").write_text(own.format("atlas"))
    server = start(tmp_path, any_project=True)
    logs = [{**LOG, "model": "house-7", "provider": "acme", "project_id": name} for name in ("atlas", "web", "atlas")]
    assert server.post("/api/ai-usage", logs).status == 201
    told = sorted((call.project, call.cost.status, call.cost.total_nanousd) for call in calls(server) if call.cost)
    assert told == [("atlas", "priced", 1_500_000)] * 2 + [("web", "estimated", 500_000_000)]


def test_without_cost_and_price_the_cost_is_unknown_and_not_zero(server: Running) -> None:
    log = {"operation": "chat", "model": "house-model-7", "provider": "acme", "input_tokens": 5, "estimated_cost": 0}
    assert server.post("/api/ai-usage", log).status == 201
    (call,) = calls(server)
    assert call.cost is not None and (call.cost.status, call.cost.total_nanousd) == ("unpriced", None)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"operation": None}, "required", "operation"),
        ({"model": "  "}, "required", "model"),
        ({"provider": ""}, "required", "provider"),
        ({"input_tokens": -1}, "invalid", "input_tokens"),
        ({"estimated_cost": -0.1}, "invalid", "estimated_cost"),
        ({"duration_ms": -5}, "invalid", "duration_ms"),
        ({"input_tokens": "many"}, "invalid", "input_tokens"),
        ({"input_tokens": 10**30}, "invalid", "input_tokens"),
        ({"tool_calls_json": "[{"}, "not_json", "tool_calls_json"),
        ({"response_metadata": "{'a'}"}, "not_json", "response_metadata"),
        ({"created_at": "yesterday"}, "invalid", "created_at"),
        ({"created_at": 1e17}, "invalid", "created_at"),
        ({"project_id": "nobody-made-it"}, "unknown_project", "project_id"),
    ],
)
def test_what_is_wrong_is_refused_with_its_field_and_nothing_is_written(
    server: Running, change: dict[str, Any], code: str, field: str
) -> None:
    reply = server.post("/api/ai-usage", {**LOG, **change})
    assert reply.status == 400
    error = reply.json()["error"]
    assert ((error["code"], error["field"]) == (code, field) and field in error["message"]) or code == "unknown_project"
    assert calls(server) == []


def test_an_unknown_project_is_told_how_to_be_made_and_then_taken(server: Running) -> None:
    log = {**LOG, "project_id": "docs-bot"}
    assert "POST /api/v1/projects" in server.post("/api/ai-usage", log).json()["error"]["hint"]
    assert server.post("/api/v1/projects", {"project": "docs-bot"}).status == 201
    assert server.post("/api/v1/projects", {"project": "docs-bot"}).status == 409
    assert server.post("/api/ai-usage", log).status == 201
    assert calls(server)[0].project == "docs-bot"


def test_with_a_setting_projects_are_made_at_first_sight(start: Start) -> None:
    running = start(any_project=True)
    assert running.post("/api/ai-usage", {**LOG, "project_id": "new"}).status == 201
    assert [one["project"] for one in running.get("/api/v1/projects").json()["projects"]] == ["new"]


def test_a_batch_is_answered_item_by_item_and_the_good_ones_are_taken(server: Running) -> None:
    reply = server.post("/api/ai-usage", [LOG, {**LOG, "model": None}, 7, LOG])
    assert reply.status == 207
    told = reply.json()
    assert (told["accepted"], told["refused"]) == (2, 2)
    assert [item["status"] for item in told["results"]] == [201, 400, 400, 201]
    assert {call.call_id for call in calls(server)} == {told["results"][0]["id"], told["results"][3]["id"]}
    assert server.post("/api/ai-usage", [LOG]).status == 201
    assert server.post("/api/ai-usage", [7]).status == 400


def test_lines_of_json_are_a_batch_and_a_broken_line_is_one_item(server: Running) -> None:
    data = json.dumps(LOG).encode() + b"\n{broken\n\n" + json.dumps(LOG).encode()
    reply = server.ask("POST", "/api/ai-usage", data, {"content-type": "application/x-ndjson"})
    assert reply.status == 207
    assert [item["status"] for item in reply.json()["results"]] == [201, 400, 201]


@pytest.mark.parametrize("identity", ["own-4711", "01a2162f-d1e3-7a85-823e-92d55aaa2e0f"])
def test_the_same_id_is_one_record_and_one_answer_also_after_a_restart(
    start: Start, tmp_path: Path, identity: str
) -> None:
    first = start()
    once = first.post("/api/ai-usage", {**LOG, "id": identity}).json()
    assert first.post("/api/ai-usage", {**LOG, "id": identity}).json() == once
    second = start()
    assert second.post("/api/ai-usage", {**LOG, "id": identity}).json() == once
    assert len(calls(first)) == 1


def test_an_idempotency_key_makes_a_repeat_one_record_for_one_and_for_many(server: Running) -> None:
    headers = {"idempotency-key": "k-1"}
    once = server.ask("POST", "/api/ai-usage", LOG, headers).json()
    assert server.ask("POST", "/api/ai-usage", LOG, headers).json() == once
    many = server.ask("POST", "/api/ai-usage", [LOG, LOG], {"idempotency-key": "k-2"}).json()
    assert server.ask("POST", "/api/ai-usage", [LOG, LOG], {"idempotency-key": "k-2"}).json() == many
    assert len(calls(server)) == 3


def test_packed_bodies_are_read_and_damaged_ones_refused(server: Running) -> None:
    packed = gzip.compress(json.dumps(LOG).encode())
    assert server.ask("POST", "/api/ai-usage", packed, {"content-encoding": "gzip"}).status == 201
    reply = server.ask("POST", "/api/ai-usage", packed[:-9], {"content-encoding": "gzip"})
    assert (reply.status, reply.json()["error"]["code"]) == (400, "damaged")
    assert server.ask("POST", "/api/ai-usage", b"x", {"content-encoding": "br"}).status == 415


def test_a_bomb_is_refused_by_the_size_it_unpacks_to(server: Running) -> None:
    bomb = gzip.compress(b"[" + b" " * 80_000_000 + b"]", 9)
    reply = server.ask("POST", "/api/ai-usage", bomb, {"content-encoding": "gzip"})
    assert reply.status == 413 and "67,108,864" in reply.json()["error"]["message"]


def test_texts_are_kept_only_as_the_settings_say(start: Start, tmp_path: Path) -> None:
    log = {**LOG, "prompt": [{"role": "user", "content": "hello a@b.example"}], "response": "fine"}
    silent = start(tmp_path / "silent")
    silent.post("/api/ai-usage", log)
    (call,) = calls(silent)
    assert call.prompt_preview is None and call.tool_calls[0].arguments is None
    full = start(tmp_path / "full", settings={"prompts": "full", "responses": "full"})
    full.post("/api/ai-usage", log)
    (call,) = calls(full)
    assert call.response_preview == "fine" and call.tool_calls[0].arguments == '{"query":"x"}'
    store = open_store(Settings(folder=tmp_path / "full"))
    body = store.body(call.call_id)
    store.close()
    assert body is not None and "[redacted:email]" in str(body["prompt"])


def test_many_senders_at_once_lose_nothing(server: Running) -> None:
    ids: list[str] = []

    def send() -> None:
        ids.extend(server.post("/api/ai-usage", LOG).json()["id"] for _ in range(20))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 160 == len(calls(server))
    assert {call.call_id for call in calls(server)} == set(ids)


def test_what_is_known_to_be_there_already_is_counted(server: Running) -> None:
    for _ in range(3):
        assert server.post("/api/ai-usage", {**LOG, "id": "job-7"}).status == 201
    assert len(calls(server)) == 1
    told = server.get("/metrics").body.decode()
    assert 'tallybook_records_repeated_total{source="rest"} 2' in told, told
