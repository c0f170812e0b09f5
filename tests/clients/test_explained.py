"""What capture records of an SDK's call is what `explain` says of the same recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")
import anthropic
import openai

from clients.described import sync_outcome
from clients.test_corpus import ask, usable
from tallybook.model.call import Call
from tallybook.query.explain import Explained, counted
from tallybook.query.interaction import of_record
from tallybook.testing import ReplayServer, temporary_ledger

NOW_US = 1_790_000_000_000_000


def both(items: list[dict[str, Any]], run: Callable[[ReplayServer], Any]) -> list[tuple[Call, Explained]]:
    """The ledger's record and the explanation of each recording, side by side."""
    with ReplayServer(recordings=items) as server, temporary_ledger() as ledger:
        run(server)
        records = {record.response_id: record for record in ledger.calls() if "part_of_call" not in record.flags}
    explained = {one.response_id: one for one in (counted(of_record(item), NOW_US) for item in items)}
    assert records.keys() == explained.keys()
    return [(record, explained[response_id]) for response_id, record in records.items()]


def same(pairs: list[tuple[Call, Explained]]) -> None:
    compared = 0
    for record, one in pairs:
        assert record.response_model == one.response_model
        assert record.finish_reasons == one.finish_reasons
        assert record.service_tier == one.service_tier
        assert record.status == one.status
        assert [(t.name, t.server_side) for t in record.tool_calls] == [(t.name, t.server_side) for t in one.tool_calls]
        if "usage_estimated" not in record.flags and one.usage is not None:
            compared += 1
            assert record.usage == one.usage
        elif one.usage is None:
            assert "usage_estimated" in record.flags or record.usage.total_tokens is None
    assert compared > len(pairs) / 3


@pytest.mark.parametrize(
    ("name", "end", "resource", "needed"),
    [
        ("openai-chat", "/v1/chat/completions", "chat.completions", ("model", "messages")),
        ("openai-chat-stream", "/v1/chat/completions", "chat.completions", ("model", "messages")),
        ("openai-responses", "/v1/responses", "responses", ("model", "input")),
        ("openai-responses-stream", "/v1/responses", "responses", ("model", "input")),
    ],
)
def test_openais_calls_are_recorded_as_they_are_explained(
    name: str, end: str, resource: str, needed: tuple[str, ...], corpus: Path, contained: list[str]
) -> None:
    items = usable(corpus, name, "api.openai.com", end)

    def run(server: ReplayServer) -> None:
        with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
            method: Any = client
            for part in resource.split("."):
                method = getattr(method, part)
            for item in items:
                sync_outcome(lambda item=item: ask(method.create, item, needed))

    same(both(items, run))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["anthropic-messages", "anthropic-messages-stream"])
def test_anthropics_calls_are_recorded_as_they_are_explained(name: str, corpus: Path, contained: list[str]) -> None:
    items = usable(corpus, name, "api.anthropic.com", "/v1/messages")

    def run(server: ReplayServer) -> None:
        with anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0, timeout=60) as client:
            for item in items:
                sync_outcome(lambda item=item: ask(client.messages.create, item, ("model", "messages", "max_tokens")))

    same(both(items, run))
