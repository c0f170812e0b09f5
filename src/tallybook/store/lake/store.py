"""`LakeStore`: the embedded `CallStore` over one folder of journal segments and Parquet files.

It reads without a lock and writes only lines (`append`); sealing and retention belong to `ingest`.
A store is for one thread; opening one costs little.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tallybook.journal.writer import Writer
from tallybook.model import codec
from tallybook.model.call import Call, Run, Step
from tallybook.model.limits import SEARCH_S, SEGMENT_BYTES
from tallybook.model.question import Answer, Filter, Question
from tallybook.store import quality
from tallybook.store.base import Appended, Drift, Warned
from tallybook.store.check import checked_filters, checked_question, columns_of
from tallybook.store.feedback import Feedback, of_call, of_run
from tallybook.store.lake import bodies, drift, find, runs, sql
from tallybook.store.lake.answer import answer
from tallybook.store.lake.condense import condensed
from tallybook.store.lake.digest import Digest
from tallybook.store.lake.digest import read as read_digest
from tallybook.store.lake.price import Prices
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.render import DAY_US, where_sql
from tallybook.store.lake.repeat import NEEDED
from tallybook.store.lake.schema import CALL_COLUMNS, text_sql
from tallybook.store.lake.search import search
from tallybook.store.sought import Searched, words_of


def _sentence(one: Warned) -> str:
    at = "" if one.offset is None else f" at byte {one.offset}"
    return f"{one.path}{at}: {one.reason}"


class LakeStore:
    """The calls of one folder. `prices` may be `None`: then only stated costs are known of unsealed lines.

    With `with_hot` false only what is sealed is read.
    """

    def __init__(
        self, folder: Path, prices: Prices | None = None, *, fsync: bool = False, with_hot: bool = True
    ) -> None:
        self._folder = folder
        self._reader = Reader(folder, prices, with_hot=with_hot)
        self._fsync = fsync
        self._writers: dict[str, Writer] = {}

    def _writer(self, kind: Any) -> Writer:
        if kind not in self._writers:
            self._writers[kind] = Writer(self._folder, kind, segment_bytes_max=SEGMENT_BYTES, fsync=self._fsync)
        return self._writers[kind]  # fmt: skip

    def append(self, calls: Sequence[Call], steps: Sequence[Step] = ()) -> Appended:
        """See `CallStore.append`. Known calls are not written again, unless the new record is the better one."""
        fresh = self._reader.answer(lambda view: self._fresh(view, calls))
        now_us = time.time_ns() // 1000
        if steps:
            self._writer("steps").append(b"".join(codec.encode_step(step) for step in steps), now_us)
        if fresh:
            self._writer("telemetry").append(b"".join(codec.encode(call) for call in fresh), now_us)
        return Appended(len(fresh), len(calls) - len(fresh))

    def _fresh(self, view: View, calls: Sequence[Call]) -> list[Call]:
        """The calls that are not stored yet, each once."""
        if not calls:
            return []
        low = min(call.started_at_us for call in calls) - DAY_US
        high = max(call.started_at_us for call in calls) + DAY_US
        ids = ", ".join(text_sql(call.call_id) for call in calls)
        responses = [text_sql(f"{c.provider}\x1f{c.response_id}") for c in calls if c.response_id is not None]
        relation = self._reader.calls(view, NEEDED, since_us=low, until_us=high)
        known: dict[str, tuple[int, ...]] = {}
        cursor = self._reader.con.execute(
            f"SELECT call_id, provider || chr(31) || response_id AS r, {', '.join(quality.SQL)} FROM ({relation}) "
            f"WHERE call_id IN ({ids})" + (f" OR r IN ({', '.join(responses)})" if responses else "")
        )
        for call_id, response, *stored in cursor.fetchall():
            known[call_id] = known[response] = tuple(stored)
        fresh: list[Call] = []
        for call in calls:
            names = (
                [call.call_id] if call.response_id is None else [call.call_id, f"{call.provider}\x1f{call.response_id}"]
            )
            told = quality.quality(call)
            if any(name in known and known[name] <= told for name in names):
                continue
            known.update(dict.fromkeys(names, told))
            fresh.append(call)
        return fresh

    def ask(self, question: Question) -> Answer:
        """See `CallStore.ask`."""
        question = checked_question(question)
        got = self._reader.answer(lambda view: answer(self._reader, view, question))
        aside = tuple(_sentence(one) for one in self._reader.set_aside())
        return Answer(columns_of(question), got.rows, (*aside, *got.warnings))

    def steady(self) -> AbstractContextManager[None]:
        """See `CallStore.steady`."""
        return self._reader.steady()

    def stamp(self) -> str:
        """See `CallStore.stamp`."""
        return self._reader.answer(self._reader.stamp)

    def call(self, call_id: str) -> Call | None:
        """See `CallStore.call`."""
        return self._reader.answer(lambda view: find.one(self._reader, view, call_id))

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
        checked = checked_filters(filters)

        def work(view: View) -> list[Call]:
            places = find.page(
                self._reader, view, checked, since_us=since_us, until_us=until_us, limit=limit, before=before,
                oldest_first=oldest_first,
            )  # fmt: skip
            return find.fetch(self._reader, view, places)

        return self._reader.answer(work)

    def latest_us(self) -> int | None:
        """See `CallStore.latest_us`."""
        found = self._reader.answer(
            lambda view: find.page(
                self._reader, view, (), since_us=None, until_us=None, limit=1, before=None, oldest_first=False
            )
        )
        return found[0].at_us if found else None

    def scan(
        self, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> Iterator[list[Call]]:
        """See `CallStore.scan`. Each batch is read by itself, so files may be sealed and compacted meanwhile."""
        before: tuple[int, str] | None = None
        while True:
            batch = self.calls(
                filters, since_us=since_us, until_us=until_us, limit=find.BATCH_CALLS, before=before, oldest_first=True
            )
            if not batch:
                return
            yield batch
            if len(batch) < find.BATCH_CALLS:
                return
            before = (batch[-1].started_at_us, batch[-1].call_id)

    def drifted(
        self, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> Iterator[list[Drift]]:
        """See `CallStore.drifted`."""
        return drift.drifted(self._reader, self._reader.prices, checked_filters(filters), since_us, until_us)

    def run_calls(self, run_id: str) -> tuple[list[Call], list[Step]]:
        """See `CallStore.run_calls`."""
        return self._reader.answer(lambda view: find.run_calls(self._reader, view, run_id))

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
        checked = checked_filters(filters)
        return self._reader.answer(
            lambda view: runs.listed(
                self._reader, view, checked, since_us=since_us, until_us=until_us, limit=limit, before=before
            )
        )

    def body(self, call_id: str) -> dict[str, Any] | None:
        """See `CallStore.body`."""
        return self._reader.answer(lambda view: bodies.of_call(self._reader, view, call_id))

    def feedback(self, call: Call) -> list[Feedback]:
        """See `CallStore.feedback`."""
        return self._reader.answer(lambda view: of_call(self._amendments(view), call))

    def run_feedback(self, run_id: str, project: str | None) -> list[Feedback]:
        """See `CallStore.run_feedback`."""
        return self._reader.answer(lambda view: of_run(self._amendments(view), run_id, project))

    def _amendments(self, view: View) -> list[Path]:
        return [self._folder / path for path in view.hot.get("amendments", ())]

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
        """See `CallStore.search`."""
        words, checked = words_of(text), checked_filters(filters)
        return self._reader.answer(
            lambda view: search(
                self._reader, view, words, checked, since_us=since_us, until_us=until_us, limit=limit, before=before,
                seconds=seconds,
            )
        )  # fmt: skip

    def sql(self, text: str, *, limit: int | None = None, memory_mb: int | None = None) -> Answer:
        """See `CallStore.sql`. With `memory_mb` it may use no more, and nothing of the disk."""
        sql.check(text)
        return self._reader.answer(lambda view: sql.run(self._reader, view, text, limit, memory_mb))

    def export_parquet(
        self, path: str, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> int:
        """See `CallStore.export_parquet`."""
        checked = checked_filters(filters)

        def work(view: View) -> int:
            columns, keys = find.columns_of_filters(checked)
            params: list[Any] = []
            where = where_sql(checked, since_us, until_us, find.UTC_ONLY, params)
            relation = self._reader.calls(view, {*CALL_COLUMNS, *columns}, keys, since_us, until_us)
            temporary = f"{path}.{os.getpid()}.tmp"
            row = self._reader.con.execute(
                f"COPY (SELECT {', '.join(CALL_COLUMNS)} FROM ({relation}) WHERE {where} ORDER BY started_at, call_id) "
                f"TO {text_sql(temporary)} (FORMAT parquet, COMPRESSION zstd)",
                params,
            ).fetchone()
            Path(temporary).replace(path)
            return int(row[0]) if row else 0

        return self._reader.answer(work)

    def condensed(self) -> Digest:
        """What is sealed of the newest days as a digest, in as far as the one in the folder does not hold any more."""
        known = read_digest(self._folder)
        return self._reader.answer(lambda view: condensed(self._reader, view, known))

    def warnings(self) -> list[Warned]:
        """See `CallStore.warnings`. Reads every hot line once, so that all of them have been looked at."""
        self._reader.answer(lambda view: self._reader.recent(view) is not None or self._reader.hot(view, ()))
        return self._reader.warnings()

    def close(self) -> None:
        """See `CallStore.close`."""
        for writer in self._writers.values():
            writer.close()
        self._reader.close()
