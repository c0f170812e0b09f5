"""Hot lines read in plain Python, for when they are few: that takes less time than importing DuckDB.

It promises the very records that `lines` and `grown` give, or refuses: where there is too much, where a line is no
record of ours, where a repeat is possible and must be looked for in sealed files, where costs were amended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from tallybook.model import codec
from tallybook.model.call import Call, Cost, Step
from tallybook.model.errors import InputError
from tallybook.store.lake.manifest import Manifest, Snapshot
from tallybook.store.memory import MemoryStore

if TYPE_CHECKING:
    from tallybook.prices.pricer import Rates

BYTES_MAX = 8_000_000
"""Of hot segments together, about 8,000 lines. Beyond, DuckDB is the faster reader."""
REPEAT_WITHIN_US = 86_400_000_000
"""How far apart two records of one call may lie (`repeat`, which needs DuckDB)."""
_HASH_CHARS = 71
_KEPT_CHARS = 39
"""A SHA-256 as text, and as much of it as the lake keeps."""

Stamp = tuple[tuple[str, int, int, int], ...]
T = TypeVar("T")


class Refused(Exception):
    """These lines need a closer look."""


class Plain:
    """The hot calls of one folder as a memory store, read again when a segment has changed."""

    def __init__(self, folder: Path, prices: Callable[[], Rates | None]) -> None:
        """`prices` is called when there is a call to price."""
        self._folder = folder
        self._prices = prices
        self._stamp: Stamp | None = None
        self._calls: _Calls | None = None
        self._steps: tuple[Stamp, list[Step]] = ((), [])

    def calls(self, snap: Snapshot) -> MemoryStore:
        """The hot calls. Raises Refused, or FileNotFoundError when a segment is gone."""
        return self._read(snap).store

    def with_steps(self, snap: Snapshot) -> MemoryStore:
        """The hot calls and steps. Raises as `calls`."""
        got = self._read(snap)
        paths = snap.hot.get("steps", [])
        stamp = self._stamped(paths)
        if stamp != self._steps[0]:
            steps = [one for path in paths for one in _records(self._folder / path, codec.decode_step)]
            self._steps = (stamp, steps)
        if not self._steps[1]:
            return got.store
        store = MemoryStore(_own_cost)
        store.append(got.kept, self._steps[1])
        return store

    def _read(self, snap: Snapshot) -> _Calls:
        if snap.problem is not None or snap.manifest.is_rebuilt or snap.hot.get("amendments"):
            raise Refused
        paths = snap.hot.get("telemetry", [])
        stamp = self._stamped(paths)
        if self._calls is None or stamp != self._stamp:
            found = [one for path in paths for one in _records(self._folder / path, _call)]
            self._calls, self._stamp = _settled(found, self._priced(found)), stamp
        self._calls.check(snap.manifest)
        return self._calls

    def _priced(self, found: list[Call]) -> MemoryStore:
        """An empty store that prices its calls."""
        if not found:
            return MemoryStore()
        from tallybook.prices.pricer import Pricer  # here, because a ledger may be all sealed, and so priced

        return MemoryStore(Pricer(self._prices()).cost)

    def _stamped(self, paths: Iterable[str]) -> Stamp:
        """What the segments are known by. Raises Refused when they are too big."""
        found = []
        size = 0
        for path in paths:
            status = (self._folder / path).stat()
            size += status.st_size
            if size > BYTES_MAX:
                raise Refused
            found.append((path, status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(found)


class _Calls(NamedTuple):
    """Hot calls, each once with its cost, and what tells whether sealed files may hold one of them."""

    store: MemoryStore
    kept: list[Call]
    low_us: int
    high_us: int
    may_repeat: bool

    def check(self, manifest: Manifest) -> None:
        """Raise Refused when a repeat must be looked for in sealed files."""
        if not self.kept:
            return
        near = manifest.of("calls", self.low_us - REPEAT_WITHIN_US, self.high_us + REPEAT_WITHIN_US)
        if near and (self.may_repeat or any(file.is_mixed for file in near)):
            raise Refused


def _own_cost(call: Call) -> Cost:
    assert call.cost is not None
    return call.cost


def _settled(found: list[Call], store: MemoryStore) -> _Calls:
    """One record of each call. Repeats by response are looked for only where the lake looks for them."""
    may_repeat = any(call.may_repeat or call.source not in ("sdk", "track") for call in found)
    ids = {call.call_id for call in found}
    if not may_repeat and len(ids) == len(found):
        responses = [(call.provider, call.response_id) for call in found if call.response_id is not None]
        if len(set(responses)) < len(responses):
            raise Refused
    store.append(found)
    kept = [call for batch in store.scan() for call in batch]
    times = [call.started_at_us for call in kept]
    return _Calls(store, kept, min(times, default=0), max(times, default=0), may_repeat)


def _records(path: Path, decode: Callable[[bytes], T]) -> Iterator[T]:
    """Whole lines, and a last one without newline if it is a record; else it is the torn tail of a dead writer."""
    data = path.read_bytes()
    if b"\x00" in data:
        raise Refused
    *whole, last = data.split(b"\n")
    for line in whole:
        if line.strip(b" \t\r"):
            try:
                yield decode(line)
            except InputError as error:
                raise Refused from error
    if last.strip(b" \t\r"):
        try:
            yield decode(last)
        except InputError:
            return


def _call(line: bytes) -> Call:
    call = codec.decode(line)
    if not call.call_id:
        raise Refused
    prompt, response = _kept_hash(call.prompt_hash), _kept_hash(call.response_hash)
    if prompt != call.prompt_hash or response != call.response_hash:
        return msgspec.structs.replace(call, prompt_hash=prompt, response_hash=response)
    return call


def _kept_hash(text: str | None) -> str | None:
    """128 bits of a SHA-256, as the lake keeps it."""
    if text is None or len(text) != _HASH_CHARS or not text.startswith("sha256:"):
        return text
    try:
        return f"sha256:{bytes.fromhex(text[7:_KEPT_CHARS]).hex()}"
    except ValueError:
        return text
