"""The two interfaces that everything above storage speaks to.

`CallStore` holds facts, which never change once written except by amendments; `StateStore` holds
the little that people and followers change. Each has a memory implementation, obviously right and
the reference in the contract tests, and an embedded one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from tallybook.model.call import Call, Cost, Run, Step
from tallybook.model.limits import SEARCH_S
from tallybook.model.question import Answer, Filter, Question
from tallybook.store.access import AccessStore
from tallybook.store.feedback import Feedback
from tallybook.store.part import PartStore
from tallybook.store.run_store import RunStore
from tallybook.store.sought import Searched
from tallybook.store.tally import Entry


class Appended(NamedTuple):
    """How many records were written, and how many were skipped because they were present."""

    written: int
    skipped: int


class Removed(NamedTuple):
    """What retention took away: calls (facts), bodies' files and bytes; totals stay in the summaries."""

    calls: int
    files: int
    bytes: int
    days: tuple[str, ...] = ()


class Warned(NamedTuple):
    """A file that is set aside, and why: the rest is served."""

    path: str
    offset: int | None
    reason: str


class Drift(NamedTuple):
    """A call whose stored cost is not what the prices known now give."""

    call_id: str
    started_at_us: int
    provider: str
    model: str | None
    """The model that answered, else the one asked for."""
    run_id: str | None
    """Its run, else its session."""
    before: Cost
    after: Cost


