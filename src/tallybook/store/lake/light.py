"""`LightStore`: a `LakeStore` that is opened only when it is needed.

A short command pays more for importing and opening DuckDB than for everything else. What plain Python can answer, it
answers: from hot lines where they are few and nothing is sealed in the span, and from the digest of the last days.
Both give the very figures of the lake; where they cannot, the lake is opened, and then answers all further questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tallybook.model.call import Call, Run, Step
from tallybook.model.limits import SEARCH_S
from tallybook.model.question import Answer, Filter, Question
from tallybook.store.base import Appended, CallStore, Drift, Warned
from tallybook.store.check import checked_filters, checked_question, columns_of
from tallybook.store.feedback import Feedback, of_call
from tallybook.store.lake.manifest import FileKind, Manifest, Seen, Snapshot, snapshot
from tallybook.store.lake.plain import Plain, Refused
from tallybook.store.sought import Searched

if TYPE_CHECKING:
    from tallybook.prices.pricer import Rates
    from tallybook.store.lake.digest import Day, Entry
    from tallybook.store.memory import MemoryStore

_TRIES = 5
_DAY_US = 86_400_000_000
T = TypeVar("T")


class LightStore:
    """The calls of one folder. Not safe for several threads at once."""

    def __init__(self, folder: Path, prices: Rates | Callable[[], Rates] | None = None, *, fsync: bool = False) -> None:
        """`prices` may also be a function that gives them; it is called when there is a call to price."""
        self._folder = folder
        self._prices: Callable[[], Rates | None] = prices if callable(prices) else lambda: prices
        self._fsync = fsync
        self._seen = Seen()
        self._plain = Plain(folder, self._prices)
        self._lake: CallStore | None = None
        self._entries: tuple[int, dict[str, Entry]] | None = None
        self._held: dict[str, Day] = {}

    @property
    def lake(self) -> CallStore:
        """The whole store, opened at first use."""
        if self._lake is None:
            from tallybook.store.lake.store import LakeStore  # here, because importing DuckDB takes 50 ms

            self._lake = LakeStore(self._folder, self._prices(), fsync=self._fsync)
        return self._lake

    def _try(self, work: Callable[[Snapshot], T]) -> T:
        """Do `work` on the folder as it is now. Raises Refused when the lake must be asked."""
        if self._lake is not None:
            raise Refused
        for _ in range(_TRIES):
            try:
                return work(snapshot(self._folder, self._seen))
            except FileNotFoundError:  # A segment was sealed meanwhile.
                continue
        raise Refused

    def _all_hot(self, snap: Snapshot, kinds: Sequence[FileKind], since_us: int | None, until_us: int | None) -> None:
        """Raise Refused when something of these kinds in the span is sealed, or was and is removed."""
        if any(snap.manifest.of(kind, since_us, until_us) for kind in kinds) or _was_removed(
            snap.manifest, since_us, until_us
        ):
            raise Refused

    def append(self, calls: Sequence[Call], steps: Sequence[Step] = ()) -> Appended:
        """See `CallStore.append`."""
        return self.lake.append(calls, steps)

    def ask(self, question: Question) -> Answer:
        """See `CallStore.ask`."""
        question = checked_question(question)

        def work(snap: Snapshot) -> Answer:
            if question.source == "tool_calls":
                self._all_hot(snap, ("calls", "tools", "steps"), None, None)
                return self._plain.with_steps(snap).ask(question)
            if snap.manifest.of("calls", question.since_us, question.until_us):
                return self._by_digest(snap, question)
            self._all_hot(snap, (), question.since_us, question.until_us)
            return self._plain.calls(snap).ask(question)

        try:
            return self._try(work)
        except Refused:
            return self.lake.ask(question)

    def steady(self) -> AbstractContextManager[None]:
        """See `CallStore.steady`. Only the lake keeps to it: plain Python serves single commands."""
        return nullcontext() if self._lake is None else self._lake.steady()

    def stamp(self) -> str:
        """See `CallStore.stamp`."""
        return self.lake.stamp()

    def _by_digest(self, snap: Snapshot, question: Question) -> Answer:
        """The answer from the digest of the newest days and hot lines. Raises Refused."""
        from tallybook.store.lake import digest, fold  # here, because most ledgers have nothing sealed in the span

        fold.check(question)
        self._all_hot(snap, (), question.since_us, question.until_us)
        calls = self._plain.calls(snap)
        if self._entries is None or self._entries[0] != snap.manifest.sequence:
            self._entries = (snap.manifest.sequence, digest.read(self._folder))
            self._held.clear()
        held: list[fold.Held] = []
        for day in sorted({file.day for file in snap.manifest.of("calls", question.since_us, question.until_us)}):
            files = digest.files_of(snap.manifest, day)
            entry = self._entries[1].get(day)
            if entry is None or not digest.is_of(entry, files):
                raise Refused
            if day not in self._held:
                self._held[day] = digest.day_of(entry)
            low_us, high_us = min(file.min_us for file in files), max(file.max_us for file in files)
            held.append(fold.Held(self._held[day], low_us, high_us))
        hot = calls.scan(question.filters, since_us=question.since_us, until_us=question.until_us)
        rows = fold.folded(question, held, (call for batch in hot for call in batch))
        return Answer(columns_of(question), rows)

    def call(self, call_id: str) -> Call | None:
        """See `CallStore.call`."""

        def work(snap: Snapshot) -> Call | None:
            self._all_hot(snap, ("calls",), None, None)
            return self._plain.calls(snap).call(call_id)

        try:
            return self._try(work)
        except Refused:
            return self.lake.call(call_id)

    def calls(
        self,
        filters: Sequence[Filter] = (),
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        limit: int = 50,
        before: tuple[int, str] | None = None,
        oldest_first: bool = False,
    ) -> list[Call]:
        """See `CallStore.calls`."""
        filters = checked_filters(filters)

        def work(snap: Snapshot) -> list[Call]:
            def found(since_us: int | None) -> list[Call]:
                return self._plain.calls(snap).calls(
                    filters, since_us=since_us, until_us=until_us, limit=limit, before=before, oldest_first=oldest_first
                )

            if not oldest_first:
                # What is newer than all that is sealed comes first, whatever lies behind it.
                newest_us = max((file.max_us for file in snap.manifest.files if file.kind == "calls"), default=-1)
                newer = found(max(since_us or 0, newest_us + 1))
                if len(newer) == limit:
                    return newer
            self._all_hot(snap, ("calls",), since_us, until_us)
            return found(since_us)

        try:
            return self._try(work)
        except Refused:
            return self.lake.calls(
                filters, since_us=since_us, until_us=until_us, limit=limit, before=before, oldest_first=oldest_first
            )

    def latest_us(self) -> int | None:
        """See `CallStore.latest_us`. The manifest knows it of what is sealed."""

        def work(snap: Snapshot) -> int | None:
            hot = self._plain.calls(snap).latest_us()
            sealed = snap.manifest.of("calls")
            newest = max(sealed, key=lambda file: file.max_us, default=None)
            if newest is None or (hot is not None and hot > newest.max_us):
                return hot
            if newest.path in {one.path for one in snap.manifest.damaged}:
                raise Refused
            return newest.max_us

        try:
            return self._try(work)
        except Refused:
            return self.lake.latest_us()

    def scan(
        self, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> Iterator[list[Call]]:
        """See `CallStore.scan`."""

        def work(snap: Snapshot) -> MemoryStore:
            self._all_hot(snap, ("calls",), since_us, until_us)
            return self._plain.calls(snap)

        store: CallStore
        try:
            store = self._try(work)
        except Refused:
            store = self.lake
        return store.scan(filters, since_us=since_us, until_us=until_us)

    def drifted(
        self, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> Iterator[list[Drift]]:
        """See `CallStore.drifted`: only what is sealed can drift, and that is the lake's."""
        return self.lake.drifted(filters, since_us=since_us, until_us=until_us)

    def search(
        self,
        text: str,
        filters: Sequence[Filter] = (),
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        limit: int = 20,
        before: tuple[int, str] | None = None,
        seconds: float = SEARCH_S,
    ) -> Searched:
        """See `CallStore.search`: what is found in bodies takes the lake."""
        return self.lake.search(
            text, filters, since_us=since_us, until_us=until_us, limit=limit, before=before, seconds=seconds
        )

    def run_calls(self, run_id: str) -> tuple[list[Call], list[Step]]:
        """See `CallStore.run_calls`."""

        def work(snap: Snapshot) -> tuple[list[Call], list[Step]]:
            self._all_hot(snap, ("calls", "steps"), None, None)
            return self._plain.with_steps(snap).run_calls(run_id)

        try:
            return self._try(work)
        except Refused:
            return self.lake.run_calls(run_id)

    def runs(
        self,
        filters: Sequence[Filter] = (),
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        limit: int = 50,
        before: tuple[int, str] | None = None,
    ) -> list[Run]:
        """See `CallStore.runs`."""

        def work(snap: Snapshot) -> list[Run]:
            self._all_hot(snap, ("calls", "steps", "summary_runs"), None, None)
            return self._plain.with_steps(snap).runs(
                filters, since_us=since_us, until_us=until_us, limit=limit, before=before
            )

        try:
            return self._try(work)
        except Refused:
            return self.lake.runs(filters, since_us=since_us, until_us=until_us, limit=limit, before=before)

    def body(self, call_id: str) -> dict[str, Any] | None:
        """See `CallStore.body`. Without DuckDB only where no body is kept at all."""

        def work(snap: Snapshot) -> None:
            self._all_hot(snap, ("prompts", "responses"), None, None)
            if snap.problem is not None or snap.hot.get("prompts") or snap.hot.get("responses"):
                raise Refused

        try:
            return self._try(work)
        except Refused:
            return self.lake.body(call_id)

    def feedback(self, call: Call) -> list[Feedback]:
        """See `CallStore.feedback`."""
        try:
            return self._try(
                lambda snap: of_call([self._folder / path for path in snap.hot.get("amendments", ())], call)
            )
        except Refused:
            return self.lake.feedback(call)

    def run_feedback(self, run_id: str, project: str | None) -> list[Feedback]:
        """See `CallStore.run_feedback`."""
        return self.lake.run_feedback(run_id, project)

    def sql(self, text: str, *, limit: int | None = None) -> Answer:
        """See `CallStore.sql`."""
        return self.lake.sql(text, limit=limit)

    def export_parquet(
        self, path: str, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> int:
        """See `CallStore.export_parquet`."""
        return self.lake.export_parquet(path, filters, since_us=since_us, until_us=until_us)

    def warnings(self) -> list[Warned]:
        """See `CallStore.warnings`. Hot lines that plain Python reads have nothing to warn of."""

        def work(snap: Snapshot) -> list[Warned]:
            self._plain.calls(snap)
            return [Warned(one.path, one.offset, one.reason) for one in snap.manifest.damaged]

        try:
            return self._try(work)
        except Refused:
            return self.lake.warnings()

    def close(self) -> None:
        """See `CallStore.close`."""
        if self._lake is not None:
            self._lake.close()


def _was_removed(manifest: Manifest, since_us: int | None, until_us: int | None) -> bool:
    """Whether the span touches a day whose calls retention has removed."""
    removed = set(manifest.removed)
    return bool(removed) and any(
        file.day in removed
        for file in manifest.files
        if (since_us is None or file.min_us // _DAY_US * _DAY_US + _DAY_US > since_us)
        and (until_us is None or file.min_us // _DAY_US * _DAY_US < until_us)
    )
