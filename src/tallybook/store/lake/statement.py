"""Whether one SELECT of a stranger may run: what it names must be on a list, and nothing else.

The text is parsed by DuckDB itself and its tree walked: tables must be the views or names that the statement defines,
functions that give rows must be of those that make them up, and no function may tell of the machine or its settings.
This is the first of three fences; the second is a connection that can open no file but those of the views, with its
settings locked (`sql`), the third a process of its own with limits on memory and time (`apart`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tallybook.model.errors import InputError
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.sql import VIEWS, check

TEXT_CHARS = 20_000
"""A statement. Beyond: refused before it is parsed."""
DEPTH_MAX = 200
"""Nesting of its tree."""
ROW_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})
"""Functions that may stand where a table does."""
_TELLING = re.compile(
    r"^(read_|write_|copy_|duckdb_|pragma_|pg_(?!typeof$)|parquet_|sniff_|glob$|getenv$|getvariable$|current_setting$|"
    r"set_config$|which_secret$|nextval$|currval$|query$|query_table$|json_(de)?serialize|json_execute|"
    r"current_(user|role|catalog|database|schema|schemas|query)|session_user$|user$|version$|txid_|file_|"
    r"parse_(path|filename|dirname|dirpath)|test_|seq_scan$|arrow_|pandas_|python_|add_parquet|enable_|disable_|"
    r"checkpoint|force_|in_search_path$|has_|col_description$|obj_description$|format_pg|inet_|http)"
)
_NAME = re.compile(r"^[A-Za-z_]\w{0,62}$")
_SCHEMAS = ("", "main")


def check_stranger(text: str) -> None:
    """Raise InputError unless `text` is one SELECT over the views that reaches nothing else."""
    if len(text) > TEXT_CHARS:
        raise InputError(f"the statement is longer than {TEXT_CHARS:,} characters", field="sql")
    if "\x00" in text:
        raise InputError("the statement holds a zero character", field="sql")
    check(text)
    tree = _tree(text)
    nodes = list(_nodes(tree))
    defined: set[str] = set()
    for node in nodes:
        entries = node.get("cte_map", {}).get("map", []) if isinstance(node.get("cte_map"), dict) else []
        defined.update(str(entry.get("key", "")).lower() for entry in entries)
    for name in defined:
        if not _NAME.match(name):
            raise _refused(f"{name[:60]!r} is no name for a part of a statement")
    for node in nodes:
        _check_node(node, defined)


def _tree(text: str) -> Any:
    con = duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": "1"})
    try:
        row = con.execute("SELECT json_serialize_sql(CAST(? AS VARCHAR))", [text]).fetchone()
    except duckdb.Error as error:
        raise InputError(f"not SQL that can be looked at: {error}", field="sql") from error
    finally:
        con.close()
    try:
        tree = msgspec.json.decode(row[0] if row else "{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError("the statement is nested too deeply", field="sql") from error
    if tree.get("error"):
        raise InputError(f"this SELECT cannot be looked at: {tree.get('error_message', '')}", field="sql")
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of the tree."""
    rest: list[tuple[Any, int]] = [(tree, 0)]
    while rest:
        node, depth = rest.pop()
        if depth > DEPTH_MAX:
            raise InputError("the statement is nested too deeply", field="sql")
        if isinstance(node, dict):
            yield node
            rest.extend((value, depth + 1) for value in node.values() if isinstance(value, dict | list))
        elif isinstance(node, list):
            rest.extend((value, depth + 1) for value in node if isinstance(value, dict | list))


def _check_node(node: dict[str, Any], defined: set[str]) -> None:
    kind = node.get("type")
    if kind in ("BASE_TABLE", "SHOW_REF") and "table_name" in node:
        name = str(node["table_name"]).strip('"').lower()
        is_here = (node.get("schema_name") or "") in _SCHEMAS and (node.get("catalog_name") or "") == ""
        if (name or kind == "BASE_TABLE") and not (is_here and (name in VIEWS or name in defined)):
            raise _refused(f"there is no table {str(node['table_name'])[:60]!r}")
    if kind == "TABLE_FUNCTION":
        function = str((node.get("function") or {}).get("function_name", "")).lower()
        if function not in ROW_FUNCTIONS:
            raise _refused(f"{function[:60]!r} may not stand in place of a table")
    elif "function_name" in node and _TELLING.match(str(node["function_name"]).lower()):
        raise _refused(f"the function {str(node['function_name'])[:60]!r} may not be used")


def _refused(message: str) -> InputError:
    return InputError(message, field="sql", hint=f"a SELECT over {', '.join(VIEWS)}")