class CallStore(Protocol):
    """Facts about model calls. Reading takes no lock and is never older than the last write."""

    def append(self, calls: Sequence[Call], steps: Sequence[Step] = ()) -> Appended:
        """Write all or nothing. Calls of the same `call_id`, or the same (`provider`, `response_id`), are one call.

        When this returns, the calls survive the process being killed.
        """
        ...

    def ask(self, question: Question) -> Answer:
        """Answer a question. Raises InputError that names an unknown measure, dimension, field or zone."""
        ...

    def steady(self) -> AbstractContextManager[None]:
        """Within it all answers are of one state of the ledger, so that the parts of a report fit together."""
        ...

    def stamp(self) -> str:
        """A short text that is another one whenever the ledger has changed: for caches of answers."""
        ...

    def call(self, call_id: str) -> Call | None:
        """One call with its cost, by id or by a unique prefix of at least 8 characters; `None` when absent."""
        ...

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
        """Calls with their costs, newest first; `before` is the (started_at_us, call_id) of the last one seen."""
        ...

    def latest_us(self) -> int | None:
        """When the newest call started; `None` when there is none."""
        ...

    def scan(
        self, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> Iterator[list[Call]]:
        """All matching calls, oldest first, in batches: for exports. Memory stays bounded."""
        ...

    def drifted(
        self, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> Iterator[list[Drift]]:
        """Matching calls whose stored cost differs, in amount or status, from what the prices known now give,
        the earlier days first.

        A cost that was stated never does, nor one that is worked out at each reading.
        """
        ...

    def run_calls(self, run_id: str) -> tuple[list[Call], list[Step]]:
        """All calls and steps of a run, in order of start."""
        ...

    def runs(
        self,
        filters: Sequence[Filter] = (),
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        limit: int = 50,
        before: tuple[int, str] | None = None,
    ) -> list[Run]:
        """Runs with totals over their calls, latest activity first; `before` is (updated_at_us, run_id)."""
        ...

    def body(self, call_id: str) -> dict[str, Any] | None:
        """Stored prompt and response of a call: `{"prompt", "response"}`; `None` when bodies were not kept."""
        ...

    def feedback(self, call: Call) -> list[Feedback]:
        """What was said of a call afterwards, oldest first."""
        ...

    def run_feedback(self, run_id: str, project: str | None) -> list[Feedback]:
        """What was said afterwards of a run of that project as a whole, and of no single call of it, oldest first."""
        ...

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
        """Calls in whose stored prompt or response each word and "quoted phrase" of `text` stands, newest first.

        `before` is `reached` of the search that this one goes on with. It ends at `limit`, or after some `seconds`.
        Raises InputError for a text without words.
        """
        ...

    def sql(self, text: str, *, limit: int | None = None) -> Answer:
        """One read-only SELECT over the views `calls`, `tool_calls`, `runs`, `prompts`. Raises InputError otherwise."""
        ...

    def export_parquet(
        self, path: str, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> int:
        """Write matching calls to one Parquet file at `path`, as the view `calls` shows them; the number of rows.

        Never holds the whole result. Raises InputError where the store cannot write Parquet (memory).
        """
        ...

    def warnings(self) -> list[Warned]:
        """Files set aside so far, with offset and reason."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


class Stale(NamedTuple):
    """Runs whose sealed figures are to be read again; `mark` tells `reflect` which these were."""

    mark: int
    run_ids: tuple[str, ...]


UNREFLECTED = -1
"""The `sequence` of totals of which only a part holds what is sealed."""


class Building(NamedTuple):
    """Totals on their way from one manifest to another, in portions, in order of the runs' ids."""

    before: int
    after: int
    stale: int
    """Runs marked as stale up to this are so no more when it is done."""
    past: str = ""
    """The id up to which runs hold what is sealed."""

    @property
    def is_whole(self) -> bool:
        """Whether all runs are read: nothing is known of a manifest that is older than the one that was held."""
        return self.before <= 0 or self.before > self.after


class TotalStore(Protocol):
    """Run totals: what is sealed of each run, and the records that are not (`store.tally`)."""

    def offsets(self) -> dict[str, int]:
        """Bytes of each journal segment that the follower has taken in, by the segment's identity (`ingest.follow`)."""
        ...

    def sequence(self) -> int:
        """The manifest whose sealed calls the totals hold."""
        ...

    def segments(self) -> set[str]:
        """Segments of which records are held as not sealed."""
        ...

    def follow(
        self, entries: Sequence[Entry], segment: str, offset: int, *, sequence: int, is_sealed: bool = False
    ) -> bool:
        """Count the entries of a segment and advance its offset, in one transaction.

        A record that is known already, or a worse one of a call that is, counts nothing; a better one takes its
        place. `sequence` is that of the manifest by which the segment is sealed or not: False, and nothing is done,
        when the totals hold another one by now. Entries of a sealed segment are remembered and count nothing.
        """
        ...

    def reflect(
        self,
        runs: Iterable[Run],
        gone: Collection[str],
        *,
        before: int,
        after: int,
        stale: int = 0,
        is_whole: bool = False,
    ) -> bool:
        """Set what is sealed of `runs`, and hold the segments `gone` as sealed, in one transaction.

        From manifest `before` to `after`; False, and nothing is done, when the totals hold not `before`. With
        `is_whole` nothing is sealed of other runs. Runs that were marked as stale up to `stale` are so no more.
        """  # fmt: skip
        ...

    def building(self) -> Building | None:
        """How far what `begin` began has come."""
        ...

    def begin(self, gone: Collection[str], *, before: int, after: int, stale: int = 0) -> bool:
        """Begin to do in portions what `reflect` does at once: hold the segments `gone` as sealed.

        Until the last portion `sequence` is UNREFLECTED, so that nobody follows on top of it; False as for `reflect`.
        """
        ...

    def advance(self, runs: Iterable[Run], building: Building, *, upto: str | None) -> bool:
        """Set what is sealed of `runs`, all that there is to set from `building.past` on up to the id `upto`.

        With `None` up to the end, and the totals hold the manifest `building.after`. False, and nothing is done, when
        another was there first.
        """
        ...

    def forget(self, segments: Collection[str]) -> None:
        """Forget the offsets of segments that are no more."""
        ...

    def name_runs(self, names: Mapping[str, str]) -> None:
        """Name runs that have no name yet."""
        ...

    def mark_stale(self, run_ids: Collection[str]) -> None:
        """What is sealed of these runs changes, or has changed: `reflect` shall be given them."""
        ...

    def stale(self) -> Stale:
        """Runs marked so and not reflected since."""
        ...


class StateStore(TotalStore, RunStore, AccessStore, PartStore, Protocol):
    """Small mutable state. Every method is one transaction."""

    def run(self, run_id: str) -> Run | None:
        """One run with its totals."""
        ...

    def runs(self, *, limit: int = 50, before: tuple[int, str] | None = None) -> list[Run]:
        """Runs, latest `updated_at_us` first; `before` is (updated_at_us, run_id) of the last one seen."""
        ...

    def setting(self, key: str) -> str | None:
        """A stored value: sealing marks, importer offsets, cached prices."""
        ...

    def set_setting(self, key: str, value: str | None) -> None:
        """Store or, with `None`, remove a value."""
        ...

    def close(self) -> None:
        """Release the connection."""
        ...
