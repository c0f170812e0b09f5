"""Reading files and writing what they gave to the journal, in this process or in a worker of its own.

Lines go to whole segments, which become part of the journal when the portion is done. Sums go back to who asked, so
that runs' totals and the report need no second reading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tallybook.ingest.importers.base import Content, Importer, Mark, Read
from tallybook.ingest.importers.claude_code import ClaudeCode
from tallybook.ingest.importers.codex import Codex
from tallybook.ingest.importers.gemini_cli import GeminiCli
from tallybook.ingest.importers.sums import Sum, Summing
from tallybook.journal.whole import WholeSegment
from tallybook.model import codec
from tallybook.model.call import Call, Step
from tallybook.model.errors import InputError
from tallybook.model.limits import SEGMENT_BYTES
from tallybook.prices.pricer import Rates

PIECE_BYTES = 48_000_000
"""Read at once of one file."""
SETTLED_NS = 60_000_000_000
"""A file that was written to this lately may go on with the response it ends with."""
_MAKERS: dict[str, Any] = {"claude-code": ClaudeCode, "codex": Codex, "gemini-cli": GeminiCli}
NAMES = tuple(_MAKERS)


class Source(NamedTuple):
    """A transcript to be read from its mark on."""

    agent: str
    path: str
    size: int
    mtime_ns: int
    mark: Mark | None


class Job(NamedTuple):
    """What a worker must know."""

    folder: Path | None
    """Where lines are written; `None` only counts, or keeps calls (`is_kept`)."""
    prices: Rates | None
    content: Content
    since_us: int | None
    now_ns: int
    is_kept: bool = False
    """Calls are handed back instead of being written: for the few of a later import."""


class Portion(NamedTuple):
    """What some files gave."""

    sums: list[Sum]
    marks: dict[str, Mark]
    bad: dict[str, int]
    """Lines by file that were no JSON or of an unknown shape."""
    repeated: int
    segments: list[str]
    """Segments written, in the journal."""
    calls: list[Call]
    steps: list[Step]


def importer(agent: str, content: Content) -> Importer:
    """The importer of that name. Raises InputError naming those that there are."""
    maker = _MAKERS.get(agent)
    if maker is None:
        raise InputError(f"nothing to import {agent!r} with", field="agent", hint=f"there are: {', '.join(NAMES)}, all")
    found: Importer = maker(content)
    return found


class Worker:
    """Reads sources one after another; each call is taken once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._is_kept = job.is_kept or job.folder is not None
        self._importers: dict[str, Importer] = {}
        self._seen: set[Any] = set()
        self._repeated = 0
        self._summing = Summing(job.prices)
        self._marks: dict[str, Mark] = {}
        self._bad: dict[str, int] = {}
        self._open: dict[str, WholeSegment] = {}
        self._segments: list[str] = []
        self._calls: list[Call] = []
        self._steps: list[Step] = []

    def read(self, sources: Sequence[Source], progress: Callable[[int], None] = lambda _: None) -> Portion:
        """Read, write, count. A file that is gone or cannot be read is passed over and named in `bad`."""
        try:
            for source in sources:
                try:
                    self._read(source)
                except (FileNotFoundError, PermissionError):
                    self._note(source.path, 1)
                progress(source.size - (source.mark.offset if source.mark else 0))
            for kind in list(self._open):
                self._close(kind)
        except BaseException:
            for segment in self._open.values():
                segment.drop()
            raise
        return Portion(
            self._summing.sums(), self._marks, self._bad, self._repeated, self._segments, self._calls, self._steps
        )

    def _note(self, path: str, bad: int) -> None:
        if bad:
            self._bad[path] = self._bad.get(path, 0) + bad

    def _read(self, source: Source) -> None:
        if source.agent not in self._importers:
            self._importers[source.agent] = importer(source.agent, self._job.content)
        reader = self._importers[source.agent]
        path = Path(source.path)
        offset, state = (0, None) if source.mark is None else (source.mark.offset, source.mark.state)
        usual = source.size + 1 if path.suffix == ".json" else PIECE_BYTES
        piece = usual
        is_settled = self._job.now_ns - source.mtime_ns > SETTLED_NS
        is_whole = True
        with path.open("rb", buffering=0) as file:
            while True:
                file.seek(offset)
                data = file.read(min(piece, max(source.size - offset, 0)))
                is_end = offset + len(data) >= source.size or not data
                got = None if self._is_kept else self._brief(reader, path, data, offset, is_end)
                if got is None:
                    got = reader.read(path, data, offset, state, is_end=is_end, is_settled=is_settled)
                is_whole &= self._take(got.calls, got.steps)
                self._note(source.path, got.bad)
                # One response larger than a piece: try again with more.
                piece = usual if got.offset > offset else piece * 2
                offset, state = got.offset, got.state
                if is_end:
                    break
        if is_whole:
            self._marks[source.path] = Mark(source.size, source.mtime_ns, offset, state)

    def _brief(self, reader: Importer, path: Path, data: bytes, offset: int, is_end: bool) -> Read | None:
        """Count the usual responses of a portion, and give the others; `None` where it must be read as a whole."""
        found = reader.brief(path, data, offset, is_end=is_end)
        if found is None:
            return None
        seen, since_us, add = self._seen, self._job.since_us, self._summing.add_plain
        for one in found.plain:
            if since_us is not None and one.at_us < since_us:
                continue
            name = (one.provider, one.ident)
            if name in seen:
                self._repeated += 1
                continue
            seen.add(name)
            add(one, reader.name)
        calls: list[Call] = []
        if found.odd:
            calls = reader.read(path, found.odd, 0, None, is_end=True, is_settled=True).calls
        return Read(calls, [], found.offset)

    def _take(self, calls: list[Call], steps: list[Step]) -> bool:
        """Write and count what is new; False when calls were left out for being too old."""
        job, seen = self._job, self._seen
        kept = calls if job.since_us is None else [call for call in calls if call.started_at_us >= job.since_us]
        fresh: list[Call] = []
        for call in kept:
            name = call.call_id if call.response_id is None else (call.provider, call.response_id)
            if name in seen:
                self._repeated += 1
                continue
            seen.add(name)
            fresh.append(call)
            self._summing.add(call)
        if job.is_kept:
            self._calls += fresh
            self._steps += steps
        elif job.folder is not None:
            if fresh:
                self._append("telemetry", b"".join([codec.encode(call) for call in fresh]))
            if steps and kept:
                self._append("steps", b"".join([codec.encode_step(step) for step in steps]))
        return len(kept) == len(calls)

    def _append(self, kind: Any, lines: bytes) -> None:
        assert self._job.folder is not None
        if kind in self._open and self._open[kind].size >= SEGMENT_BYTES:
            self._close(kind)
        if kind not in self._open:
            self._open[kind] = WholeSegment(self._job.folder, kind, self._job.now_ns // 1000)
        self._open[kind].append(lines)

    def _close(self, kind: str) -> None:
        self._segments.append(str(self._open.pop(kind).done()))
