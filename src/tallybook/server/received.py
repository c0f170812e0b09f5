"""What shippers send: parts of their journals into lines of ours, each once, by what the key and the settings allow.

A part that begins before the end of what is durable here is cut there. After a restart the first part of each segment
is looked up by its calls' ids, so that an answer that got lost doubles nothing. It knows no HTTP.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple

import msgspec

from tallybook.ingest.dialects import ident
from tallybook.ingest.intake import Lines
from tallybook.journal.layout import Kind
from tallybook.model import codec
from tallybook.model.call import Call
from tallybook.model.errors import InputError
from tallybook.model.limits import RECORD_BYTES
from tallybook.model.question import Filter
from tallybook.ship.wire import Answer, Part, Refused
from tallybook.store.base import CallStore

SENDERS_MAX = 10_000
SEGMENTS_MAX = 100_000
"""Senders and segments remembered. Beyond: the oldest are forgotten, and looked up by their calls when they come."""

_BODY_OF: dict[Kind, str] = {"prompts": "prompts", "messages": "prompts", "responses": "responses"}


class Keeps(NamedTuple):
    """What this ledger keeps of texts, and whose records a key may write."""

    prompts: str
    responses: str
    project: str | None
    """The key's only project; `None`: any."""


class _Body(msgspec.Struct):
    """What every line of a body has, one or the other."""

    call_id: str | None = None
    hash: str | None = None


class Taken(NamedTuple):
    """The lines of some parts."""

    lines: Lines
    answer: Answer
    steps: int
    ignored: int
    """Lines of texts that this ledger does not keep."""


class _Sorted(NamedTuple):
    line: bytes
    call: Call


_decode_body = msgspec.json.Decoder(_Body).decode


def sort(
    parts: Sequence[Part], fresh: Collection[str], recorded: Callable[[Sequence[Call]], Collection[str]], keeps: Keeps
) -> Taken:
    """Lines to write and what to answer.

    `fresh` names segments of which nothing is known here; `recorded` says which of their calls the ledger has already.
    """
    of: dict[Kind, list[bytes]] = {}
    refused: list[Refused] = []
    sure: list[_Sorted] = []
    unsure: list[_Sorted] = []
    steps = ignored = 0
    for part in parts:
        offset = part.start
        switch = _BODY_OF.get(part.kind)
        keeps_texts = switch is None or getattr(keeps, switch) == "full"
        for raw in part.data.split(b"\n"):
            line = raw.strip(b"\x00 \t\r")
            at, offset = offset, offset + len(raw) + 1
            if not line:
                continue
            try:
                if part.kind == "telemetry":
                    (unsure if part.segment in fresh else sure).append(_call(line, part.segment, at, keeps))
                    continue
                if part.kind == "steps":
                    codec.decode_step(line)
                    steps += 1
                elif not _names_itself(line):
                    raise InputError("a stored text names its call or its hash")
                elif not keeps_texts:
                    ignored += 1
                    continue
            except InputError as error:
                refused.append(Refused(part.segment, at, "invalid", str(error)[:300]))
                continue
            of.setdefault(part.kind, []).append(line)
    known = frozenset(recorded([one.call for one in unsure])) if unsure else frozenset()
    calls = [one.line for one in (*sure, *unsure) if one.call.call_id not in known]
    if calls:
        of["telemetry"] = calls
    data = {kind: b"\n".join(lines) + b"\n" for kind, lines in of.items()}
    ends = {part.segment: part.start + len(part.data) for part in parts}
    repeated = len(sure) + len(unsure) - len(calls)
    answer = Answer(ends, len(calls), repeated, tuple(refused), ("gzip", "zstd"))
    return Taken(Lines(data, sum(map(len, data.values()))), answer, steps, ignored)


def _names_itself(line: bytes) -> bool:
    try:
        body = _decode_body(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(f"not a line of a stored text: {error}") from error
    return body.call_id is not None or body.hash is not None


def _call(line: bytes, segment: str, offset: int, keeps: Keeps) -> _Sorted:
    """The line as it is to be written: as it came, unless something of it must differ here."""
    call = codec.decode(line)
    changed: dict[str, object] = {}
    if not call.call_id:
        changed["call_id"] = ident.call_id(call.started_at_us, "ship", segment, str(offset))
    if keeps.project is not None and call.project != keeps.project:
        changed["project"] = keeps.project
    if keeps.prompts == "none" and call.prompt_preview is not None:
        changed["prompt_preview"] = None
    if keeps.responses == "none" and call.response_preview is not None:
        changed["response_preview"] = None
    if keeps.responses != "full" and any(tool.arguments or tool.result for tool in call.tool_calls):
        changed["tool_calls"] = tuple(
            [msgspec.structs.replace(tool, arguments=None, result=None) for tool in call.tool_calls]
        )
    if changed:
        call = msgspec.structs.replace(call, **changed)
        line = codec.encode(call).rstrip(b"\n")
    if len(line) > RECORD_BYTES:
        raise InputError(f"a record of {len(line):,} bytes is longer than the {RECORD_BYTES:,} that are read")
    return _Sorted(line, call)


def recorded(store: CallStore, calls: Sequence[Call]) -> set[str]:
    """Ids of those calls that are in the ledger."""
    if not calls:
        return set()
    starts = [call.started_at_us for call in calls]
    wanted = tuple({call.call_id for call in calls})
    found = store.calls(
        (Filter("call_id", "in", wanted),), since_us=min(starts), until_us=max(starts) + 1, limit=len(wanted)
    )
    return {call.call_id for call in found}


class Received:
    """How far each sender's segments are durable here. For one event loop."""

    def __init__(self) -> None:
        self._ends: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._senders: OrderedDict[str, asyncio.Lock] = OrderedDict()

    async def take(
        self, sender: str, parts: Sequence[Part],
        sort: Callable[[Sequence[Part], Collection[str]], Awaitable[Taken]],
        record: Callable[[Lines], Awaitable[None]],
    ) -> Taken:  # fmt: skip
        """Sort and record parts; one request of a sender at a time, so that one sent again waits for the first."""
        async with self._lock_of(sender):
            left = [self._cut(sender, part) for part in parts]
            fresh = {part.segment for part in parts if (sender, part.segment) not in self._ends}
            taken = await sort([part for part in left if part.data], fresh)
            if taken.lines.bytes:
                await record(taken.lines)
            ends = {part.segment: part.start + len(part.data) for part in parts}
            for segment, end in ends.items():
                key = (sender, segment)
                self._ends[key] = max(end, self._ends.get(key, 0))
                self._ends.move_to_end(key)
            while len(self._ends) > SEGMENTS_MAX:
                self._ends.popitem(last=False)
            return taken._replace(answer=msgspec.structs.replace(taken.answer, segments=ends))

    def _cut(self, sender: str, part: Part) -> Part:
        known = self._ends.get((sender, part.segment), 0)
        if known <= part.start:
            return part
        return part._replace(start=known, data=part.data[known - part.start :])

    def _lock_of(self, sender: str) -> asyncio.Lock:
        lock = self._senders.get(sender)
        if lock is None:
            lock = self._senders[sender] = asyncio.Lock()
        self._senders.move_to_end(sender)
        while len(self._senders) > SENDERS_MAX:
            name, oldest = next(iter(self._senders.items()))
            if oldest.locked():
                break
            del self._senders[name]
        return lock
