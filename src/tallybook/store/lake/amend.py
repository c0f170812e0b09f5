"""Later facts about calls: the lines of `amendments.*.jsonl`, joined on reading.

A line is `{"call_id", "timestamp", "kind", …}`. Of kind `cost` the last one replaces a call's cost: by `cost`, a whole
cost with its parts, status, price and reasons (`ingest.reprice` writes it), else by `cost_usd` (status `reported`);
other kinds (`feedback` …) are kept as they are. Amendments are few: they stay in the journal, and
only questions that read costs pay for them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.schema import COST_COLUMNS, files_sql, name_sql, time_sql

AMENDED = "amended"
_COSTS = frozenset(name for name, _ in COST_COLUMNS)
_AMOUNTS = ("total", "input", "cache_read", "cache_write", "output", "tools")
"""Amounts of a cost, in the order of `COST_COLUMNS`."""
_COST = (
    f"STRUCT({', '.join(f'{name}_nanousd BIGINT' for name in _AMOUNTS)}, status VARCHAR, price VARCHAR, "
    "reasons VARCHAR[])"
)
_COLUMNS = (
    f"{{'call_id': 'VARCHAR', 'timestamp': 'VARCHAR', 'kind': 'VARCHAR', 'cost_usd': 'DOUBLE', 'cost': '{_COST}'}}"
)
_WHOLE = (
    *(f"cost.{name}_nanousd" for name in _AMOUNTS), "cost.status", "cost.price",
    "CASE WHEN len(cost.reasons) > 0 THEN CAST(to_json(cost.reasons) AS VARCHAR) END",
)  # fmt: skip
_STATED = ("CAST(round_even(cost_usd * 1000000000, 0) AS BIGINT)", *["NULL"] * 5, "'reported'", "NULL", "NULL")


def _amended_sql() -> str:
    """The columns of a cost as one value, which a line gives whole or as an amount alone."""
    names = [name for name, _ in COST_COLUMNS]
    types = dict(COST_COLUMNS)
    return ", ".join(
        f"{name_sql(name)} := CAST(CASE WHEN cost.status IS NULL THEN {stated} ELSE {whole} END AS {types[name]})"
        for name, whole, stated in zip(names, _WHOLE, _STATED, strict=True)
    )


def load(con: duckdb.DuckDBPyConnection, folder: Path, paths: Sequence[str]) -> bool:
    """Make the table `amended` of the last cost of each call; False when there is none.

    Raises FileNotFoundError when a segment is gone.
    """
    files = [str(folder / path) for path in paths]
    try:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE {AMENDED} AS SELECT call_id, "
            f"unnest(arg_max(struct_pack({_amended_sql()}), told_at)) "
            f"FROM (SELECT *, {time_sql('timestamp')} AS told_at FROM read_json({files_sql(files)}, "
            f"format='newline_delimited', ignore_errors=true, columns={_COLUMNS})) "
            "WHERE kind = 'cost' AND (cost_usd IS NOT NULL OR cost.status IS NOT NULL) AND told_at IS NOT NULL "
            "AND call_id IS NOT NULL "
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
    replaced = ", ".join(
        f"CASE WHEN a.call_id IS NULL THEN t.{name_sql(name)} ELSE a.{name_sql(name)} END AS {name_sql(name)}"
        for name in columns
        if name in _COSTS
    )
    return f"SELECT t.* REPLACE ({replaced}) FROM ({relation}) t LEFT JOIN {AMENDED} a ON a.call_id = t.call_id"
