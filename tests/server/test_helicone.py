from __future__ import annotations

import pytest
from tests.exporters.payload import payloads
from tests.server.conftest import Start
from tests.server.test_litellm import recorded

SENT = payloads("helicone_helpers_logger")


def test_what_the_real_logger_sends_is_in_the_ledger_once_with_our_price(start: Start) -> None:
    server = start()
    for _ in range(2):
        for sent in SENT:
            assert server.ask("POST", sent.path, sent.body, sent.headers).status == 200
    calls = recorded(server.context)
    assert len(calls) == 4 and {call.provider for call in calls} == {"openai", "anthropic"}
    assert all(call.cost is not None and call.cost.status == "priced" for call in calls)
    assert server.context.gauge.total("tallybook_records_accepted_total", "helicone", "step") == 2


def test_the_answer_tells_the_id_and_a_refusal_the_remedy(start: Start) -> None:
    server = start()
    told = server.ask("POST", SENT[0].path, SENT[0].body, SENT[0].headers).json()
    assert told == {"id": recorded(server.context)[0].call_id}
    refused = server.post("/custom/v1/log", {"providerRequest": {}})
    assert refused.status == 400 and refused.json()["error"]["field"] == "timing.startTime"
    assert refused.json()["error"]["hint"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 5_000])
def test_what_is_no_json_is_refused(start: Start, body: bytes) -> None:
    assert start().post("/custom/v1/log", body).status == 400
