"""Anthropic Messages: whole, streamed, counted, and in batches.

`input_tokens` leaves out what was read from or written to the cache. In a stream `message_start` has the input
side and a placeholder of one output token; `message_delta` has the final figures.
"""

from __future__ import annotations

from typing import Any

from tallybook.replay.answer import Answer, Question, Tool, ToolUse, compose, halves, pieces, text_of
from tallybook.replay.exchange import Exchange, dumps, sse, stream_reply
from tallybook.replay.http import Reply, json_reply

_BY_STATUS = {
    400: ("invalid_request_error", "messages: at least one message is required"),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "model: not found"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    529: ("overloaded_error", "Overloaded"),
}


def _error(exchange: Exchange, status: int) -> dict[str, Any]:
    kind, message = _BY_STATUS.get(status, ("api_error", f"The server answered {status}."))
    told = {"type": exchange.scenario.error or kind, "message": exchange.scenario.message or message}
    return {"type": "error", "error": told, "request_id": exchange.new_id("req_")}


def error_reply(exchange: Exchange, status: int) -> Reply:
    """The reply of a failed request."""
    body = _error(exchange, status)
    headers = {"request_id": body["request_id"]}
    if exchange.scenario.retry_after is not None:
        headers["retry_after"] = f"{exchange.scenario.retry_after:g}"
    return json_reply(body, status, **headers)


def _is_tool_result(message: Any) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") == "tool_result" for part in content
    )


def _question(body: dict[str, Any]) -> Question:
    messages = body.get("messages") or [{}]
    offered = [Tool(tool["name"], tool["input_schema"]) for tool in body.get("tools") or () if tool.get("input_schema")]
    wanted = body.get("output_format") or (body.get("output_config") or {}).get("format") or {}
    return Question(
        model=str(body.get("model")),
        prompt=[body.get("system"), messages],
        last=text_of(messages[-1]),
        tools=[] if (body.get("tool_choice") or {}).get("type") == "none" else offered,
        is_tool_result=_is_tool_result(messages[-1]),
        schema=wanted.get("schema"),
        max_tokens=body.get("max_tokens"),
    )


def _stop_reason(answer: Answer) -> str:
    if answer.scenario.finish is not None:
        return answer.scenario.finish
    if answer.refusal:
        return "refusal"
    if answer.uses:
        return "tool_use"
    return "max_tokens" if answer.is_cut else "end_turn"


def _usage(answer: Answer, *, is_batch: bool = False) -> dict[str, Any]:
    scenario = answer.scenario
    written = scenario.cache_write + scenario.cache_write_1h
    used: dict[str, Any] = {
        "input_tokens": max(0, answer.input_tokens - scenario.cached - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": scenario.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": scenario.cache_write,
            "ephemeral_1h_input_tokens": scenario.cache_write_1h,
        },
        "output_tokens": answer.output_tokens,
        "service_tier": "batch" if is_batch else scenario.service_tier or "standard",
    }
    if scenario.web_search:
        used["server_tool_use"] = {"web_search_requests": scenario.web_search, "web_fetch_requests": 0}
    return used


def _use_block(exchange: Exchange, use: ToolUse) -> dict[str, Any]:
    return {"type": "tool_use", "id": exchange.new_id("toolu_"), "name": use.name, "input": dict(use.arguments)}


def _blocks(exchange: Exchange, answer: Answer) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if answer.thought:
        blocks.append({"type": "thinking", "thinking": answer.thought, "signature": "cmVwbGF5"})
    text = answer.refusal or answer.text
    if text:
        blocks.append({"type": "text", "text": text})
    return blocks + [_use_block(exchange, use) for use in answer.uses]


def _message(exchange: Exchange, answer: Answer, model: str, *, is_batch: bool = False) -> dict[str, Any]:
    return {
        "id": exchange.new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": _blocks(exchange, answer),
        "stop_reason": _stop_reason(answer),
        "stop_sequence": None,
        "usage": _usage(answer, is_batch=is_batch),
    }


def _block_events(block: dict[str, Any], index: int) -> list[dict[str, Any]]:
    kind = block["type"]
    if kind == "tool_use":
        empty = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ["", *halves(dumps(block["input"]))]]
    elif kind == "thinking":
        empty = {"type": "thinking", "thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    else:
        empty = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _stream(exchange: Exchange, message: dict[str, Any]) -> Reply:
    start = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    start["usage"].pop("server_tool_use", None)
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(message["content"]):
        begun, *rest = _block_events(block, index)
        events += [begun, {"type": "ping"}, *rest] if index == 0 else [begun, *rest]
    final = {key: value for key, value in message["usage"].items() if key not in ("cache_creation", "service_tier")}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": final})
    events.append({"type": "message_stop"})
    error = _error(exchange, 529)
    return stream_reply(exchange, [sse(event, event["type"]) for event in events], sse(error, "error"))


def messages(exchange: Exchange) -> Reply:
    """POST /v1/messages."""
    answer = compose(_question(exchange.request.json), exchange.scenario)
    message = _message(exchange, answer, exchange.answering_model)
    if exchange.request.json.get("stream"):
        return _stream(exchange, message)
    return json_reply(message, request_id=exchange.new_id("req_"))


def count_tokens(exchange: Exchange) -> Reply:
    """POST /v1/messages/count_tokens."""
    answer = compose(_question(exchange.request.json), exchange.scenario)
    return json_reply({"input_tokens": answer.input_tokens})


def _batch(exchange: Exchange, batch_id: str, count: int, status: str) -> dict[str, Any]:
    is_ended = status == "ended"
    link = f"http://{exchange.request.headers.get('host')}/v1/messages/batches/{batch_id}/results"
    counts = {"processing": 0 if is_ended else count, "succeeded": count if is_ended else 0}
    return {
        "id": batch_id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": {**counts, "errored": 0, "canceled": 0, "expired": 0},
        "created_at": "2026-01-01T00:00:00Z",
        "expires_at": "2026-01-02T00:00:00Z",
        "ended_at": "2026-01-01T00:00:01Z" if is_ended else None,
        "cancel_initiated_at": None,
        "archived_at": None,
        "results_url": link if is_ended else None,
    }


def create_batch(exchange: Exchange) -> Reply:
    """POST /v1/messages/batches: answered at once, told as in progress until it is read."""
    batch_id = exchange.new_id("msgbatch_")
    lines: list[dict[str, Any]] = []
    for entry in exchange.request.json.get("requests") or ():
        answer = compose(_question(entry["params"]), exchange.scenario)
        message = _message(exchange, answer, str(entry["params"].get("model")), is_batch=True)
        lines.append({"custom_id": entry["custom_id"], "result": {"type": "succeeded", "message": message}})
    exchange.memory[batch_id] = lines
    return json_reply(_batch(exchange, batch_id, len(lines), "in_progress"))


def read_batch(exchange: Exchange) -> Reply:
    """GET /v1/messages/batches/{id} and its /results."""
    batch_id = exchange.request.path.removesuffix("/results").rsplit("/", 1)[1]
    lines = exchange.memory.get(batch_id)
    if lines is None:
        return error_reply(exchange, 404)
    if not exchange.request.path.endswith("/results"):
        return json_reply(_batch(exchange, batch_id, len(lines), "ended"))
    body = "".join(dumps(line) + "\n" for line in lines).encode()
    return Reply(headers={"content-type": "application/x-jsonl"}, body=body)
