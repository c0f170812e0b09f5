"""What every importer of transcripts has in common: its shape, ids that are the same at every import, small readings.

An importer is pure: bytes of one file in, calls and steps out. Where files lie is said by `places`, what was read
already is remembered by `run`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from tallybook.capture.bodies import sha256
from tallybook.model.call import Call, Step
from tallybook.model.limits import PREVIEW_CHARS
from tallybook.model.usage import Usage

Row = TypeVar("Row")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_WORKTREE = re.compile(r"[/\\](?:\.claude[/\\])?\.?worktrees[/\\].*")
IMPLAUSIBLE_CHARS = 8
"""Visible characters to an output token above which the told number cannot be the final one (usual are 3 to 5)."""
_SLACK_CHARS = 24


class Content(NamedTuple):
    """What of the texts is kept: nothing by default (figures and hashes only), as the settings of capture say."""

    responses: str = "none"
    redact: Any = None
    """Takes secrets out of a text before it is kept."""

    def preview(self, text: str) -> str | None:
        """The beginning of a response, where it is to be kept."""
        if self.responses == "none" or not text:
            return None
        cut = text[: PREVIEW_CHARS * 4]
        return str(self.redact(cut) if self.redact else cut)[:PREVIEW_CHARS]

    def arguments(self, text: str) -> str | None:
        """A tool's arguments, which are kept with whole responses only."""
        if self.responses != "full" or not text:
            return None
        return str(self.redact(text)) if self.redact else text


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """How far a file was read: its size and time then, where the next reading begins, what it must know."""

    size: int
    mtime_ns: int
    offset: int = 0
    state: Any = None


class Read(NamedTuple):
    """What a portion of a file gave. `offset` is where the next reading begins; `state` what it must know."""

    calls: list[Call]
    steps: list[Step]
    offset: int
    state: Any = None
    bad: int = 0
    """Lines that are no JSON, or have figures in a shape that is not known."""


class Plain(NamedTuple):
    """A response without anything particular: who gave it, what its price depends on, and its figures."""

    ident: str
    """The provider's id of the response."""
    at_us: int
    provider: str
    model: str
    tier: str | None
    run_id: str
    project: str | None
    usage: Usage


class Brief(NamedTuple):
    """What a portion of a file gave, as `Read` has it, with its usual responses as figures only."""

    plain: list[Plain]
    odd: bytes
    """Lines of all other responses, to be read as usual."""
    offset: int


class Importer(Protocol):
    """The reader of one tool's transcripts."""

    name: str
    """As in `import:<name>`, and the agent's name of its calls."""

    def files(self, root: Path) -> Iterable[Path]:
        """Transcripts below a folder, or the file itself."""
        ...

    def read(self, path: Path, data: bytes, start: int, state: Any, *, is_end: bool, is_settled: bool) -> Read:
        """Calls of `data`, the bytes of `path` from offset `start` on, up to the last line that can be judged.

        `is_end`: nothing follows in the file now. `is_settled`: nothing was written lately, so that the last response
        is whole; one that may still grow is marked `may_repeat` and read again. Never raises for odd content.
        """
        ...

    def brief(self, path: Path, data: bytes, start: int, *, is_end: bool) -> Brief | None:
        """The same for sums alone, where there is a faster way to them; else `None`."""
        ...


def unix_us(text: Any) -> int | None:
    """Microseconds since 1970 of an ISO time; one without a zone is UTC; `None` for anything else."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // _US


@lru_cache(maxsize=4096)
def _project_of(cwd: str) -> str | None:
    if not cwd.strip("/\\"):
        return None
    place = _WORKTREE.sub("", cwd).rstrip("/\\")
    return re.split(r"[/\\]", place)[-1] or None


def project_of(cwd: Any) -> str | None:
    """The project of a working directory: its name, or that of the repository that a worktree lies in."""
    return _project_of(cwd) if isinstance(cwd, str) else None


def word(value: Any) -> str | None:
    """A text that says something; `None` for anything else."""
    return value if isinstance(value, str) and value else None


def is_implausible(output_tokens: int | None, chars: int) -> bool:
    """Whether so much visible text cannot have come from so few tokens: the figure is a stream's first one."""
    return chars > IMPLAUSIBLE_CHARS * (output_tokens or 0) + _SLACK_CHARS


def text_facts(texts: Sequence[str]) -> tuple[str, int, str | None]:
    """A response's text, its characters, its hash."""
    if not texts:
        return "", 0, None
    text = texts[0] if len(texts) == 1 else "\n".join(texts)
    return text, len(text), sha256(text.encode("utf-8", "surrogatepass"))


def whole_lines(data: bytes, *, is_end: bool) -> bytes:
    """The bytes up to the last newline; at a file's end also a last line without one, where it is JSON."""
    end = data.rfind(b"\n") + 1
    if end == len(data):
        return data
    if is_end:
        try:
            msgspec.json.decode(data[end:])
        except (msgspec.DecodeError, RecursionError):
            return data[:end]
        return data
    return data[:end]


def offset_of_line(data: bytes, from_end: int) -> int:
    """Where the line begins that has `from_end` lines from itself to the end of `data`, empty lines not counted."""
    end = len(data)
    while from_end > 0 and end > 0:
        begin = data.rfind(b"\n", 0, end - 1 if data[end - 1 : end] == b"\n" else end) + 1
        if data[begin:end].strip():
            from_end -= 1
        end = begin
    return end


def rows_of(data: bytes, decoder: msgspec.json.Decoder[Row], figures: bytes) -> tuple[list[Row], int]:
    """Rows of whole lines, and how many lines were none. A line that is odd stands as an empty row.

    Of another shape than ours is no fault by itself: only where `figures` stands in it, something to count is missed.
    """
    try:
        return decoder.decode_lines(data), 0
    except (msgspec.MsgspecError, RecursionError, ValueError):
        pass
    rows: list[Row] = []
    bad = 0
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            rows.append(decoder.decode(line))
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            rows.append(decoder.decode(b"{}"))
            bad += not isinstance(error, msgspec.ValidationError) or figures in line
    return rows, bad
