from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.exporters.payload import payloads
from tests.ingest.dialects.odd import damaged

from tallybook.ingest.arrival import Arrival
from tallybook.ingest.dialects import helicone
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.usage import Usage, faults

SENT = payloads("helicone_helpers_logger")
CHAT = SENT[0].json


def entry(*, request: Any = None, response: Any = None, **meta: str) -> dict[str, Any]:
    item = copy.deepcopy(CHAT)
    item["providerRequest"]["json"] = item["providerRequest"]["json"] if request is None else request
    item["providerRequest"]["meta"] = {name.replace("_", "-"): value for name, value in meta.items()}
    item["providerResponse"] = item["providerResponse"] if response is None else response
    return item


def one(item: dict[str, Any], **told: Any) -> Call:
    arrival = helicone.read(item, **told)
    assert arrival.refused == () and len(arrival.calls) == 1
    return arrival.calls[0]


def test_what_the_real_logger_sends_is_counted_by_the_providers_own_rules() -> None:
    providers = (("openai", "openai"), ("anthropic", "anthropic"), (None, "openai"), (None, "openai"))
    for sent, (told, wanted) in zip(SENT[:4], providers, strict=True):
        call = one(sent.json, headers=sent.headers, provider=told)
        assert call.provider == wanted and call.status == "ok" and call.usage.output_tokens == 27
        assert call.user_id == "ada" and call.response_id and call.duration_us is not None


def test_a_streamed_answer_of_the_real_logger_has_its_usage_and_its_first_moment() -> None:
    call = one(SENT[3].json, headers=SENT[3].headers)
    assert call.is_stream and call.usage.input_tokens == 13 and call.ttft_us and call.finish_reasons == ("stop",)


def test_sessions_users_and_properties_come_from_meta_or_headers_and_meta_wins() -> None:
    call = one(SENT[0].json, headers=SENT[0].headers, provider="openai")
    assert (call.session_id, call.run_id, call.user_id) == ("s-1", "s-1", "ada")
    assert call.metadata == {"team": "blue", "session_path": "/plan/write", "session_name": "Course plan"}
    item = entry(**{"Helicone_User_Id": "eve", "helicone_property_Plan": "pro", "Helicone_Prompt_Id": "p"})
    call = one(item, headers={"helicone-user-id": "ada", "Helicone-Auth": "Bearer sk-secret"})
    assert call.user_id == "eve" and call.metadata == {"plan": "pro", "prompt_id": "p"}
    assert b"sk-secret" not in codec.encode(call)


def test_a_use_of_a_tool_is_a_step_and_no_call() -> None:
    arrival = helicone.read(SENT[4].json, SENT[4].headers)
    assert arrival.calls == () and [(step.kind, step.name, step.run_id) for step in arrival.steps] == [
        ("tool", "search", "s-1")
    ]


def test_the_streams_own_bytes_are_read_as_well() -> None:
    chunks = [json.loads(line) for line in SENT[3].json["providerResponse"]["textBody"].splitlines()]
    text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    request = {"model": "gpt-4o", "stream": True}
    assert one(entry(request=request, response={"status": 200, "textBody": text})).usage.output_tokens == 27


def test_a_failure_says_what_the_provider_said() -> None:
    body = {"error": {"message": "slow down", "type": "rate_limit_error"}}
    call = one(entry(response={"status": 429, "json": body}), provider="openai")
    assert (call.status, call.http_status, call.error_message) == ("error", 429, "slow down")
    assert call.usage == Usage() and "usage_missing" not in call.flags
    left = one(entry(response={"status": -3, "textBody": "par"}))
    assert left.status == "cancelled" and left.http_status is None
    broken = one(entry(response={"status": 500, "textBody": "Traceback: boom"}))
    assert broken.status == "error" and broken.error_message == "Traceback: boom"


def test_a_model_of_ones_own_is_recorded_with_the_usage_that_it_tells() -> None:
    response = {"status": 200, "json": {"answer": "x", "usage": {"inputTokens": 5, "outputTokens": 2}}}
    call = one(entry(request={"model": "my-own", "prompt": "hi"}, response=response))
    assert (call.model, call.usage.input_tokens, call.usage.output_tokens) == ("my-own", 5, 2)
    silent = one(entry(request={"model": "my-own"}, response={"status": 200, "textBody": "hello"}))
    assert "usage_missing" in silent.flags and silent.response_chars == 5


def test_an_answer_from_the_cache_costs_nothing_and_is_a_call_of_its_own() -> None:
    response = copy.deepcopy(CHAT["providerResponse"]) | {"headers": {"Helicone-Cache": "HIT"}}
    call = one(entry(response=response))
    assert call.cost is not None and call.cost.total_nanousd == 0 and call.response_id is None
    assert call.usage == Usage(input_tokens=0, output_tokens=0)


def test_a_real_address_tells_the_provider_and_a_key_in_it_is_not_kept() -> None:
    item = entry()
    item["providerRequest"]["url"] = "https://api.groq.com/openai/v1/chat/completions?key=secret"
    call = one(item)
    assert call.provider == "groq" and call.base_url == "api.groq.com" and b"secret" not in codec.encode(call)


def test_texts_that_are_to_be_left_out_are_left_out() -> None:
    item = entry(**{"Helicone_Omit_Request": "true", "Helicone_Omit_Response": "true"})
    assert helicone.read(item).contents[0][2:] == (None, None)
    assert helicone.read(entry()).contents[0].prompt == [{"role": "user", "content": "Hello"}]


def test_the_same_entry_twice_is_one_call_by_its_id_or_by_all_that_it_says() -> None:
    assert one(entry()).call_id == one(entry()).call_id
    assert one(entry(), project="a").call_id != one(entry()).call_id
    assert one(entry(Helicone_Request_Id="r")).call_id != one(entry()).call_id


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (None, "providerRequest"), ([], "providerRequest"), ({}, "providerRequest"),
        ({"providerRequest": {}}, "timing.startTime"),
        ({"providerRequest": {}, "timing": {"startTime": {"seconds": 1}}}, "timing.startTime"),
    ],
)  # fmt: skip
def test_what_cannot_be_placed_is_refused_and_told_how_to_mend_it(item: Any, field: str) -> None:
    arrival = helicone.read(item)
    assert arrival == Arrival(refused=arrival.refused) and arrival.refused[0].field == field and arrival.refused[0].hint


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(damaged(SENT[3].json) | damaged(CHAT))
def test_a_damaged_entry_gives_a_sound_record_or_a_refusal(item: Any) -> None:
    arrival = helicone.read(item)
    assert len(arrival.calls) + len(arrival.steps) + len(arrival.refused) == 1
    for call in arrival.calls:
        assert faults(call.usage) == () and codec.decode(codec.encode(call)).call_id == call.call_id


def test_an_entry_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert helicone.read(entry(request={"model": "m", "messages": deep})).refused[0].code == "too_deep"
