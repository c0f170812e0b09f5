"""Looking up single calls, pages of calls and one run: few rows out of many files.

Pages go back from the newest day in growing windows instead of sorting everything, and first find the ids by narrow
columns, then fetch the whole rows: DuckDB would otherwise decode every column of every file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tallybook.model.call import Call, Step, ToolCall
from tallybook.model.errors import InputError
from tallybook.model.ids import unix_ms_of
from tallybook.model.question import Filter, Question
from tallybook.store.lake.manifest import File
from tallybook.store.lake.reader import Reader, View, grouped
from tallybook.store.lake.render import DAY_US, Local, local_of, needs, where_sql
from tallybook.store.lake.rows import PROMOTED, call_of, restored, step_of, time_us, tools_of
from tallybook.store.lake.schema import CALL_COLUMNS, STEP_FIELDS, files_sql, name_sql, text_sql
from tallybook.store.quality import REVISION
from tallybook.store.told import once

PREFIX_CHARS = 8
FAR_ID = "\U0010ffff"
"""Above every id, for files that do not tell theirs."""
BATCH_CALLS = 10_000
FIRST_ROWS = 10_000
"""Calls looked at first for a page: half a row group. A usual filter finds its page there, a rare one goes on."""
UTC_ONLY = Local(((0, 0),))
_TOOL_FIELDS = ("call_id", "position", "tool", "tool_call_id", "arguments", "result", "duration_us", "error",
                "server_side", "is_step")  # fmt: skip


class Found(NamedTuple):
    """A call's place: enough to fetch it."""

    at_us: int
    call_id: str


def columns_of_filters(filters: Sequence[Filter]) -> tuple[frozenset[str], frozenset[str]]:
    """Columns and metadata keys that filters read."""
    got = needs(Question(measures=("calls",), filters=tuple(filters)))
    return got.columns, got.keys


