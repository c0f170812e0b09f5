"""Which hot lines count: of one call the best line, and none whose call is sealed in no worse quality.

It keeps two marks on the rows of the growing table (`grown`), by the rules of `lines.merge` and `repeat.settle`, and
looks only at what is new: at rows added since the last question, and at all of them when something was sealed or an
earlier row lost its place. Sealed calls are known by hashes of their ids, read once a file; only where a hash is met
are the files themselves asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tallybook.model.call import Call
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.lines import BETTER, REPEAT_COLUMNS
from tallybook.store.lake.manifest import File, Manifest
from tallybook.store.lake.repeat import REPEAT_WITHIN_US, settle
from tallybook.store.lake.schema import files_sql, text_sql

HASHES = (
    "hash(call_id) AS id_key, "
    "CASE WHEN response_id IS NOT NULL THEN hash(provider || chr(31) || response_id) END AS response_key"
)
MARKS = f"{HASHES}, false AS is_second, false AS is_sealed"
"""Columns of the growing table besides a call's own and `place`, which counts its rows."""
COUNTS = "NOT is_second AND NOT is_sealed"
"""The rows that count."""
KEYS_MAX = 4_000_000
"""Sealed calls near the hot ones whose hashes are kept, 20 bytes each. Beyond, the files are asked each time."""

_KEYS = "sealed_keys"
_SUSPECTS = "suspects"
_PLACES = "suspect_places"
_FOUND = "suspects_better"
_WARY = "may_repeat OR source NOT IN ('sdk', 'track')"


class Fresh(NamedTuple):
    """What is to be known of rows that were added."""

    low_us: int
    high_us: int
    wary: int
    """How many may be of a call that another source has told too."""
    last: int


