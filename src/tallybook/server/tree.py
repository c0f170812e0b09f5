"""`/api/v1/runs/{run_id}/tree`: the execution of a run, each call and step once, with the sums of what is below it.

The tree comes as a list, parents before children, each node with its parent and depth: a run may be nested deeper than
readers of JSON go.
"""

from __future__ import annotations

from itertools import islice

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallybook.model.call import Run
from tallybook.model.errors import NotFound
from tallybook.model.limits import RUN_NODES
from tallybook.query.plain import iso
from tallybook.query.runs import Node, Tree, tree, walk
from tallybook.server.context import Context
from tallybook.server.identity import identity_of
from tallybook.server.permit import permitted
from tallybook.server.reply import answered
from tallybook.server.route import Route
from tallybook.server.runs import told
from tallybook.store.base import CallStore
from tallybook.store.feedback import Feedback


class ShownNode(msgspec.Struct, frozen=True, kw_only=True):
    """A call or a step: own figures, and sums over itself and all below it."""

    id: str
    parent_id: str | None
    depth: int
    kind: str
    """`call`, or the step's kind: agent, tool, retrieval, chain …"""
    name: str
    status: str
    started_at: str | None
    offset_ms: float
    """After the run's begin."""
    duration_ms: float | None
    ttft_ms: float | None
    model: str | None
    error_message: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    """Of the input."""
    cost_usd: float | None
    cost_nanousd: int | None
    cost_status: str | None
    calls: int
    unpriced_calls: int
    sum_input_tokens: int
    sum_output_tokens: int
    sum_cost_usd: float | None
    """Over what has a price; `null` where no call has one."""
    sum_cost_nanousd: int | None
    tool_calls: list[str]


class RunTree(msgspec.Struct, frozen=True, kw_only=True):
    """The execution of a run."""

    run_id: str
    status: str
    """As its last root ended."""
    started_at: str | None
    """`null` where nothing has happened yet, as `duration_ms`."""
    duration_ms: float | None
    calls: int
    steps: int
    errors: int
    """Calls and steps that failed."""
    failed_calls: int
    """Those of them that are calls."""
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    cost_nanousd: int | None
    priced_calls: int
    unpriced_calls: int
    nodes: list[ShownNode]
    is_cut: bool
    feedback: list[Feedback] = []
    """Scores of the run as a whole. Not told to tokens of pages."""
    """Whether there are more nodes than these. The sums are over all."""


async def get_tree(request: Request, context: Context) -> Response:
    """`GET /api/v1/runs/{run_id}/tree`."""
    told(request, ())
    run = await context.state(lambda state: permitted(state, request.path_params["run_id"], request, in_bin=True))
    return await tree_answer(request, context, run, has_feedback=True)


async def tree_answer(request: Request, context: Context, run: Run, *, has_feedback: bool = False) -> Response:
    """The tree of a run that the asker may see."""
    project = identity_of(request).project

    def work(store: CallStore) -> RunTree:
        try:
            found = shown_tree(tree(store, run.run_id, project=project))
        except NotFound:
            found = _nothing(run.run_id)
        if not has_feedback:
            return found
        return msgspec.structs.replace(found, feedback=store.run_feedback(run.run_id, run.project))

    return await answered(request, context, None, work)


def shown_tree(found: Tree) -> RunTree:
    """A tree as a list of its nodes, at most `RUN_NODES` of them."""
    nodes = [_shown(node, parent_id, depth, found) for node, parent_id, depth in islice(walk(found.roots), RUN_NODES)]
    return RunTree(
        run_id=found.run_id, status=found.status, started_at=iso(found.started_at_us),
        duration_ms=found.duration_us / 1000, calls=found.calls, steps=found.steps, errors=found.errors,
        failed_calls=found.failed_calls,
        input_tokens=found.input_tokens, output_tokens=found.output_tokens, cost_usd=_usd(found.cost_nanousd),
        cost_nanousd=found.cost_nanousd, priced_calls=found.priced_calls, unpriced_calls=found.unpriced_calls,
        nodes=nodes, is_cut=found.calls + found.steps > len(nodes),
    )  # fmt: skip


def _nothing(run_id: str) -> RunTree:
    return RunTree(
        run_id=run_id, status="ok", started_at=None, duration_ms=None, calls=0, steps=0, errors=0, failed_calls=0,
        input_tokens=0, output_tokens=0, cost_usd=None, cost_nanousd=None, priced_calls=0, unpriced_calls=0, nodes=[],
        is_cut=False,
    )  # fmt: skip


def _shown(node: Node, parent_id: str | None, depth: int, found: Tree) -> ShownNode:
    total = node.sum_cost_nanousd if node.calls > node.unpriced_calls or not node.calls else None
    return ShownNode(
        id=node.id, parent_id=parent_id, depth=depth, kind=node.kind, name=node.name, status=node.status,
        started_at=iso(node.started_at_us), offset_ms=(node.started_at_us - found.started_at_us) / 1000,
        duration_ms=_ms(node.duration_us), ttft_ms=_ms(node.ttft_us), model=node.model,
        error_message=node.error_message, input_tokens=node.input_tokens, output_tokens=node.output_tokens,
        cache_read_tokens=node.cache_read_tokens, cost_usd=_usd(node.cost_nanousd), cost_nanousd=node.cost_nanousd,
        cost_status=node.cost_status, calls=node.calls, unpriced_calls=node.unpriced_calls,
        sum_input_tokens=node.sum_input_tokens, sum_output_tokens=node.sum_output_tokens, sum_cost_usd=_usd(total),
        sum_cost_nanousd=total, tool_calls=list(node.tool_calls),
    )  # fmt: skip


def _ms(us: int | None) -> float | None:
    return None if us is None else us / 1000


def _usd(nanousd: int | None) -> float | None:
    return None if nanousd is None else nanousd / 1e9


ROUTES = (
    Route("GET", "/api/v1/runs/{run_id}/tree", get_tree, "read", "The execution tree of a run", "Runs", answer=RunTree,
          may_fail=(400, 404),
          about="Parents before children, each with its depth. `sum_…` are over a node and all below it."),
)  # fmt: skip
