"""One response or thousands: how it is counted and priced, and what is said where something is odd."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from providers.framing import named as named_events
from providers.framing import plain as plain_events
from tallybook.model.call import Cost
from tallybook.prices.base import Key, Rate
from tallybook.query import explain
from tallybook.query.explain import Explained, counted, line_of, priced, together
from tallybook.query.interaction import of_record, read_record

NOW_US = 1_790_000_000_000_000
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


class Shelf:
    """A price book with two models: $2 and $10 for a million tokens, and ten times that. It counts its look-ups."""

    def __init__(self) -> None:
        self.asked = 0

    def rates(self, keys: Sequence[Key]) -> dict[Key, tuple[Rate, ...]]:
        self.asked += 1
        dear = Rate(input_picousd=20_000_000, output_picousd=100_000_000, price="dear")
        plain = Rate(input_picousd=2_000_000, output_picousd=10_000_000, price="plain")
        return {
            key: (dear,) if "opus" in key.model else () if "unknown" in key.model else (plain,) for key in keys
        }  # fmt: skip


def record(
    body: Any, *, api: str = "openai-chat", url: str = "", status: int = 200, asked: Any = None
) -> dict[str, Any]:
    provider = api.partition("-")[0]
    return {
        "id": "r", "provider": provider, "api": api, "kind": "recorded" if url else "fixture-response-only",
        "request": {"method": "POST", "url": url, "body": json.dumps(asked or {})},
        "response": {"status": status, "headers": {}, "body": body if isinstance(body, str) else json.dumps(body)},
    }  # fmt: skip


def one(body: Any, **more: Any) -> Explained:
    return priced([counted(of_record(record(body, **more)), NOW_US)], Shelf())[0]


def chat(**more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    return {"id": "c1", "object": "chat.completion", "created": 1_780_000_000, "model": "gpt-5", "choices": [choice],
            "usage": USAGE, **more}  # fmt: skip


def test_the_line_of_a_record_has_the_agreed_keys() -> None:
    found = one(chat(), asked={"model": "gpt-5-latest"}, url="https://api.openai.com/v1/chat/completions")
    assert json.loads(msgspec.json.encode(line_of(found))) == (
        {
            "id": "r",
            "provider": "openai",
            "api": "openai-chat",
            "model": "gpt-5-latest",
            "response_model": "gpt-5",
            "response_id": "c1",
            "usage": {
                "input_tokens": 1000,
                "output_tokens": 100,
                "cache_read_tokens": None,
                "cache_write_5m_tokens": None,
                "cache_write_1h_tokens": None,
                "input_audio_tokens": None,
                "input_image_tokens": None,
                "reasoning_tokens": None,
                "output_audio_tokens": None,
                "output_image_tokens": None,
                "requests": {},
                "quantities": {},
            },
            "tool_calls": [],
            "finish_reasons": ["stop"],
            "status": "ok",
            "service_tier": None,
            "cost_usd": 0.003,
            "cost_status": "priced",
            "flags": [],
        }
    )


def test_prices_are_looked_up_once_for_many_records() -> None:
    shelf = Shelf()
    priced([counted(of_record(record(chat())), NOW_US) for _ in range(50)], shelf)
    assert shelf.asked == 1


def test_a_response_without_usage_has_unknowns_and_no_zeros() -> None:
    found = one({**chat(), "usage": None})
    line = line_of(found)
    assert (line["usage"], line["cost_usd"], line["cost_status"]) == (None, None, "unpriced")
    assert "usage_missing" in line["flags"]
    assert line["status"] == "ok"


def test_a_refused_request_is_an_error_that_was_not_billed() -> None:
    found = one({"error": {"message": "slow down", "type": "rate_limit_error"}}, status=429)
    line = line_of(found)
    assert (line["status"], line["usage"], line["cost_usd"], line["cost_status"]) == ("error", None, 0.0, "free")
    assert (found.error_type, found.error_message) == ("rate_limit_error", "slow down")


def test_a_refused_request_for_pictures_used_none() -> None:
    asked = {"model": "gpt-image-1", "prompt": "a cat", "n": 2}
    refused = one({"error": {"message": "no", "type": "x"}}, api="openai-images", status=400, asked=asked)
    assert (refused.status, refused.usage) == ("error", None)
    made = one({"created": 1, "data": [{"b64_json": "x"}]}, api="openai-images", asked=asked)
    assert made.usage is not None
    assert made.usage.quantities == {"images": 1}


def test_an_error_inside_a_stream_that_began_well_is_an_error() -> None:
    raw = plain_events(
        [
            {"id": "g", "model": "x", "choices": [{"index": 0, "delta": {"content": "a"}}]},
            {"id": "g", "error": {"code": 502, "message": "upstream gone"}, "choices": []},
        ],
        done=False,
    )
    found = one(raw.decode())
    assert found.status == "error"
    assert found.error_message == "upstream gone"
    assert found.usage is None


def test_a_stream_that_was_cut_is_incomplete_and_its_usage_is_not_invented() -> None:
    raw = plain_events(
        [{"id": "g", "model": "gpt-5", "choices": [{"index": 0, "delta": {"content": "a"}}]}], done=False
    )
    found = one(raw.decode())
    assert (found.status, found.usage, found.cost.status) == ("incomplete", None, "unpriced")


def test_a_cut_message_stream_has_its_input_and_not_the_placeholder_of_its_output() -> None:
    raw = named_events(
        [
            {"type": "message_start", "message": {"id": "m", "model": "claude-x",
                                                  "usage": {"input_tokens": 900, "output_tokens": 3}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        ]
    )  # fmt: skip
    found = one(raw.decode(), api="anthropic-messages-stream")
    assert found.status == "incomplete"
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens) == (900, None)
    assert "output_placeholder" in found.flags
    assert found.cost.status == "partial"


def test_what_other_models_did_inside_a_call_is_in_its_cost_and_not_in_its_usage() -> None:
    iterations = [
        {"type": "message", "input_tokens": 1000, "output_tokens": 100},
        {"type": "advisor_message", "model": "claude-opus-9", "input_tokens": 100, "output_tokens": 10},
    ]
    message = {"type": "message", "id": "m", "model": "claude-sonnet-9", "content": [], "stop_reason": "end_turn",
               "usage": {"input_tokens": 1000, "output_tokens": 100, "iterations": iterations}}  # fmt: skip
    found = one(message, api="anthropic-messages")
    assert found.usage is not None
    assert found.usage.total_tokens == 1100
    assert found.own_cost is not None
    assert found.own_cost.total_nanousd == 3_000_000
    assert [cost.total_nanousd for cost in found.further_costs] == [3_000_000]
    assert found.cost.total_nanousd == 6_000_000
    assert "further_models" in found.flags


def test_other_models_without_a_price_make_the_cost_partial() -> None:
    iterations = [{"type": "advisor_message", "model": "unknown-9", "input_tokens": 100, "output_tokens": 10}]
    message = {"type": "message", "id": "m", "model": "claude-sonnet-9", "content": [], "stop_reason": "end_turn",
               "usage": {"input_tokens": 1000, "output_tokens": 100, "iterations": iterations}}  # fmt: skip
    found = one(message, api="anthropic-messages")
    assert (found.cost.status, found.cost.total_nanousd) == ("partial", 3_000_000)
    assert "unknown_model" in found.cost.reasons


def test_a_cost_that_the_host_states_holds_for_all_that_happened() -> None:
    found = one(chat(usage={**USAGE, "cost": 0.25}), api="openrouter-chat")
    assert (found.cost.status, found.cost.total_nanousd) == ("reported", 250_000_000)


def test_recordings_put_behind_each_other_are_summed_and_flagged() -> None:
    def message(name: str, tokens: int) -> list[dict[str, Any]]:
        usage = {"input_tokens": tokens, "output_tokens": 1}
        return [
            {"type": "message_start", "message": {"id": name, "model": "claude-x", "usage": usage}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 10}},
            {"type": "message_stop"},
        ]

    raw = named_events([*message("a", 100), *message("b", 200)]).decode()
    found = one(raw, api="anthropic-messages-stream")
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens) == (300, 20)
    assert found.finish_reasons == ("end_turn", "end_turn")
    assert "several_responses" in found.flags
    again = named_events([message("a", 100)[0], *message("a", 100)]).decode()
    assert one(again, api="anthropic-messages-stream").usage == one(
        named_events(message("a", 100)).decode(), api="anthropic-messages-stream"
    ).usage  # fmt: skip


def test_a_batchs_results_are_summed_and_each_is_priced() -> None:
    rows = [
        {"custom_id": str(n), "result": {"type": "succeeded", "message": {
            "type": "message", "id": f"m{n}", "model": "claude-x", "content": [], "stop_reason": "end_turn",
            "usage": {"input_tokens": 100, "output_tokens": 10, "service_tier": "batch"}}}}
        for n in range(3)
    ]  # fmt: skip
    rows.append({"custom_id": "3", "result": {"type": "expired"}})
    raw = "".join(json.dumps(row) + "\n" for row in rows)
    url = "https://api.anthropic.com/v1/messages/batches/b/results"
    sent = record(raw, api="anthropic-batches", url=url)
    sent["request"]["method"] = "GET"
    found = priced([counted(of_record(sent), NOW_US)], Shelf())[0]
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens) == (300, 30)
    assert all(call.is_batch for call in found.calls)
    assert found.cost.total_nanousd == 3 * 300_000


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "https://api.openai.com/v1/models"),
        ("POST", "https://api.openai.com/v1/files"),
        ("POST", "https://api.anthropic.com/v1/messages/count_tokens"),
        ("POST", "https://generativelanguage.googleapis.com/v1beta/models/gemini-x:countTokens"),
    ],
)
def test_what_makes_no_model_call_has_no_usage_and_says_so(method: str, url: str) -> None:
    sent = record({"input_tokens": 14, "totalTokens": 14}, api="openai-files", url=url)
    sent["request"]["method"] = method
    line = line_of(counted(of_record(sent), NOW_US))
    assert (line["usage"], line["cost_usd"], line["status"]) == (None, None, "ok")
    assert line["flags"] == ("no_model_call",)


def test_an_unknown_provider_is_counted_by_the_shape_of_its_answer() -> None:
    sent = {"id": 7, "provider": "somebody-new", "api": "somebody-new-thing",
            "response": {"status": 200, "body": json.dumps(chat())}}  # fmt: skip
    found = counted(of_record(sent), NOW_US)
    assert found.usage is not None
    assert found.usage.input_tokens == 1000
    assert line_of(found)["id"] == 7


@pytest.mark.parametrize("line", [b"{", b"5", b'{"id":"a"}', b'{"id":"a","response":{}}', b'{"response":{"body":"?"}}'])
def test_what_cannot_be_read_is_a_line_of_nulls_with_a_flag(line: bytes) -> None:
    found = counted(read_record(line), NOW_US)
    shown = line_of(found)
    assert shown["usage"] is None
    assert shown["cost_usd"] is None
    assert shown["flags"]


def test_a_fault_of_ours_is_named_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(explain, "_counted", broken)
    found = counted(of_record(record(chat())), NOW_US)
    assert found.flags == ("parser_failed", "ZeroDivisionError")
    assert line_of(found)["usage"] is None


def test_the_price_is_that_of_the_recording_else_of_the_response_else_of_now() -> None:
    def at(sent: dict[str, Any], at_us: int | None = None) -> int:
        return counted(of_record(sent), NOW_US, at_us).calls[0].started_at_us

    sent = record(chat())
    assert at(sent) == 1_780_000_000_000_000
    assert at({**sent, "recorded_at": "2026-07-17T11:05:14+00:00"}) == 1_784_286_314_000_000
    assert at(record({**chat(), "created": None})) == NOW_US
    assert at(sent, at_us=1_700_000_000_000_000) == 1_700_000_000_000_000


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("priced", "priced"), "priced"),
        (("free", "free"), "free"),
        (("free", "priced"), "priced"),
        (("priced", "estimated"), "estimated"),
        (("priced", "partial"), "partial"),
        (("priced", "unpriced"), "partial"),
        (("unpriced", "unpriced"), "unpriced"),
    ],
)
def test_costs_together_are_as_good_as_the_worst_of_them(statuses: tuple[Any, ...], expected: str) -> None:
    costs = [Cost(status=s, total_nanousd=None if s == "unpriced" else 5, input_nanousd=2) for s in statuses]
    found = together(costs)
    assert found.status == expected
    known = [cost.total_nanousd for cost in costs if cost.total_nanousd is not None]
    assert found.total_nanousd == (sum(known) if known else None)


def test_the_cost_in_a_line_is_the_exact_amount() -> None:
    found = msgspec.structs.replace(one(chat()), cost=Cost(status="priced", total_nanousd=123_456_789))
    assert Decimal(str(line_of(found)["cost_usd"])) == Decimal("0.123456789")


def test_what_a_stream_told_before_it_broke_off_is_no_sure_price() -> None:
    chunk = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "index": 0}], "modelVersion": "gemini-x",
             "usageMetadata": {"promptTokenCount": 95, "candidatesTokenCount": 3, "totalTokenCount": 98}}  # fmt: skip
    last = {**chunk, "candidates": [{**chunk["candidates"][0], "finishReason": "STOP"}]}  # type: ignore[index]
    url = "https://generativelanguage.googleapis.com/v1beta/models/gemini-x:streamGenerateContent"
    cut = one("[" + json.dumps(chunk) + ",\n", api="gemini-stream", url=url)
    assert (cut.status, cut.cost.status, "usage_estimated" in cut.flags) == ("incomplete", "estimated", True)
    whole = one("[" + json.dumps(last) + "]", api="gemini-stream", url=url)
    assert (whole.status, whole.cost.status, whole.flags) == ("ok", "priced", ())


def test_events_that_were_decoded_by_the_recorder_are_a_whole_answer_without_their_bytes() -> None:
    seen = record("", api="bedrock-converse-stream")
    events = [
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": {"inputTokens": 5, "outputTokens": 1}}),
    ]
    seen["response"] |= {
        "body_encoding": "base64", "decoded_events": [{"event": name, "payload": payload} for name, payload in events],
    }  # fmt: skip
    found = counted(of_record(seen), NOW_US)
    assert (found.status, found.finish_reasons) == ("ok", ("end_turn",))
