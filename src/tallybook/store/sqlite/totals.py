"""Run totals in SQLite: records that were followed, and what is sealed, each change in the caller's transaction.

`records` holds each record of a call that is not sealed yet, and the last `KEPT_RECORDS` that are, so that a repeat
is known. Totals change by what the weights of records do (`store.tally`) and by what the base does.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tallybook.model.call import Run
from tallybook.store.tally import Entry, Figures, Record, figures_of, rank, survivor, weights

KEPT_RECORDS = 100_000
"""Sealed records remembered, some 25 MB. A repeat of an earlier one counts twice until it is sealed in its turn."""

_FIELDS = ", ".join(Record._fields)
_OPEN = "segment IN (SELECT value FROM json_each(?)) AND is_sealed = 0"
_ADD = """UPDATE runs SET call_count = call_count + ?, error_count = error_count + ?,
    input_tokens = input_tokens + ?, output_tokens = output_tokens + ?, cost_nanousd = cost_nanousd + ?,
    unpriced_count = unpriced_count + ? WHERE run_id = ?"""
_SEEN = """INSERT INTO runs (run_id, project, user_id, session_id, agent_name, tags, created_at_us, updated_at_us,
    name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id) DO UPDATE SET
    project = coalesce(project, excluded.project), user_id = coalesce(user_id, excluded.user_id),
    session_id = coalesce(session_id, excluded.session_id), agent_name = coalesce(agent_name, excluded.agent_name),
    name = coalesce(name, excluded.name),
    tags = CASE WHEN excluded.tags = '[]' THEN tags ELSE
        (SELECT json_group_array(value) FROM (SELECT value FROM json_each(tags)
         UNION SELECT value FROM json_each(excluded.tags) ORDER BY value)) END,
    created_at_us = CASE WHEN created_at_us = 0 THEN excluded.created_at_us
        WHEN excluded.created_at_us = 0 THEN created_at_us ELSE min(created_at_us, excluded.created_at_us) END,
    updated_at_us = max(updated_at_us, excluded.updated_at_us)"""
_BASE = """UPDATE runs SET call_count = call_count + ?1 - sealed_calls, error_count = error_count + ?2 - sealed_errors,
    input_tokens = input_tokens + ?3 - sealed_input_tokens, output_tokens = output_tokens + ?4 - sealed_output_tokens,
    cost_nanousd = cost_nanousd + ?5 - sealed_cost_nanousd, unpriced_count = unpriced_count + ?6 - sealed_unpriced,
    sealed_calls = ?1, sealed_errors = ?2, sealed_input_tokens = ?3, sealed_output_tokens = ?4,
    sealed_cost_nanousd = ?5, sealed_unpriced = ?6 WHERE run_id = ?7"""


_INSERT = f"INSERT INTO records ({_FIELDS}) VALUES (NULL, {', '.join('?' * (len(Record._fields) - 1))})"


def _values(entry: Entry, segment: str, is_sealed: bool, weight: int) -> tuple[Any, ...]:
    """An entry as the values of its record, without the number."""
    return (
        entry.call_id, entry.response, segment, entry.run_id, entry.quality, entry.started_at_us, entry.errors,
        entry.input_tokens, entry.output_tokens, entry.cost_nanousd, int(is_sealed), weight,
    )  # fmt: skip


class _Seen:
    """What entries of one run tell of it besides figures."""

    __slots__ = ("agent_name", "end", "project", "session_id", "start", "tags", "user_id")

    def __init__(self) -> None:
        self.project: str | None = None
        self.user_id: str | None = None
        self.session_id: str | None = None
        self.agent_name: str | None = None
        self.tags: set[str] = set()
        self.start = self.end = 0

    def add(self, entry: Entry) -> None:
        if self.project is None:
            self.project = entry.project
        if self.user_id is None:
            self.user_id = entry.user_id
        if self.session_id is None:
            self.session_id = entry.session_id
        if self.agent_name is None:
            self.agent_name = entry.agent_name
        if entry.tags:
            self.tags.update(entry.tags)
        started_at_us = entry.started_at_us
        if started_at_us < self.start or not self.start:
            self.start = started_at_us
        self.end = max(self.end, entry.ended_at_us)


class Totals:
    """The totals of one transaction: collects changes, and writes them when it is done."""

    def __init__(self, con: sqlite3.Connection) -> None:
        self._con = con
        self._changes: dict[str, Figures] = {}
        self._seen: dict[str, _Seen] = {}

    def add(self, entries: Sequence[Entry], segment: str, *, is_sealed: bool) -> None:
        """Take in the entries of a segment."""
        for entry in entries:
            run_id = entry.run_id
            if run_id is not None:
                seen = self._seen.get(run_id)
                if seen is None:
                    seen = self._seen[run_id] = _Seen()
                seen.add(entry)
        repeated = self._repeated(entries)
        plain = entries
        if repeated:
            plain = [entry for entry in entries if repeated.isdisjoint((entry.call_id, entry.response))]
        self._insert_all(plain, segment, is_sealed)
        if len(plain) < len(entries):
            for entry in entries:
                if not repeated.isdisjoint((entry.call_id, entry.response)):
                    self._add_one(entry, segment, is_sealed)

    def _repeated(self, entries: Sequence[Entry]) -> set[str | int | None]:
        """Call ids and responses that are known already, or are told twice here: nearly always none."""
        calls: list[str | int] = [entry.call_id for entry in entries]
        responses: list[str | int] = [entry.response for entry in entries if entry.response is not None]
        found: set[str | int | None] = set()
        for column, keys in (("call_id", calls), ("response", responses)):
            if len(set(keys)) < len(keys):
                found.update(key for key, count in Counter(keys).items() if count > 1)
            rows = self._con.execute(
                f"SELECT {column} FROM records WHERE {column} IN (SELECT value FROM json_each(?))",
                (msgspec.json.encode(keys).decode(),),
            )
            found.update(key for (key,) in rows)
        return found

    def _insert_all(self, entries: Sequence[Entry], segment: str, is_sealed: bool) -> None:
        """Records of calls that nothing is known of."""
        weight = 0 if is_sealed else 1
        self._con.executemany(_INSERT, [_values(entry, segment, is_sealed, weight) for entry in entries])
        if not weight:
            return
        sums: dict[str, list[int]] = {}
        for entry in entries:
            if entry.run_id is None:
                continue
            of = sums.get(entry.run_id)
            if of is None:
                of = sums[entry.run_id] = [0] * len(Figures._fields)
            of[0] += 1
            of[1] += entry.errors
            of[2] += entry.input_tokens
            of[3] += entry.output_tokens
            cost_nanousd = entry.cost_nanousd
            if cost_nanousd is None:
                of[5] += 1
            else:
                of[4] += cost_nanousd
        for run_id, of in sums.items():
            self._changes[run_id] = self._changes.get(run_id, Figures()).plus(Figures(*of))

    def _add_one(self, entry: Entry, segment: str, is_sealed: bool) -> None:
        group = self._group(entry.call_id, entry.response)
        if not group:
            self._insert(entry, segment, is_sealed, 0 if is_sealed else 1)
            return
        same = [one for one in group if one.segment == segment]
        if any(rank(one) <= rank(entry) for one in same):
            return
        self._drop(same)  # They are sealed together, so the better one is all that comes of both.
        fresh = self._insert(entry, segment, is_sealed, 0)
        left = [*(one for one in group if one not in same), fresh]
        self._settle(self._sealed_among(left, [fresh]) if is_sealed else left)

    def _group(self, call_id: str, response: int | None) -> list[Record]:
        rows = self._con.execute(f"SELECT {_FIELDS} FROM records WHERE call_id = ?", (call_id,)).fetchall()
        if response is not None:
            rows += self._con.execute(
                f"SELECT {_FIELDS} FROM records WHERE response = ? AND call_id <> ?", (response, call_id)
            ).fetchall()
        return [Record(*row) for row in rows]

    def _insert(self, entry: Entry, segment: str, is_sealed: bool, weight: int) -> Record:
        values = _values(entry, segment, is_sealed, weight)
        cursor = self._con.execute(_INSERT, values)
        one = Record(cursor.lastrowid or 0, *values)
        if weight:
            self._change(one, weight)
        return one

    def _settle(self, group: Sequence[Record]) -> None:
        """Give the records of one call their weights."""
        if len(group) > 1:
            listed = msgspec.json.encode([one.number for one in group]).decode()
            self._con.execute(
                "UPDATE records SET has_repeat = 1 WHERE number IN (SELECT value FROM json_each(?))", (listed,)
            )
        for one, weight in zip(group, weights(group), strict=True):
            self._weigh(one, weight)

    def _weigh(self, one: Record, weight: int) -> None:
        if one.weight != weight:
            self._con.execute("UPDATE records SET weight = ? WHERE number = ?", (weight, one.number))
            self._change(one, weight - one.weight)

    def _change(self, one: Entry | Record, times: int) -> None:
        if one.run_id is not None:
            known = self._changes.get(one.run_id, Figures())
            self._changes[one.run_id] = known.plus(figures_of(one), times)

    def sealed(self, segments: Collection[str]) -> None:
        """The records of these segments are in the base from now on."""
        listed = msgspec.json.encode(list(segments)).decode()
        again = self._con.execute(
            f"SELECT {_FIELDS} FROM records WHERE {_OPEN} AND has_repeat = 1 ORDER BY number", (listed,)
        ).fetchall()
        for run_id, *sums in self._con.execute(
            "SELECT run_id, sum(weight), sum(weight * errors), sum(weight * input_tokens), sum(weight * output_tokens),"
            " sum(weight * coalesce(cost_nanousd, 0)), sum(weight * (cost_nanousd IS NULL)) FROM records "
            f"WHERE {_OPEN} AND has_repeat = 0 AND weight <> 0 AND run_id IS NOT NULL GROUP BY run_id",
            (listed,),
        ):
            self._changes[run_id] = self._changes.get(run_id, Figures()).plus(Figures(*sums), -1)
        self._con.execute(f"UPDATE records SET is_sealed = 1, weight = 0 WHERE {_OPEN} AND has_repeat = 0", (listed,))
        for one in map(Record._make, again):
            self._seal_call(one, segments)
        self._con.execute(
            "DELETE FROM records WHERE is_sealed = 1 AND weight = 0 AND has_repeat = 0 "
            "AND number <= (SELECT max(number) FROM records) - ?",
            (KEPT_RECORDS,),
        )

    def _seal_call(self, one: Record, segments: Collection[str]) -> None:
        """Seal the records of a call that are in these segments."""
        group = self._group(one.call_id, one.response)
        fresh = [known for known in group if not known.is_sealed and known.segment in segments]
        if not fresh:
            return  # Sealed with another one of these.
        for known in fresh:
            self._con.execute("UPDATE records SET is_sealed = 1 WHERE number = ?", (known.number,))
        self._settle(self._sealed_among(group, fresh))

    def _sealed_among(self, group: Sequence[Record], fresh: Sequence[Record]) -> list[Record]:
        """The records of a call without the sealed ones that the lake does not keep; `fresh` are sealed by now."""
        kept = survivor([one for one in group if one.is_sealed and one not in fresh], fresh)
        self._drop([one for one in group if one is not kept and (one.is_sealed or one in fresh)])
        left = [kept._replace(is_sealed=1), *(one for one in group if not one.is_sealed and one not in fresh)]
        if len(left) == 1:
            self._con.execute("UPDATE records SET has_repeat = 0 WHERE number = ?", (kept.number,))
        return left

    def _drop(self, records: Sequence[Record]) -> None:
        for one in records:
            self._weigh(one, 0)
            self._con.execute("DELETE FROM records WHERE number = ?", (one.number,))

    def base(self, runs: Iterable[Run], *, is_whole: bool, past: str = "", upto: str | None = None) -> None:
        """Set what is sealed of runs; of others too, to nothing, where these are all that there are between two ids."""
        told = list(runs)
        self._con.executemany(_SEEN, (_seen_row(run) for run in told if run.call_count))
        self._con.executemany(
            _BASE,
            ((run.call_count, run.error_count, run.input_tokens, run.output_tokens, run.cost_nanousd,
              run.unpriced_count, run.run_id) for run in told),
        )  # fmt: skip
        if is_whole:
            listed = {run.run_id for run in told}
            rows = self._con.execute(
                "SELECT run_id FROM runs WHERE sealed_calls <> 0 AND run_id > ?1 AND (?2 IS NULL OR run_id <= ?2)",
                (past, upto),
            ).fetchall()
            self._con.executemany(_BASE, ((*Figures(), run_id) for (run_id,) in rows if run_id not in listed))

    def write(self) -> None:
        """Put the changes into the runs."""
        self._con.executemany(_SEEN, self._seen_rows())
        nothing = Figures()
        self._con.executemany(
            _ADD, [(*change, run_id) for run_id, change in self._changes.items() if change != nothing]
        )

    def _seen_rows(self) -> Iterator[tuple[object, ...]]:
        for run_id, seen in self._seen.items():
            tags = msgspec.json.encode(sorted(seen.tags)).decode()
            first = (seen.project, seen.user_id, seen.session_id, seen.agent_name)
            yield (run_id, *first, tags, seen.start, seen.end, None)


def _seen_row(run: Run) -> tuple[object, ...]:
    return (
        run.run_id, run.project, run.user_id, run.session_id, run.agent_name,
        msgspec.json.encode(run.tags).decode(), run.created_at_us, run.updated_at_us, run.name,
    )  # fmt: skip


def name_runs(con: sqlite3.Connection, names: Mapping[str, str]) -> None:
    """Give runs that have none the names that their steps tell."""
    con.executemany(
        "UPDATE runs SET name = ? WHERE run_id = ? AND name IS NULL",
        [(name, run_id) for run_id, name in names.items()],
    )
