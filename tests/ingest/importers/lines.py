"""Small transcripts of our own making, in the shapes that the tools write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

SESSION = "11111111-2222-4333-8444-555555555555"
MODEL = "claude-opus-4-5-20251101"


def row(**keys: Any) -> str:
    return json.dumps(
        {
            "parentUuid": None, "isSidechain": False, "cwd": "/srv/ada/src/atlas", "sessionId": SESSION,
            "version": "2.1.50", "gitBranch": "main", "uuid": "u1", "timestamp": "2026-02-09T07:36:22.420Z", **keys,
        },
        separators=(",", ":"),
    )  # fmt: skip


def usage(output: int = 184, **keys: Any) -> dict[str, Any]:
    return {
        "input_tokens": 2, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 5000,
        "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 60}, "output_tokens": output,
        "service_tier": "standard", **keys,
    }  # fmt: skip


def message(ident: str = "msg_1", blocks: Sequence[Any] = (), **keys: Any) -> dict[str, Any]:
    blocks = blocks or [{"type": "text", "text": "Done."}]
    told = {"model": MODEL, "id": ident, "type": "message", "role": "assistant", "stop_reason": None, "usage": usage()}
    return {**told, "content": list(blocks), **keys}


def answer(ident: str = "msg_1", request: str | None = "req_1", **keys: Any) -> str:
    inner = {name: keys.pop(name) for name in ("blocks", "usage", "model", "stop_reason") if name in keys}
    asked = {} if request is None else {"requestId": request}
    return row(type="assistant", message=message(ident, **inner), **asked, **keys)


def result(tool: str, is_error: bool = False) -> str:
    block = {"tool_use_id": tool, "type": "tool_result", "content": "x", "is_error": is_error}
    return row(type="user", message={"role": "user", "content": [block]}, toolUseResult={"stdout": "x"})


def tool(ident: str = "toolu_1", name: str = "Bash") -> dict[str, Any]:
    return {"type": "tool_use", "id": ident, "name": name, "input": {"command": "ls"}}


def data(*lines: str) -> bytes:
    return "".join(line + "\n" for line in lines).encode()


def codex(kind: str, at: str, **payload: Any) -> str:
    return json.dumps({"timestamp": f"2026-03-01T10:{at}.000Z", "type": kind, "payload": payload})


def count(at: str, total: Sequence[int], last: Sequence[int] | None = None, **keys: Any) -> str:
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens", "total_tokens")
    info: dict[str, Any] = {"total_token_usage": dict(zip(names, total, strict=True)), **keys}
    if last is not None:
        info["last_token_usage"] = dict(zip(names, last, strict=True))
    return codex("event_msg", at, type="token_count", info=info)
