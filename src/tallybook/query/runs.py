"""Runs with their totals, and the execution tree of one: steps and calls, each with the sums of what is below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from tallybook.model.call import Call, Run, Step
from tallybook.model.errors import InputError, NotFound
from tallybook.model.question import Filter
from tallybook.query.filters import told
from tallybook.query.span import Span
from tallybook.query.totals import Scope
from tallybook.store.base import CallStore

LIMIT = 30
PREFIX_CHARS = 8
PREFIX_MATCHES_MAX = 100
"""Runs looked at whose id contains the text; one that begins with it may be beyond, and is then not found."""


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, latest activity first."""

    span: Span
    filters: list[str]
    runs: list[Run]
    is_cut: bool
    """Whether there are more than were asked for."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A call or a step, its own figures, and the sums over itself and all below it."""

    id: str
    kind: str
    """`call`, or the step's kind: agent, tool, retrieval, chain …"""
    name: str
    status: str
    started_at_us: int
    duration_us: int | None = None
    model: str | None = None
    error_message: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    """Of the input."""
    ttft_us: int | None = None
    cost_nanousd: int | None = None
    cost_status: str | None = None
    calls: int = 0
    """Model calls in the subtree, itself included."""
    unpriced_calls: int = 0
    sum_input_tokens: int = 0
    sum_output_tokens: int = 0
    sum_cost_nanousd: int = 0
    """Over the priced calls of the subtree; `unpriced_calls` tells what it lacks."""
    tool_calls: list[str] = []
    """Names of the tools that a call asked for."""
    children: list[Node] = []


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """One run's execution: its roots in order of start, and the run's sums."""

    run_id: str
    name: str | None
    started_at_us: int
    duration_us: int
    status: str
    project: str | None
    user_id: str | None
    calls: int
    steps: int
    errors: int
    """Calls and steps that failed."""
    failed_calls: int
    """Those of them that are calls."""
    input_tokens: int
    output_tokens: int
    cost_nanousd: int | None
    priced_calls: int
    unpriced_calls: int
    roots: list[Node]


def runs(store: CallStore, scope: Scope, *, limit: int = LIMIT) -> Runs:
    """Runs that were active in the scope; their totals are over all their calls."""
    found = store.runs(scope.filters, since_us=scope.span.since_us, until_us=scope.span.until_us, limit=limit + 1)
    return Runs(span=scope.span, filters=told(scope.filters), runs=found[:limit], is_cut=len(found) > limit)


def tree(store: CallStore, run_id: str, *, project: str | None = None) -> Tree:
    """The execution tree of a run, by its id or the unique beginning of it (8 characters or more).

    With `project` the calls of other ones are left out. Raises NotFound when no call or step belongs to it, InputError
    when several runs begin so.
    """
    calls, steps = store.run_calls(run_id)
    if not calls and not steps and len(run_id) >= PREFIX_CHARS:
        begin = {run.run_id for run in store.runs([Filter("run_id", "contains", run_id)], limit=PREFIX_MATCHES_MAX)}
        begin = {found for found in begin if found.startswith(run_id)}
        if len(begin) > 1:
            raise InputError(f"{len(begin)} runs begin with {run_id!r}", field="run_id", hint="give more of the id")
        if begin:
            run_id = begin.pop()
            calls, steps = store.run_calls(run_id)
    if project is not None:
        calls = [call for call in calls if call.project == project]
    if not calls and not steps:
        raise NotFound(f"no run has the id {run_id!r}", hint="`tallybook runs` lists them")
    roots = _forest(calls, steps)
    items: list[Call | Step] = [*calls, *steps]
    first = min(item.started_at_us for item in items)
    last = max(item.started_at_us + (item.duration_us or 0) for item in items)
    priced = sum(call.cost is not None and call.cost.total_nanousd is not None for call in calls)
    outer = [root for root in roots if root.kind != "call"]
    return Tree(
        run_id=run_id,
        name=outer[0].name if outer and len(roots) == 1 else None,  # A step beside others names only itself.
        started_at_us=first,
        duration_us=last - first,
        status=_status(roots),
        project=_first(calls, "project"),
        user_id=_first(calls, "user_id"),
        calls=len(calls),
        steps=len(steps),
        errors=sum(item.status == "error" for item in items),
        failed_calls=sum(call.status == "error" for call in calls),
        input_tokens=sum(root.sum_input_tokens for root in roots),
        output_tokens=sum(root.sum_output_tokens for root in roots),
        cost_nanousd=sum(root.sum_cost_nanousd for root in roots) if priced or not calls else None,
        priced_calls=priced,
        unpriced_calls=len(calls) - priced,
        roots=roots,
    )


