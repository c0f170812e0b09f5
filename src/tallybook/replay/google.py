"""Gemini: generateContent, streamGenerateContent, embeddings, token counts, images, inlined batches.

Reasoning is not part of `candidatesTokenCount`. Every chunk of a stream has usage, and the last one's holds.
Lines end in CRLF; without `alt=sse` a stream is one JSON array.
"""

from __future__ import annotations

from typing import Any

from tallybook.replay.answer import Answer, Question, Tool, compose, pieces, text_of, tokens
from tallybook.replay.exchange import Exchange, dumps, sse, stream_reply
from tallybook.replay.http import Reply, json_reply
from tallybook.replay.openai_other import PIXEL, vector

_BY_STATUS = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "The caller does not have permission."),
    404: ("NOT_FOUND", "The model is not found for this API version."),
    429: ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
    500: ("INTERNAL", "An internal error has occurred."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
}


def _error(exchange: Exchange, status: int) -> dict[str, Any]:
    word, message = _BY_STATUS.get(status, ("UNKNOWN", f"The server answered {status}."))
    scenario = exchange.scenario
    error: dict[str, Any] = {
        "code": status,
        "message": scenario.message or message,
        "status": scenario.error or word,
    }
    if scenario.retry_after is not None:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        error["details"] = [{"@type": kind, "retryDelay": f"{scenario.retry_after:g}s"}]
    return {"error": error}


def error_reply(exchange: Exchange, status: int) -> Reply:
    """The reply of a failed request."""
    return json_reply(_error(exchange, status), status)


_SCHEMA_KEYS = ("parameters", "parametersJsonSchema", "parameters_json_schema")


def _schema(declaration: dict[str, Any]) -> Any:
    return next((declaration[key] for key in _SCHEMA_KEYS if declaration.get(key)), {})


def _question(exchange: Exchange, body: dict[str, Any]) -> Question:
    contents = body.get("contents") or [{}]
    config = body.get("generationConfig") or {}
    declared = [item for tool in body.get("tools") or () for item in tool.get("functionDeclarations") or ()]
    last = contents[-1].get("parts") or []
    return Question(
        model=exchange.model,
        prompt=[body.get("systemInstruction"), contents],
        last=text_of(last),
        tools=[Tool(item["name"], _schema(item)) for item in declared],
        is_tool_result=any("functionResponse" in part for part in last),
        schema=config.get("responseSchema") or config.get("responseJsonSchema"),
        max_tokens=config.get("maxOutputTokens"),
    )


def _usage(answer: Answer, output_tokens: int | None = None) -> dict[str, Any]:
    scenario = answer.scenario
    visible = (answer.output_tokens if output_tokens is None else output_tokens) - answer.reasoning
    used: dict[str, Any] = {
        "promptTokenCount": answer.input_tokens,
        "candidatesTokenCount": max(0, visible),
        "totalTokenCount": answer.input_tokens + max(0, visible) + answer.reasoning,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": answer.input_tokens}],
    }
    if answer.reasoning:
        used["thoughtsTokenCount"] = answer.reasoning
    if scenario.cached:
        used["cachedContentTokenCount"] = scenario.cached
        used["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": scenario.cached}]
    return used


def _finish(answer: Answer) -> str:
    if answer.scenario.finish is not None:
        return answer.scenario.finish
    return "MAX_TOKENS" if answer.is_cut else "STOP"


def _call_parts(answer: Answer) -> list[dict[str, Any]]:
    return [{"functionCall": {"name": use.name, "args": dict(use.arguments)}} for use in answer.uses]


def _body(exchange: Exchange, answer: Answer) -> dict[str, Any]:
    tail = {"modelVersion": exchange.answering_model, "responseId": exchange.new_id("g")}
    told: dict[str, Any] = {} if answer.scenario.usage == "never" else {"usageMetadata": _usage(answer)}
    if answer.refusal:
        told.pop("usageMetadata", None)
        blocked = {"promptTokenCount": answer.input_tokens, "totalTokenCount": answer.input_tokens}
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": blocked, **tail}
    parts: list[dict[str, Any]] = [{"text": answer.text}] if answer.text else []
    if "image" in exchange.model:
        parts.append({"inlineData": {"mimeType": "image/png", "data": PIXEL}})
    candidate: dict[str, Any] = {
        "content": {"parts": parts + _call_parts(answer), "role": "model"},
        "finishReason": _finish(answer),
        "index": 0,
    }
    if answer.scenario.web_search:
        candidate["groundingMetadata"] = {"webSearchQueries": ["replay"] * answer.scenario.web_search}
    return {"candidates": [candidate], **told, **tail}


