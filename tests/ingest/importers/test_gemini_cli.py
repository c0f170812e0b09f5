"""Gemini CLI's chats become calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tallybook.ingest.importers.base import Read
from tallybook.ingest.importers.gemini_cli import GeminiCli

TOLD = {"input": 1000, "output": 50, "cached": 400, "thoughts": 30, "tool": 0, "total": 1080}


def said(ident: str = "m1", tokens: Any = TOLD, **keys: Any) -> dict[str, Any]:
    return {"id": ident, "timestamp": "2026-01-10T20:00:27.560Z", "type": "gemini", "content": "Hello.",
            "model": "gemini-2.5-flash", "tokens": tokens, **keys}  # fmt: skip


def read(*messages: dict[str, Any], path: Path = Path("session-1.json"), **keys: Any) -> Read:
    chat = {"sessionId": "s1", "projectHash": "ab", "messages": list(messages)}
    told = {"is_end": True, "is_settled": True, **keys}
    return GeminiCli().read(path, json.dumps(chat).encode(), 0, None, **told)


def test_thoughts_are_added_to_the_output_and_cache_is_inside_the_input() -> None:
    (call,) = read(said(), {"id": "u", "type": "user", "content": "hi"}).calls
    use = call.usage
    assert (use.input_tokens, use.cache_read_tokens, use.output_tokens, use.reasoning_tokens) == (1000, 400, 80, 30)
    assert (call.provider, call.model, call.run_id, call.operation) == (
        "google",
        "gemini-2.5-flash",
        "s1",
        "generate_content",
    )


def test_a_tools_prompt_outside_the_input_is_counted() -> None:
    (call,) = read(said(tokens={**TOLD, "tool": 20, "total": 1100})).calls
    assert call.usage.input_tokens == 1020


def test_figures_that_are_all_zero_are_unknown_not_nothing() -> None:
    zero = dict.fromkeys(TOLD, 0)
    tools = [{"id": "t1", "name": "write_file", "args": {"a": 1}, "status": "error"}]
    (call,) = read(said(tokens=zero, toolCalls=tools, content=""), said("m2", tokens=zero, content="")).calls
    assert call.usage.input_tokens is None and call.flags == ("usage_missing",)
    assert [(use.name, use.error) for use in call.tool_calls] == [("write_file", "error")]


def test_a_chat_of_lines_counts_the_last_word_on_each_message(tmp_path: Path) -> None:
    lines = [{"sessionId": "s9", "projectHash": "ab", "startTime": "2026-01-10T20:00:00Z"},
             said(tokens={**TOLD, "output": 1}), said(), said("m2")]  # fmt: skip
    content = "".join(json.dumps(line) + "\n" for line in lines).encode() + b"{torn"
    got = GeminiCli().read(tmp_path / "session-1.jsonl", content, 0, None, is_end=True, is_settled=True)
    assert [call.usage.output_tokens for call in got.calls] == [80, 80] and got.calls[0].run_id == "s9"


def test_the_project_is_told_by_the_folder_that_the_tool_wrote_down(tmp_path: Path) -> None:
    chats = tmp_path / ".gemini" / "tmp" / "ab" / "chats"
    chats.mkdir(parents=True)
    (chats.parent / ".project_root").write_text("/srv/ada/src/atlas")
    (call,) = read(said(), path=chats / "session-1.json").calls
    assert call.project == "atlas"
    assert list(GeminiCli().files(tmp_path)) == []
    (chats / "session-1.json").write_text("{}")
    (chats.parent / "logs.json").write_text("[]")
    assert [path.name for path in GeminiCli().files(tmp_path / ".gemini" / "tmp")] == ["session-1.json"]


def test_a_chat_that_is_no_json_is_told_and_no_error() -> None:
    got = GeminiCli().read(Path("session-1.json"), b'{"messages": [', 0, None, is_end=True, is_settled=True)
    assert got.calls == [] and got.bad == 1
