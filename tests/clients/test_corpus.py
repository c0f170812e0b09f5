"""Recorded traffic of real providers through the real SDKs: the caller gets the same, the ledger the true figures.

What a recording's usage is, is read here by a few lines of our own, not by the product's code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")
import anthropic
import openai

from clients.described import drained, sync_outcome
from tallybook.replay import recording
from tallybook.testing import ReplayServer, temporary_ledger

AT_MOST = 120
"""Recordings of a kind: all of them take minutes and say little more."""


def bodies(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The JSON objects of a recorded response, whole or streamed."""
    text = item["response"]["body"]
    if text.lstrip().startswith(("data:", "event:")):
        for line in re.findall(r"^data: ?(\{.*)$", text, re.MULTILINE):
            yield json.loads(line)
    else:
        yield json.loads(text)


def openai_figures(item: dict[str, Any]) -> tuple[Any, ...]:
    """(id, input, output, cached, reasoning) of a chat or a response."""
    found: dict[str, Any] = {}
    response_id = None
    for body in bodies(item):
        body = body.get("response", body)
        response_id = body.get("id") or response_id
        found = body.get("usage") or found
    reads = found.get("prompt_tokens_details") or found.get("input_tokens_details") or {}
    writes = found.get("completion_tokens_details") or found.get("output_tokens_details") or {}
    return (
        response_id,
        found.get("prompt_tokens", found.get("input_tokens")),
        found.get("completion_tokens", found.get("output_tokens")),
        reads.get("cached_tokens"),
        writes.get("reasoning_tokens"),
    )


def anthropic_figures(item: dict[str, Any]) -> tuple[Any, ...]:
    """The same of a message, the cache added to the input; in a stream later figures replace earlier ones."""
    found: dict[str, Any] = {}
    response_id = None
    for body in bodies(item):
        message = body.get("message", body)
        response_id = message.get("id") or response_id
        found.update({key: value for key, value in (message.get("usage") or {}).items() if value is not None})
    parts = [found.get(key) for key in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")]
    total = None if parts[0] is None else sum(part or 0 for part in parts)
    return response_id, total, found.get("output_tokens"), found.get("cache_read_input_tokens"), None


def usable(corpus: Path, name: str, host: str, end: str) -> list[dict[str, Any]]:
    found = [
        item
        for item in recording.read(corpus / f"{name}.jsonl")
        if item["kind"] == "recorded"
        and item["response"]["status"] == 200
        and host in item["request"]["url"]
        and item["request"]["url"].partition("?")[0].endswith(end)
        and item["request"]["method"] == "POST"
        and "model" in item["request"]["body"]
        and item["response"]["body"]
    ]
    return found[:AT_MOST]


def ask(method: Callable[..., Any], item: dict[str, Any], needed: tuple[str, ...]) -> Any:
    """One recorded request through an SDK's method: what it does not know goes as it is."""
    body = json.loads(item["request"]["body"])
    given = {key: body.pop(key) for key in (*needed, "stream") if key in body}
    made = method(**given, extra_body=body)
    return drained(made) if given.get("stream") else made


def compare(
    items: list[dict[str, Any]],
    run: Callable[[ReplayServer], list[Any]],
    figures: Callable[[dict[str, Any]], tuple[Any, ...]],
) -> None:
    """Both runs see the same, and each record has the figures of the recording with its id."""
    assert items
    with ReplayServer(recordings=items) as server:
        bare = run(server)
    with ReplayServer(recordings=items) as server, temporary_ledger() as ledger:
        watched = run(server)
        records = [record for record in ledger.calls() if "part_of_call" not in record.flags]
    assert watched == bare
    assert len(records) == len(items)
    expected: dict[Any, list[tuple[Any, ...]]] = {}
    for item in items:
        expected.setdefault(figures(item)[0], []).append(figures(item)[1:])
    for record in records:
        use = record.usage
        seen = (use.input_tokens, use.output_tokens, use.cache_read_tokens, use.reasoning_tokens)
        if "usage_estimated" in record.flags:
            assert any(figure[0] is None or figure[1] is None for figure in expected[record.response_id])
            continue
        told = expected[record.response_id]
        assert any(
            all(wanted is None or wanted == got for wanted, got in zip(figure, seen, strict=True)) for figure in told
        ), (record, told)


@pytest.mark.parametrize(
    ("name", "end", "resource", "needed"),
    [
        ("openai-chat", "/v1/chat/completions", "chat.completions", ("model", "messages")),
        ("openai-chat-stream", "/v1/chat/completions", "chat.completions", ("model", "messages")),
        ("openai-responses", "/v1/responses", "responses", ("model", "input")),
        ("openai-responses-stream", "/v1/responses", "responses", ("model", "input")),
    ],
)
def test_recorded_openai_traffic(
    name: str, end: str, resource: str, needed: tuple[str, ...], corpus: Path, contained: list[str]
) -> None:
    items = usable(corpus, name, "api.openai.com", end)

    def run(server: ReplayServer) -> list[Any]:
        with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
            method: Any = client
            for part in resource.split("."):
                method = getattr(method, part)
            return [sync_outcome(lambda item=item: ask(method.create, item, needed)) for item in items]

    compare(items, run, openai_figures)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["anthropic-messages", "anthropic-messages-stream"])
def test_recorded_anthropic_traffic(name: str, corpus: Path, contained: list[str]) -> None:
    items = usable(corpus, name, "api.anthropic.com", "/v1/messages")

    def run(server: ReplayServer) -> list[Any]:
        with anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0, timeout=60) as client:
            create = client.messages.create
            return [
                sync_outcome(lambda item=item: ask(create, item, ("model", "messages", "max_tokens"))) for item in items
            ]

    compare(items, run, anthropic_figures)
