"""The same answer, whole and as a stream, counts the same: recorded whole answers are cut up as providers do it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.framing import crlf, named, plain, streamed
from tallybook.providers.anthropic_messages import MESSAGES
from tallybook.providers.base import Format
from tallybook.providers.google_generate import GENERATE
from tallybook.providers.openai_chat import CHAT
from tallybook.providers.openai_responses import RESPONSES


def pieces(text: Any) -> list[str]:
    """A text in up to four pieces."""
    if not isinstance(text, str) or not text:
        return []
    size = max(1, len(text) // 3)
    return [text[start : start + size] for start in range(0, len(text), size)]


def chat(body: dict[str, Any]) -> bytes:
    """Deltas of one choice after the other, the finish, then a last chunk with the usage and no choices."""
    head = {key: body[key] for key in ("id", "model", "created", "service_tier") if key in body}
    chunks: list[dict[str, Any]] = []
    for choice in body["choices"]:
        index, message = choice["index"], choice.get("message") or {}
        deltas: list[dict[str, Any]] = [{"role": "assistant"}]
        deltas += [{"content": piece} for piece in pieces(message.get("content"))]
        deltas += [{"refusal": piece} for piece in pieces(message.get("refusal"))]
        deltas += [{"reasoning_content": piece} for piece in pieces(message.get("reasoning_content"))]
        if message.get("function_call"):
            deltas.append({"function_call": message["function_call"]})
        for place, call in enumerate(message.get("tool_calls") or ()):
            function = {**call.get("function", {}), "arguments": ""}
            deltas.append({"tool_calls": [{**call, "index": place, "function": function}]})
            deltas += [
                {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}
                for piece in pieces(call.get("function", {}).get("arguments"))
            ]
        chunks += [{**head, "choices": [{"index": index, "delta": delta}], "usage": None} for delta in deltas]
        chunks.append(
            {**head, "choices": [{"index": index, "delta": {}, "finish_reason": choice.get("finish_reason")}]}
        )
    chunks.append({**head, "choices": [], "usage": body["usage"]})
    return plain(chunks)


def responses(body: dict[str, Any]) -> bytes:
    """The created response without what it will come to, its items, then the whole."""
    begun = {**body, "status": "in_progress", "usage": None, "output": []}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    for place, item in enumerate(body["output"]):
        events.append({"type": "response.output_item.added", "output_index": place, "item": {**item, "content": []}})
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    events.append({"type": f"response.{body.get('status') or 'completed'}", "response": body})
    return named(events)


def messages(body: dict[str, Any]) -> bytes:
    """A start with the input and a placeholder, blocks in pieces, and the final usage in the last delta."""
    usage = body["usage"]
    start = {**body, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    for place, block in enumerate(body["content"]):
        kind = block["type"]
        field, delta, key = {
            "text": ("text", "text_delta", "text"),
            "thinking": ("thinking", "thinking_delta", "thinking"),
        }.get(kind, ("input", "input_json_delta", "partial_json"))
        begun = {**block, field: "" if isinstance(block.get(field), str) else {}} if field in block else block
        events.append({"type": "content_block_start", "index": place, "content_block": begun})
        if field in block:
            text = block[field] if isinstance(block[field], str) else json.dumps(block[field])
            events += [
                {"type": "content_block_delta", "index": place, "delta": {"type": delta, key: piece}}
                for piece in pieces(text)
            ]
        events.append({"type": "content_block_stop", "index": place})
    final = {key: value for key, value in usage.items() if key != "service_tier"}
    events.append({"type": "message_delta", "delta": {"stop_reason": body["stop_reason"]}, "usage": final})
    events.append({"type": "message_stop"})
    return named(events)


def generate(body: dict[str, Any]) -> bytes:
    """A first chunk with part of the usage, then the whole answer as the last."""
    usage = {key: value for key, value in body["usageMetadata"].items() if key.startswith("prompt")}
    first = {"candidates": [{"content": {"parts": [], "role": "model"}}], "usageMetadata": usage}
    return crlf([first, body])


WAYS: tuple[tuple[str, Format, Callable[[dict[str, Any]], bytes], str], ...] = (
    ("openai-chat", CHAT, chat, "choices"),
    ("mistral-chat", CHAT, chat, "choices"),
    ("deepseek-chat", CHAT, chat, "choices"),
    ("openrouter-chat", CHAT, chat, "choices"),
    ("openai-responses", RESPONSES, responses, "output"),
    ("anthropic-messages", MESSAGES, messages, "content"),
    ("gemini-generate", GENERATE, generate, "candidates"),
    ("vertex-gemini", GENERATE, generate, "candidates"),
)


def bodies(path: Path, needed: str) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        record = json.loads(line)
        try:
            body = json.loads(record["response"]["body"])
        except ValueError:
            continue
        is_answer = (
            record["response"]["status"] == 200 and isinstance(body, dict) and isinstance(body.get(needed), list)
        )
        if is_answer and (body.get("usage") or body.get("usageMetadata", {}).get("totalTokenCount")):
            yield body


@pytest.mark.parametrize(("name", "form", "cut_up", "needed"), WAYS, ids=[way[0] for way in WAYS])
def test_a_recorded_answer_counts_the_same_as_a_stream(
    name: str, form: Format, cut_up: Callable[[dict[str, Any]], bytes], needed: str, corpus: Path
) -> None:
    count = 0
    for body in bodies(corpus / f"{name}.jsonl", needed):
        if body.get("status") in ("queued", "in_progress"):
            continue
        count += 1
        whole = form.parse(json.dumps(body).encode())
        parts = streamed(form, cut_up(body))
        for field in (
            "usage",
            "response_id",
            "response_model",
            "finish_reasons",
            "cost_nanousd",
            "is_complete",
            "flags",
        ):
            assert getattr(parts, field) == getattr(whole, field), (field, body.get("id"))
        assert [(t.name, t.server_side) for t in parts.tool_calls] == [
            (t.name, t.server_side) for t in whole.tool_calls
        ]
    assert count > 15
