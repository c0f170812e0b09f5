"""Claude Code's session files, and those of its subagents (`~/.claude/projects/*/*.jsonl`, `agent-*.jsonl`).

One response stands in several lines, one a content block, that share `message.id` and `requestId`: the input side is
the same in all, the output only grows, so the greatest counts. The same pair may stand in several files (resumed and
forked sessions copy lines): one call. Subagents write `progress` lines that hold their own messages, or files of
their own; either becomes a step of the session, its calls below it.

Versions 2.1.12 to 2.1.30 store the stream's first output figure (1 to 8 tokens) and later ones do so at times. Where
the visible text cannot have come from so few tokens, the output is estimated from the text and the call says so
(`usage_estimated`, `output_placeholder`); hidden thinking is in no text, so even that is a lower bound.

`<synthetic>` rows are the tool's own words: failed requests where it says so, else nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from tallybook.ingest.dialects.ident import call_id
from tallybook.ingest.importers.agent_stream import is_told, remainders
from tallybook.ingest.importers.base import (
    Brief,
    Content,
    Read,
    is_implausible,
    offset_of_line,
    project_of,
    text_facts,
    unix_us,
    whole_lines,
    word,
)
from tallybook.ingest.importers.claude_brief import brief
from tallybook.ingest.importers.claude_rows import (
    NO_RAW,
    Block,
    Figures,
    Message,
    Row,
    decoded,
    figures_of,
    kind_of,
    progress_of,
    usual,
)
from tallybook.model.call import Call, Step, ToolCall
from tallybook.model.limits import ERROR_MESSAGE_CHARS
from tallybook.model.usage import Usage
from tallybook.providers.detect import detect_provider

NAME = "claude-code"
SOURCE = f"import:{NAME}"
SYNTHETIC = "<synthetic>"
_HTTP = re.compile(r"\bError:? (\d{3})\b")
_TOOLS = ("tool_use", "server_tool_use")
_SUBAGENT_TOOLS = ("Task", "Agent")
_any = msgspec.json.Decoder().decode


class _Group:
    """The lines of one response."""

    __slots__ = ("agent", "at_us", "blocks", "figures", "index", "message", "raw", "request", "retries", "row")

    def __init__(self, row: Row, message: Message, request: str, at_us: int, index: int, agent: str | None) -> None:
        self.row = row
        self.message = message
        self.request = request
        self.at_us = at_us
        self.index = index
        self.agent = agent
        self.raw = message.usage
        self.figures: Figures | None = figures_of(message.usage)
        self.blocks: list[Block] = []
        self.retries = 0


class ClaudeCode:
    """The importer. `state` of a file: its subagents that have a step already, and failed tries not told yet."""

    name = NAME

    def __init__(self, content: Content | None = None) -> None:
        self._content = content or Content()

    def files(self, root: Path) -> Iterable[Path]:
        """See `Importer.files`."""
        return [root] if root.is_file() else root.rglob("*.jsonl")

    def read(self, path: Path, data: bytes, start: int, state: Any, *, is_end: bool, is_settled: bool) -> Read:
        """See `Importer.read`."""
        data = whole_lines(data, is_end=is_end)
        rows, bad = decoded(data)
        session = _Session(self._content, path, state)
        session.take(rows)
        held = session.last if session.last is not None and not (is_end and is_settled) else None
        offset = start + (len(data) if held is None else offset_of_line(data, len(rows) - held.index))
        calls: list[Call] = []
        for group in session.groups.values():
            if group is held and not is_end:
                continue
            call = session.call(group)
            if call is not None:
                calls.append(msgspec.structs.replace(call, may_repeat=True) if group is held else call)
        if session.billed is not None and calls:
            calls += remainders(session.billed, calls, calls[-1])
        return Read(calls, session.steps, offset, session.state, bad)

    def brief(self, path: Path, data: bytes, start: int, *, is_end: bool) -> Brief | None:
        """See `Importer.brief`."""
        return brief(whole_lines(data, is_end=is_end), start, path.stem, _provider_of, is_end=is_end)


class _Session:
    """What is gathered from the rows of one file."""

    def __init__(self, content: Content, path: Path, state: Any) -> None:
        known = state if isinstance(state, dict) else {}
        self._content = content
        self._stem = path.stem
        self._own_agent = path.stem.removeprefix("agent-") if path.name.startswith("agent-") else None
        self._agents: set[str] = set(known.get("agents", ()))
        self._retries: int = known.get("retries", 0)
        self._errors: set[str] = set()
        self._kinds: dict[str, str | None] = {}
        """What kind of subagent a tool call began: `Explore`, `Plan` …"""
        self._places: dict[Any, tuple[str | None, str | None, dict[str, Any]]] = {}
        self.groups: dict[tuple[str, str], _Group] = {}
        self.last: _Group | None = None
        self.steps: list[Step] = []
        self.billed: msgspec.Raw | None = None
        """Sums by model that the Agent SDK's stream ends with."""
        self._stream_us = _written_us(path)
        """The time of lines that tell none, as those of the SDK's stream."""

    @property
    def state(self) -> dict[str, Any] | None:
        """What the next reading of this file must know."""
        if not self._agents and not self._retries:
            return None
        return {"agents": sorted(self._agents), "retries": self._retries}

    def take(self, rows: list[Row]) -> None:
        """Sort all rows."""
        own, add = self._own_agent, self._add
        for index, row in enumerate(rows):
            kind = row.type
            message = row.message
            if kind == "user":
                if message is not None and type(message.content) is list:
                    self._results(message.content)
            elif message is not None:
                agent = row.agentId if row.agentId is not None else own
                add(row, message, row.requestId, row.timestamp, index, agent, row.parent_tool_use_id)
            elif kind == "progress":
                self._subagent(row, index)
            elif kind == "result":
                if is_told(row.modelUsage):
                    self.billed = row.modelUsage
            elif kind == "system" and row.subtype == "api_error":
                self._retries += 1

    def _results(self, content: list[Block]) -> None:
        for block in content:
            if block.is_error is True and isinstance(block.tool_use_id, str):
                self._errors.add(block.tool_use_id)

    def _subagent(self, row: Row, index: int) -> None:
        progress = progress_of(row)
        inner = None if progress is None else progress.message
        if progress is None or inner is None or inner.message is None:
            return
        if inner.type == "user":
            if isinstance(inner.message.content, list):
                self._results(inner.message.content)
            return
        time = inner.timestamp if inner.timestamp is not None else row.timestamp
        self._add(row, inner.message, inner.requestId, time, index, progress.agentId, row.parentToolUseID)

    def _add(
        self, row: Row, message: Message, request: Any, time: Any, index: int, agent: Any, parent_tool: Any
    ) -> None:
        """A line of a response: a new one, or more of one that is known."""
        request = request if isinstance(request, str) else ""
        ident = message.id
        if not isinstance(ident, str) or not ident:
            ident = word(row.uuid) or f"{self._stem}:{row.timestamp}:{index}"
        group = self.groups.get((ident, request))
        if group is None:
            at_us = unix_us(time)
            if at_us is None and row.session_id is not None:
                at_us = self._stream_us
            if message.usage is NO_RAW or at_us is None:
                return
            agent = word(agent)
            group = _Group(row, message, request, at_us, index, agent)
            self.groups[ident, request] = self.last = group
            if self._retries:
                group.retries, self._retries = self._retries, 0
            if agent is not None and agent not in self._agents:
                self._begin(row, agent, parent_tool, at_us)
        else:
            figures = figures_of(message.usage)
            if figures is not None and (group.figures is None or figures.output_tokens >= group.figures.output_tokens):
                group.figures, group.raw = figures, message.usage
            if message.stop_reason is not None:
                group.message = message
            self.last = group
        if type(message.content) is list:
            group.blocks += message.content
            for block in message.content:
                if block.name in _SUBAGENT_TOOLS and isinstance(block.id, str):
                    self._kinds[block.id] = kind_of(block.input)

    def _begin(self, row: Row, agent: str, parent_tool: Any, at_us: int) -> None:
        """The step of a subagent, made when it is first met."""
        self._agents.add(agent)
        run = self._run(row)
        step = Step(
            step_id=_step_id(run, agent),
            started_at_us=at_us,
            kind="agent",
            name=self._kinds.get(word(parent_tool) or "") or "subagent",
            run_id=run,
            tool_call_id=word(parent_tool),
            metadata={"agent_id": agent},
        )
        self.steps.append(step)

    def _run(self, row: Row) -> str:
        return word(row.sessionId) or word(row.session_id) or self._stem

    def _place(self, row: Row) -> tuple[str | None, str | None, dict[str, Any]]:
        """Project, branch and metadata of a row; the same objects for all rows that say the same."""
        key = (row.cwd, row.gitBranch, row.version)
        try:
            return self._places[key]
        except (KeyError, TypeError):
            metadata = {"version": row.version} if isinstance(row.version, str) else {}
            place = (project_of(row.cwd), word(row.gitBranch), metadata)
            if all(part is None or isinstance(part, str) for part in key):
                self._places[key] = place
            return place

    def call(self, group: _Group) -> Call | None:
        """The call of a response's lines; `None` for the tool's own words."""
        row, message = group.row, group.message
        model = word(message.model)
        if model == SYNTHETIC:
            return self._failed(group) if row.isApiErrorMessage is True else None
        texts, chars, tools = self._read_blocks(group.blocks)
        text, text_chars, text_hash = text_facts(texts)
        figures = group.figures
        usage = None if figures is None else usual(figures)
        flags: tuple[str, ...] = ()
        if usage is None:
            usage, flags = _unusual(group.raw)
        if self.billed is None and usage.output_tokens is not None and is_implausible(usage.output_tokens, chars):
            usage, flags = _estimated(usage, flags, group.blocks, model)
        tier = None
        if figures is not None:
            tier = "fast" if figures.speed == "fast" else word(figures.service_tier)
        stop = message.stop_reason
        ident = word(message.id)
        run = self._run(row)
        project, branch, metadata = self._place(row)
        return Call(
            call_id=call_id(group.at_us, ident or word(row.uuid) or run, group.request),
            started_at_us=group.at_us,
            provider=_provider_of(model, ident),
            model=model,
            response_model=model,
            response_id=ident,
            run_id=run,
            session_id=run,
            parent_id=None if group.agent is None else _step_id(run, group.agent),
            usage=usage,
            usage_raw=group.raw.copy(),
            tool_calls=tools,
            finish_reasons=(stop,) if isinstance(stop, str) and stop else (),
            project=project,
            git_branch=branch,
            agent_name=NAME,
            source=SOURCE,
            metadata=metadata,
            service_tier=tier,
            retries=group.retries,
            response_chars=text_chars or None,
            response_hash=text_hash,
            response_preview=self._content.preview(text),
            flags=flags,
        )

    def _failed(self, group: _Group) -> Call:
        """A request that failed, by the tool's own words. Nothing was billed."""
        row = group.row
        text = "\n".join(self._read_blocks(group.blocks)[0])
        status = _HTTP.search(text)
        run = self._run(row)
        project, branch, metadata = self._place(row)
        return Call(
            call_id=call_id(group.at_us, word(group.message.id) or word(row.uuid) or run, group.request),
            started_at_us=group.at_us,
            provider="anthropic",
            run_id=run,
            session_id=run,
            parent_id=None if group.agent is None else _step_id(run, group.agent),
            status="error",
            error_type="api_error",
            error_message=text[:ERROR_MESSAGE_CHARS] or None,
            http_status=int(status[1]) if status else 500,
            project=project,
            git_branch=branch,
            agent_name=NAME,
            source=SOURCE,
            metadata=metadata,
            retries=group.retries,
        )

    def _read_blocks(self, blocks: list[Block]) -> tuple[list[str], int, tuple[ToolCall, ...]]:
        """Texts, visible characters (thinking and tools' arguments too), tools."""
        texts: list[str] = []
        tools: list[ToolCall] = []
        chars = 0
        for block in blocks:
            kind = block.type
            if kind == "text":
                if isinstance(block.text, str):
                    texts.append(block.text)
                    chars += len(block.text)
            elif kind == "thinking":
                if isinstance(block.thinking, str):
                    chars += len(block.thinking)
            elif kind in _TOOLS:
                chars += len(memoryview(block.input))
                tools.append(self._tool(block))
        return texts, chars, tuple(tools)

    def _tool(self, block: Block) -> ToolCall:
        ident = word(block.id)
        return ToolCall(
            name=word(block.name) or "unknown",
            id=ident,
            arguments=None if self._content.responses != "full" else self._content.arguments(_text(block.input)),
            error="error" if ident in self._errors else None,
            server_side=block.type == "server_tool_use",
        )


