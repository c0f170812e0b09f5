"""What a manifest would tell of a file, read from the file: for when the manifest is damaged."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.manifest import File, Manifest
from tallybook.store.lake.schema import text_sql

KEY = {"calls": "call_id", "tools": "call_id", "steps": "step_id"}
_PREFIX = "metadata."
_MIXED = "coalesce(bool_or(may_repeat OR source NOT IN ('sdk', 'track')), false)"


def promoted_of(con: duckdb.DuckDBPyConnection, path: str) -> dict[str, str]:
    """Metadata keys that have a column of their own in a file of calls, with its type. Raises duckdb.Error."""
    rows = con.execute(f"DESCRIBE SELECT * FROM read_parquet({text_sql(path)})").fetchall()
    return {row[0].removeprefix(_PREFIX): row[1] for row in rows if row[0].startswith(_PREFIX)}


def with_promoted(
    con: duckdb.DuckDBPyConnection, folder: Path, manifest: Manifest, known: dict[str, dict[str, str]]
) -> Manifest:
    """A rebuilt manifest whose files of calls tell their promoted keys; `known` keeps them by path."""
    files = []
    for file in manifest.files:
        if file.kind == "calls":
            if file.path not in known:
                try:
                    known[file.path] = promoted_of(con, str(folder / file.path))
                except duckdb.Error:
                    known[file.path] = {}  # Reading it will say what is wrong.
            file = msgspec.structs.replace(file, promoted=known[file.path])
        files.append(file)
    return msgspec.structs.replace(manifest, files=tuple(files))


def told(con: duckdb.DuckDBPyConnection, folder: Path, file: File) -> File:
    """The file with its rows and ranges; as it is when it is not of facts, is empty or cannot be read."""
    key = KEY.get(file.kind)
    if key is None:
        return file
    path = str(folder / file.path)
    mixed = _MIXED if file.kind == "calls" else "false"
    try:
        row = con.execute(
            f"SELECT count(*), epoch_us(min(started_at)), epoch_us(max(started_at)), coalesce(min({key}), ''), "
            f"coalesce(max({key}), ''), {mixed} FROM read_parquet({text_sql(path)})"
        ).fetchone()
        promoted = promoted_of(con, path) if file.kind == "calls" else {}
    except duckdb.Error:
        return file
    if not row or not row[0]:
        return file
    rows, low, high, min_id, max_id, is_mixed = row
    return msgspec.structs.replace(
        file, rows=rows, min_us=low, max_us=high, min_id=min_id, max_id=max_id, is_mixed=is_mixed, promoted=promoted
    )