def walk(roots: Sequence[Node]) -> Iterator[tuple[Node, str | None, int]]:
    """Every node with its parent's id and its depth, parents before children, without recursion."""
    stack: list[tuple[Node, str | None, int]] = [(root, None, 0) for root in reversed(roots)]
    while stack:
        node, parent_id, depth = stack.pop()
        yield node, parent_id, depth
        stack.extend((child, node.id, depth + 1) for child in reversed(node.children))


def _status(roots: Sequence[Node]) -> Literal["ok", "error", "cancelled", "incomplete"]:
    """A run is as its last root ended: an error that was retried with success is no failed run."""
    last = max(roots, key=lambda root: root.started_at_us)
    return last.status  # type: ignore[return-value]


def _first(calls: Sequence[Call], field: str) -> str | None:
    return next((value for call in calls if (value := getattr(call, field)) is not None), None)


def _forest(calls: Sequence[Call], steps: Sequence[Step]) -> list[Node]:
    """Nodes under their parents. One whose parent is not in the run, or is below itself, is a root."""
    items: dict[str, Call | Step] = {step.step_id: step for step in steps}
    items.update({call.call_id: call for call in calls})
    below: dict[str | None, list[str]] = {}
    for key, item in items.items():
        below.setdefault(_parent(key, item, items), []).append(key)
    for keys in below.values():
        keys.sort(key=lambda key: (items[key].started_at_us, key))
    # Children before parents, without recursion: a run may be nested deeper than Python's stack.
    order: list[str] = []
    stack = list(below.get(None, []))
    while stack:
        key = stack.pop()
        order.append(key)
        stack.extend(below.get(key, []))
    nodes: dict[str, Node] = {}
    for key in reversed(order):
        children = [nodes[child] for child in below.get(key, [])]
        item = items[key]
        nodes[key] = _of_call(item, children) if isinstance(item, Call) else _of_step(item, children)
    return [nodes[key] for key in below.get(None, [])]


def _parent(key: str, item: Call | Step, items: dict[str, Call | Step]) -> str | None:
    parent = item.parent_id
    if parent not in items:
        return None
    seen = {key}
    above: str | None = parent
    while above in items:
        assert above is not None
        if above in seen:
            return None
        seen.add(above)
        above = items[above].parent_id
    return parent


def _of_call(call: Call, children: list[Node]) -> Node:
    cost = call.cost
    total = None if cost is None else cost.total_nanousd
    return Node(
        id=call.call_id,
        kind="call",
        name=call.name or call.operation,
        status=call.status,
        started_at_us=call.started_at_us,
        duration_us=call.duration_us,
        model=call.response_model or call.model,
        error_message=call.error_message or call.error_type,
        input_tokens=call.usage.input_tokens,
        output_tokens=call.usage.output_tokens,
        cache_read_tokens=call.usage.cache_read_tokens,
        ttft_us=call.ttft_us,
        cost_nanousd=total,
        cost_status="unpriced" if cost is None else cost.status,
        calls=1 + sum(child.calls for child in children),
        unpriced_calls=(total is None) + sum(child.unpriced_calls for child in children),
        sum_input_tokens=(call.usage.input_tokens or 0) + sum(child.sum_input_tokens for child in children),
        sum_output_tokens=(call.usage.output_tokens or 0) + sum(child.sum_output_tokens for child in children),
        sum_cost_nanousd=(total or 0) + sum(child.sum_cost_nanousd for child in children),
        tool_calls=[tool.name for tool in call.tool_calls],
        children=children,
    )


def _of_step(step: Step, children: list[Node]) -> Node:
    return Node(
        id=step.step_id,
        kind=step.kind,
        name=step.name,
        status=step.status,
        started_at_us=step.started_at_us,
        duration_us=step.duration_us,
        error_message=step.error_message,
        calls=sum(child.calls for child in children),
        unpriced_calls=sum(child.unpriced_calls for child in children),
        sum_input_tokens=sum(child.sum_input_tokens for child in children),
        sum_output_tokens=sum(child.sum_output_tokens for child in children),
        sum_cost_nanousd=sum(child.sum_cost_nanousd for child in children),
        children=children,
    )
