"""Runs with their totals, from the summaries by run and, for what these do not hold, from the calls themselves.

A run is listed when at least one of its calls matches; its totals are over all its calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from tallybook.model.call import Run
from tallybook.model.question import Filter, Question
from tallybook.store.lake.find import FAR_ID
from tallybook.store.lake.reader import Reader, View
from tallybook.store.lake.render import DAY_US, Local, needs, where_sql
from tallybook.store.lake.schema import files_sql, text_sql
from tallybook.store.lake.span import Span, call_parts, inner_of, time_sql
from tallybook.store.lake.summary import ENDED, KEY

_UTC = Local(((0, 0),))
_ROW_DIMENSIONS = ("project", "environment", "user_id", "session_id")
_HELD = frozenset({*_ROW_DIMENSIONS, "run_id"})
"""Fields of filters that the summary by run answers by itself."""
_FIGURES = ("calls", "errors", "input_tokens", "output_tokens", "cost_nanousd", "priced_calls")
_COLUMNS = ("run", "day", *_ROW_DIMENSIONS, "agent_name", "first_at", "ended_us", *_FIGURES, "tags")
_OF_CALL = f"""
SELECT {KEY} AS run, day, project, environment, user_id, session_id, agent_name, started_at AS first_at,
    {ENDED} AS ended_us, 1 AS calls, CASE WHEN status = 'error' THEN 1 ELSE 0 END AS errors, input_tokens,
    output_tokens, cost_nanousd, CASE WHEN cost_nanousd IS NULL THEN 0 ELSE 1 END AS priced_calls, tags
