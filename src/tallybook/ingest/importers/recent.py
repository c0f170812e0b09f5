"""What an agent used in the last days, straight from its transcripts: always up to date, without the ledger.

For a line in a prompt, which is drawn every few seconds and may take a tenth of a second: only files touched in the
last days are looked at, and of these only what was added since the last look. What was read stands in a small file in
the ledger's folder, which may be removed at any time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from tallybook.ingest.importers.base import Importer, Mark
from tallybook.prices.pricer import Pricer, Rates

NAME = "statusline.json"
VERSION = 1
DAYS = 3
"""Days looked back: a window of hours begins where the one before ended, so some history is needed."""
_DAY_US = 86_400_000_000
_PIECE_BYTES = 64_000_000


class Used(NamedTuple):
    """What one call used."""

    at_us: int
    session_id: str | None
    tokens: int
    cost_nanousd: int | None


class _Kept(msgspec.Struct):
    version: int = VERSION
    marks: dict[str, Mark] = {}
    calls: dict[str, Used] = {}


_decode = msgspec.json.Decoder(_Kept).decode


def recent(
    reader: Importer, roots: Sequence[Path], cache: Path | None, prices: Rates | None, now_us: int
) -> list[Used]:
    """Calls of the last days, oldest first. Raises OSError only where a transcript cannot be read."""
    path = None if cache is None else cache / NAME
    kept = _load(path)
    since_us = now_us - DAYS * _DAY_US
    pricer = Pricer(prices)
    present: set[str] = set()
    is_changed = False
    for file in _files(reader, roots):
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        if status.st_mtime_ns // 1000 < since_us:
            continue
        name = str(file)
        present.add(name)
        mark = kept.marks.get(name)
        if mark is not None and (mark.size, mark.mtime_ns) == (status.st_size, status.st_mtime_ns):
            continue
        if mark is not None and status.st_size < mark.size:
            mark = None
        is_changed = True
        kept.marks[name] = _read(reader, file, status, mark, kept.calls, pricer, since_us)
    kept.marks = {name: mark for name, mark in kept.marks.items() if name in present}
    kept.calls = {name: used for name, used in kept.calls.items() if used.at_us >= since_us}
    if is_changed and path is not None:
        _save(path, kept)
    return sorted(kept.calls.values())


def _files(reader: Importer, roots: Iterable[Path]) -> Iterable[Path]:
    for root in roots:
        if root.exists():
            yield from reader.files(root)


def _read(
    reader: Importer,
    file: Path,
    status: os.stat_result,
    mark: Mark | None,
    calls: dict[str, Used],
    pricer: Pricer,
    since_us: int,
) -> Mark:
    offset, state = (0, None) if mark is None else (mark.offset, mark.state)
    with file.open("rb", buffering=0) as opened:
        piece = _PIECE_BYTES
        while True:
            opened.seek(offset)
            data = opened.read(min(piece, max(status.st_size - offset, 0)))
            is_end = offset + len(data) >= status.st_size or not data
            got = reader.read(file, data, offset, state, is_end=is_end, is_settled=False)
            for call in got.calls:
                if call.started_at_us < since_us:
                    continue
                name = call.response_id or call.call_id
                # The last response of a file may have grown since it was read: the newer record counts.
                calls[name] = Used(
                    call.started_at_us, call.session_id, call.usage.total_tokens or 0, pricer.cost(call).total_nanousd
                )
            piece = _PIECE_BYTES if got.offset > offset else piece * 2
            offset, state = got.offset, got.state
            if is_end:
                return Mark(status.st_size, status.st_mtime_ns, offset, state)


def _load(path: Path | None) -> _Kept:
    if path is None:
        return _Kept()
    try:
        kept = _decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return _Kept()
    return kept if kept.version == VERSION else _Kept()


def _save(path: Path, kept: _Kept) -> None:
    """Keep what was read; where that is not possible it is read again next time."""
    temporary = path.with_name(f".{NAME}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(msgspec.json.encode(kept))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)


class Window(NamedTuple):
    """The running window of hours, as `query.blocks` draws them, and what was used in it."""

    end_us: int
    used: list[Used]


def window(used: Sequence[Used], now_us: int, hours: int) -> Window | None:
    """The window that contains now; it began at the UTC hour of its first call. `None` when none runs."""
    length = hours * 3_600_000_000
    start = -1
    inside: list[Used] = []
    for one in used:
        if start < 0 or one.at_us >= start + length:
            start = one.at_us - one.at_us % 3_600_000_000
            inside = []
        inside.append(one)
    return Window(start + length, inside) if start >= 0 and start <= now_us < start + length else None
