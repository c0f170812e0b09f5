"""A new record of a call that is sealed already: which of the two stays.

The rule is that of hot lines (`store.quality`), but only a record of better quality takes a sealed one's place: of
equals the sealed one stays, so that no file is written anew for the order of two clocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from tallybook.store import quality
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.schema import files_sql, text_sql

REPEAT_WITHIN_US = 86_400_000_000
"""How far apart two records of one call may lie: a repeat is looked for a day around."""

NEEDED = frozenset({"provider", *quality.COLUMNS})
"""Columns that tell which call a record is of, and how good it is, besides its id."""

_PAIRS = "repeat_pairs"
_RECORD = f"call_id, provider || chr(31) || response_id AS response, ({', '.join(quality.SQL)}) AS quality"


def settle(
    con: duckdb.DuckDBPyConnection, table: str, files: Sequence[str], superseded: str, fixed: Sequence[str] = ()
) -> int:
    """Delete rows of `table` whose call is in the files in no worse quality, and name the sealed rows that are worse.

    The temporary table `superseded` gets their `call_id` and `day`, and as `better` the id of what takes their place;
    their number is returned. `table` has no repeats of its own. What is sealed of the days `fixed` stays.
    """
    wins = "f.quality < k.quality"
    if fixed:
        wins += f" AND CAST(k.day AS VARCHAR) NOT IN ({', '.join(map(text_sql, fixed))})"
    con.execute(
        f"""
CREATE OR REPLACE TEMP TABLE {_PAIRS} AS
WITH fresh AS (SELECT {_RECORD} FROM {table}),
known AS (SELECT {_RECORD}, day FROM read_parquet({files_sql(list(files))})
    WHERE call_id IN (SELECT call_id FROM fresh) OR response IN (SELECT response FROM fresh WHERE response IS NOT NULL))
SELECT f.call_id AS better, k.call_id, k.day, {wins} AS wins
FROM fresh f JOIN known k ON k.call_id = f.call_id
UNION ALL
SELECT f.call_id, k.call_id, k.day, {wins} FROM fresh f JOIN known k ON k.response = f.response
"""
    )
    con.execute(f"DELETE FROM {table} WHERE call_id IN (SELECT better FROM {_PAIRS} WHERE NOT wins)")
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {superseded} AS SELECT call_id, day, min(better) AS better FROM {_PAIRS} "
        f"WHERE better NOT IN (SELECT better FROM {_PAIRS} WHERE NOT wins) GROUP BY call_id, day"
    )
    row = con.execute(f"SELECT count(*) FROM {superseded}").fetchone()
    con.execute(f"DROP TABLE {_PAIRS}")
    return int(row[0]) if row else 0
