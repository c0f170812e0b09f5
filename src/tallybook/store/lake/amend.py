"""Later facts about calls: the lines of `amendments.*.jsonl`, joined on reading.

A line is `{"call_id", "timestamp", "kind", …}`. Of kind `cost` the last one replaces a call's cost: by `cost`, a whole
cost with its parts, status, price and reasons (`ingest.reprice` writes it), else by `cost_usd` (status `reported`);
other kinds (`feedback` …) are kept as they are. Until sealing folds them in, only questions that read costs pay for
them. What was folded stays on record, line by line with the cost before, as files of the kind `amendments`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.schema import COST_COLUMNS, files_sql, name_sql, text_sql, time_sql

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


def foldable(
    con: duckdb.DuckDBPyConnection, folder: Path, paths: Sequence[str], others: Sequence[str], files: Sequence[str]
) -> list[str]:
    """Those segments of `paths` whose costs may go into the files of calls (`files`).

    All their lines are costs, their calls are sealed, and no segment that stays (`others` among them) speaks of the
    same calls: what it says might be older.
    """
    stay = set(others)
    names = {str(folder / path): path for path in (*paths, *others)}
    known = f"SELECT call_id FROM read_parquet({files_sql(list(files))})" if files else "SELECT NULL AS call_id"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE amending AS SELECT filename, call_id, kind FROM read_json("
        f"{files_sql(list(names))}, format='newline_delimited', ignore_errors=true, filename=true, columns={_COLUMNS}) "
        "WHERE call_id IS NOT NULL"
    )
    for (name,) in con.execute(
        f"SELECT DISTINCT filename FROM amending WHERE kind IS DISTINCT FROM 'cost' OR call_id NOT IN ({known} "
        "WHERE call_id IN (SELECT call_id FROM amending))"
    ).fetchall():
        stay.add(names[name])
    while True:
        listed = ", ".join(text_sql(str(folder / path)) for path in stay) or "''"
        more = con.execute(
            f"SELECT DISTINCT filename FROM amending WHERE filename NOT IN ({listed}) AND call_id IN "
            f"(SELECT call_id FROM amending WHERE filename IN ({listed}))"
        ).fetchall()
        if not more:
            return [path for path in paths if path not in stay]
        stay.update(names[name] for (name,) in more)


def history_sql(folder: Path, paths: Sequence[str], calls: str) -> str:
    """Each line of segments with the cost that its call had before; `calls` has the ids, days and costs."""
    files = [str(folder / path) for path in paths]
    told = time_sql("json->>'timestamp'")
    before = ", ".join(f"c.{name_sql(name)} AS {name_sql('previous_' + name)}" for name, _ in COST_COLUMNS)
    return (
        f"SELECT c.call_id, c.day, l.told_at, l.line, {before} FROM (SELECT json->>'call_id' AS call_id, {told} AS "
        f"told_at, CAST(json AS VARCHAR) AS line FROM read_ndjson_objects({files_sql(files)}, ignore_errors=true)) l "
        f"JOIN {calls} c ON c.call_id = l.call_id"
    )


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
