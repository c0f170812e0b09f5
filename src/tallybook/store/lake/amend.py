"""Later facts about calls: the lines of `amendments.*.jsonl`, joined on reading.

A line is `{"call_id", "timestamp", "kind", …}`. Of kind `cost` with `cost_usd` the last one replaces a call's cost
(status `reported`); other kinds (`feedback` …) are kept as they are. Amendments are few: they stay in the journal, and
only questions that read costs pay for them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.schema import COST_COLUMNS, files_sql, name_sql, time_sql

AMENDED = "amended"
_COSTS = frozenset(name for name, _ in COST_COLUMNS)
_COLUMNS = "{'call_id': 'VARCHAR', 'timestamp': 'VARCHAR', 'kind': 'VARCHAR', 'cost_usd': 'DOUBLE'}"


def load(con: duckdb.DuckDBPyConnection, folder: Path, paths: Sequence[str]) -> bool:
    """Make the table `amended` of the last cost of each call; False when there is none.

    Raises FileNotFoundError when a segment is gone.
    """
    files = [str(folder / path) for path in paths]
    try:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE {AMENDED} AS SELECT call_id, "
            "arg_max(CAST(round_even(cost_usd * 1000000000, 0) AS BIGINT), told_at) AS amended_nanousd "
            f"FROM (SELECT *, {time_sql('timestamp')} AS told_at FROM read_json({files_sql(files)}, "
            f"format='newline_delimited', ignore_errors=true, columns={_COLUMNS})) "
            "WHERE kind = 'cost' AND cost_usd IS NOT NULL AND told_at IS NOT NULL AND call_id IS NOT NULL "
            "GROUP BY call_id"
        )
    except duckdb.IOException as error:
        missing = [path for path in paths if not (folder / path).exists()]
        if missing:
            raise FileNotFoundError(missing[0]) from error
        raise
    row = con.execute(f"SELECT count(*) FROM {AMENDED}").fetchone()
    return bool(row and row[0])


def touches(columns: Collection[str]) -> bool:
    """Whether any of the columns is one of the cost."""
    return not _COSTS.isdisjoint(columns)


def joined_sql(relation: str, columns: Collection[str]) -> str:
    """The relation with amended costs in place of its own."""
    values = {"cost_nanousd": "a.amended_nanousd", "cost_status": "'reported'"}
    replaced = ", ".join(
        f"CASE WHEN a.call_id IS NULL THEN t.{name_sql(name)} ELSE {values.get(name, 'NULL')} END AS {name_sql(name)}"
        for name in columns
        if name in _COSTS
    )
    return f"SELECT t.* REPLACE ({replaced}) FROM ({relation}) t LEFT JOIN {AMENDED} a ON a.call_id = t.call_id"