def generate(exchange: Exchange) -> Reply:
    """POST /v1beta/models/{model}:generateContent."""
    answer = compose(_question(exchange, exchange.request.json), exchange.scenario)
    return json_reply(_body(exchange, answer))


def stream(exchange: Exchange) -> Reply:
    """POST /v1beta/models/{model}:streamGenerateContent."""
    answer = compose(_question(exchange, exchange.request.json), exchange.scenario)
    last = _body(exchange, answer)
    chunks: list[dict[str, Any]] = []
    words = pieces(answer.text)
    seen = answer.reasoning
    for start in range(0, len(words), 4):
        text = "".join(words[start : start + 4])
        seen += tokens(text)
        candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
        told = {} if answer.scenario.usage == "never" else {"usageMetadata": _usage(answer, seen)}
        tail = {"modelVersion": last["modelVersion"], "responseId": last["responseId"]}
        chunks.append({"candidates": [candidate], **told, **tail})
    if "candidates" in last:
        last["candidates"][0]["content"]["parts"] = _call_parts(answer) or [{"text": ""}]
    chunks.append(last)
    error = _error(exchange, 503)
    if exchange.request.query.get("alt") == "sse":
        return stream_reply(exchange, [sse(c, end="\r\n") for c in chunks], sse(error, end="\r\n"))
    marks = ["[", *[",\r\n"] * (len(chunks) - 1)]
    array = [(mark + dumps(chunk)).encode() for mark, chunk in zip(marks, chunks, strict=True)]
    return stream_reply(exchange, [*array, b"]"], f",\r\n{dumps(error)}]".encode(), "application/json")


def _embedding(content: Any, size: int) -> tuple[dict[str, Any], int]:
    text = text_of(content)
    return {"values": vector(text, size)}, tokens(text)


def embed(exchange: Exchange) -> Reply:
    """POST …:embedContent and …:batchEmbedContents."""
    body = exchange.request.json
    entries = body.get("requests")
    made = [
        _embedding(entry.get("content"), entry.get("outputDimensionality") or 16)
        for entry in ([body] if entries is None else entries)
    ]
    count = sum(tokens_used for _, tokens_used in made)
    used = {"promptTokenCount": count, "promptTokenDetails": [{"modality": "TEXT", "tokenCount": count}]}
    if entries is None:
        return json_reply({"embedding": made[0][0], "usageMetadata": used})
    return json_reply({"embeddings": [vector_ for vector_, _ in made], "usageMetadata": used})


def count_tokens(exchange: Exchange) -> Reply:
    """POST …:countTokens."""
    body = exchange.request.json
    answer = compose(_question(exchange, body.get("generateContentRequest") or body), exchange.scenario)
    return json_reply({"totalTokens": answer.input_tokens})


def predict(exchange: Exchange) -> Reply:
    """POST …:predict, by which images are made: pictures and no usage."""
    count = (exchange.request.json.get("parameters") or {}).get("sampleCount") or 1
    return json_reply({"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": PIXEL}] * count})


def create_batch(exchange: Exchange) -> Reply:
    """POST …:batchGenerateContent with inlined requests: answered at once, told as pending until it is read."""
    name = exchange.new_id("batches/replay")
    asked = exchange.request.json["batch"]["inputConfig"]["requests"]["requests"]
    answers: list[dict[str, Any]] = []
    for entry in asked:
        answer = compose(_question(exchange, entry["request"]), exchange.scenario)
        answers.append({"response": _body(exchange, answer), "metadata": entry.get("metadata")})
    kind = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"
    about = {"@type": kind, "model": f"models/{exchange.model}", "name": name, "displayName": "replay"}
    done = {"inlinedResponses": {"inlinedResponses": answers}}
    exchange.memory[name] = {
        "name": name,
        "metadata": {**about, "state": "BATCH_STATE_SUCCEEDED", "output": done},
        "done": True,
        "response": done,
    }
    return json_reply({"name": name, "metadata": {**about, "state": "BATCH_STATE_PENDING"}})


def read_batch(exchange: Exchange) -> Reply:
    """GET /v1beta/batches/{name}."""
    batch = exchange.memory.get("batches/" + exchange.request.path.rsplit("/", 1)[1])
    return error_reply(exchange, 404) if batch is None else json_reply(batch)
