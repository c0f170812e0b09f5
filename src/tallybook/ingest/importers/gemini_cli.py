"""Gemini CLI's chats (`~/.gemini/tmp/<project>/chats/session-*.json`, and `.jsonl` of later versions).

A message of type `gemini` with `tokens` is a call: cached is inside the input, thoughts are outside the output, and
the prompt of server-side tools is outside the input (the total tells). A message with all figures 0 was answered, but
nobody was told of the tokens: unknown, not 0. Project folders are named by a hash of their path; where the tool left
the path beside them (`.project_root`), it names the project.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from tallybook.ingest.dialects.ident import call_id
from tallybook.ingest.importers.base import (
    Brief,
    Content,
    Read,
    project_of,
    text_facts,
    unix_us,
    whole_lines,
    word,
)
from tallybook.model.call import Call, ToolCall
from tallybook.model.usage import Usage

NAME = "gemini-cli"
SOURCE = f"import:{NAME}"


class _Tokens(msgspec.Struct, gc=False):
    input: int = 0
    output: int = 0
    cached: int = 0
    thoughts: int = 0
    tool: int = 0
    total: int = 0


class _Tool(msgspec.Struct, gc=False):
    id: Any = None
    name: Any = None
    args: msgspec.Raw = msgspec.Raw()
    status: Any = None


class _Message(msgspec.Struct, gc=False):
    id: Any = None
    timestamp: Any = None
    type: Any = None
    content: Any = None
    model: Any = None
    tokens: _Tokens | None = None
    toolCalls: list[_Tool] | None = None  # noqa: N815  (the files' own keys)
    sessionId: Any = None  # noqa: N815
    projectHash: Any = None  # noqa: N815


class _Chat(msgspec.Struct, gc=False):
    sessionId: Any = None  # noqa: N815
    projectHash: Any = None  # noqa: N815
    messages: list[_Message] | None = None


_chat = msgspec.json.Decoder(_Chat).decode
_message = msgspec.json.Decoder(_Message).decode


class GeminiCli:
    """The importer. A chat is written anew as a whole, so it is read as a whole: `state` is not used."""

    name = NAME

    def __init__(self, content: Content | None = None) -> None:
        self._content = content or Content()

    def files(self, root: Path) -> Iterable[Path]:
        """See `Importer.files`."""
        if root.is_file():
            return [root]
        found = [path for path in root.rglob("*.json*") if path.suffix in (".json", ".jsonl")]
        return [path for path in found if _is_chat(path)] or ([] if ".gemini" in root.parts else found)

    def brief(self, path: Path, data: bytes, start: int, *, is_end: bool) -> Brief | None:
        """See `Importer.brief`: there is no faster way than reading."""
        return None

    def read(self, path: Path, data: bytes, start: int, state: Any, *, is_end: bool, is_settled: bool) -> Read:
        """See `Importer.read`. A chat that is being written just now gives nothing until it is whole."""
        if start or not is_end:
            return Read([], [], start)
        chat, bad = _lines(data) if path.suffix == ".jsonl" else _whole(data)
        if chat is None:
            return Read([], [], 0, None, bad)
        session = word(chat.sessionId) or path.stem
        project = _project(path)
        calls: list[Call] = []
        last = chat.messages[-1] if chat.messages and not is_settled else None
        for message in chat.messages or ():
            call = self._call(message, session, project)
            if call is not None:
                calls.append(msgspec.structs.replace(call, may_repeat=True) if message is last else call)
        return Read(calls, [], 0, None, bad)

    def _call(self, message: _Message, session: str, project: str | None) -> Call | None:
        at_us = unix_us(message.timestamp)
        told = message.tokens
        if message.type != "gemini" or told is None or at_us is None:
            return None
        usage, flags = _usage(told)
        texts = [message.content] if isinstance(message.content, str) and message.content else []
        text, chars, text_hash = text_facts(texts)
        tools = tuple(self._tool(tool) for tool in message.toolCalls or ())
        if flags and not tools and not text:
            return None  # Neither an answer nor figures: it was interrupted before anything came.
        model = word(message.model)
        return Call(
            call_id=call_id(at_us, session, word(message.id) or ""),
            started_at_us=at_us,
            operation="generate_content",
            provider="google",
            model=model,
            response_model=model,
            run_id=session,
            session_id=session,
            usage=usage,
            usage_raw=msgspec.to_builtins(told),
            tool_calls=tools,
            project=project,
            agent_name=NAME,
            source=SOURCE,
            response_chars=chars or None,
            response_hash=text_hash,
            response_preview=self._content.preview(text),
            flags=flags,
        )

    def _tool(self, tool: _Tool) -> ToolCall:
        status = word(tool.status)
        return ToolCall(
            name=word(tool.name) or "unknown",
            id=word(tool.id),
            arguments=self._content.arguments(bytes(tool.args).decode("utf-8", "replace")),
            error=status if status in ("error", "cancelled") else None,
        )


def _usage(told: _Tokens) -> tuple[Usage, tuple[str, ...]]:
    if not (told.input or told.output or told.cached or told.thoughts or told.total):
        return Usage(), ("usage_missing",)
    inside = told.input + told.output + told.thoughts >= told.total
    return Usage(
        input_tokens=told.input if inside else told.input + told.tool,
        output_tokens=told.output + told.thoughts,
        cache_read_tokens=told.cached,
        reasoning_tokens=told.thoughts,
    ), ()


def _whole(data: bytes) -> tuple[_Chat | None, int]:
    try:
        return _chat(data), 0
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None, 1


def _lines(data: bytes) -> tuple[_Chat, int]:
    """A chat of lines: a head with the session's id, then messages; a later line of the same id takes its place."""
    chat = _Chat()
    messages: dict[str, _Message] = {}
    bad = 0
    for line in whole_lines(data, is_end=True).split(b"\n"):
        if not line.strip():
            continue
        try:
            message = _message(line)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            bad += 1
            continue
        chat.sessionId = chat.sessionId or message.sessionId
        if isinstance(message.id, str):
            messages[message.id] = message
    chat.messages = list(messages.values())
    return chat, bad


def _is_chat(path: Path) -> bool:
    return path.parent.name == "chats" or path.name.startswith("session-")


def _project(path: Path) -> str | None:
    """The project's name, from the path that the tool left beside the chats."""
    for place in (path.parent, path.parent.parent):
        try:
            return project_of((place / ".project_root").read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError):
            continue
    return None
