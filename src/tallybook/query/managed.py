"""What was made or changed of runs on purpose, put into the list of runs: names, stars, tags, and what was deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tallybook.model.call import Run
from tallybook.model.errors import InputError
from tallybook.model.question import Filter
from tallybook.query.filters import told
from tallybook.query.runs import Runs
from tallybook.query.totals import Scope
from tallybook.store.run_store import RunQuery, RunStore

_FIELDS = {"project": "projects", "user_id": "user_ids", "agent_name": "agent_names", "session_id": "session_ids",
           "run_id": "run_ids"}  # fmt: skip
_OWN = (
    "name", "description", "source_type", "source_id", "status", "visibility", "is_starred", "is_managed",
    "last_message_at_us", "completed_at_us", "message_count", "task_count", "open_task_count", "last_task_status",
    "tags", "settings", "variable_values", "broker_values", "metadata", "revision",
)  # fmt: skip


def kept(state: RunStore, scope: Scope, wanted: Mapping[str, Any], *, limit: int) -> Runs:
    """Runs by what the state knows of them (`wanted`: fields of `RunQuery`). Raises InputError for other filters."""
    fields = _fields(scope.filters)
    if fields is None:
        raise InputError(
            "beside filters of runs, only --project, --user and --agent narrow the list, each to given values",
            hint="leave the other filters out",
        )
    query = RunQuery(
        since_us=scope.span.since_us, until_us=scope.span.until_us, limit=limit + 1, **{**fields, **wanted}
    )
    found = state.find_runs(query)
    return Runs(span=scope.span, filters=told(scope.filters), runs=found[:limit], is_cut=len(found) > limit)


def with_kept(found: Runs, state: RunStore, scope: Scope, *, limit: int) -> Runs:
    """The list with names, stars and tags as given, without what was deleted, and with runs that have no calls yet."""
    run_ids = [run.run_id for run in found.runs]
    deleted = state.deleted_runs(run_ids)
    own = {run.run_id: run for run in state.find_runs(RunQuery(run_ids=tuple(run_ids), limit=len(run_ids)))}
    runs = [_with(run, own.get(run.run_id)) for run in found.runs if run.run_id not in deleted]
    fields = _fields(scope.filters)
    if fields is not None:
        more = state.find_runs(
            RunQuery(is_managed=True, since_us=scope.span.since_us, until_us=scope.span.until_us, limit=limit, **fields)
        )
        runs += [run for run in more if not run.call_count and run.run_id not in own]
        runs.sort(key=lambda run: (run.updated_at_us, run.run_id), reverse=True)
    return msgspec.structs.replace(found, runs=runs[:limit], is_cut=found.is_cut or len(runs) > limit)


def _with(run: Run, own: Run | None) -> Run:
    """A run of the ledger with what was given to it; figures and times stay the ledger's."""
    if own is None or not own.is_managed:
        return run
    return msgspec.structs.replace(run, **{name: getattr(own, name) for name in _OWN})


def _fields(filters: Sequence[Filter]) -> dict[str, Any] | None:
    """Filters of calls as those of runs; `None` when one of them is none."""
    found: dict[str, Any] = {}
    for given in filters:
        name = _FIELDS.get(given.field)
        if name is None or given.op not in ("eq", "in") or name in found:
            return None
        found[name] = given.value if isinstance(given.value, tuple) else (given.value,)
    return found
