"""OpenAI Responses: whole, streamed as numbered typed events, and read again by id.

A background response is `queued` with `usage: null` until it is read again.
"""

from __future__ import annotations

from typing import Any

from tallybook.replay.answer import Answer, Question, Tool, compose, halves, pieces, text_of
from tallybook.replay.exchange import Exchange, sse, stream_reply
from tallybook.replay.http import Reply, json_reply
from tallybook.replay.openai_error import error_body, error_reply

Item = dict[str, Any]


def _question(exchange: Exchange) -> Question:
    body = exchange.request.json
    given = body.get("input") or ""
    last: Any = given if isinstance(given, str) else given[-1]
    tools = [Tool(tool["name"], tool.get("parameters") or {}) for tool in body.get("tools") or () if "name" in tool]
    wanted = (body.get("text") or {}).get("format") or {}
    return Question(
        model=exchange.model,
        prompt=[body.get("instructions"), given],
        last=text_of(last),
        tools=[] if body.get("tool_choice") == "none" else tools,
        is_tool_result=isinstance(last, dict) and last.get("type") == "function_call_output",
        schema=wanted.get("schema"),
        max_tokens=body.get("max_output_tokens"),
    )


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": answer.scenario.cached},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": answer.reasoning},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def _items(exchange: Exchange, answer: Answer) -> list[Item]:
    items: list[Item] = []
    if answer.reasoning:
        items.append({"id": exchange.new_id("rs_"), "type": "reasoning", "summary": [], "status": "completed"})
    for _ in range(answer.scenario.web_search):
        action = {"type": "search", "query": "replay"}
        items.append({"id": exchange.new_id("ws_"), "type": "web_search_call", "status": "completed", "action": action})
    for use in answer.uses:
        items.append(
            {
                "id": exchange.new_id("fc_"),
                "type": "function_call",
                "status": "completed",
                "name": use.name,
                "call_id": exchange.new_id("call_"),
                "arguments": use.json,
            }
        )
    if answer.text or answer.refusal:
        part: Item = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        if answer.refusal:
            part = {"type": "refusal", "refusal": answer.refusal}
        status = "incomplete" if answer.is_cut else "completed"
        items.append(
            {"id": exchange.new_id("msg_"), "type": "message", "status": status, "role": "assistant", "content": [part]}
        )
    return items


def _response(exchange: Exchange, answer: Answer) -> dict[str, Any]:
    body = exchange.request.json
    return {
        "id": exchange.new_id("resp_"),
        "object": "response",
        "created_at": exchange.now,
        "status": "incomplete" if answer.is_cut else "completed",
        "background": bool(body.get("background")),
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if answer.is_cut else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": exchange.answering_model,
        "output": _items(exchange, answer),
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "service_tier": exchange.scenario.service_tier or "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None if answer.scenario.usage == "never" else _usage(answer),
        "user": None,
        "metadata": body.get("metadata") or {},
    }


def _text_events(item: Item, index: int) -> list[Item]:
    """Events of a message between its `added` and its `done`."""
    part = item["content"][0]
    word = "text" if part["type"] == "output_text" else "refusal"
    kind = "output_text" if word == "text" else "refusal"
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    more: Item = {"logprobs": []} if word == "text" else {}
    events: list[Item] = [{"type": "response.content_part.added", **place, "part": {**part, word: ""}}]
    events += [{"type": f"response.{kind}.delta", **place, "delta": piece, **more} for piece in pieces(part[word])]
    events.append({"type": f"response.{kind}.done", **place, word: part[word], **more})
    events.append({"type": "response.content_part.done", **place, "part": part})
    return events


def _call_events(item: Item, index: int) -> list[Item]:
    place = {"item_id": item["id"], "output_index": index}
    kind = "response.function_call_arguments"
    events: list[Item] = [{"type": f"{kind}.delta", **place, "delta": part} for part in halves(item["arguments"])]
    events.append({"type": f"{kind}.done", **place, "arguments": item["arguments"]})
    return events


def _events(response: dict[str, Any]) -> list[Item]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events: list[Item] = [
        {"type": "response.created", "response": {**begun, "service_tier": "auto"}},
        {"type": "response.in_progress", "response": {**begun, "service_tier": "auto"}},
    ]
    for index, item in enumerate(response["output"]):
        bare = {**item, "status": "in_progress"}
        bare.update({"arguments": ""} if "arguments" in item else {})
        bare.update({"content": []} if "content" in item else {})
        events.append({"type": "response.output_item.added", "output_index": index, "item": bare})
        if item["type"] == "message":
            events += _text_events(item, index)
        elif item["type"] == "function_call":
            events += _call_events(item, index)
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": f"response.{response['status']}", "response": response})
    return events


def _stream(exchange: Exchange, response: dict[str, Any]) -> Reply:
    events = [
        sse({"type": event["type"], "sequence_number": number, **event}, event["type"])
        for number, event in enumerate(_events(response))
    ]
    told = {
        "type": "error",
        "sequence_number": exchange.scenario.error_after,
        "error": error_body(exchange, 500),
    }
    return stream_reply(exchange, events, sse(told, "error"))


def create(exchange: Exchange) -> Reply:
    """POST /v1/responses."""
    response = _response(exchange, compose(_question(exchange), exchange.scenario))
    exchange.memory[response["id"]] = response
    if exchange.request.json.get("stream"):
        return _stream(exchange, response)
    if response["background"]:
        response = {**response, "status": "queued", "output": [], "usage": None}
    return json_reply(response, x_request_id=exchange.new_id("req_"))


def read(exchange: Exchange) -> Reply:
    """GET /v1/responses/{id}: the same id and usage again."""
    response = exchange.memory.get(exchange.request.path.rsplit("/", 1)[1])
    return error_reply(exchange, 404) if response is None else json_reply(response)
