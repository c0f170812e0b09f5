"""The reference store: every call in a list, every answer by a plain loop.

It is there to be obviously right: the contract tests hold the embedded store against it. It
keeps nothing when the process ends and knows no SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from tallybook.model.call import Call, Cost, Run, Step
from tallybook.model.errors import InputError
from tallybook.model.ids import span_ident
from tallybook.model.limits import SEARCH_S
from tallybook.model.question import Answer, Filter, Question
from tallybook.model.usage import Usage
from tallybook.store.base import Appended, Drift, Warned
from tallybook.store.check import METADATA, checked_filters, checked_question, columns_of, zone_of
from tallybook.store.feedback import Feedback
from tallybook.store.quality import Quality, quality
from tallybook.store.sought import Hit, Searched, found_in, words_of
from tallybook.store.told import once

BATCH_CALLS = 1_000
PREFIX_CHARS = 8
_LOCAL = frozenset({"hour_of_day", "day_of_week"})

Pricer = Callable[[Call], Cost]


class Use(NamedTuple):
    """One use of a tool: asked for by a model, executed by the application, or both."""

    tool: str
    call: Call | None
    run_id: str | None
    server_side: bool
    duration_us: int | None
    error: str | None
    at_us: int


def run_of(call: Call) -> str | None:
    """The run a call belongs to: its own, else its session."""
    return call.run_id if call.run_id is not None else call.session_id


def _unpriced(call: Call) -> Cost:
    """The cost where no prices were handed in: what was stated, else unknown."""
    return call.cost if call.cost is not None else Cost(reasons=("no_prices",))


def _rank(call: Call) -> tuple[Quality, int, str]:
    """Of two records of one call the smaller stays: the better one (`quality`), then the earlier."""
    return quality(call), call.started_at_us, call.call_id


def _text(value: Any) -> str | None:
    """A metadata value as the text that is grouped and filtered by."""
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def cache_write_tokens(usage: Usage) -> int | None:
    """Tokens written to the cache for either length of time."""
    parts = [part for part in (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) if part is not None]
    return sum(parts) if parts else None


def field_of(call: Call, name: str, local: datetime) -> Any:
    """One dimension or field of a call; `tag` gives the tuple of tags."""
    if name.startswith(METADATA):
        return _text(call.metadata.get(name.removeprefix(METADATA)))
    match name:
        case "task":
            return call.name if call.name is not None else call.operation
        case "model":
            return call.response_model if call.response_model is not None else call.model
        case "run_id":
            return run_of(call)
        case "tag":
            return call.tags
        case "operation_or_name":
            return (call.operation,) if call.name is None else (call.operation, call.name)
        case "hour_of_day":
            return local.hour
        case "day_of_week":
            return local.weekday()
        case "cost_status":
            return call.cost.status if call.cost else "unpriced"
        case "cost_nanousd":
            return call.cost.total_nanousd if call.cost else None
        case "total_tokens":
            return call.usage.total_tokens
        case _:
            return getattr(call, name) if name in Call.__struct_fields__ else getattr(call.usage, name)


def holds(value: Any, given: Filter) -> bool:
    """Whether one value fulfils a filter. An unknown value is only `missing`, `ne` and `not_in`."""
    match given.op:
        case "exists":
            return value is not None
        case "missing":
            return value is None
        case "eq":
            return bool(value == given.value)
        case "ne":
            return bool(value != given.value)
        case "in":
            return value is not None and value in given.value
        case "not_in":
            return value is None or value not in given.value
        case "contains":
            return value is not None and given.value.lower() in str(value).lower()
    if value is None:
        return False
    if isinstance(given.value, int | float) and isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return False
    return bool(value >= given.value if given.op == "gte" else value < given.value)


def matches(call: Call, filters: Sequence[Filter], local: datetime) -> bool:
    """Whether a call with its cost fulfils all of some checked filters; `local` is its start in the asked zone."""
    for given in filters:
        value = field_of(call, given.field, local)
        if given.field in ("tag", "operation_or_name"):
            if given.op in ("ne", "not_in", "missing"):
                opposite: Any = {"ne": "eq", "not_in": "in", "missing": "exists"}[given.op]
                if any(holds(tag, Filter(given.field, opposite, given.value)) for tag in value):
                    return False
            elif not any(holds(tag, given) for tag in value):
                return False
        elif not holds(value, given):
            return False
    return True


def local_of(at_us: int, zone: Any) -> datetime:
    """The local time of a moment, to the second."""
    return datetime.fromtimestamp(at_us // 1_000_000, zone)


def bucket_of(local: datetime, grain: str) -> str:
    """Local start of the bucket as ISO text."""
    if grain == "hour":
        return local.strftime("%Y-%m-%dT%H")
    day = local.date()
    if grain == "week":
        day -= timedelta(days=day.weekday())
    elif grain == "month":
        day = day.replace(day=1)
    return day.isoformat()


def _known(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _sum(values: Sequence[Any]) -> int | None:
    known = _known(values)
    return sum(known) if known else None


def _percentile(values: Sequence[Any], percent: int) -> int | None:
    """Nearest rank: the smallest value that at least `percent` of the known values do not exceed."""
    known = sorted(_known(values))
    return known[-(-len(known) * percent // 100) - 1] if known else None


def _average(values: Sequence[Any]) -> int | None:
    known = _known(values)
    return sum(known) // len(known) if known else None


def _costs(calls: Sequence[Call]) -> list[int | None]:
    return [call.cost.total_nanousd if call.cost else None for call in calls]


def _durations(calls: Sequence[Call]) -> list[int | None]:
    return [call.duration_us for call in calls]


def measure_of(name: str, calls: Sequence[Call]) -> Any:
    """One measure over calls that have their costs."""
    match name:
        case "calls":
            return len(calls)
        case "errors":
            return sum(call.status == "error" for call in calls)
        case "cost_nanousd":
            return _sum(_costs(calls))
        case "priced_calls":
            return len(_known(_costs(calls)))
        case "unpriced_calls":
            return _costs(calls).count(None)
        case "estimated_calls":
            return sum(call.cost is not None and call.cost.status == "estimated" for call in calls)
        case "users":
            return len({call.user_id for call in calls} - {None})
        case "runs":
            return len({run_of(call) for call in calls} - {None})
        case "sessions":
            return len({call.session_id for call in calls} - {None})
        case "tool_calls":
            return sum(len(call.tool_calls) for call in calls)
        case "duration_sum_us":
            return _sum(_durations(calls))
        case "timed_output_tokens":
            return _sum([call.usage.output_tokens for call in calls if call.duration_us is not None])
        case "timed_output_us":
            return _sum([call.duration_us for call in calls if call.usage.output_tokens is not None])
        case "duration_max_us":
            return max(_known(_durations(calls)), default=None)
        case "duration_avg_us":
            return _average(_durations(calls))
        case "duration_p50_us" | "duration_p95_us" | "duration_p99_us":
            return _percentile(_durations(calls), int(name[10:12]))
        case "ttft_p50_us" | "ttft_p95_us":
            return _percentile([call.ttft_us for call in calls], int(name[6:8]))
        case "first_at_us":
            return min((call.started_at_us for call in calls), default=None)
        case "last_at_us":
            return max((call.started_at_us for call in calls), default=None)
        case "cache_write_tokens":
            return _sum([cache_write_tokens(call.usage) for call in calls])
        case _:
            return _sum([getattr(call.usage, name) for call in calls])


def _tool_measure(name: str, uses: Sequence[Use]) -> Any:
    durations = [use.duration_us for use in uses]
    match name:
        case "uses":
            return len(uses)
        case "failures":
            return sum(use.error is not None for use in uses)
        case "duration_avg_us":
            return _average(durations)
        case "duration_p95_us":
            return _percentile(durations, 95)
        case "calls":
            return len({use.call.call_id for use in uses if use.call is not None})
        case "runs":
            return len({use.run_id for use in uses} - {None})
        case _:
            return max((use.at_us for use in uses), default=None)


def _error_of(step: Step) -> str | None:
    """Why an execution failed; `None` when it did not."""
    return (step.error_message or "error") if step.status == "error" else None


def _use_field(use: Use, name: str) -> Any:
    if name == "tool":
        return use.tool
    if name in ("server_side", "run_id", "error"):
        return getattr(use, name)
    if name == "call_id":
        return None if use.call is None else use.call.call_id
    return None if use.call is None else field_of(use.call, name, datetime.min)


def in_order(question: Question, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows in the question's order; unknown values last in either direction."""
    columns = columns_of(question)
    for name, direction in reversed(question.order):
        at = columns.index(name)
        known = sorted((r for r in rows if r[at] is not None), key=lambda r: r[at], reverse=direction == "desc")
        rows = known + [row for row in rows if row[at] is None]
    return rows if question.limit is None else rows[: question.limit]


