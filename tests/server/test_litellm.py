from __future__ import annotations

import copy
import gzip
import json

import pytest
from tests.exporters.payload import payloads
from tests.server.conftest import Start

from tallybook.model.call import Call
from tallybook.server.context import Context

SENT = payloads("litellm_callback")
PATH = "/api/ingest/litellm"


def recorded(context: Context) -> list[Call]:
    from tallybook.store.lake.store import LakeStore
    from tallybook.store.open import open_prices

    store = LakeStore(context.settings.folder, open_prices(context.settings))
    try:
        return store.calls(limit=1_000, oldest_first=True)
    finally:
        store.close()


def test_what_the_real_client_sends_in_each_format_is_in_the_ledger_once(start: Start) -> None:
    server = start()
    for sent in SENT:
        assert server.post(PATH, sent.body, **{"content-type": "application/json"}).status == 200
    once = recorded(server.context)
    assert len(once) == 8 + 2
    for sent in SENT:
        server.post(PATH, sent.body)
    assert recorded(server.context) == once


def test_our_price_goes_before_theirs_and_theirs_is_kept(start: Start) -> None:
    server = start()
    server.post(PATH, SENT[0].body)
    first = recorded(server.context)[0]
    assert first.cost is not None and first.cost.status == "priced" and first.metadata["litellm_cost_usd"] > 0


def test_a_model_without_a_price_of_ours_costs_what_litellm_reckons_and_says_so(start: Start) -> None:
    server = start()
    item = copy.deepcopy(SENT[0].json[0]) | {"model": "our-own", "custom_llm_provider": "brand_new"}
    item["response"]["model"] = "our-own"
    assert server.post(PATH, item).status == 200
    cost = recorded(server.context)[0].cost
    assert cost is not None and (cost.status, cost.total_nanousd) == ("estimated", 302_500)


def test_an_item_that_is_wrong_is_told_by_its_place_and_the_others_are_taken(start: Start) -> None:
    server = start()
    reply = server.post(PATH, [5, SENT[0].json[0], {"id": "x"}])
    assert reply.status == 207
    told = reply.json()
    assert (told["accepted"], told["refused"]) == (1, 2)
    assert [(one["index"], one["error"]["code"]) for one in told["errors"]] == [(0, "invalid"), (2, "required")]
    assert server.post(PATH, [5]).status == 400
    assert len(recorded(server.context)) == 1


def test_a_line_that_is_damaged_is_refused_alone(start: Start) -> None:
    server = start()
    good = json.dumps(SENT[0].json[0]).encode()
    reply = server.post(PATH, b"{broken\n" + good + b"\n\n", **{"content-type": "application/x-ndjson"})
    assert reply.status == 207 and reply.json()["errors"][0]["index"] == 0


@pytest.mark.parametrize("body", [b"", b"no", b"{", b"[1,", b"\xff\xfe", b"no\nno", b"[" * 5_000])
def test_what_is_no_json_at_all_is_refused_as_a_whole(start: Start, body: bytes) -> None:
    assert start().post(PATH, body).status == 400


def test_a_packed_body_is_unpacked(start: Start) -> None:
    server = start()
    assert server.post(PATH, gzip.compress(SENT[0].body), **{"content-encoding": "gzip"}).status == 200
    assert len(recorded(server.context)) == 8
