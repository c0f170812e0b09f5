"""OpenAI's files and batches: a batch is worked off when it is made, and told as in progress until it is read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from tallybook.replay import openai_chat, openai_other, openai_responses
from tallybook.replay.exchange import Exchange, dumps
from tallybook.replay.http import Reply, Request, json_reply
from tallybook.replay.openai_error import error_reply

_WORK: dict[str, Callable[[Exchange], Reply]] = {
    "/v1/chat/completions": openai_chat.chat,
    "/v1/completions": openai_chat.completions,
    "/v1/embeddings": openai_other.embeddings,
    "/v1/responses": openai_responses.create,
}


def _file(exchange: Exchange, content: bytes, purpose: str, name: str) -> dict[str, Any]:
    about: dict[str, Any] = {
        "id": exchange.new_id("file-"),
        "object": "file",
        "bytes": len(content),
        "created_at": exchange.now,
        "filename": name,
        "purpose": purpose,
        "status": "processed",
    }
    exchange.memory[about["id"]] = (about, content)
    return about


def upload(exchange: Exchange) -> Reply:
    """POST /v1/files."""
    form = exchange.request.form
    purpose = form.get("purpose", b"user_data").decode()
    return json_reply(_file(exchange, form.get("file", b""), purpose, "upload.jsonl"))


def read_file(exchange: Exchange) -> Reply:
    """GET /v1/files/{id} and its /content."""
    path = exchange.request.path
    stored = exchange.memory.get(path.removesuffix("/content").rsplit("/", 1)[1])
    if stored is None:
        return error_reply(exchange, 404)
    about, content = stored
    if not path.endswith("/content"):
        return json_reply(about)
    return Reply(headers={"content-type": "application/octet-stream"}, body=content)


def _work_off(exchange: Exchange, line: dict[str, Any]) -> dict[str, Any]:
    body = line["body"]
    request = Request("POST", line["url"], {}, exchange.request.headers, dumps(body).encode())
    inner = dataclasses.replace(exchange, request=request, model=str(body.get("model")))
    reply = _WORK[line["url"]](inner)
    response = {"status_code": reply.status, "request_id": exchange.new_id("req_"), "body": json.loads(reply.body)}
    return {"id": exchange.new_id("batch_req_"), "custom_id": line["custom_id"], "response": response, "error": None}


def _usage(lines: list[dict[str, Any]]) -> dict[str, Any]:
    told = [line["response"]["body"].get("usage") or {} for line in lines]
    inputs = sum(usage.get("prompt_tokens", usage.get("input_tokens", 0)) for usage in told)
    outputs = sum(usage.get("completion_tokens", usage.get("output_tokens", 0)) for usage in told)
    return {
        "input_tokens": inputs,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": outputs,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": inputs + outputs,
    }


def create(exchange: Exchange) -> Reply:
    """POST /v1/batches."""
    asked = exchange.request.json
    stored = exchange.memory.get(asked.get("input_file_id", ""))
    if stored is None:
        return error_reply(exchange, 404)
    lines = [_work_off(exchange, json.loads(line)) for line in stored[1].splitlines() if line.strip()]
    output = _file(exchange, "".join(dumps(line) + "\n" for line in lines).encode(), "batch_output", "output.jsonl")
    batch: dict[str, Any] = {
        "id": exchange.new_id("batch_"),
        "object": "batch",
        "endpoint": asked.get("endpoint"),
        "errors": None,
        "input_file_id": asked["input_file_id"],
        "completion_window": asked.get("completion_window", "24h"),
        "status": "completed",
        "output_file_id": output["id"],
        "error_file_id": None,
        "created_at": exchange.now,
        "completed_at": exchange.now,
        "request_counts": {"total": len(lines), "completed": len(lines), "failed": 0},
        "usage": _usage(lines),
        "metadata": asked.get("metadata"),
    }
    exchange.memory[batch["id"]] = batch
    begun = {"status": "validating", "output_file_id": None, "completed_at": None, "usage": None}
    return json_reply({**batch, **begun, "request_counts": {"total": 0, "completed": 0, "failed": 0}})


def read(exchange: Exchange) -> Reply:
    """GET /v1/batches/{id}."""
    batch = exchange.memory.get(exchange.request.path.rsplit("/", 1)[1])
    return error_reply(exchange, 404) if batch is None else json_reply(batch)