def fetch(reader: Reader, view: View, found: Sequence[Found]) -> list[Call]:
    """The whole calls at these places, in the same order."""
    if not found:
        return []
    low, high = min(one.at_us for one in found), max(one.at_us for one in found)
    days = {one.at_us // DAY_US for one in found}
    files = [file for file in view.manifest.of("calls", low, high + 1) if _days_meet(file, days)]
    where = _among([one.call_id for one in found], low, high)
    by_id = {call.call_id: call for call in _calls(reader, view, _rows(reader, view, files, True, where), files)}
    return [by_id[one.call_id] for one in found if one.call_id in by_id]


def _among(ids: Sequence[str], low: int, high: int) -> str:
    """Condition on calls by id, of starts in [low, high].

    Ids that begin with their time tell row groups apart by themselves; the times beside them would only be compared.
    """
    listed = f"call_id IN ({', '.join(map(text_sql, ids))})"
    if all(unix_ms_of(one) is not None for one in ids):
        return listed
    return f"started_at >= make_timestamp({low}) AND started_at <= make_timestamp({high}) AND {listed}"


def tools_by_call(
    reader: Reader, view: View, ids: Sequence[str], files: Sequence[File], low: int, high: int
) -> dict[str, list[ToolCall]]:
    """Tool calls asked for in these calls."""
    relation = reader.tools(view, (*_TOOL_FIELDS, "started_at"), files=files)
    cursor = reader.con.execute(
        f"SELECT {', '.join(_TOOL_FIELDS)} FROM ({relation}) WHERE NOT is_step AND {_among(ids, low, high)}"
    )
    return tools_of(dict(zip(_TOOL_FIELDS, row, strict=True)) for row in cursor.fetchall())


def _days_meet(file: File, days: set[int]) -> bool:
    return file.rows < 0 or any(file.min_us // DAY_US <= day <= file.max_us // DAY_US for day in days)


def one(reader: Reader, view: View, call_id: str) -> Call | None:
    """A call by its id, or by a unique beginning of it of at least 8 characters."""
    sealed = [file for file in view.manifest.of("calls") if file.min_id <= call_id <= file.max_id]
    condition = f"call_id = {text_sql(call_id)}"
    found = _rows(reader, view, sealed, False, condition) if sealed else []
    if found and _is_replaceable(found[0]) and reader.supersedes(view, CALL_COLUMNS):
        found = _rows(reader, view, sealed, True, condition)
    is_hot = not found and _in_hot(reader.folder, view, call_id)
    if is_hot:
        found = _rows(reader, view, [], True, condition)
    if found:
        return _calls(reader, view, found[:1], sealed)[0]
    if len(call_id) < PREFIX_CHARS:
        return None
    top = call_id + FAR_ID
    files = [file for file in view.manifest.of("calls") if file.min_id <= top and file.max_id >= call_id]
    if not files and not is_hot:
        return None
    condition = f"call_id >= {text_sql(call_id)} AND call_id < {text_sql(top)}"
    relation = reader.calls(view, ("started_at",), files=files, with_hot=is_hot)
    cursor = reader.con.execute(f"SELECT started_at, call_id FROM ({relation}) WHERE {condition} LIMIT 9")
    places = [Found(time_us(at), name) for at, name in cursor.fetchall()]
    if len(places) > 1:
        more = "at least " if len(places) == 9 else ""
        raise InputError(
            f"{more}{len(places)} calls begin with {call_id!r}", field="call_id", hint="give more of the id"
        )
    return fetch(reader, view, places)[0] if places else None


def _is_replaceable(row: dict[str, Any]) -> bool:
    """Whether a later record of the same call can be the better one."""
    is_blind = row["input_tokens"] is None and row["output_tokens"] is None
    is_told = row["response_id"] is not None or row["source"] in ("sdk", "track")
    return row["may_repeat"] or is_blind or not is_told or REVISION in (row["flags"] or "")


def _rows(reader: Reader, view: View, files: Sequence[File], with_hot: bool, condition: str) -> list[dict[str, Any]]:
    """Whole rows of the calls that fulfil a condition."""
    if view.manifest.is_rebuilt or reader.amended(view) or (with_hot and reader.supersedes(view, CALL_COLUMNS)):
        return _dicts(reader, reader.calls(view, CALL_COLUMNS, files=files, with_hot=with_hot), condition)
    found: list[dict[str, Any]] = []
    for promoted, paths in grouped(reader.folder, files, (), whole=True):
        keys = tuple(PROMOTED + key for key in promoted)
        sealed = f"SELECT * FROM read_parquet({files_sql(paths)})"
        found += [restored(row, promoted) for row in _dicts(reader, sealed, condition, (*CALL_COLUMNS, *keys))]
    if with_hot and view.hot.get("telemetry"):
        found += _dicts(reader, reader.calls(view, CALL_COLUMNS, files=[]), condition)
    return found


def _dicts(
    reader: Reader, relation: str, condition: str, columns: tuple[str, ...] = CALL_COLUMNS
) -> list[dict[str, Any]]:
    names = ", ".join(map(name_sql, columns))
    rows = reader.con.execute(f"SELECT {names} FROM ({relation}) WHERE {condition}").fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _calls(reader: Reader, view: View, rows: Sequence[dict[str, Any]], files: Sequence[File]) -> list[Call]:
    """Calls of whole rows, with their tools; `files` are those of calls that the rows came from."""
    tools: dict[str, list[ToolCall]] = {}
    with_tools = [row for row in rows if row["tool_call_count"]]
    if with_tools:
        times = [time_us(row["started_at"]) for row in with_tools]
        days = {file.day for file in files}
        near = [file for file in view.manifest.of("tools", min(times), max(times) + 1) if file.day in days]
        ids = [row["call_id"] for row in with_tools]
        tools = tools_by_call(reader, view, ids, near, min(times), max(times))
    return [call_of(row, tools.get(row["call_id"], ())) for row in rows]


def _in_hot(folder: Path, view: View, call_id: str) -> bool:
    """Whether the text of an id is in a hot segment at all: a search of bytes is far cheaper than reading JSON.

    Ids made up for lines without one are in no segment, so a folder with such lines is always read.
    """
    needle = b'"' + call_id.encode()
    for path in view.hot.get("telemetry", []):
        data = (folder / path).read_bytes()
        if needle in data or data.count(b'"call_id"') < data.count(b'"timestamp"'):
            return True
    return False


def _windows(reader: Reader, view: View, since_us: int | None, until_us: int | None, forward: bool) -> Iterator[
    tuple[int | None, int | None]
]:  # fmt: skip
    """Spans that cover [since, until) from one end to the other: some row groups of one day, then days with data in
    growing numbers."""
    files = [file for file in view.manifest.of("calls", since_us, until_us) if file.rows >= 0]
    low, high = since_us, until_us
    edges = sorted({file.min_us // DAY_US * DAY_US for file in files})
    inner = [
        edge for edge in edges if (low is None or edge > low) and (high is None or edge < high)
    ]  # fmt: skip
    if not forward:
        inner.reverse()
    cuts = _first_cut(files, low, high, forward)
    step, at = 1, 0
    while at < len(inner):
        if not cuts or (inner[at] > cuts[-1] if forward else inner[at] < cuts[-1]):
            cuts.append(inner[at])
        at += step
        step *= 2
    if forward:
        bounds = [low, *cuts, high]
        yield from pairwise(bounds)
    else:
        bounds = [high, *cuts, low]
        yield from ((b, a) for a, b in pairwise(bounds))


def _first_cut(files: Sequence[File], low: int | None, high: int | None, forward: bool) -> list[int]:
    """Where some `FIRST_ROWS` calls lie between it and the end that is read first, if the first file holds far more."""
    if not files:
        return []
    first = min(files, key=lambda file: file.min_us) if forward else max(files, key=lambda file: file.max_us)
    start, end = max(first.min_us, low or 0), first.max_us if high is None else min(first.max_us, high)
    if first.rows <= 2 * FIRST_ROWS or end <= start:
        return []
    part = (first.max_us - first.min_us) * FIRST_ROWS // first.rows
    cut = start + part if forward else end - part
    return [cut] if start < cut < end else []


def page(
    reader: Reader,
    view: View,
    filters: Sequence[Filter],
    *,
    since_us: int | None,
    until_us: int | None,
    limit: int,
    before: tuple[int, str] | None,
    oldest_first: bool,
) -> list[Found]:
    """Places of the first `limit` matching calls from one end."""
    columns, keys = columns_of_filters(filters)
    if before is not None:
        if oldest_first:
            since_us = before[0] if since_us is None else max(since_us, before[0])
        else:
            until_us = before[0] + 1 if until_us is None else min(until_us, before[0] + 1)
    found: list[Found] = []
    direction, sign = ("ASC", ">") if oldest_first else ("DESC", "<")
    for low, high in _windows(reader, view, since_us, until_us, oldest_first):
        params: list[Any] = []
        where = where_sql(filters, low, high, UTC_ONLY, params)
        if before is not None:
            where += f" AND (started_at, call_id) {sign} (make_timestamp({int(before[0])}), {text_sql(before[1])})"
        relation = reader.calls(view, {"started_at", *columns}, keys, low, high)
        cursor = reader.con.execute(
            f"SELECT started_at, call_id FROM ({relation}) WHERE {where} "
            f"ORDER BY started_at {direction}, call_id {direction} LIMIT {int(limit) - len(found)}",
            params,
        )
        found.extend(Found(time_us(at), name) for at, name in cursor.fetchall())
        if len(found) >= limit:
            break
    return found


def run_calls(reader: Reader, view: View, run_id: str) -> tuple[list[Call], list[Step]]:
    """Calls and steps of a run, in order of start."""
    text = text_sql(run_id)
    files, is_session = _files_of_run(reader, view, run_id)
    rows = _rows(reader, view, files, True, f"run_id = {text}")
    if is_session or view.hot.get("telemetry"):
        rows += _rows(reader, view, files, True, f"session_id = {text} AND run_id IS NULL")
    rows.sort(key=lambda row: (row["started_at"], row["call_id"]))
    return _calls(reader, view, rows, files), steps_of_run(reader, view, run_id)


def _files_of_run(reader: Reader, view: View, run_id: str) -> tuple[list[File], bool]:
    """Files of the days in which the run has calls, by the summary of runs, and whether it can be a mere session."""
    if not any(file.kind == "summary_runs" for file in view.manifest.files):
        return view.manifest.of("calls"), True
    files = [
        reader.path(file)
        for file in view.manifest.of("summary_runs")
        if file.min_id <= run_id <= (file.max_id or FAR_ID)
    ]
    if not files:
        return [], False
    cursor = reader.con.execute(
        f"SELECT DISTINCT CAST(day AS VARCHAR), session_id FROM read_parquet({files_sql(files)}) "
        f"WHERE run = {text_sql(run_id)}"
    )
    found = cursor.fetchall()
    days = {day for day, _ in found}
    is_rebuilt = view.manifest.is_rebuilt
    found_files = [file for file in view.manifest.of("calls") if file.day in days or file.rows < 0]
    return found_files, is_rebuilt or any(session == run_id for _, session in found)


def steps_of_run(reader: Reader, view: View, run_id: str) -> list[Step]:
    """The steps of a run, each once, in order of start."""
    fields = ", ".join(STEP_FIELDS)
    parts = []
    files = reader.files(view, "steps")
    if files:
        parts.append(f"SELECT {fields} FROM read_parquet({files_sql(files)})")
    if reader.hot_steps(view):
        parts.append(f"SELECT {fields} FROM hot_steps")
    if not parts:
        return []
    cursor = reader.con.execute(f"SELECT {fields} FROM ({' UNION ALL '.join(parts)}) WHERE run_id = ?", [run_id])
    rows = [dict(zip(STEP_FIELDS, row, strict=True)) for row in cursor.fetchall()]
    return once(step_of(row) for row in rows)


def local_for(view: View, zone: ZoneInfo, since_us: int | None, until_us: int | None) -> Local:
    """The zone's offsets over the span of a question, or over all there is."""
    files = [file for file in view.manifest.files if file.kind in ("calls", "summary", "tools")]
    now_us = int(datetime.now(UTC).timestamp() * 1e6)
    year_us = 366 * DAY_US
    low = since_us if since_us is not None else min((file.min_us for file in files), default=now_us) - 2 * year_us
    high = until_us if until_us is not None else now_us + year_us
    return local_of(zone, max(low, 0), max(high, low, 0))
