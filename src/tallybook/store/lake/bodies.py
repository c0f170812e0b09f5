"""Stored prompts and responses of a call: from hot segments or from their own Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from tallybook.model.ids import span_ident, unix_ms_of
from tallybook.store.lake.engine import duckdb
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.render import DAY_US
from tallybook.store.lake.schema import BODY_COLUMNS, files_sql, struct_sql

_LINE_BYTES_MAX = 64 * 1024 * 1024


def source_sql(kind: str, files: list[str]) -> str:
    """The read_json of a kind's segments."""
    return (
        f"read_json({files_sql(files)}, format='newline_delimited', ignore_errors=true, "
        f"maximum_object_size={_LINE_BYTES_MAX}, columns={struct_sql(BODY_COLUMNS[kind])})"
    )


def _rows(reader: Reader, view: View, kind: Any, key: str, values: list[str]) -> list[dict[str, Any]]:
    """Rows of a kind whose `key` is one of `values`, from files and hot segments."""
    columns = tuple(BODY_COLUMNS[kind])
    select = ", ".join(columns)
    hot = [str(reader.folder / path) for path in view.hot.get(kind, [])]
    needles = [b'"' + value.encode() + b'"' for value in values]
    hot = [path for path in hot if _holds_any(path, needles)]
    files = _near(reader, view, kind, values) if key == "call_id" else reader.files(view, kind)
    sources = [source_sql(kind, hot)] if hot else []
    if files:
        sources.append(f"read_parquet({files_sql(files)})")
    found: list[dict[str, Any]] = []
    marks = ", ".join("?" * len(values))
    for source in sources:
        try:
            cursor = reader.con.execute(f"SELECT {select} FROM {source} WHERE {key} IN ({marks})", values)
        except duckdb.IOException as error:
            gone = [path for path in view.hot.get(kind, []) if not (reader.folder / path).exists()]
            if gone:
                raise FileNotFoundError(gone[0]) from error
            raise
        found.extend(dict(zip(columns, row, strict=True)) for row in cursor.fetchall())
    return found


def _near(reader: Reader, view: View, kind: Any, call_ids: list[str]) -> list[str]:
    """Files that can hold the bodies of these calls: by the day in the id, where it has one."""
    files: list[str] = []
    for file in view.manifest.of(kind):
        for call_id in call_ids:
            at_ms = unix_ms_of(call_id)
            is_near = not at_ms or abs(at_ms * 1000 // DAY_US * DAY_US - file.min_us) <= DAY_US
            if is_near and file.min_id <= call_id <= file.max_id:
                files.append(reader.path(file))
                break
    return files


def _holds_any(path: str, needles: list[bytes]) -> bool:
    data = Path(path).read_bytes()
    return any(needle in data for needle in needles)


def of_call(reader: Reader, view: View, call_id: str) -> dict[str, Any] | None:
    """`{"prompt", "response"}` of a call; `None` when neither was kept.

    Kept under the call's own id or, where it came apart from the call, under that of its span.
    """
    apart = span_ident(call_id)
    prompts = _rows(reader, view, "prompts", "call_id", [call_id])
    responses = _rows(reader, view, "responses", "call_id", [call_id])
    if apart is not None and not (prompts and responses):
        prompts = prompts or _rows(reader, view, "prompts", "call_id", [apart])
        responses = responses or _rows(reader, view, "responses", "call_id", [apart])
    if not prompts and not responses:
        return None
    prompt: Any = None
    if prompts:
        hashes = prompts[0]["messages"]
        prompt = _messages(reader, view, hashes) if hashes else _json(prompts[0]["prompt"])
    return {"prompt": prompt, "response": _json(responses[0]["response"]) if responses else None}


def _json(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _messages(reader: Reader, view: View, hashes: list[str]) -> list[Any]:
    """The messages of a conversation in order; `None` stands for one that retention took."""
    rows = _rows(reader, view, "messages", "hash", sorted(set(hashes)))
    known = {row["hash"]: _message(row["message"]) for row in rows}
    return [known.get(one) for one in hashes]


def _message(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:  # It was cut, being too long: the text is what there is.
        return text
