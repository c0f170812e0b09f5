"""What a request says of its own price, a region or a long-lived cache, stands in the record, and prices follow."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("google.genai")
from google import genai
from google.auth.credentials import Credentials
from openai import OpenAI

from tallybook.prices.book import PriceBook
from tallybook.prices.pricer import Pricer
from tallybook.testing import ReplayServer, TemporaryLedger

web: Any = importlib.import_module("httpx2" if importlib.util.find_spec("httpx2") else "httpx")

GENERATED = {
    "candidates": [{"content": {"parts": [{"text": "two"}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100},
    "modelVersion": "gemini-3.5-flash",
}


class _Known(Credentials):  # type: ignore[no-untyped-call,misc,unused-ignore]
    def refresh(self, request: Any) -> None:
        self.token = "known"


def _on_vertex(location: str, response_id: str) -> None:
    credentials = _Known()
    credentials.token = "known"
    transport = web.MockTransport(lambda request: web.Response(200, json=GENERATED | {"responseId": response_id}))
    client = genai.Client(
        vertexai=True, project="p", location=location, credentials=credentials,
        http_options={"httpx_client": web.Client(transport=transport)},
    )  # fmt: skip
    client.models.generate_content(model="gemini-3.5-flash", contents="How many moons has Mars?")
    client.close()


@pytest.mark.filterwarnings("ignore")
def test_a_region_of_vertex_is_told_and_costs_a_tenth_more_than_the_global_endpoint(ledger: TemporaryLedger) -> None:
    _on_vertex("global", "a")
    _on_vertex("us-central1", "b")
    records = {record.base_url: record for record in ledger.calls()}
    assert {record.provider for record in records.values()} == {"google-vertex"}
    pricer = Pricer(PriceBook())
    anywhere, regional = (pricer.cost(records[url]) for url in (None, "us-central1-aiplatform.googleapis.com"))
    assert (anywhere.status, regional.status) == ("priced", "priced")
    assert anywhere.total_nanousd and regional.total_nanousd == anywhere.total_nanousd * 11 // 10


@pytest.mark.parametrize("operation", ["chat", "responses"])
def test_how_long_the_prompts_cache_shall_live_is_told(ledger: TemporaryLedger, operation: str) -> None:
    with ReplayServer() as server, OpenAI(api_key="k", base_url=f"{server.url}/v1") as client:
        for retention in ("24h", None, "24h", "24h"):
            given: dict[str, Any] = {} if retention is None else {"prompt_cache_retention": retention}
            if operation == "chat":
                client.chat.completions.create(model="gpt-5.6", messages=[{"role": "user", "content": "hi"}], **given)
            else:
                client.responses.create(model="gpt-5.6", input="hi", **given)
    told = [record.flags for record in sorted(ledger.calls(), key=lambda record: record.call_id)]
    assert told == [("cache_ttl:24h",), (), ("cache_ttl:24h",), ("cache_ttl:24h",)]


def test_size_and_quality_of_asked_images_are_told(server: ReplayServer, ledger: TemporaryLedger) -> None:
    with OpenAI(api_key="k", base_url=f"{server.url}/v1") as client:
        client.images.generate(model="dall-e-3", prompt="a moon", size="1024x1024", quality="hd")
    [record] = ledger.calls()
    assert record.flags[-2:] == ("image_quality:hd", "image_size:1024x1024")
