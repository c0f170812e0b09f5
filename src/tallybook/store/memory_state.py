"""The reference `StateStore`: every record kept, every total worked out by a plain loop when it is asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tallybook.model.call import Run
from tallybook.store.access import MemoryAccess
from tallybook.store.base import UNREFLECTED, Building, Stale
from tallybook.store.memory_runs import MemoryRuns
from tallybook.store.part import MemoryParts
from tallybook.store.tally import Entry, Figures, Record, figures_of, rank, survivor, weights


class MemoryState(MemoryRuns, MemoryParts, MemoryAccess):
    """A `StateStore` in dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self._offsets: dict[str, int] = {}
        self._records: list[Record] = []
        self._sequence = 0
        self._building: Building | None = None
        self._number = 0
        self._stale: list[str] = []
        self._stale_until = 0
        self._settings: dict[str, str] = {}

    def offsets(self) -> dict[str, int]:
        """See `TotalStore.offsets`."""
        return dict(self._offsets)

    def sequence(self) -> int:
        """See `TotalStore.sequence`."""
        return self._sequence

    def segments(self) -> set[str]:
        """See `TotalStore.segments`."""
        return {one.segment for one in self._records if not one.is_sealed}

    def follow(
        self, entries: Sequence[Entry], segment: str, offset: int, *, sequence: int, is_sealed: bool = False
    ) -> bool:
        """See `TotalStore.follow`."""
        if sequence != self._sequence:
            return False
        for entry in entries:
            self._see(entry)
            self._take(entry, segment, is_sealed)
        self.record_tasks([entry.call_id for entry in entries])
        self._offsets[segment] = max(offset, self._offsets.get(segment, 0))
        return True

    def _see(self, entry: Entry) -> None:
        if entry.run_id is None:
            return
        seen = Run(
            run_id=entry.run_id, project=entry.project, user_id=entry.user_id, session_id=entry.session_id,
            agent_name=entry.agent_name, created_at_us=entry.started_at_us, updated_at_us=entry.ended_at_us,
            tags=tuple(sorted(set(entry.tags))),
        )  # fmt: skip
        self._runs[entry.run_id] = widened(self._runs.get(entry.run_id, Run(run_id=entry.run_id)), seen)

    def _group(self, one: Entry | Record) -> list[Record]:
        return [
            known
            for known in self._records
            if known.call_id == one.call_id or (one.response is not None and known.response == one.response)
        ]

    def _take(self, entry: Entry, segment: str, is_sealed: bool) -> None:
        same = [one for one in self._group(entry) if one.segment == segment]
        if any(rank(one) <= rank(entry) for one in same):
            return
        self._number += 1
        values = {name: value for name, value in entry._asdict().items() if name in Record._fields}
        fresh = Record(number=self._number, segment=segment, is_sealed=0, weight=0, **values)
        self._records = [*(one for one in self._records if one not in same), fresh]
        if is_sealed:
            self._seal([fresh])

    def _seal(self, fresh: Sequence[Record]) -> None:
        """These records of one call are sealed together."""
        kept = survivor([one for one in self._group(fresh[0]) if one.is_sealed], fresh)
        sealed = [one for one in self._group(fresh[0]) if one.is_sealed or one in fresh]
        self._records = [one for one in self._records if one not in sealed]
        self._records.append(kept._replace(is_sealed=1))

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
        """See `TotalStore.reflect`."""  # fmt: skip
        if before != self._sequence:
            return False
        self._seal_all(gone)
        self._set(runs, self._runs if is_whole else ())
        self._reflected(after, stale)
        return True

    def _seal_all(self, gone: Collection[str]) -> None:
        while fresh := [one for one in self._records if one.segment in gone and not one.is_sealed]:
            self._seal([one for one in self._group(fresh[0]) if one in fresh])

    def _set(self, runs: Iterable[Run], cleared: Iterable[str]) -> None:
        found = list(runs)
        for run_id in list(cleared):
            self._runs[run_id] = _with(self._runs[run_id], Figures())
        for run in found:
            known_run = self._runs.get(run.run_id, Run(run_id=run.run_id))
            self._runs[run.run_id] = _with(widened(known_run, run) if run.call_count else known_run, _base(run))

    def _reflected(self, sequence: int, stale: int) -> None:
        self._sequence = sequence
        self._building = None
        self._stale = self._stale[max(0, stale - self._stale_until) :]
        self._stale_until = max(stale, self._stale_until)

    def building(self) -> Building | None:
        """See `TotalStore.building`."""
        return self._building

    def begin(self, gone: Collection[str], *, before: int, after: int, stale: int = 0) -> bool:
        """See `TotalStore.begin`."""
        if before != self._sequence:
            return False
        self._seal_all(gone)
        self._building = Building(before, after, stale)
        self._sequence = UNREFLECTED
        return True

    def advance(self, runs: Iterable[Run], building: Building, *, upto: str | None) -> bool:
        """See `TotalStore.advance`."""
        if building != self._building:
            return False
        among = [one for one in self._runs if one > building.past and (upto is None or one <= upto)]
        self._set(runs, among if building.is_whole else ())
        if upto is None:
            self._reflected(building.after, building.stale)
        else:
            self._building = building._replace(past=upto)
        return True

    def forget(self, segments: Collection[str]) -> None:
        """See `TotalStore.forget`."""
        for segment in segments:
            self._offsets.pop(segment, None)

    def name_runs(self, names: Mapping[str, str]) -> None:
        """See `TotalStore.name_runs`."""
        for run_id, name in names.items():
            run = self._runs.get(run_id)
            if run is not None and run.name is None:
                self._runs[run_id] = msgspec.structs.replace(run, name=name)

    def mark_stale(self, run_ids: Collection[str]) -> None:
        """See `TotalStore.mark_stale`."""
        self._stale.extend(run_ids)

    def stale(self) -> Stale:
        """See `TotalStore.stale`."""
        return Stale(self._stale_until + len(self._stale), tuple(dict.fromkeys(self._stale)))

    def _total(self, run: Run) -> Run:
        """The run with what is not sealed of it added."""
        total = _base(run)
        for one in self._records:
            if one.run_id == run.run_id:
                group = self._group(one)
                total = total.plus(figures_of(one), weights(group)[group.index(one)])
        return _with(run, total)

    def setting(self, key: str) -> str | None:
        """See `StateStore.setting`."""
        return self._settings.get(key)

    def set_setting(self, key: str, value: str | None) -> None:
        """See `StateStore.set_setting`."""
        if value is None:
            self._settings.pop(key, None)
        else:
            self._settings[key] = value

    def close(self) -> None:
        """Nothing to release."""


def _base(run: Run) -> Figures:
    return Figures(
        run.call_count, run.error_count, run.input_tokens, run.output_tokens, run.cost_nanousd, run.unpriced_count
    )


def _with(run: Run, figures: Figures) -> Run:
    return msgspec.structs.replace(
        run, call_count=figures.calls, error_count=figures.errors, input_tokens=figures.input_tokens,
        output_tokens=figures.output_tokens, cost_nanousd=figures.cost_nanousd, unpriced_count=figures.unpriced,
    )  # fmt: skip


def widened(known: Run, seen: Run) -> Run:
    """A run of which more is seen: times widen, tags add up, what was unknown is filled in."""

    def either(name: str) -> Any:
        value = getattr(known, name)
        return getattr(seen, name) if value is None else value

    starts = [at for at in (known.created_at_us, seen.created_at_us) if at]
    return msgspec.structs.replace(
        known,
        name=either("name"),
        project=either("project"),
        user_id=either("user_id"),
        session_id=either("session_id"),
        agent_name=either("agent_name"),
        created_at_us=min(starts, default=0),
        updated_at_us=max(known.updated_at_us, seen.updated_at_us),
        tags=tuple(sorted({*known.tags, *seen.tags})),
    )
