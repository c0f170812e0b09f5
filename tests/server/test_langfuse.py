from __future__ import annotations

import base64
import copy
import gzip
import json
import time
from typing import Any

import pytest
from tests.exporters.payload import payloads
from tests.ingest.test_langfuse import WHOLE, bare
from tests.server.conftest import Running, Start
from tests.server.test_litellm import recorded

from tallybook.ingest import langfuse as ingest
from tallybook.model.call import Call
from tallybook.prices.pricer import Pricer
from tallybook.server.context import Context
from tallybook.server.overdue import record_overdue
from tallybook.store.open import open_prices, open_state

SENT = [sent for sent in payloads("langfuse2") if sent.path.endswith("ingestion")]
PATH = "/api/public/ingestion"


def send(server: Running, *bodies: Any, **headers: str) -> list[dict[str, Any]]:
    replies = [server.post(PATH, body, **headers) for body in bodies]
    assert [reply.status for reply in replies] == [207] * len(bodies)
    return [reply.json() for reply in replies]


def unpriced(calls: list[Call]) -> list[tuple[Any, ...]]:
    plain = [bare(call) for call in calls]
    return sorted((c.call_id, c.name, c.user_id, c.tags, c.usage.input_tokens, c.usage.output_tokens) for c in plain)


def test_what_the_real_client_sends_is_one_call_a_generation_however_often_it_is_sent(start: Start) -> None:
    server = start()
    told = send(server, *(sent.body for sent in SENT))
    assert all(one["errors"] == [] for one in told)
    assert [len(one["successes"]) for one in told] == [len(sent.json["batch"]) for sent in SENT]
    assert told[0]["successes"][0] == {"id": SENT[0].json["batch"][0]["id"], "status": 201}
    assert unpriced(recorded(server.context)) == unpriced(WHOLE.store.calls(limit=99))
    send(server, *(sent.body for sent in reversed(SENT)))
    assert unpriced(recorded(server.context)) == unpriced(WHOLE.store.calls(limit=99))


def test_a_known_model_has_our_price_and_an_unknown_one_what_the_sender_reckons(start: Start) -> None:
    server = start()
    send(server, *(sent.body for sent in SENT))
    costs = {call.name: call.cost for call in recorded(server.context) if call.cost is not None}
    assert costs["answer"].status == "priced" and costs["answer"].cache_read_nanousd
    assert (costs["price"].status, costs["price"].total_nanousd) == ("estimated", 3_000_000)


def test_an_event_that_is_damaged_is_told_by_its_id_and_the_others_are_taken(start: Start) -> None:
    server = start()
    batch = [{"id": "bad", "type": "brand-new", "body": {}}, 5, *SENT[0].json["batch"]]
    (told,) = send(server, {"batch": batch})
    assert [one["id"] for one in told["errors"]] == ["bad", ""] and told["errors"][0]["status"] == 400
    assert len(told["successes"]) == len(SENT[0].json["batch"])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"batch": 5}', b'{"batch": null}', b"[" * 5_000])
def test_what_is_no_batch_is_refused_as_a_whole(start: Start, body: bytes) -> None:
    assert start().post(PATH, body).status == 400


def test_a_batch_that_is_too_long_is_refused_and_the_limit_named(start: Start) -> None:
    reply = start().post(PATH, {"batch": [5] * 10_001})
    assert reply.status == 413 and "10,000" in reply.json()["error"]["message"]


def test_a_deep_event_is_no_failure_of_the_server(start: Start) -> None:
    deep = b"[" * 900 + b"]" * 900
    event = b'{"id":"x","type":"trace-create","timestamp":"2026-01-01T00:00:00Z","body":{"id":"t","metadata":%b}}'
    assert start().post(PATH, b'{"batch":[%b]}' % (event % deep)).status in (207, 400)


def test_keys_come_as_user_or_password_of_basic_or_as_bearer_and_tell_the_project(start: Start) -> None:
    first = start()
    key = first.post("/api/v1/keys", {"role": "ingest", "project": "docs"}).json()["key"]
    first.post("/api/v1/projects", {"project": "docs"})
    server = start(is_open=False)
    assert server.get("/api/public/health").status == 200
    assert server.get("/api/public/projects").status == 401
    for text in (f"pk-lf-any:{key}", f"{key}:sk-lf-any"):
        basic = {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}
        assert server.ask("GET", "/api/public/projects", headers=basic).json()["data"][0]["name"] == "docs"
        assert server.ask("POST", PATH, SENT[0].body, basic).status == 207
    for name in ("x-api-key", "api_key"):
        assert server.ask("POST", PATH, SENT[1].body, {name: key}).status == 207
    send(server, *(sent.body for sent in SENT), authorization=f"Bearer {key}")
    assert {call.project for call in recorded(server.context)} == {"docs"}


