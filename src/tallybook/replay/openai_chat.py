"""OpenAI chat completions and the older text completions.

In a stream, usage comes in one chunk of its own, without choices, and only when `stream_options.include_usage`
asked for it; the other chunks then carry `usage: null`, and otherwise no such key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallybook.replay.answer import Answer, Question, Tool, compose, halves, pieces, text_of
from tallybook.replay.exchange import Exchange, sse, stream_reply
from tallybook.replay.http import Reply, json_reply
from tallybook.replay.openai_error import error_reply, stream_error

_DONE = sse("[DONE]")


def question(exchange: Exchange) -> Question:
    """The request in neutral words."""
    body = exchange.request.json
    messages = body.get("messages") or []
    last: Mapping[str, Any] = messages[-1] if messages else {}
    tools = [
        Tool(tool["function"]["name"], tool["function"].get("parameters") or {})
        for tool in body.get("tools") or ()
        if "function" in tool
    ]
    wanted = (body.get("response_format") or {}).get("json_schema") or {}
    return Question(
        model=exchange.model,
        prompt=messages,
        last=text_of(last.get("content")),
        tools=[] if body.get("tool_choice") == "none" else tools,
        is_tool_result=last.get("role") == "tool",
        schema=wanted.get("schema"),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
    )


def usage(answer: Answer) -> dict[str, Any]:
    """The usage object: cached input and reasoning are parts of their totals."""
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.scenario.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": answer.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def finish(answer: Answer) -> str:
    """The finish reason."""
    if answer.scenario.finish is not None:
        return answer.scenario.finish
    if answer.uses:
        return "tool_calls"
    return "length" if answer.is_cut else "stop"


def _message(answer: Answer, call_ids: list[str]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": answer.refusal}
    if answer.uses:
        message["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": use.name, "arguments": use.json}}
            for call_id, use in zip(call_ids, answer.uses, strict=True)
        ]
    message["annotations"] = []
    return message


def whole(exchange: Exchange, answer: Answer) -> dict[str, Any]:
    """The body of a chat completion."""
    choices = [
        {
            "index": index,
            "message": _message(answer, [exchange.new_id("call_") for _ in answer.uses]),
            "logprobs": None,
            "finish_reason": finish(answer),
        }
        for index in range(exchange.request.json.get("n") or 1)
    ]
    body = {
        "id": exchange.new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": exchange.now,
        "model": exchange.answering_model,
        "choices": choices,
        "usage": usage(answer),
        "service_tier": exchange.scenario.service_tier or "default",
        "system_fingerprint": "fp_replay",
    }
    if exchange.scenario.usage == "never":
        del body["usage"]
    return body


def _deltas(exchange: Exchange, answer: Answer) -> list[tuple[dict[str, Any], str | None]]:
    """(delta, finish reason) of each chunk of one choice."""
    found: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": "", "refusal": None}, None)]
    found += [({"content": piece}, None) for piece in pieces(answer.text)]
    found += [({"refusal": piece}, None) for piece in pieces(answer.refusal or "")]
    for index, use in enumerate(answer.uses):
        head = {"name": use.name, "arguments": ""}
        first = {"index": index, "id": exchange.new_id("call_"), "type": "function", "function": head}
        found.append(({"tool_calls": [first]}, None))
        found += [
            ({"tool_calls": [{"index": index, "function": {"arguments": part}}]}, None) for part in halves(use.json)
        ]
    found.append(({}, finish(answer)))
    return found


def _stream(exchange: Exchange, answer: Answer) -> Reply:
    base: dict[str, Any] = {
        "id": exchange.new_id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": exchange.now,
        "model": exchange.answering_model,
        "service_tier": exchange.scenario.service_tier or "default",
        "system_fingerprint": "fp_replay",
    }
    told = exchange.scenario.usage
    is_asked = bool((exchange.request.json.get("stream_options") or {}).get("include_usage")) and told == "asked"
    null: dict[str, Any] = {"usage": None} if is_asked else {}
    chunks = [
        {**base, "choices": [{"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}], **null}
        for index in range(exchange.request.json.get("n") or 1)
        for delta, reason in _deltas(exchange, answer)
    ]
    if is_asked:
        chunks.append({**base, "choices": [], "usage": usage(answer)})
    elif told == "always":
        chunks[-1]["usage"] = usage(answer)
    return stream_reply(exchange, [*map(sse, chunks), _DONE], stream_error(exchange))


def refused_options(exchange: Exchange) -> Reply | None:
    """The refusal of a host that does not know `stream_options`; `None` when there is nothing to refuse."""
    if exchange.scenario.stream_options or "stream_options" not in exchange.request.json:
        return None
    return error_reply(exchange, 400, "stream_options")


def chat(exchange: Exchange) -> Reply:
    """POST /v1/chat/completions."""
    answer = compose(question(exchange), exchange.scenario)
    if not exchange.request.json.get("stream"):
        return json_reply(whole(exchange, answer), x_request_id=exchange.new_id("req_"))
    return refused_options(exchange) or _stream(exchange, answer)


def completions(exchange: Exchange) -> Reply:
    """POST /v1/completions."""
    body = exchange.request.json
    prompt = body.get("prompt") or ""
    asked = Question(model=exchange.model, prompt=prompt, last=text_of(prompt), max_tokens=body.get("max_tokens", 16))
    answer = compose(asked, exchange.scenario)
    used = {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
    base: dict[str, Any] = {
        "id": exchange.new_id("cmpl-"),
        "object": "text_completion",
        "created": exchange.now,
        "model": exchange.answering_model,
    }

    def choice(text: str, reason: str | None) -> list[dict[str, Any]]:
        return [{"text": text, "index": 0, "logprobs": None, "finish_reason": reason}]

    if not body.get("stream"):
        told = {} if exchange.scenario.usage == "never" else {"usage": used}
        return json_reply({**base, "choices": choice(answer.text, finish(answer)), **told})
    if (refused := refused_options(exchange)) is not None:
        return refused
    is_asked = bool((body.get("stream_options") or {}).get("include_usage"))
    null: dict[str, Any] = {"usage": None} if is_asked else {}
    chunks = [{**base, "choices": choice(piece, None), **null} for piece in pieces(answer.text)]
    chunks.append({**base, "choices": choice("", finish(answer)), **null})
    if is_asked:
        chunks.append({**base, "choices": [], "usage": used})
    return stream_reply(exchange, [*map(sse, chunks), _DONE], stream_error(exchange))
