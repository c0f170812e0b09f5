"""One import: which files have something new, reading them (on all cores where that pays), and remembering how far.

What is many goes to the journal as whole segments and is sealed at once; what is few is appended like any call, after
a look at what the ledger holds. Ids are made from what the provider and the tool call a response, so reading the same
lines again, after a crash, from a copy, or without the memory of offsets, gives no call twice.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tallybook.ingest.importers.base import Content, Mark
from tallybook.ingest.importers.portion import Job, Portion, Source, Worker, importer
from tallybook.ingest.importers.sums import Sum
from tallybook.journal.whole import sweep
from tallybook.model.errors import StorageError
from tallybook.prices.pricer import Rates
from tallybook.store.base import CallStore, StateStore

MANY_BYTES = 8_000_000
"""New bytes of transcripts from which lines are written and sealed at once instead of being looked up one by one."""
POOL_BYTES = 48_000_000
"""New bytes from which a second core pays for being set to work."""
_TICK_S = 0.2
_KEY = "import:"

Progress = Callable[[int, int], None]
"""Told bytes done and bytes in all."""


class Surroundings(NamedTuple):
    """What an import works with."""

    folder: Path
    prices: Rates | None
    open_state: Callable[[], StateStore]
    open_store: Callable[[], CallStore]
    now_ns: Callable[[], int] = time.time_ns


class Imported(NamedTuple):
    """What an import found. `sums` are of calls that were new in this import's eyes, by run and model."""

    files: int
    """Transcripts there are."""
    read: int
    """Of these, with something new."""
    bytes: int
    sums: list[Sum]
    repeated: int
    """Responses that stood in more than one place."""
    known: int
    """Calls that the ledger had already, from another source or an earlier import."""
    bad: dict[str, int]


def find(agents: dict[str, Sequence[Path]], content: Content | None = None) -> list[Source]:
    """All transcripts below the folders of each agent, each file once, the longest untouched first."""
    found: dict[str, Source] = {}
    for agent, roots in agents.items():
        reader = importer(agent, content or Content())
        for root in roots:
            if not root.exists():
                continue
            for path in reader.files(root):
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue
                real = str(path)
                found.setdefault(real, Source(agent, real, status.st_size, status.st_mtime_ns, None))
    return sorted(found.values(), key=lambda one: (one.mtime_ns, one.path))


def run(
    agents: dict[str, Sequence[Path]],
    around: Surroundings,
    *,
    content: Content | None = None,
    since_us: int | None = None,
    is_dry: bool = False,
    progress: Progress = lambda _done, _all: None,
    cores: int | None = None,
) -> Imported:
    """Import what is new. Raises StorageError, OSError."""
    content = content or Content()
    sources = find(agents, content)
    state = None if is_dry and not (around.folder / "state.db").exists() else around.open_state()
    try:
        marks = _marks(state, agents)
        fresh = [one for source in sources if (one := _to_read(source, marks, since_us)) is not None]
        size = sum(one.size - (one.mark.offset if one.mark else 0) for one in fresh)
        if not fresh:
            return Imported(len(sources), 0, 0, [], 0, 0, {})
        is_many = size >= MANY_BYTES
        job = Job(
            around.folder if is_many and not is_dry else None, around.prices, content, since_us, around.now_ns(),
            is_kept=not is_many and not is_dry,
        )  # fmt: skip
        portions = _read(fresh, size, job, progress, cores)
        known = 0
        if not is_dry and state is not None:
            known = _store_many(around, state) if is_many else _store_few(portions, around)
            _remember(state, marks, portions, sources)
    finally:
        if state is not None:
            state.close()
    bad = {path: count for portion in portions for path, count in portion.bad.items()}
    sums = [one for portion in portions for one in portion.sums]
    return Imported(len(sources), len(fresh), size, sums, sum(one.repeated for one in portions), known, bad)


def _to_read(source: Source, marks: dict[str, dict[str, Mark]], since_us: int | None) -> Source | None:
    """The source with its mark, if it has something new; one that shrank or was written anew is read from its start."""
    mark = marks[source.agent].get(source.path)
    if since_us is not None and source.mtime_ns // 1000 < since_us:
        return None
    if mark is None:
        return source if source.size else None
    if mark.size == source.size and mark.mtime_ns == source.mtime_ns:
        return None
    if source.size < mark.size or source.path.endswith(".json"):
        return source
    return source._replace(mark=mark)


