from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from tests.exporters.payload import payloads
from tests.ingest.dialects.odd import damaged

from tallybook.ingest.arrival import Arrival
from tallybook.ingest.dialects import litellm
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.usage import Usage, faults

SENT = payloads("litellm_callback")[0].json
USUAL = SENT[0]


def one(**changes: Any) -> Call:
    item = copy.deepcopy(USUAL) | changes
    arrival = litellm.read([item])
    assert arrival.refused == ()
    return arrival.calls[0]


def with_usage(usage: dict[str, Any], **changes: Any) -> Usage:
    return one(response={**USUAL["response"], "usage": usage}, **changes).usage


def test_a_payload_of_the_real_client_is_a_call_with_all_that_it_tells() -> None:
    call = litellm.read([USUAL], project=None).calls[0]
    assert (call.provider, call.model, call.response_model) == ("openai", "gpt-4o", "gpt-4o-2024-08-06")
    assert (call.usage.input_tokens, call.usage.output_tokens, call.usage.cache_read_tokens) == (13, 27, 0)
    assert (call.user_id, call.project, call.tags, call.run_id) == ("ada", "blue", ("beta",), "s-1")
    assert call.metadata["ticket"] == "4711" and call.metadata["key_alias"] == "team-key"
    assert call.response_id == USUAL["response"]["id"] and call.duration_us and call.ttft_us is None
    assert call.parameters == {"temperature": 0.2} and call.finish_reasons == ("stop",) and call.source == "litellm"


def test_every_kind_of_call_is_told_by_its_type() -> None:
    kinds = {item["call_type"]: call.operation for item, call in zip(SENT, litellm.read(SENT).calls, strict=True)}
    assert kinds == {"acompletion": "chat", "aembedding": "embeddings", "aresponses": "chat"}


def test_the_three_formats_of_the_real_client_are_the_same_objects() -> None:
    array, lines, single = (request for request in payloads("litellm_callback")[:3])
    assert isinstance(array.json, list) and isinstance(lines.json, dict | list) and isinstance(single.json, dict)


def test_their_cost_is_kept_beside_ours_and_never_in_its_place() -> None:
    call = one()
    assert call.cost is None and call.metadata["litellm_cost_usd"] == pytest.approx(0.0003025)


def test_what_openrouter_itself_states_is_believed() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "cost": 0.25}
    response = {**USUAL["response"], "usage": usage}
    assert one(response=response).cost is None
    stated = one(response=response, custom_llm_provider="openrouter")
    assert stated.provider == "openrouter" and stated.cost is not None
    assert (stated.cost.status, stated.cost.total_nanousd) == ("reported", 250_000_000)


def test_an_answer_from_the_cache_used_nothing_costs_nothing_and_is_a_call_of_its_own() -> None:
    hit = next(item for item in SENT if item.get("cache_hit"))
    first = next(item for item in SENT if item["response"] and item["response"].get("id") == hit["response"]["id"])
    calls = litellm.read([first, hit]).calls
    assert calls[0].response_id == hit["response"]["id"] and calls[1].response_id is None
    assert calls[1].usage == Usage(input_tokens=0, output_tokens=0) and "cache_hit" in calls[1].flags
    assert calls[1].cost is not None and calls[1].cost.total_nanousd == 0
    assert calls[1].usage_raw["prompt_tokens"] == 13


def test_a_failure_is_recorded_with_its_class_and_status_and_without_a_traceback() -> None:
    failure = next(item for item in SENT if item["status"] == "failure")
    call = litellm.read([failure]).calls[0]
    assert (call.status, call.error_type, call.http_status) == ("error", "BadRequestError", 400)
    assert call.usage == Usage() and call.response_model is None
    assert b"raceback" not in codec.encode(call) and b"site-packages" not in codec.encode(call)


def test_no_key_of_anybody_is_recorded() -> None:
    item = copy.deepcopy(USUAL)
    item["metadata"]["user_api_key_hash"] = "sk-plain-master-key"
    item["metadata"]["user_api_key"] = "sk-caller-key"
    line = codec.encode(litellm.read([item]).calls[0])
    assert b"sk-" not in line
    item["metadata"]["user_api_key_hash"] = "0" * 64
    assert litellm.read([item]).calls[0].metadata["key_hash"] == "0" * 64


def test_anthropics_cached_and_written_tokens_stand_inside_the_input_by_lifetime() -> None:
    usage = with_usage(
        {
            "prompt_tokens": 1_300, "completion_tokens": 5, "total_tokens": 1_305, "cache_read_input_tokens": 1_000,
            "cache_creation_input_tokens": 200,
            "prompt_tokens_details": {
                "cached_tokens": 1_000, "cache_creation_tokens": 200, "text_tokens": 100,
                "cache_creation_token_details": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 150},
            },
        },
        custom_llm_provider="anthropic",
    )  # fmt: skip
    assert (usage.input_tokens, usage.cache_read_tokens) == (1_300, 1_000)
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (50, 150)


