"""Free text in stored bodies: a day at a time from the newest back, as far as the time given allows.

Of each day DuckDB first finds the calls whose raw bodies (or previews) hold one piece of what is sought; what is left
is looked at as it is, newest first. Bodies lie in the day of their call or beside it; hot ones are read once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tallybook.model.question import Filter
from tallybook.store.lake import bodies, find
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.render import DAY_US, where_sql
from tallybook.store.lake.rows import time_us
from tallybook.store.lake.schema import BODY_COLUMNS, files_sql, text_sql
from tallybook.store.sought import Hit, Searched, found_in, needle_of

_KINDS = ("prompts", "responses", "messages")
_TIMELESS = "00000000-0000-"


def search(
    reader: Reader,
    view: View,
    words: tuple[str, ...],
    filters: Sequence[Filter],
    *,
    since_us: int | None,
    until_us: int | None,
    limit: int,
    before: tuple[int, str] | None,
    seconds: float,
) -> Searched:
    """See `CallStore.search`."""
    deadline = time.monotonic() + seconds
    if before is not None:
        end = before[0] + (before[1] != "")
        until_us = end if until_us is None else min(until_us, end)
    work = _Search(reader, view, words, filters, before)
    hits: list[Hit] = []
    last: tuple[int, str] | None = None
    for low, high in _days(view, since_us, until_us):
        for number, place in enumerate(work.candidates(low, high)):
            if number and time.monotonic() > deadline:
                return Searched(hits, last)
            last = (place.at_us, place.call_id)
            hit = work.hit(place)
            if hit is not None:
                hits.append(hit)
                if len(hits) == limit:
                    return Searched(hits, last)
        if low is not None and time.monotonic() > deadline:
            return Searched(hits, (low, ""))
    return Searched(hits, None)


def _days(view: View, since_us: int | None, until_us: int | None) -> list[tuple[int | None, int | None]]:
    """Spans that cover [since, until) from its end back, a day with files each."""
    starts = {
        file.min_us // DAY_US * DAY_US for file in view.manifest.of("calls", since_us, until_us) if file.rows >= 0
    }
    inner = [at for at in starts if (since_us is None or at > since_us) and (until_us is None or at < until_us)]
    bounds = [until_us, *sorted(inner, reverse=True), since_us]
    return [(low, high) for high, low in pairwise(bounds)]


class _Search:
    """One search on one view."""

    def __init__(
        self, reader: Reader, view: View, words: tuple[str, ...], filters: Sequence[Filter],
        before: tuple[int, str] | None,
    ) -> None:  # fmt: skip
        self._reader, self._view, self._words, self._filters = reader, view, words, filters
        self._before = before
        self._needle = text_sql(needle_of(words))
        self._hot: dict[str, bool] = {}

    def _source(self, kind: Any, since_us: int | None, until_us: int | None) -> str | None:
        """The bodies of a kind, sealed in a span and hot; `None` when there are none."""
        if kind not in self._hot:
            paths = [str(self._reader.folder / path) for path in self._view.hot.get(kind, [])]
            self._hot[kind] = bool(paths)
            if paths:
                self._reader.con.execute(
                    f"CREATE OR REPLACE TEMP TABLE sought_{kind} AS SELECT * FROM {bodies.source_sql(kind, paths)}"
                )
        columns = ", ".join(BODY_COLUMNS[kind])
        files = self._reader.files(self._view, kind, since_us, until_us)
        parts = [f"SELECT {columns} FROM read_parquet({files_sql(files)})"] if files else []
        if self._hot[kind]:
            parts.append(f"SELECT {columns} FROM sought_{kind}")
        return " UNION ALL ".join(parts) or None

    def _holds(self, column: str) -> str:
        return f"contains(lower(CAST({column} AS VARCHAR)), {self._needle})"

    def candidates(self, low: int | None, high: int | None) -> list[find.Found]:
        """Places of calls that may have the words, newest first."""
        near = (None if low is None else low - DAY_US, None if high is None else high + DAY_US)
        ids = [f"SELECT call_id AS id FROM ({source}) WHERE {self._holds('response')}"
               for source in [self._source("responses", *near)] if source]  # fmt: skip
        prompts = self._source("prompts", *near)
        if prompts is not None:
            ids.append(f"SELECT call_id AS id FROM ({prompts}) WHERE {self._holds('prompt')}")
            if self._make_hashes(prompts, near):
                ids.append(
                    f"SELECT call_id AS id FROM (SELECT call_id, unnest(messages) AS hash FROM ({prompts})) "
                    "WHERE hash IN (SELECT hash FROM sought_hashes)"
                )
        self._reader.con.execute(
            "CREATE OR REPLACE TEMP TABLE sought_ids AS "
            + (f"SELECT DISTINCT id FROM ({' UNION ALL '.join(ids)})" if ids else "SELECT '' AS id WHERE false")
        )
        columns, keys = find.columns_of_filters(self._filters)
        params: list[Any] = []
        where = where_sql(self._filters, low, high, find.UTC_ONLY, params)
        if self._before is not None:
            where += f" AND (started_at, call_id) < (make_timestamp({self._before[0]}), {text_sql(self._before[1])})"
        names = {"started_at", "prompt_preview", "response_preview", *columns}
        relation = self._reader.calls(self._view, names, keys, low, high)
        known = (
            f"(call_id IN (SELECT id FROM sought_ids) OR '{_TIMELESS}' || substr(call_id, {len(_TIMELESS) + 1}) IN "
            f"(SELECT id FROM sought_ids) OR {self._holds('prompt_preview')} OR {self._holds('response_preview')})"
        )
        rows = self._reader.con.execute(
            f"SELECT started_at, call_id FROM ({relation}) WHERE {where} AND {known} "
            "ORDER BY started_at DESC, call_id DESC",
            params,
        ).fetchall()
        return [find.Found(time_us(at), call_id) for at, call_id in rows]

    def _make_hashes(self, prompts: str, near: tuple[int | None, int | None]) -> bool:
        """Make `sought_hashes` of the messages in these prompts that hold the piece; False when there is no message.

        They are read of the days near, and of all others only where prompts tell of messages that are not there: a
        conversation that went on for days.
        """
        con = self._reader.con
        con.execute(
            "CREATE OR REPLACE TEMP TABLE sought_asked AS "
            f"SELECT DISTINCT hash FROM (SELECT unnest(messages) AS hash FROM ({prompts}))"
        )
        all_days = self._source("messages", None, None)
        if all_days is None:
            return False
        close = self._source("messages", *near)
        picked = f"SELECT hash FROM ({{}}) WHERE {self._holds('message')}"
        con.execute("CREATE OR REPLACE TEMP TABLE sought_hashes AS " + picked.format(close or all_days))
        if close is not None:
            row = con.execute(f"SELECT count(*) FROM sought_asked ANTI JOIN ({close}) USING (hash)").fetchone()
            if row is not None and row[0]:
                con.execute(
                    f"INSERT INTO sought_hashes SELECT hash FROM ({all_days}) SEMI JOIN "
                    f"(SELECT hash FROM sought_asked ANTI JOIN ({close}) USING (hash)) USING (hash) "
                    f"WHERE {self._holds('message')}"
                )
        return True

    def hit(self, place: find.Found) -> Hit | None:
        """The call at this place, if it has all the words."""
        body = bodies.of_call(self._reader, self._view, place.call_id)
        found = find.fetch(self._reader, self._view, [place])
        return found_in(self._words, found[0], body) if found else None