class MemoryStore:
    """A `CallStore` in plain Python. `price` gives the cost of a call that states none."""

    def __init__(self, price: Pricer = _unpriced) -> None:
        self._price = price
        self._lines: list[Call] = []
        self._steps: list[Step] = []
        self._bodies: dict[str, dict[str, Any]] = {}
        self._feedback: dict[str, list[Feedback]] = {}
        self._found: list[Call] | None = None
        """What `_kept` found since the last append."""

    def append(self, calls: Sequence[Call], steps: Sequence[Step] = ()) -> Appended:
        """See `CallStore.append`; a better record of a known call takes its place."""
        before = len(self._kept())
        self._lines.extend(calls)
        self._steps.extend(steps)
        self._found = None
        written = len(self._kept()) - before
        return Appended(written, len(calls) - written)

    def keep_body(self, call_id: str, prompt: Any = None, response: Any = None) -> None:
        """Store prompt and response of a call."""
        self._bodies[call_id] = {"prompt": prompt, "response": response}

    def _kept(self) -> list[Call]:
        """One record of each call with its cost, by start and id."""
        if self._found is None:
            self._found = self._merged()
        return self._found

    def _merged(self) -> list[Call]:
        by_id: dict[str, Call] = {}
        for call in sorted(self._lines, key=_rank):
            by_id.setdefault(call.call_id, call)
        by_response: dict[Any, Call] = {}
        for call in by_id.values():
            key = call.call_id if call.response_id is None else (call.provider, call.response_id)
            by_response.setdefault(key, call)
        kept = sorted(by_response.values(), key=lambda call: (call.started_at_us, call.call_id))
        return [msgspec.structs.replace(call, cost=self._price(call)) for call in kept]

    def _selected(
        self, filters: Sequence[Filter], since_us: int | None, until_us: int | None, zone: str = "UTC"
    ) -> list[Call]:
        place = zone_of(zone)
        return [
            call
            for call in self._kept()
            if (since_us is None or call.started_at_us >= since_us)
            and (until_us is None or call.started_at_us < until_us)
            and (not filters or matches(call, filters, local_of(call.started_at_us, place)))
        ]

    def _uses(self) -> list[Use]:
        """Uses of tools: those asked for, joined with their execution by id, and those only executed."""
        steps = once(self._steps)
        executed = {s.tool_call_id: s for s in steps if s.kind == "tool" and s.tool_call_id is not None}
        uses: list[Use] = []
        asked: set[str] = set()
        for call in self._kept():
            for tool in call.tool_calls:
                step = executed.get(tool.id) if tool.id is not None and tool.id not in asked else None
                if tool.id is not None:
                    if tool.id in asked:
                        continue
                    asked.add(tool.id)
                duration = tool.duration_us if tool.duration_us is not None or step is None else step.duration_us
                error = tool.error if tool.error is not None or step is None else _error_of(step)
                uses.append(Use(tool.name, call, run_of(call), tool.server_side, duration, error, call.started_at_us))
        for step in steps:
            if step.kind == "tool" and step.tool_call_id not in asked:
                error = _error_of(step)
                uses.append(Use(step.name, None, step.run_id, False, step.duration_us, error, step.started_at_us))
                if step.tool_call_id is not None:
                    asked.add(step.tool_call_id)
        return uses

    def ask(self, question: Question) -> Answer:
        """See `CallStore.ask`."""
        question = checked_question(question)
        zone = zone_of(question.zone)
        groups: dict[tuple[Any, ...], list[Any]] = {}
        if not question.dimensions and question.grain is None:
            groups[()] = []
        is_tools = question.source == "tool_calls"
        is_local = question.grain is not None or not _LOCAL.isdisjoint(question.dimensions)
        for item, at_us in self._items(question):
            local = local_of(at_us, zone) if is_local else datetime.min
            keys: list[tuple[Any, ...]] = [(bucket_of(local, question.grain),) if question.grain else ()]
            for name in question.dimensions:
                value = _use_field(item, name) if is_tools else field_of(item, name, local)
                values = tuple(dict.fromkeys(value)) or (None,) if name == "tag" else (value,)
                keys = [(*key, one) for key in keys for one in values]
            for key in keys:
                groups.setdefault(key, []).append(item)
        measure = _tool_measure if is_tools else measure_of
        rows = [(*key, *(measure(name, items) for name in question.measures)) for key, items in groups.items()]
        return Answer(columns_of(question), in_order(question, rows))

    def steady(self) -> AbstractContextManager[None]:
        """See `CallStore.steady`."""
        return nullcontext()

    def stamp(self) -> str:
        """See `CallStore.stamp`."""
        return f"{len(self._lines)}-{len(self._steps)}-{len(self._bodies)}"

    def _items(self, question: Question) -> Iterator[tuple[Any, int]]:
        if question.source == "calls":
            for call in self._selected(question.filters, question.since_us, question.until_us, question.zone):
                yield call, call.started_at_us
            return
        for use in self._uses():
            in_span = (question.since_us is None or use.at_us >= question.since_us) and (
                question.until_us is None or use.at_us < question.until_us
            )
            if in_span and all(holds(_use_field(use, given.field), given) for given in question.filters):
                yield use, use.at_us

    def call(self, call_id: str) -> Call | None:
        """See `CallStore.call`."""
        kept = self._kept()
        for call in kept:
            if call.call_id == call_id:
                return call
        found = [c for c in kept if c.call_id.startswith(call_id)] if len(call_id) >= PREFIX_CHARS else []
        if len(found) > 1:
            raise InputError(f"{len(found)} calls begin with {call_id!r}", field="call_id", hint="give more of the id")
        return found[0] if found else None

    def calls(
        self,
        filters: Sequence[Filter] = (),
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        limit: int = 50,
        before: tuple[int, str] | None = None,
        oldest_first: bool = False,
    ) -> list[Call]:
        """See `CallStore.calls`."""
        found = self._selected(checked_filters(filters), since_us, until_us)
        if not oldest_first:
            found.reverse()
        if before is not None:
            found = [
                call
                for call in found
                if ((call.started_at_us, call.call_id) > before) == oldest_first
                and (call.started_at_us, call.call_id) != before
            ]
        return found[:limit]

    def latest_us(self) -> int | None:
        """See `CallStore.latest_us`."""
        found = self.calls(limit=1)
        return found[0].started_at_us if found else None

    def scan(
        self, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> Iterator[list[Call]]:
        """See `CallStore.scan`."""
        found = self._selected(checked_filters(filters), since_us, until_us)
        for start in range(0, len(found), BATCH_CALLS):
            yield found[start : start + BATCH_CALLS]

    def drifted(
        self, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> Iterator[list[Drift]]:
        """Nothing: costs are worked out at each reading."""
        checked_filters(filters)
        return iter(())

    def run_calls(self, run_id: str) -> tuple[list[Call], list[Step]]:
        """See `CallStore.run_calls`."""
        steps = once(step for step in self._steps if step.run_id == run_id)
        return [call for call in self._kept() if run_of(call) == run_id], steps

    def runs(
        self,
        filters: Sequence[Filter] = (),
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        limit: int = 50,
        before: tuple[int, str] | None = None,
    ) -> list[Run]:
        """Runs with at least one call that matches; their totals are over all their calls."""
        matching = {run_of(call) for call in self._selected(checked_filters(filters), since_us, until_us)}
        groups: dict[str, list[Call]] = {}
        for call in self._kept():
            run_id = run_of(call)
            if run_id is not None and run_id in matching:
                groups.setdefault(run_id, []).append(call)
        found = [self._run(run_id, calls) for run_id, calls in groups.items()]
        found.sort(key=lambda run: (run.updated_at_us, run.run_id), reverse=True)
        return [run for run in found if before is None or (run.updated_at_us, run.run_id) < before][:limit]

    def _run(self, run_id: str, calls: Sequence[Call]) -> Run:
        def first(name: str) -> Any:
            return next((value for call in calls if (value := getattr(call, name)) is not None), None)

        own = next((step for step in self._steps if step.step_id == run_id), None)
        return Run(
            run_id=run_id,
            name=own.name if own is not None and own.name else None,
            project=first("project"),
            user_id=first("user_id"),
            session_id=first("session_id"),
            agent_name=first("agent_name"),
            created_at_us=calls[0].started_at_us,
            updated_at_us=max(call.started_at_us + (call.duration_us or 0) for call in calls),
            call_count=len(calls),
            error_count=sum(call.status == "error" for call in calls),
            input_tokens=sum(call.usage.input_tokens or 0 for call in calls),
            output_tokens=sum(call.usage.output_tokens or 0 for call in calls),
            cost_nanousd=sum(call.cost.total_nanousd or 0 for call in calls if call.cost),
            unpriced_count=sum(call.cost is None or call.cost.total_nanousd is None for call in calls),
            tags=tuple(sorted({tag for call in calls for tag in call.tags})),
        )

    def body(self, call_id: str) -> dict[str, Any] | None:
        """See `CallStore.body`."""
        own = self._bodies.get(call_id)
        apart = self._bodies.get(span_ident(call_id) or "")
        if own is None or apart is None:
            return own or apart
        return {key: apart[key] if value is None else value for key, value in own.items()}

    def feedback(self, call: Call) -> list[Feedback]:
        """See `CallStore.feedback`."""
        return list(self._feedback.get(call.call_id, ()))

    def run_feedback(self, run_id: str, project: str | None) -> list[Feedback]:
        """See `CallStore.run_feedback`."""
        return list(self._feedback.get(run_id, ()))

    def keep_feedback(self, call_id: str, *told: Feedback) -> None:
        """Store what was said of a call, or of a run by its id."""
        self._feedback.setdefault(call_id, []).extend(told)

    def search(
        self,
        text: str,
        filters: Sequence[Filter] = (),
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        limit: int = 20,
        before: tuple[int, str] | None = None,
        seconds: float = SEARCH_S,
    ) -> Searched:
        """See `CallStore.search`. Looks through everything, whatever time that takes."""
        words = words_of(text)
        hits: list[Hit] = []
        for call in reversed(self._selected(checked_filters(filters), since_us, until_us)):
            if before is not None and (call.started_at_us, call.call_id) >= before:
                continue
            hit = found_in(words, call, self.body(call.call_id))
            if hit is not None:
                hits.append(hit)
                if len(hits) == limit:
                    return Searched(hits, (call.started_at_us, call.call_id))
        return Searched(hits, None)

    def sql(self, text: str, *, limit: int | None = None) -> Answer:
        """Always InputError: plain Python has no SQL."""
        raise InputError("the memory store has no SQL", hint="ask a question, or use the store of a folder")

    def export_parquet(
        self, path: str, filters: Sequence[Filter] = (), *, since_us: int | None = None, until_us: int | None = None
    ) -> int:
        """Always InputError: plain Python writes no Parquet."""
        raise InputError("the memory store writes no Parquet", hint="use the store of a folder, or export JSON lines")

    def warnings(self) -> list[Warned]:
        """Nothing can be damaged here."""
        return []

    def close(self) -> None:
        """Nothing to release."""