"""
_CALL_COLUMNS = (
    "day", "started_at", "duration_us", "run_id", "session_id", "project", "environment", "user_id", "agent_name",
    "status", "input_tokens", "output_tokens", "cost_nanousd", "tags",
)  # fmt: skip
_WINDOW_DAYS = 2


class Latest(NamedTuple):
    """A run and its latest activity."""

    updated_us: int
    run_id: str


def _rows(reader: Reader, view: View, low_us: int | None = None, among: Sequence[str] = ()) -> str:
    """One row for each day and run (or for each hot call) from the day of `low_us` on; `among` are the runs sought."""
    if view.manifest.is_rebuilt:  # Summaries found may count twice.
        return f"{_OF_CALL} FROM ({reader.calls(view, _CALL_COLUMNS)}) WHERE {KEY} IS NOT NULL"
    found = view.manifest.of("summary_runs", low_us)
    if among:
        found = [file for file in found if any(file.min_id <= one <= (file.max_id or FAR_ID) for one in among)]
    files = [reader.path(file) for file in found]
    parts = [f"SELECT {', '.join(_COLUMNS)} FROM read_parquet({files_sql(files)})"] if files else []
    if files and reader.supersedes(view, _CALL_COLUMNS):
        # Days of runs of which a hot line replaces a sealed call: their calls one by one instead of their summary.
        changed = (
            f"SELECT DISTINCT {KEY} AS run, day FROM ({reader.superseded_sql(view, ('day', 'run_id', 'session_id'))})"
        )
        sealed = reader.calls(view, _CALL_COLUMNS, files=reader.superseded_files(view), with_hot=False)
        parts = [
            f"{parts[0]} ANTI JOIN ({changed}) USING (run, day)",
            f"SELECT * FROM ({_OF_CALL} FROM ({sealed})) SEMI JOIN ({changed}) USING (run, day)",
        ]
    if reader.hot(view, _CALL_COLUMNS):
        parts.append(f"{_OF_CALL} FROM ({reader.calls(view, _CALL_COLUMNS, files=[])}) WHERE {KEY} IS NOT NULL")
    if not parts:
        parts.append(f"{_OF_CALL} FROM ({reader.calls(view, _CALL_COLUMNS, files=[])}) WHERE false")
    return " UNION ALL ".join(parts)


def listed(
    reader: Reader,
    view: View,
    filters: Sequence[Filter],
    *,
    since_us: int | None,
    until_us: int | None,
    limit: int,
    before: tuple[int, str] | None,
) -> list[Run]:
    """Runs with at least one call that matches, latest activity first; `before` is (updated_at_us, run_id)."""
    params: list[Any] = []
    among = ""
    if filters or since_us is not None or until_us is not None:
        among = f" AND run IN ({_matching(reader, view, filters, since_us, until_us, params)})"
    latest = _latest(reader, view, among, params, limit, before)
    return _whole(reader, view, latest)


def _matching(
    reader: Reader, view: View, filters: Sequence[Filter], since_us: int | None, until_us: int | None, params: list[Any]
) -> str:
    """SELECT of the runs of the calls that match."""
    question = Question(measures=("calls",), filters=tuple(filters), since_us=since_us, until_us=until_us)
    fields = {given.field for given in filters}
    if not fields <= _HELD:
        got = needs(question)
        columns = {"run_id", "session_id", *got.columns}
        relation = reader.calls(view, columns, got.keys, since_us, until_us)
        where = where_sql(filters, since_us, until_us, _UTC, params)
        return f"SELECT {KEY} FROM ({relation}) WHERE {KEY} IS NOT NULL AND {where}"
    inner = inner_of(question, DAY_US)
    # In rows of the summary the run stands where calls have their run or else their session.
    dimensions = ", ".join(("run AS run_id", *_ROW_DIMENSIONS))
    parts = []
    files = reader.files(view, "summary_runs", inner.low, inner.high) if inner.low < inner.high else []
    if files:
        where = " AND ".join(time_sql("day", inner)) or "true"
        parts.append(f"SELECT {dimensions} FROM read_parquet({files_sql(files)}) WHERE {where}")
    names = {"run_id", *_ROW_DIMENSIONS}
    for relation in call_parts(reader, view, question, Span(*inner), names):
        call = ", ".join((f"{KEY} AS run_id", *_ROW_DIMENSIONS))
        parts.append(f"SELECT {call} FROM ({relation}) WHERE {KEY} IS NOT NULL")
    if not parts:
        return "SELECT CAST(NULL AS VARCHAR) WHERE false"
    where = where_sql(filters, None, None, _UTC, params)
    return f"SELECT run_id FROM ({' UNION ALL '.join(parts)}) WHERE {where}"


def _latest(
    reader: Reader, view: View, among: str, params: Sequence[Any], limit: int, before: tuple[int, str] | None
) -> list[Latest]:
    """The runs of latest activity, looked for in growing windows from the newest day back.

    A run's activity is the end of its last call, which can lie a little after the day in which that call began: a
    window is wide enough when the last run found was active a whole day after the window's start.
    """
    days = sorted({file.min_us for file in view.manifest.of("summary_runs")}, reverse=True)
    having = "" if before is None else " HAVING (max(ended_us), run) < (?, ?)"
    values = [*params, *(before or ())]
    span = _WINDOW_DAYS
    if before is not None:
        span += sum(day > before[0] for day in days)
    while True:
        low = days[span - 1] if span - 1 < len(days) else None
        sql = (
            f"SELECT max(ended_us) AS updated, run FROM ({_rows(reader, view, low)}) WHERE true{among} "
            f"GROUP BY run{having} ORDER BY updated DESC, run DESC LIMIT {int(limit)}"
        )
        found = [Latest(*row) for row in reader.con.execute(sql, values).fetchall()]
        if low is None or (len(found) == limit and (not found or found[-1].updated_us >= low + DAY_US)):
            return found
        span *= 4


def _first(name: str) -> str:
    return f"arg_min({name}, first_at) FILTER ({name} IS NOT NULL)"


def _whole(reader: Reader, view: View, latest: Iterable[Latest]) -> list[Run]:
    """Runs with totals over all their calls."""
    order = [one.run_id for one in latest]
    if not order:
        return []
    ids = ", ".join(text_sql(one) for one in order)
    among = f"SELECT * FROM ({_rows(reader, view, None, order)}) WHERE run IN ({ids})"
    rows = reader.con.execute(totals_sql(among)).fetchall()
    names = _names(reader, view, ids)
    found = {row[0]: run_from(row, names.get(row[0])) for row in rows}
    return [found[run_id] for run_id in order if run_id in found]


def sealed_rows(reader: Reader, view: View) -> str:
    """One row for each day and run that is sealed."""
    return _rows(reader, View(view.manifest, {}), None)


def totals_sql(rows: str) -> str:
    """SELECT of each run's totals over rows of its days, for `run_from`."""
    return (
        f"SELECT run, {_first('project')}, {_first('user_id')}, {_first('session_id')}, {_first('agent_name')}, "
        f"epoch_us(min(first_at)), max(ended_us), {', '.join(f'coalesce(sum({name}), 0)' for name in _FIGURES)}, "
        f"list(DISTINCT tags) FILTER (tags IS NOT NULL) FROM ({rows}) GROUP BY run"
    )


def _names(reader: Reader, view: View, ids: str) -> dict[str, str]:
    """Names of runs: a step whose id is the run's tells it."""
    parts = []
    files = reader.files(view, "steps")
    if files:
        parts.append(f"SELECT step_id, name FROM read_parquet({files_sql(files)}) WHERE step_id IN ({ids})")
    if reader.hot_steps(view):
        parts.append(f"SELECT step_id, name FROM hot_steps WHERE step_id IN ({ids})")
    found: dict[str, str] = {}
    for part in parts:
        found.update({step: name for step, name in reader.con.execute(part).fetchall() if name})
    return found


def run_from(row: tuple[Any, ...], name: str | None) -> Run:
    """The run of a row of `totals_sql`."""
    texts = [line for text in (row[13] or ()) for line in text.split("\n")]
    tags = {tag for text in texts for tag in msgspec.json.decode(text)}
    calls, errors, tokens_in, tokens_out, cost, priced = (int(value) for value in row[7:13])
    return Run(
        run_id=row[0], name=name, project=row[1], user_id=row[2], session_id=row[3], agent_name=row[4],
        created_at_us=row[5], updated_at_us=row[6], call_count=calls, error_count=errors, input_tokens=tokens_in,
        output_tokens=tokens_out, cost_nanousd=cost, unpriced_count=calls - priced, tags=tuple(sorted(tags)),
    )  # fmt: skip