def _written_us(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns // 1000
    except OSError:
        return None


def _step_id(run: str, agent: str) -> str:
    return f"{run}/agent/{agent}"


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode("utf-8", "replace")


def _unusual(raw: msgspec.Raw) -> tuple[Usage, tuple[str, ...]]:
    """Usage and flags by the provider's own reader."""
    from tallybook.providers.anthropic_messages import usage_of  # here, because a status line pays for each import

    try:
        usage, flags, further = usage_of(_any(raw))
    except (msgspec.DecodeError, RecursionError, TypeError, ValueError, AttributeError):
        return Usage(), ("usage_missing",)
    return usage, (*flags, "further_models_not_counted") if further else flags


def _estimated(
    usage: Usage, flags: tuple[str, ...], blocks: list[Block], model: str | None
) -> tuple[Usage, tuple[str, ...]]:
    """The output as the visible text tells it, where it tells of more than the figure."""
    from tallybook.prices.estimate import estimate_tokens  # here, because a status line pays for each import

    guess = estimate_tokens("\n".join(_visible(blocks)), model or "claude")
    if guess <= (usage.output_tokens or 0):
        return usage, flags
    return msgspec.structs.replace(usage, output_tokens=guess), (*flags, "usage_estimated", "output_placeholder")


def _visible(blocks: list[Block]) -> Iterator[str]:
    for block in blocks:
        for text in (block.text, block.thinking):
            if isinstance(text, str):
                yield text
        if block.type in _TOOLS:
            yield _text(block.input)


def _provider_of(model: str | None, ident: str | None) -> str:
    return _provider(model, ident[:9] if ident is not None and ident.startswith(("msg_b", "msg_v")) else "")


@lru_cache(maxsize=256)
def _provider(model: str | None, mark: str) -> str:
    """Who answered: by the id's mark of Bedrock or Vertex, else by the model: others offer the same interface."""
    if mark == "msg_bdrk_":
        return "aws"
    if mark == "msg_vrtx_":
        return "google-vertex"
    found = detect_provider(model)
    return "anthropic" if found == "unknown" else found