def test_packed_batches_are_unpacked(start: Start) -> None:
    send(start(), gzip.compress(SENT[0].body), **{"content-encoding": "gzip"})


def test_scores_come_by_their_own_path_one_or_many(start: Start) -> None:
    server = start()
    send(server, *(sent.body for sent in SENT))
    answer = next(call for call in recorded(server.context) if call.name == "answer")
    observation = answer.metadata["langfuse_observation_id"]
    one = server.post("/api/public/scores", {"name": "good", "value": 1, "observationId": observation})
    assert one.status == 200 and one.json()["id"]
    many = next(sent for sent in payloads("langfuse5") if sent.path.endswith("scores"))
    assert server.post("/api/public/scores", many.body).status == 202
    mixed = server.post("/api/public/scores", [{"name": "x"}, {"name": "y", "value": "z", "traceId": "t"}])
    assert mixed.status == 207 and (mixed.json()["accepted"], mixed.json()["rejected"]) == (1, 1)
    assert server.post("/api/public/scores", {"value": 1}).status == 400
    lines = [json.loads(line) for path in server.context.settings.folder.glob("*/amendments*.jsonl")
             for line in path.read_bytes().splitlines()]  # fmt: skip
    assert {line["name"] for line in lines} == {"helpful", "correct", "good", "y"}
    assert next(line for line in lines if line["name"] == "good")["call_id"] == answer.call_id
    assert all(line["kind"] == "feedback" for line in lines)
    assert recorded(server.context)[0].cost is not None
    told = server.get(f"/api/v1/calls/{answer.call_id}").json()["feedback"]
    assert [(one["name"], one["value"]) for one in told][-1] == ("good", 1)
    assert server.get(f"/api/v1/calls/{answer.call_id}").json()["call"]["call_id"] == answer.call_id


def test_what_clients_ask_before_they_start_is_answered(start: Start) -> None:
    server = start()
    assert server.get("/api/public/health").json()["status"] == "OK"
    assert server.get("/api/public/projects").json()["data"][0]["organization"]["name"]
    media = server.post("/api/public/media", {"sha256Hash": "a" * 43 + "=", "contentType": "image/png"})
    assert media.status == 201 and media.json() == {"mediaId": "a" * 22, "uploadUrl": None}
    assert server.post("/api/public/media", {}).status == 400
    assert server.ask("PATCH", "/api/public/media/m", {}).status == 204
    assert server.get("/api/public/v2/prompts/folder/name").status == 404


def tend(context: Context, later_us: int = 0) -> int:
    state = open_state(context.settings)
    try:
        return record_overdue(context, state, Pricer(open_prices(context.settings)), context.now_us() + later_us)
    finally:
        state.close()


def test_a_generation_that_never_ends_is_recorded_in_the_end(start: Start) -> None:
    server = start()
    create = next(e for sent in SENT for e in sent.json["batch"] if e["body"].get("name") == "answer")
    send(server, {"batch": [create]})
    assert recorded(server.context) == [] and tend(server.context) == 0
    assert tend(server.context, ingest.WAIT_US + 1_000_000) == 1
    assert [call.status for call in recorded(server.context)] == ["incomplete"]
    assert tend(server.context, 3 * ingest.WAIT_US) == 0


def test_what_was_taken_in_and_not_recorded_when_the_server_was_killed_is_recorded_by_the_next(start: Start) -> None:
    server = start()
    state = open_state(server.context.settings)
    for sent in SENT:
        ingest.take(state, copy.deepcopy(sent.json["batch"]), ingest.Scope(None), time.time_ns() // 1000)
    state.close()
    assert recorded(server.context) == []
    assert tend(server.context, ingest.RETRY_US + 1) > 0
    assert unpriced(recorded(server.context)) == unpriced(WHOLE.store.calls(limit=99))
