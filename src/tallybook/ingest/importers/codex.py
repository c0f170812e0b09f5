"""Codex' rollout files (`~/.codex/sessions/YYYY/MM/DD/rollout-*.jsonl` and `archived_sessions`).

A file counts in running totals: each `token_count` tells `total_token_usage`, and most stand there twice. A call is a
change of the total, its usage the difference; where the total falls (a reset, a compaction) it is `last_token_usage`.
Cached input is inside the input, reasoning inside the output. The model is told by `turn_context` and may change.

A forked session repeats its parent's lines, with new times, in the moment it is made: counts of that moment are the
parent's. Tools that were asked for stand before their count in some versions and after it in others: a tool that is
not answered yet when a count comes belongs to that count.
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
    offset_of_line,
    project_of,
    rows_of,
    unix_us,
    whole_lines,
    word,
)
from tallybook.model.call import Call, ToolCall
from tallybook.model.usage import Usage

NAME = "codex"
SOURCE = f"import:{NAME}"
REPLAY_US = 2_000_000
"""Lines written so shortly after a forked session began are its parent's."""
_CALLED = ("function_call", "custom_tool_call", "local_shell_call")
_SERVED = ("web_search_call", "image_generation_call", "code_interpreter_call")
_ANSWERED = ("function_call_output", "custom_tool_call_output")


class _Tokens(msgspec.Struct, gc=False, frozen=True):
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    total_tokens: int = 0

    def minus(self, other: _Tokens) -> _Tokens:
        """What came on top of `other`."""
        return _Tokens(*(mine - before for mine, before in zip(self.all(), other.all(), strict=True)))

    def all(self) -> tuple[int, ...]:
        """The figures in order."""
        return (
            self.input_tokens, self.cached_input_tokens, self.output_tokens, self.reasoning_output_tokens,
            self.total_tokens,
        )  # fmt: skip


class _Info(msgspec.Struct, gc=False):
    total_token_usage: _Tokens | None = None
    last_token_usage: _Tokens | None = None
    model: Any = None


class _Git(msgspec.Struct, gc=False):
    branch: Any = None


class _Payload(msgspec.Struct, gc=False):
    type: Any = None
    id: Any = None
    timestamp: Any = None
    cwd: Any = None
    cli_version: Any = None
    model: Any = None
    model_provider: Any = None
    effort: Any = None
    forked_from_id: Any = None
    git: _Git | None = None
    info: _Info | None = None
    name: Any = None
    call_id: Any = None
    arguments: Any = None
    output: msgspec.Raw = msgspec.Raw()


class _Row(msgspec.Struct, gc=False):
    timestamp: Any = None
    type: Any = None
    payload: _Payload | None = None


class _Exit(msgspec.Struct, gc=False):
    exit_code: int | None = None
    duration_seconds: float | None = None


class _Output(msgspec.Struct, gc=False):
    metadata: _Exit | None = None
    success: bool | None = None


_rows = msgspec.json.Decoder(_Row)
_output = msgspec.json.Decoder(_Output).decode
_text = msgspec.json.Decoder(str).decode


class _State(msgspec.Struct):
    """What the next reading of a file must know."""

    session: str = ""
    cwd: str | None = None
    branch: str | None = None
    version: str | None = None
    provider: str | None = None
    model: str | None = None
    effort: str | None = None
    total: _Tokens = _Tokens()
    fork_until_us: int = 0


class _Tool:
    """A tool that was asked for."""

    __slots__ = ("arguments", "duration_us", "error", "id", "is_answered", "is_served", "name")

    def __init__(self, name: str, ident: str | None, arguments: str | None, is_served: bool) -> None:
        self.name = name
        self.id = ident
        self.arguments = arguments
        self.is_served = is_served
        self.is_answered = is_served
        self.error: str | None = None
        self.duration_us: int | None = None


class _Open:
    """A call whose tools may still come."""

    __slots__ = ("call", "index", "tools")

    def __init__(self, call: Call, index: int, tools: list[_Tool]) -> None:
        self.call = call
        self.index = index
        self.tools = tools


class Codex:
    """The importer."""

    name = NAME

    def __init__(self, content: Content | None = None) -> None:
        self._content = content or Content()

    def files(self, root: Path) -> Iterable[Path]:
        """See `Importer.files`."""
        return [root] if root.is_file() else root.rglob("*.jsonl")

    def brief(self, path: Path, data: bytes, start: int, *, is_end: bool) -> Brief | None:
        """See `Importer.brief`: there is no faster way than reading."""
        return None

    def read(self, path: Path, data: bytes, start: int, state: Any, *, is_end: bool, is_settled: bool) -> Read:
        """See `Importer.read`."""
        data = whole_lines(data, is_end=is_end)
        rows, bad = rows_of(data, _rows, b'"token_count"')
        known = msgspec.convert(state, _State) if isinstance(state, dict) else _State(session=path.stem[-36:])
        reading = _Reading(self._content, known)
        for index, row in enumerate(rows):
            reading.take(row, index)
        held = reading.calls[-1] if reading.calls and not (is_end and is_settled) else None
        if held is None:
            after, offset = reading.state, start + len(data)
        else:
            after, offset = reading.before_last, start + offset_of_line(data, len(rows) - held.index)
        calls = []
        for one in reading.calls:
            if one is held and not is_end:
                continue
            call = msgspec.structs.replace(one.call, tool_calls=tuple(self._tool(tool) for tool in one.tools))
            calls.append(msgspec.structs.replace(call, may_repeat=True) if one is held else call)
        return Read(calls, [], offset, msgspec.to_builtins(after), bad)

    def _tool(self, tool: _Tool) -> ToolCall:
        return ToolCall(
            name=tool.name,
            id=tool.id,
            arguments=None if tool.arguments is None else self._content.arguments(tool.arguments),
            duration_us=tool.duration_us,
            error=tool.error,
            server_side=tool.is_served,
        )


