"""Claude Code's files read for their figures alone: what a dry run needs, at several times the speed of an import.

Only lines with a usage object are decoded, and of these only what a sum is made of: no call, no id, no tool, no text.
What is out of the usual (failed requests, estimated outputs, other things billed) is read by `claude_code` itself,
response by response, and a file that is more than a session's own lines (the Agent SDK's stream, subagents inside
lines of progress, lines of an odd shape) as a whole, so that both ways of reading come to the same sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from tallybook.ingest.importers.base import Brief, Plain, is_implausible, project_of, unix_us, word
from tallybook.ingest.importers.claude_rows import NO_RAW, Block, Figures, usual

_USAGE = b'"usage"'
_TOOLS = ("tool_use", "server_tool_use")
_SYNTHETIC = "<synthetic>"


class _Message(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    usage: Figures | None = None
    content: msgspec.Raw = NO_RAW


class _Row(msgspec.Struct, gc=False):
    type: Any = None
    timestamp: Any = None
    requestId: Any = None  # noqa: N815  (the files' own keys)
    sessionId: Any = None  # noqa: N815
    session_id: Any = None
    cwd: Any = None
    message: _Message | None = None


_row = msgspec.json.Decoder(_Row).decode
_blocks = msgspec.json.Decoder(list[Block] | str | None).decode


class _Group:
    """The lines of one response."""

    __slots__ = ("begin", "contents", "figures", "is_odd", "lines", "model", "row")

    def __init__(self, row: _Row, line: bytes, message: _Message, figures: Figures, begin: int) -> None:
        self.row = row
        self.begin = begin
        self.model = model = message.model
        self.figures = figures
        self.contents = [message.content]
        self.lines = [line]
        self.is_odd = type(model) is not str or not model or model == _SYNTHETIC

    def add(self, line: bytes, message: _Message, figures: Figures) -> None:
        """One more line."""
        if message.model != self.model:
            self.is_odd = True
        if figures.output_tokens >= self.figures.output_tokens:
            self.figures = figures
        self.contents.append(message.content)
        self.lines.append(line)


def brief(data: bytes, start: int, stem: str, provider_of: Callable[[str, str], str], *, is_end: bool) -> Brief | None:
    """Figures of whole lines; `None` where the file must be read as a whole.

    `provider_of` tells who answered, from the model and the response's id.
    """
    groups: dict[tuple[str, str], _Group] = {}
    last: _Group | None = None
    try:
        for begin, line in _lines(data):
            row = _row(line)
            kind = row.type
            message = row.message
            if kind == "user":
                continue
            if message is None or row.session_id is not None:
                if kind == "progress" and b"agent_progress" not in line:
                    continue
                return None
            ident, request, figures = message.id, row.requestId, message.usage
            if type(ident) is not str or not ident or figures is None:
                return None
            key = (ident, request if type(request) is str else "")
            last = groups.get(key)
            if last is None:
                last = groups[key] = _Group(row, line, message, figures, begin)
            else:
                last.add(line, message, figures)
        held = None if is_end else last
        plain: list[Plain] = []
        odd: list[bytes] = []
        for (ident, _), group in groups.items():
            if group is held:
                continue
            one = _plain(ident, group, stem, provider_of)
            if one is None:
                odd += group.lines
            else:
                plain.append(one)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    if odd and len({ident for ident, _ in groups}) < len(groups):
        return None  # One response under two requests: the first counts, and the order is lost here.
    return Brief(plain, b"\n".join(odd), start + (len(data) if held is None else held.begin))


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Lines with a usage, and where they begin."""
    find: Callable[..., int] = data.find
    at = find(_USAGE)
    while at >= 0:
        begin = data.rfind(b"\n", 0, at) + 1
        end = find(b"\n", at)
        if end < 0:
            end = len(data)
        yield begin, data[begin:end]
        at = find(_USAGE, end)


def _plain(ident: str, group: _Group, stem: str, provider_of: Callable[[str, str], str]) -> Plain | None:
    """The figures of a response; `None` where it is out of the usual."""
    row, figures = group.row, group.figures
    at_us = unix_us(row.timestamp)
    usage = usual(figures)
    if group.is_odd or at_us is None or usage is None:
        return None
    # What is visible is at most what the content takes as JSON, with signatures, names and quotes.
    output = figures.output_tokens
    size = sum([len(memoryview(content)) for content in group.contents])
    if is_implausible(output, size) and is_implausible(output, sum(map(_visible, group.contents))):
        return None
    tier = "fast" if figures.speed == "fast" else word(figures.service_tier)
    model = group.model
    run = word(row.sessionId) or stem
    return Plain(ident, at_us, provider_of(model, ident), model, tier, run, project_of(row.cwd), usage)


def _visible(content: msgspec.Raw) -> int:
    """Characters of text, thinking and tools' arguments."""
    found = _blocks(content) if memoryview(content) else None
    if not isinstance(found, list):
        return 0
    count = 0
    for block in found:
        kind = block.type
        text = block.text if kind == "text" else block.thinking if kind == "thinking" else None
        if isinstance(text, str):
            count += len(text)
        elif kind in _TOOLS:
            count += len(memoryview(block.input))
    return count