class Counted:
    """The marks on the rows of one table. Not safe for several threads at once."""

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path, table: str, superseded: str) -> None:
        """Sealed calls of which a row is the better record are named in the temporary table `superseded`."""
        self._con = con
        self._folder = folder
        self._table = table
        self._names = superseded
        self._files: dict[str, int] = {}
        """Files whose hashes are in `_KEYS`, with their number there."""
        self._next = 0
        self._sealed_rows = 0
        self.superseded = 0
        """How many sealed calls a hot row is the better record of."""
        self.has_marks = False
        """Whether a row is marked at all."""
        self.changes = 0
        """How often a mark was set or taken away, so that what was added up of the rows does not hold any more."""
        self._awaited: set[str] = set()
        """Ids and responses of calls that are accepted and not yet in the table."""
        self.forget()

    def forget(self) -> None:
        """The table begins anew."""
        self._sequence: int | None = None
        self._checked = 0
        self._low_us, self._high_us = 1 << 62, -(1 << 62)
        self._wary = False
        self._seconds = 0
        self.changes += 1
        self._awaited.clear()
        self._clear_sealed(with_rows=False)

    def update(self, manifest: Manifest, has_removed: bool) -> None:
        """Bring the marks to what the table and the manifest hold now; `has_removed`: rows were taken out since."""
        fresh = self._fresh()
        if fresh is None and not has_removed and manifest.sequence == self._sequence:
            return
        if fresh is not None:
            self._low_us, self._high_us = min(self._low_us, fresh.low_us), max(self._high_us, fresh.high_us)
        near = manifest.of("calls", self._low_us - REPEAT_WITHIN_US, self._high_us + REPEAT_WITHIN_US)
        if not self._wary and ((fresh is not None and fresh.wary) or any(file.is_mixed for file in near)):
            self._wary = True
            self._checked = 0
        since = self._checked
        lost = False
        if (has_removed and self._seconds) or (fresh is not None and self._conflict(since)):
            lost = self._merge(since)
        if lost or manifest.sequence != self._sequence or since == 0:
            since = 0
            self._clear_sealed()
        if self._wary and near and (since == 0 or fresh is not None):
            self._against(near, since, manifest.removed)
        self._sequence = manifest.sequence
        if fresh is not None:
            self._checked = fresh.last
        elif since == 0:
            self._checked = self._int(f"SELECT coalesce(max(place), 0) FROM {self._table}")
        self.has_marks = bool(self._seconds) or self._sealed_rows > 0

    def is_current(self, manifest: Manifest) -> bool:
        """Whether the marks are those of this manifest."""
        return manifest.sequence == self._sequence

    def accept(self, calls: Sequence[Call], manifest: Manifest) -> bool:
        """Whether calls that are to be put into the table count beyond doubt and take no other row's place; the table
        need not be looked at for them then. The marks must be those of the manifest.
        """
        if not self._wary and any(map(_is_wary, calls)):
            return False
        ids = [call.call_id for call in calls]
        responses = [_response_of(call) for call in calls] if self._wary else []
        told = [*ids, *(one for one in responses if one is not None)]
        if len(set(told)) < len(told) or not self._awaited.isdisjoint(told):
            return False
        low_us = min(self._low_us, *(call.started_at_us for call in calls))
        high_us = max(self._high_us, *(call.started_at_us for call in calls))
        near = manifest.of("calls", low_us - REPEAT_WITHIN_US, high_us + REPEAT_WITHIN_US)
        if any(file.path not in self._files for file in near) if self._wary else any(file.is_mixed for file in near):
            return False
        if self._is_known(ids, responses, with_sealed=self._wary and bool(near)):
            return False
        self._low_us, self._high_us = low_us, high_us
        self._awaited.update(told)
        return True

    def accepted(self, last: int) -> None:
        """All accepted calls are in the table, up to this place."""
        self._awaited.clear()
        self._checked = last

    def _is_known(self, ids: list[str], responses: list[str | None], with_sealed: bool) -> bool:
        """Whether a row or, by its hash, a sealed call has one of these ids or responses."""
        fresh = "(SELECT hash(one) FROM (SELECT unnest(CAST({} AS VARCHAR[])) AS one) WHERE one IS NOT NULL)"
        where = f"id_key IN {fresh.format('$ids')}"
        given: dict[str, Iterable[str | None]] = {"ids": ids}
        if any(responses):
            where += f" OR response_key IN {fresh.format('$responses')}"
            given["responses"] = responses
        tables = (self._table, _KEYS) if with_sealed else (self._table,)
        sql = " UNION ALL ".join(f"(SELECT 1 FROM {table} WHERE {where} LIMIT 1)" for table in tables)
        return self._con.execute(sql, given).fetchone() is not None

    def _int(self, sql: str) -> int:
        row = self._con.execute(sql).fetchone()
        return int(row[0]) if row and row[0] is not None else 0

    def _fresh(self) -> Fresh | None:
        row = self._con.execute(
            f"SELECT epoch_us(min(started_at)), epoch_us(max(started_at)), count(*) FILTER ({_WARY}), max(place) "
            f"FROM {self._table} WHERE place > {self._checked}"
        ).fetchone()
        return None if row is None or row[0] is None else Fresh(*row)

    def _conflict(self, since: int) -> bool:
        """Whether a row behind `since` is of the same call as another row."""
        sql = " UNION ALL ".join(
            f"(SELECT 1 FROM {self._table} t JOIN (SELECT place, {key} FROM {self._table} WHERE place > {since}) f "
            f"ON t.{key} = f.{key} AND t.place <> f.place LIMIT 1)"
            for key in (("id_key", "response_key") if self._wary else ("id_key",))
        )
        return self._con.execute(sql).fetchone() is not None

    def _merge(self, since: int) -> bool:
        """Mark all rows of a call but the best, as `lines.merge`; whether a row up to `since` has changed its mark."""
        rows = f"SELECT place, {REPEAT_COLUMNS} FROM {self._table}"
        self._con.execute(
            f"CREATE OR REPLACE TEMP TABLE {_PLACES} AS WITH best AS (SELECT place FROM (SELECT * FROM ({rows}) "
            f"QUALIFY row_number() OVER (PARTITION BY call_id ORDER BY {BETTER}, place) = 1) "
            "QUALIFY row_number() OVER (PARTITION BY coalesce(provider || chr(31) || response_id, chr(30) || call_id) "
            f"ORDER BY {BETTER}, place) = 1) "
            f"SELECT t.place FROM {self._table} t LEFT JOIN best b ON b.place = t.place "
            "WHERE (b.place IS NULL) <> is_second"
        )
        row = self._con.execute(f"SELECT count(*), count(*) FILTER (place <= {since}) FROM {_PLACES}").fetchone()
        changed, earlier = row if row else (0, 0)
        if changed:
            self.changes += 1
            self._con.execute(
                f"UPDATE {self._table} SET is_second = NOT is_second WHERE place IN (SELECT place FROM {_PLACES})"
            )
        self._con.execute(f"DROP TABLE {_PLACES}")
        self._seconds = self._int(f"SELECT count(*) FROM {self._table} WHERE is_second")
        return bool(earlier)

    def _clear_sealed(self, with_rows: bool = True) -> None:
        self.changes += 1
        if with_rows and self._sealed_rows:
            self._con.execute(f"UPDATE {self._table} SET is_sealed = false WHERE is_sealed")
        self._sealed_rows = 0
        self.superseded = 0

    def _against(self, near: Sequence[File], since: int, fixed: Sequence[str]) -> None:
        """Mark rows behind `since` whose call is sealed no worse in a file; name the sealed ones that are worse."""
        paths = [str(self._folder / file.path) for file in near]
        met = ""
        if sum(file.rows for file in near) <= KEYS_MAX:
            self._load_keys(near)
            numbers = self._holding(since)
            if not numbers:
                return
            paths = [str(self._folder / file.path) for file in near if self._files[file.path] in numbers]
            held = f"FROM {_KEYS} WHERE file IN ({', '.join(map(str, numbers))})"
            met = (
                f" AND (id_key IN (SELECT id_key {held}) "
                f"OR response_key IN (SELECT response_key {held} AND response_key IS NOT NULL))"
            )
        self._con.execute(
            f"CREATE OR REPLACE TEMP TABLE {_SUSPECTS} AS SELECT place, {REPEAT_COLUMNS} FROM {self._table} "
            f"WHERE place > {since} AND NOT is_second{met}"
        )
        self._con.execute(f"CREATE OR REPLACE TEMP TABLE {_PLACES} AS SELECT place FROM {_SUSPECTS}")
        better = settle(self._con, _SUSPECTS, paths, _FOUND, fixed)
        sealed = f"place IN (SELECT place FROM {_PLACES} WHERE place NOT IN (SELECT place FROM {_SUSPECTS}))"
        row = self._con.execute(f"UPDATE {self._table} SET is_sealed = true WHERE {sealed}").fetchone()
        marked = int(row[0]) if row else 0
        self._sealed_rows += marked
        self.changes += bool(marked or better)
        if better and self.superseded:
            self._con.execute(f"INSERT INTO {self._names} SELECT * FROM {_FOUND}")
        elif better:
            self._con.execute(f"CREATE OR REPLACE TEMP TABLE {self._names} AS SELECT * FROM {_FOUND}")
        self.superseded += better
        for table in (_SUSPECTS, _PLACES, _FOUND):
            self._con.execute(f"DROP TABLE {table}")

    def _holding(self, since: int) -> list[int]:
        """Numbers of the files that may hold the call of a row behind `since`, by hash."""
        rows = f"SELECT {{}} FROM {self._table} WHERE place > {since} AND NOT is_second"
        sql = " UNION ".join(
            f"SELECT k.file FROM {_KEYS} k JOIN ({rows.format(key)}) f ON k.{key} = f.{key}"
            for key in ("id_key", "response_key")
        )
        return [number for (number,) in self._con.execute(sql).fetchall()]

    def _load_keys(self, near: Sequence[File]) -> None:
        """Bring the hashes of sealed calls to what these files hold."""
        if not self._next:
            self._con.execute(f"CREATE TEMP TABLE {_KEYS} (file INTEGER, id_key UBIGINT, response_key UBIGINT)")
            self._next = 1
        wanted = {file.path for file in near}
        gone = [self._files.pop(path) for path in list(self._files) if path not in wanted]
        if gone:
            self._con.execute(f"DELETE FROM {_KEYS} WHERE file IN ({', '.join(map(str, gone))})")
            if not self._files:
                self._con.execute(f"CREATE OR REPLACE TEMP TABLE {_KEYS} AS SELECT * FROM {_KEYS}")
        fresh = [file.path for file in near if file.path not in self._files]
        if not fresh:
            return
        numbers = {path: self._next + at for at, path in enumerate(fresh)}
        self._next += len(fresh)
        cases = " ".join(f"WHEN {text_sql(str(self._folder / path))} THEN {number}" for path, number in numbers.items())
        self._con.execute(
            f"INSERT INTO {_KEYS} SELECT CASE filename {cases} END, {HASHES} FROM read_parquet("
            f"{files_sql([str(self._folder / path) for path in fresh])}, filename=true)"
        )
        self._files |= numbers


def _is_wary(call: Call) -> bool:
    """`_WARY` of a call."""
    return call.may_repeat or call.source not in ("sdk", "track")


def _response_of(call: Call) -> str | None:
    """What `response_key` is the hash of."""
    return None if call.response_id is None else f"{call.provider}\x1f{call.response_id}"