def test_cached_tokens_that_an_early_version_left_outside_the_prompt_are_added() -> None:
    usage = with_usage(
        {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105, "cache_read_input_tokens": 1_000,
         "cache_creation_input_tokens": 200}
    )  # fmt: skip
    assert (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens) == (1_300, 1_000, 200)
    assert faults(usage) == ()


def test_a_native_anthropic_response_is_counted_by_anthropics_own_rule() -> None:
    response = {
        "id": "msg_1", "type": "message", "model": "claude-sonnet-4-5", "role": "assistant", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "hi"}],
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 4},
    }  # fmt: skip
    call = one(response=response, call_type="anthropic_messages", custom_llm_provider="anthropic")
    assert (call.usage.input_tokens, call.usage.cache_read_tokens, call.response_id) == (100, 90, "msg_1")
    assert call.operation == "chat"


def test_ids_that_litellm_makes_up_are_no_ids_of_the_provider() -> None:
    anthropic = next(item for item in SENT if item["custom_llm_provider"] == "anthropic")
    wrapped = next(item for item in SENT if item["call_type"] == "aresponses")
    assert [call.response_id for call in litellm.read([anthropic, wrapped]).calls] == [None, None]


@pytest.mark.parametrize(
    ("told", "base", "wanted"),
    [
        ("bedrock", None, "aws"), ("vertex_ai_beta", None, "google-vertex"), ("gemini", None, "google"),
        ("xai", None, "x-ai"), ("azure", "https://x.openai.azure.com", "azure"),
        ("openai", "https://api.deepseek.com/v1", "deepseek"), ("openai", "http://10.0.0.1:8000/v1", "openai"),
        ("brand_new", None, "brand_new"), ("", None, "openai"),
    ],
)  # fmt: skip
def test_providers_have_our_names(told: str, base: str | None, wanted: str) -> None:
    assert one(custom_llm_provider=told, api_base=base).provider == wanted


def test_what_makes_no_model_call_is_acknowledged_and_not_recorded() -> None:
    for kind in ("acreate_file", "alist_batches", "avector_store_search", "acall_mcp_tool"):
        item = copy.deepcopy(USUAL) | {"call_type": kind, "total_tokens": 0}
        assert litellm.read([item]) == Arrival()


def test_tokens_told_only_beside_the_response_are_taken_from_there() -> None:
    bare = one(response={}, metadata={}, prompt_tokens=7, completion_tokens=3, total_tokens=10)
    assert (bare.usage.input_tokens, bare.usage.output_tokens) == (7, 3)
    blind = one(response={}, metadata={}, prompt_tokens=0, completion_tokens=0, total_tokens=0)
    assert blind.usage == Usage() and "usage_missing" in blind.flags


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"id": None, "litellm_call_id": None}, "required", "id"),
        ({"startTime": None}, "required", "startTime"),
        ({"startTime": 5.0}, "invalid", "startTime"),
        ({"startTime": "yesterday"}, "invalid", "startTime"),
        ({"startTime": 1e30}, "invalid", "startTime"),
    ],
)
def test_an_item_that_cannot_be_placed_is_refused_alone_and_told_how_to_mend_it(
    changes: dict[str, Any], code: str, field: str
) -> None:
    arrival = litellm.read([USUAL | changes, USUAL, 5])
    assert len(arrival.calls) == 1
    first, second = arrival.refused
    assert (first.position, first.code, first.field) == (0, code, field) and first.hint
    assert (second.position, second.code) == (2, "invalid")


def test_the_same_payload_twice_is_the_same_call_and_another_project_makes_another() -> None:
    assert litellm.read([USUAL]).calls == litellm.read([USUAL]).calls
    assert litellm.read([USUAL]).calls[0].call_id != litellm.read([USUAL], project="other").calls[0].call_id


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(damaged(USUAL))
def test_a_damaged_payload_gives_a_sound_record_or_a_refusal(item: Any) -> None:
    arrival = litellm.read([item, USUAL])
    assert len(arrival.calls) + len(arrival.refused) >= 1 and arrival.calls[-1].model == "gpt-4o"
    for call in arrival.calls:
        assert faults(call.usage) == ()
        assert msgspec.structs.asdict(codec.decode(codec.encode(call)))["call_id"] == call.call_id


def test_an_item_that_is_nested_too_deeply_is_refused_alone() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    arrival = litellm.read([USUAL | {"messages": deep}, USUAL])
    assert len(arrival.calls) == 1 and arrival.refused[0].code == "too_deep"