def _read(sources: list[Source], size: int, job: Job, progress: Progress, cores: int | None) -> list[Portion]:
    """Portions of the sources, read by as many processes as pay."""
    workers = min(cores or _cores(), len(sources)) if size >= POOL_BYTES else 1
    done = 0

    def one_more(count: int) -> None:
        nonlocal done
        done += count
        progress(done, size)

    if workers <= 1:
        with _uncollected():
            return [Worker(job).read(sources, one_more)]
    from concurrent.futures import (  # here, because a small import needs neither
        FIRST_COMPLETED,
        ProcessPoolExecutor,
        wait,
    )
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    if job.prices is not None:
        _warm(job.prices)
    bundles = _bundles(sources, workers)
    context = get_context(_method())
    counter = context.Value("q", 0)
    try:
        with ProcessPoolExecutor(len(bundles), context, _count_in, (counter,)) as pool:
            running = [pool.submit(_work, job, bundle) for bundle in bundles]
            left = set(running)
            while left:
                _, left = wait(left, _TICK_S, FIRST_COMPLETED)
                progress(counter.value, size)
            portions = [future.result() for future in running]
    except BrokenProcessPool as error:
        raise StorageError(
            "a process that read transcripts was ended from outside",
            hint="memory may be short: import one agent at a time",
        ) from error
    return portions


_counters: list[Any] = []
"""In a reading process: where it tells how many bytes it has read."""


def _count_in(counter: Any) -> None:
    _counters.append(counter)


def _counted(count: int) -> None:
    with _counters[0].get_lock():
        _counters[0].value += count


def _work(job: Job, sources: list[Source]) -> Portion:
    with _uncollected():
        return Worker(job).read(sources, _counted)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for cycles, of which records have none: it costs a third of reading many."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _method() -> str:
    return "fork" if os.name == "posix" and os.uname().sysname == "Linux" else "spawn"


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _warm(prices: Rates) -> None:
    """Load the price list before the processes part, so that it is loaded once."""
    from tallybook.prices.base import Key  # here, because one process needs it not

    prices.rates([Key("anthropic", "claude-sonnet-4-5"), Key("anthropic", "claude-opus-4-5")])


def _bundles(sources: list[Source], count: int) -> list[list[Source]]:
    """About equal shares; files of one folder stay together as far as that goes, for copies lie beside each other."""
    groups: dict[str, list[Source]] = {}
    for source in sources:
        groups.setdefault(str(Path(source.path).parent), []).append(source)
    total = sum(source.size for source in sources)
    bundles: list[list[Source]] = [[] for _ in range(count)]
    sizes = [0] * count
    for group in sorted(groups.values(), key=lambda one: -sum(source.size for source in one)):
        pieces: Iterable[list[Source]] = [group]
        if sum(source.size for source in group) > total / count * 1.2:
            pieces = ([source] for source in group)
        for piece in pieces:
            least = sizes.index(min(sizes))
            bundles[least] += piece
            sizes[least] += sum(source.size for source in piece)
    return [bundle for bundle in bundles if bundle]


def _store_many(around: Surroundings, state: StateStore) -> int:
    """Seal the segments at once; run totals come from what is sealed, so that nobody follows these lines."""
    from tallybook.ingest.seal import seal  # here, because an import of nothing needs no DuckDB

    seal(around.folder, around.prices, state, is_known=True)
    sweep(around.folder, around.now_ns() / 1e9)
    return 0


def _store_few(portions: list[Portion], around: Surroundings) -> int:
    """Append as any call is, unless the ledger has it; how many it had."""
    calls = [call for portion in portions for call in portion.calls]
    steps = [step for portion in portions for step in portion.steps]
    if not calls and not steps:
        return 0
    store = around.open_store()
    try:
        return store.append(calls, steps).skipped
    finally:
        store.close()


def _marks(state: StateStore | None, agents: Iterable[str]) -> dict[str, dict[str, Mark]]:
    """Marks by agent and file."""
    found: dict[str, dict[str, Mark]] = {agent: {} for agent in agents}
    for agent in found if state is not None else ():
        text = None if state is None else state.setting(_KEY + agent)
        if text is None:
            continue
        try:
            found[agent] = msgspec.json.decode(text, type=dict[str, Mark])
        except msgspec.MsgspecError:
            continue  # Of another version: everything is read again, and nothing comes twice.
    return found


def _remember(
    state: StateStore, marks: dict[str, dict[str, Mark]], portions: list[Portion], sources: list[Source]
) -> None:
    """Keep how far each file was read, by agent; files that are gone are forgotten."""
    agent_of = {source.path: source.agent for source in sources}
    for portion in portions:
        for path, mark in portion.marks.items():
            marks[agent_of[path]][path] = mark
    for agent, own in marks.items():
        kept = {path: mark for path, mark in own.items() if path in agent_of or Path(path).exists()}
        state.set_setting(_KEY + agent, msgspec.json.encode(kept).decode())