class _Reading:
    """One pass over rows."""

    def __init__(self, content: Content, state: _State) -> None:
        self._content = content
        self.state = state
        self.before_last = state
        self.calls: list[_Open] = []
        self._pending: list[_Tool] = []
        self._tools: dict[str, _Tool] = {}

    def take(self, row: _Row, index: int) -> None:
        """One line."""
        payload = row.payload
        if payload is None:
            return
        kind = row.type
        if kind == "event_msg":
            if payload.type == "token_count" and payload.info is not None:
                self._count(row, payload.info, index)
        elif kind == "response_item":
            self._item(payload)
        elif kind == "turn_context":
            self.state = msgspec.structs.replace(
                self.state,
                model=word(payload.model) or self.state.model,
                cwd=word(payload.cwd) or self.state.cwd,
                effort=word(payload.effort) or self.state.effort,
            )
        elif kind == "session_meta":
            self._begin(row, payload)

    def _begin(self, row: _Row, payload: _Payload) -> None:
        if self.state.version is not None or self.state.fork_until_us:
            return  # A fork repeats its parent's head: the first one is its own.
        began = unix_us(row.timestamp) or unix_us(payload.timestamp) or 0
        self.state = msgspec.structs.replace(
            self.state,
            session=word(payload.id) or self.state.session,
            cwd=word(payload.cwd),
            branch=None if payload.git is None else word(payload.git.branch),
            version=word(payload.cli_version),
            provider=word(payload.model_provider),
            fork_until_us=began + REPLAY_US if word(payload.forked_from_id) else 0,
        )

    def _item(self, payload: _Payload) -> None:
        kind = payload.type
        ident = word(payload.call_id) or word(payload.id)
        if kind in _CALLED or kind in _SERVED:
            name = word(payload.name) or str(kind).removesuffix("_call")
            arguments = payload.arguments if isinstance(payload.arguments, str) else None
            tool = _Tool(name, ident, arguments, kind in _SERVED)
            self._pending.append(tool)
            if ident is not None:
                self._tools[ident] = tool
        elif kind in _ANSWERED and ident in self._tools:
            tool = self._tools[ident]
            tool.is_answered = True
            tool.error, tool.duration_us = _outcome(payload.output)
            self._settle(tool)

    def _settle(self, tool: _Tool) -> None:
        """A tool answered before another count came: the latest call asked for it."""
        if tool in self._pending and self.calls:
            self._pending.remove(tool)
            self.calls[-1].tools.append(tool)

    def _count(self, row: _Row, info: _Info, index: int) -> None:
        total, last = info.total_token_usage, info.last_token_usage
        at_us = unix_us(row.timestamp)
        if at_us is None or (total is None and last is None):
            return
        before = self.state.total
        if total is None:
            used = last
        elif total == before:
            return  # Written twice.
        else:
            used = total.minus(before)
            if min(used.all()) < 0:
                used = last if last is not None else total
        earlier = self.state
        self.state = msgspec.structs.replace(self.state, total=total or before)
        if used is None or not any(used.all()) or at_us <= self.state.fork_until_us:
            return
        self.before_last = earlier
        call = self._call(used, at_us, word(info.model) or self.state.model, total or used)
        self.calls.append(_Open(call, index, self._pending))
        self._pending = []

    def _call(self, used: _Tokens, at_us: int, model: str | None, total: _Tokens) -> Call:
        state = self.state
        return Call(
            call_id=call_id(at_us, state.session, ":".join(map(str, total.all()))),
            started_at_us=at_us,
            provider=state.provider or "openai",
            model=model,
            response_model=model,
            run_id=state.session,
            session_id=state.session,
            usage=Usage(
                input_tokens=used.input_tokens,
                output_tokens=used.output_tokens,
                cache_read_tokens=used.cached_input_tokens,
                reasoning_tokens=used.reasoning_output_tokens,
            ),
            usage_raw=msgspec.to_builtins(used),
            project=project_of(state.cwd),
            git_branch=state.branch,
            agent_name=NAME,
            source=SOURCE,
            metadata={"version": state.version} if state.version else {},
            parameters={"reasoning_effort": state.effort} if state.effort else {},
        )


def _outcome(raw: msgspec.Raw) -> tuple[str | None, int | None]:
    """Error and duration of a tool, where its output tells: `{"output", "metadata": {"exit_code", …}}`, as text."""
    try:
        text = _text(raw)
        found = _output(text)
    except (msgspec.MsgspecError, RecursionError):
        return None, None
    if found.metadata is None:
        return ("error" if found.success is False else None), None
    code, seconds = found.metadata.exit_code, found.metadata.duration_seconds
    return (f"exit code {code}" if code else None), (None if seconds is None else round(seconds * 1_000_000))
