"""Sealed parts of answers, kept between questions until something is sealed.

A dashboard asks the same questions again and again while only hot lines change. What the summaries of sealed days say
to one of them is added up once and kept as a small table; the next answer adds the hot lines to it.
"""

from __future__ import annotations

from typing import Any

from tallybook.model.question import Question
from tallybook.store.lake.engine import duckdb

TABLES_MAX = 48
"""Tables kept. Beyond: the one that was not asked for longest goes."""
ROWS_MAX = 100_000
"""Rows of a table that is kept, a few megabytes. Beyond: it is made anew each time, which then takes little longer."""

NO_TIME = "CAST(NULL AS TIMESTAMP) AS started_at, CAST(NULL AS DATE) AS day"
"""The columns of time where rows of many hours were added up."""


def has_time(question: Question) -> bool:
    """Whether the answer depends on the hour or day of a row."""
    names = {*question.dimensions, *(given.field for given in question.filters)}
    return question.grain is not None or bool(names & {"hour_of_day", "day_of_week"})


class Kept:
    """The tables of one connection. Not safe for several threads at once."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._state: Any = None
        self._tables: dict[str, str] = {}
        self._large: set[str] = set()
        self._next = 0

    def relation(self, state: Any, select: str) -> str:
        """What to read for `select`, whose answer stays the same as long as `state` does."""
        if state != self._state:
            for table in self._tables.values():
                self._con.execute(f"DROP TABLE IF EXISTS {table}")
            self._tables.clear()
            self._large.clear()
            self._state = state
        if select in self._large:
            return select
        if select in self._tables:
            table = self._tables.pop(select)
        else:
            table = f"kept_{self._next}"
            self._next += 1
            row = self._con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {select}").fetchone()
            if row is not None and row[0] > ROWS_MAX:
                self._con.execute(f"DROP TABLE {table}")
                self._large.add(select)
                return select
            while len(self._tables) >= TABLES_MAX:
                oldest = next(iter(self._tables))
                self._con.execute(f"DROP TABLE IF EXISTS {self._tables.pop(oldest)}")
        self._tables[select] = table
        return f"SELECT * FROM {table}"
